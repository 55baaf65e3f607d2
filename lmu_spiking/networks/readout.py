r"""Readouts of a memory: delays, weighted sums, and any function of the window."""

import nengo
import numpy as np
from nengo.utils.progress import Progress, ProgressTracker

from lmu_spiking.dynamics.mapping import as_synapse, map_onto
from lmu_spiking.errors import ValidationError, check_whole
from lmu_spiking.networks.function import (
    POINTS,
    LinearReadout,
    linear_parts,
    solve_function,
)
from lmu_spiking.neurons.curves import unmerged
from lmu_spiking.theory.predict import window_delays

DEFAULT_TAU = 0.02  # seconds, of a function's readout
DEFAULT_NEURONS = 2000  # of a function's ensemble


def delay_weights(memory, delay) -> np.ndarray:
    r"""Readout of ``.state`` at each delay: (n, order).

    The state at probe index ``k`` is the one after input ``k - 1``, so that delay ``s``
    sits at ``r = (s - dt/2) / theta``, ``dt <= s <= theta``.
    """
    delay = _seconds(delay)
    slack = 1e-9 * memory.ldn.theta
    outside = (delay < memory.dt - slack) | (delay > memory.ldn.theta + slack)
    if delay.ndim != 1 or not len(delay) or np.any(outside) or np.any(np.isnan(delay)):
        raise ValidationError(
            "add_output.delay",
            delay.tolist(),
            f"must lie between dt = {memory.dt:g} and theta = {memory.ldn.theta:g} s",
        )
    return memory.ldn.readout(delay - memory.dt, memory.dt)


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
    solved : LinearReadout
    """
    weights = _checked_weights(weights)
    n, dt, theta = weights.shape[1], memory.dt, memory.ldn.theta
    if delay is None:
        if n == 1:
            raise ValidationError(
                "add_output.weights",
                weights.tolist(),
                "is one weight, and no point of the window is named",
                "name it by delay=",
            )
        delay = np.linspace(dt, theta, n)
    of_state = delay_weights(memory, delay)
    if len(of_state) != n:
        raise ValidationError(
            "add_output.weights",
            weights.shape,
            f"must have one weight for each of {len(of_state)} delays",
        )
    whole = np.kron(np.eye(memory.size_in), weights)  # of all inputs side by side
    return _linear(
        memory,
        LinearReadout(
            lambda w: whole @ w,
            np.atleast_1d(np.asarray(delay, dtype=float)),
            np.kron(np.eye(memory.size_in), weights @ of_state),
            np.zeros(len(whole)),
            None if synapse is None else as_synapse(synapse),
        ),
        label or "weights",
    )


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
        nengo.Connection(
            memory.output,
            node,
            transform=rows @ np.kron(each, mapped.A),
            synapse=synapse,
        )
        for column, taken in zip(mapped.B.T, mapped.input_filter, strict=True):
            transform = rows @ np.kron(each, column[:, None])
            nengo.Connection(memory.input, node, transform=transform, synapse=taken)
    return node


def _linear(memory, solved: LinearReadout, label: str):
    """Add the node of a linear function, with its bias."""
    node = add_rows(memory, solved.rows, solved.synapse, label)
    if solved.bias.any():
        with memory:
            nengo.Connection(nengo.Node(solved.bias), node, synapse=None)
    return node, solved


def add_function(
    memory, function, delay, synapse, n_neurons, signal, label, progress_bar=True
):
    """Add any function of the window; see `networks.function`.

    A linear function is read from the state, unless ``n_neurons`` asks for neurons;
    every other function gets an ensemble.

    Returns
    -------
    node : nengo.Node
    solved : FunctionReadout or LinearReadout
    """
    delays = window_delays(memory) if delay is None else np.atleast_1d(delay)
    weights = np.kron(np.eye(memory.size_in), delay_weights(memory, delays))
    # a linear function needs no neurons
    if n_neurons is None:
        parts = linear_parts(function, weights)
        if parts is not None:
            read = None if synapse is None else as_synapse(synapse)
            solved = LinearReadout(function, np.asarray(delays), *parts, read)
            return _linear(memory, solved, label or "function")
    # any other function: solve for the tuning curves and decoders of an ensemble
    tau = _lowpass_tau(DEFAULT_TAU if synapse is None else synapse)
    n_neurons = DEFAULT_NEURONS if n_neurons is None else n_neurons
    n_neurons = check_whole("add_output.n_neurons", n_neurons, 1)
    rng = np.random.RandomState(memory.tuning_seed + 1 + len(memory.functions))
    progress = Progress("Solving a function", "Solving a function", 2 * POINTS)
    with ProgressTracker(progress_bar, progress) as tracker:
        solved = solve_function(
            memory,
            function,
            delays,
            weights,
            tau,
            n_neurons,
            signal,
            rng,
            tracker.total_progress.step,
        )
    # build the ensemble and its connections within the memory
    seed = memory.noise_seed
    with memory:
        ensemble = nengo.Ensemble(
            n_neurons,
            dimensions=len(solved.from_state),
            neuron_type=unmerged(solved.neurons),
            encoders=solved.encoders,
            gain=solved.gain,
            bias=solved.bias,
            radius=1.0,
            max_rates=nengo.Ensemble.max_rates.default,
            intercepts=nengo.Ensemble.intercepts.default,
            eval_points=np.zeros((1, len(solved.from_state))),
            seed=None if seed is None else seed + 1000 + len(memory.functions),
            label="function of the window",
        )
        node = nengo.Node(size_in=solved.decoders.shape[1], label=label or "function")
        nengo.Connection(
            memory.state, ensemble, transform=solved.from_state, synapse=None
        )
        nengo.Connection(
            memory.input, ensemble, transform=solved.from_input, synapse=None
        )
        nengo.Connection(
            ensemble.neurons, node, transform=solved.decoders.T, synapse=tau
        )
    return node, solved


def _checked_weights(weights) -> np.ndarray:
    """Return finite weights (k, n), or raise a ValidationError."""
    try:
        numbers = np.array(weights, dtype=float, ndmin=2)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.ndim != 2 or not numbers.size or not np.isfinite(numbers).all():
        raise ValidationError(
            "add_output.weights",
            weights,
            "must be finite, (n,) or (k, n), one for each point of the window",
        )
    return numbers


def _seconds(delay) -> np.ndarray:
    """Delays as floats, or a ValidationError."""
    try:
        numbers = np.atleast_1d(delay)
        if numbers.dtype.kind not in "iuf" and numbers.size:
            raise TypeError
        return numbers.astype(float)
    except (TypeError, ValueError):
        raise ValidationError(
            "add_output.delay", delay, "must be seconds, one number or several"
        ) from None


def _lowpass_tau(synapse) -> float:
    synapse = as_synapse(synapse)
    if not isinstance(synapse, nengo.Lowpass):
        raise ValidationError(
            "add_output.synapse",
            synapse,
            "must be a lowpass for a function of the window",
            "give its time constant in seconds, 0.02 for one",
        )
    return float(synapse.tau)
