r"""Readouts of a memory: delays, weighted sums, and any function of the window.

They stand apart from `networks.memory`, whose ``add_output`` they are, because together
they are too long to be read at once.
"""

import nengo
import numpy as np
from nengo.utils.progress import Progress, ProgressTracker

from lmu_spiking.dynamics.mapping import as_synapse, map_onto
from lmu_spiking.errors import ValidationError, check_shape, check_whole
from lmu_spiking.networks.function import (
    POINTS,
    LinearReadout,
    linear_parts,
    solve_function,
)
from lmu_spiking.neurons.bare_ensemble import driven
from lmu_spiking.neurons.curves import unmerged
from lmu_spiking.theory.budget import window_delays

DEFAULT_TAU = 0.02  # seconds, of a function's readout
DEFAULT_NEURONS = 2000  # of a function's ensemble: its noise is then below the memory's


def delay_weights(memory, delay) -> np.ndarray:
    r"""Return the readout (n, order) of ``.state`` at each delay.

    The state at probe index ``k`` is the one after input ``k - 1``, so that delay ``s``
    sits at ``r = (s - dt/2) / theta``, ``dt <= s <= theta``.
    """
    dt, theta = memory.dt, memory.ldn.theta
    try:
        seconds = np.atleast_1d(delay)
        if seconds.dtype.kind not in "iuf" and seconds.size:
            raise TypeError
        seconds = seconds.astype(float)
    except (TypeError, ValueError):
        problem = "must be seconds, one number or several"
        raise ValidationError("add_output.delay", delay, problem) from None
    slack = 1e-9 * theta
    inside = (seconds >= dt - slack) & (seconds <= theta + slack)
    if seconds.ndim != 1 or not seconds.size or not inside.all():
        problem = f"must lie between dt = {dt:g} and theta = {theta:g} s"
        raise ValidationError("add_output.delay", seconds.tolist(), problem)
    return memory.ldn.readout(seconds - dt, dt)


def add_delay(memory, delay, synapse=None, label=None) -> nengo.Node:
    """Add a node of the input at each delay, in the order given, input by input."""
    weights = delay_weights(memory, memory.ldn.theta if delay is None else delay)
    rows = np.kron(np.eye(memory.size_in), weights)
    return add_rows(memory, rows, synapse, label or "delay")


def add_weights(memory, weights, delay, synapse=None, label=None):
    """Add a weighted sum of points of the window (`LegendreMemory.add_output`).

    Returns
    -------
    node : nengo.Node
        The sums.
    solved : LinearReadout
        What they are of the state.
    """
    try:
        weights = np.atleast_2d(weights)
    except ValueError:  # rows of unequal length, which the check refuses
        pass
    weights = check_shape("add_output.weights", weights, ("k", "n"))
    n, dt, theta = weights.shape[1], memory.dt, memory.ldn.theta
    if delay is None:
        if n == 1:
            problem = "is one weight, and no point of the window is named"
            remedy = "name it by delay="
            raise ValidationError("add_output.weights", weights, problem, remedy)
        delay = np.linspace(dt, theta, n)
    of_state = delay_weights(memory, delay)
    if len(of_state) != n:
        problem = f"must have one weight for each of {len(of_state)} delays"
        raise ValidationError("add_output.weights", weights.shape, problem)
    # of several inputs, each has its own sum
    each = np.eye(memory.size_in)
    whole, rows = np.kron(each, weights), np.kron(each, weights @ of_state)
    given = (lambda w: whole @ w), delay, rows, np.zeros(len(whole)), synapse
    return _add_linear(memory, *given, label or "weights")


def add_rows(memory, rows, synapse, label) -> nengo.Node:
    r"""Add the linear function ``rows`` (p, size_in * order) of the state.

    From ``.state``, or from the spikes through a synapse of its own.  The latter is
    mapped like the memory itself: with ``A_h, B_h`` the LDN's mapping onto ``h``,
    ``y = c (h * (A_h x + B_h u))`` is ``c m`` in the mean, and no later.
    """
    each = np.eye(memory.size_in)
    if synapse is not None:
        synapse = as_synapse(synapse)
        mapped = map_onto(memory.ldn, synapse, memory.dt, feedforward=True)
    with memory:
        node = nengo.Node(size_in=len(rows), label=label)
        if synapse is None:
            nengo.Connection(memory.state, node, transform=rows, synapse=None)
            return node
        around = rows @ np.kron(each, mapped.A)
        nengo.Connection(memory.output, node, transform=around, synapse=synapse)
        for column, filtered in zip(mapped.B.T, mapped.input_filter, strict=True):
            into = rows @ np.kron(each, column[:, None])
            nengo.Connection(memory.input, node, transform=into, synapse=filtered)
    return node


def _add_linear(memory, function, delay, rows, bias, synapse, label):
    """Add the node of a linear function, with its bias."""
    node = add_rows(memory, rows, synapse, label)
    if bias.any():
        with memory:
            nengo.Connection(nengo.Node(bias), node, synapse=None)
    read = None if synapse is None else as_synapse(synapse)
    delays = np.atleast_1d(np.asarray(delay, dtype=float))
    return node, LinearReadout(function, delays, rows, bias, read)


def add_function(
    memory, function, delay, synapse, n_neurons, signal, label, progress_bar=True
):
    """Add any function of the window; see `networks.function`.

    A linear function is read from the state, unless ``n_neurons`` asks for neurons;
    every other function gets an ensemble.

    Returns
    -------
    node : nengo.Node
        The function's values.
    solved : FunctionReadout or LinearReadout
        How they are computed.
    """
    delays = window_delays(memory) if delay is None else np.atleast_1d(delay)
    weights = np.kron(np.eye(memory.size_in), delay_weights(memory, delays))
    # a linear function needs no neurons
    if n_neurons is None:
        parts = linear_parts(function, weights)
        if parts is not None:
            given = function, delays, *parts, synapse
            return _add_linear(memory, *given, label or "function")
    # any other function: solve for the tuning curves and decoders of an ensemble
    lowpass = as_synapse(DEFAULT_TAU if synapse is None else synapse)
    if not isinstance(lowpass, nengo.Lowpass):
        problem = "must be a lowpass for a function of the window"
        remedy = "give its time constant in seconds, 0.02 for one"
        raise ValidationError("add_output.synapse", lowpass, problem, remedy)
    tau, n = float(lowpass.tau), DEFAULT_NEURONS
    if n_neurons is not None:
        n = check_whole("add_output.n_neurons", n_neurons, 1)
    added = len(memory.functions)
    rng = np.random.RandomState(memory.tuning_seed + 1 + added)
    progress = Progress("Solving a function", "Solving a function", 2 * POINTS)
    with ProgressTracker(progress_bar, progress) as tracker:
        tick = tracker.total_progress.step
        asked = (function, delays, weights, tau, n, signal, rng, tick)
        solved = solve_function(memory, *asked)
    # build the ensemble and its connections within the memory
    seed = memory.noise_seed
    with memory:
        curves = {name: getattr(solved, name) for name in ("encoders", "gain", "bias")}
        curves["seed"] = None if seed is None else seed + 1000 + added
        curves["label"] = "function of the window"
        ensemble = driven(n, unmerged(solved.neurons), **curves)
        node = nengo.Node(size_in=solved.decoders.shape[1], label=label or "function")
        connect, out = nengo.Connection, solved.decoders.T
        connect(memory.state, ensemble, transform=solved.from_state, synapse=None)
        connect(memory.input, ensemble, transform=solved.from_input, synapse=None)
        connect(ensemble.neurons, node, transform=out, synapse=tau)
    return node, solved
