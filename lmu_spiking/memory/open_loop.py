r"""The error of neurons whose noise no formula gives, measured outside the loop.

Neurons with a membrane or a phase (``if``, ``regular``, LIF, adaptive LIF, a user's own
type) remember: what they decode in one step depends on the steps before.  So they are
driven with what they would receive, and feed nothing back.  What they decode beyond
that, ``eta``, goes round the loop,

.. math::

    Z_{k+1} = K Z_k + L\,\eta_k, \qquad e_k = C Z_k, \qquad
    \eta_k = y_k[x + N Z] - (x_k + N Z_k),

with ``x`` the exact states, ``y[.]`` what the driven neurons decode, ``e`` the error of
the state and ``N Z`` what neurons receive beside ``x`` (see `closed_loop`).  The first
round has the exact states alone; each further one drives the neurons with the error of
the round before, until the error's power changes no more.  Where rounds do not lead
there, since neurons bend what they carry too much, one run has the loop itself, with
``\eta`` as it comes about.  A run begins at
initial voltages of its own, the same in each round: those of staggered neurons are
evenly spaced, all of them shifted by as much, which differs from group to group.
"""

from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import nengo
import numpy as np

from lmu_spiking.dynamics.covariance import closed_loop
from lmu_spiking.dynamics.ldn import propagate
from lmu_spiking.errors import NotANumberError, ValidationError
from lmu_spiking.neurons.bare_ensemble import driven
from lmu_spiking.neurons.curves import loop_caution, neuron_type, statistics
from lmu_spiking.neurons.population import STAGGERED, Population
from lmu_spiking.signals import as_signal
from lmu_spiking.simulator.targets import simulator

ROUNDS, FEW_ROUNDS = 20, 5  # at most, and where loops are compared
SETTLED = 0.02  # relative change of the error that is left, below which it has settled
ROUGH = 0.1  # such a change after the last round, above which it has not
UPDATES = 10**8  # of neurons in a round, up to which several runs are measured
SEARCHED = 3 * 10**7  # of neurons in a round, where loops are compared
STRETCH = 4, 20  # windows of signal, where loops are compared
READOUTS = 5  # of the window, whose error has to settle
RUNS, FEW_RUNS = 32, 4  # at most, and where loops are compared
ALIKE = 16  # neurons that are driven, of those that are alike
SEED = 1_618_033_988  # of their initial voltages
FEW = 40  # neurons a dimension, below which what they decode is coarse
DIVERGED = 1e3  # times what is carried


class Measured(NamedTuple):
    """Errors that driven neurons make of the states of a signal; see `measure_errors`.

    Parameters
    ----------
    errors : (n, T, d) ndarray
        The error of the state in each of ``n`` runs, in the basis that is carried.
    sigma : (d,) ndarray
        Variance of the decoding error in one step.
    rate : float
        Spikes per second of all neurons.
    settled : bool
        Whether the error's power has settled; if not, the loop may amplify it.
    """

    errors: np.ndarray
    sigma: np.ndarray
    rate: float
    settled: bool


def is_measured(neurons) -> bool:
    """Return whether the error of neurons is measured, since no formula gives it.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType

    Returns
    -------
    bool
        True for all neurons that remember; False for Poisson and stochastic spikes,
        and for rates that follow the input at once.
    """
    kind = statistics(neurons)
    return kind == "regular" or (kind == "rate" and bool(loop_caution(neurons)))


def is_few(population: Population) -> bool:
    """Return whether neurons are so few that each is driven by its own spikes.

    Parameters
    ----------
    population : Population

    Returns
    -------
    bool
        Then a memory can be twice as wrong as is measured outside its loop.
    """
    return population.n_neurons < FEW * population.order


def measured_error(made, signal, readouts=None, scales=(1.0,)) -> np.ndarray:
    """Return the error of a memory on a stretch of its signal, to compare loops by.

    Parameters
    ----------
    made : Design
    signal : SignalSpec, Signal, (T,) or (T, order) array_like
        As in `LegendreMemory`.
    readouts : (p, order) array_like, optional
        Those that count; by default delay theta and the window.
    scales : (n,) array_like
        Times as loud that the stretch is, one after the other.

    Returns
    -------
    (n,) ndarray
        Root of the mean over readouts of their square errors, relative to the stretch
        as it is, at each scale.
    """
    ldn, dt, population = made.ldn, made.dt, made.population
    of_one = slice(0, population.block(ldn.order - 1).stop)
    made = replace(made, population=population.subset(of_one, 1.0))
    # the exact states of a stretch of the signal, from rest
    window, n = ldn.steps(dt), len(scales)
    updates = SEARCHED // (n * len(made.population.gain))
    steps = int(np.clip(updates, *(k * window for k in STRETCH)))
    if np.ndim(signal) == 2:
        states = np.asarray(signal)[:steps]
    else:
        drawn = as_signal(signal, dt, ldn.theta, duration=steps * dt)
        states = ldn.simulate(drawn.led_in(window)[:steps], dt)
    first = min(window, len(states) // 2)
    if readouts is None:
        readouts = ldn.readout(dt * np.linspace(0, window - 1, READOUTS), dt)
    carried, c = states @ made.T.T, np.asarray(readouts) @ made.U
    power = np.mean((carried[first:] @ c.T) ** 2, axis=0)
    if not power.all():
        problem, remedy = "is silent", "use samples not all of them 0"
        raise ValidationError("signal", signal, problem, remedy)
    louder = np.concatenate([scale * carried for scale in scales])
    few: dict = {"updates": SEARCHED, "rounds": FEW_ROUNDS, "most_runs": FEW_RUNS}
    errors = measure_errors(made, louder, first, c, **few).errors
    parts = errors.reshape(len(errors), n, len(carried), -1)[:, :, first:]
    squares = np.mean((parts @ c.T) ** 2, axis=(0, 2))
    return np.sqrt(np.mean(squares / power, axis=1))


def measure_errors(
    made,
    carried: np.ndarray,
    first: int,
    readouts: np.ndarray,
    *,
    start: np.ndarray | None = None,
    updates: int = UPDATES,
    rounds: int = ROUNDS,
    most_runs: int = RUNS,
) -> Measured:
    """Return the errors of a memory of one input, from neurons outside its loop.

    Parameters
    ----------
    made : Design
    carried : (T, d) ndarray
        The exact states in the basis that the neurons carry, from rest.
    first : int
        The first step that counts.
    readouts : (p, d) ndarray
        Those of what is carried whose error has to settle.
    start : (T, d) ndarray, optional
        What the neurons receive beside the exact states in the first round.
    updates : int
        Of neurons in a round, up to which several runs are measured.
    rounds, most_runs : int
        At most.

    Returns
    -------
    Measured
        Runs whose initial voltages differ.
    """
    K, L, C, N = closed_loop(made.loop)
    neurons, stands_for, scale = _fewer(made.population)
    runs = int(np.clip(updates // (len(neurons.gain) * len(carried)), 2, most_runs))
    received = carried if start is None else carried + start
    exactly, driven_with = (np.repeat(x[:, None], runs, 1) for x in (carried, received))
    exact = np.mean((carried[first:] @ readouts.T) ** 2)
    power, change, left, limit = 0.0, 1.0, 1.0, np.inf
    with driver(neurons, driven_with, made.dt, stands_for) as decode:
        for _ in range(rounds):
            decoded, rates = decode(driven_with)
            eta = (decoded - driven_with) * scale
            Z = propagate(_later(eta @ L.T), K.T, np.zeros((runs, len(K))))
            errors, last = Z @ C.T, power
            power = float(np.mean((errors[first:] @ readouts.T) ** 2))
            before, change = change, abs(power - last) / (2 * power) if power else 0.0
            # what is left to come, if changes go on falling by the same factor
            left = change**2 / (before - change) if change < before else 1.0
            if max(change, left) <= SETTLED or not power <= limit:
                break
            # where the signal is silent, errors are compared with those of round one
            limit = min(limit, DIVERGED**2 * max(exact, power)) if last == 0 else limit
            driven_with = carried[:, None] + Z @ N.T
    settled = min(change, left) <= ROUGH and power <= limit
    # few neurons that feedback drives more than the signal may settle elsewhere
    driven = made.mapped.feedback is not None and is_few(made.population)
    if (not settled or (driven and power > exact)) and rounds >= ROUNDS:
        inside = _in_loop(neurons, exactly, made.dt, stands_for, (K, L, N, scale))
        if inside is not None:
            Z, eta, rates = inside
            errors, settled = Z @ C.T, True
    sigma = np.var(eta[first:], axis=(0, 1))
    rate = float(np.mean(rates[first:]))
    return Measured(np.moveaxis(errors, 1, 0), sigma, rate, settled)


def _fewer(population: Population) -> tuple[Population, np.ndarray, Any]:
    """Return fewer neurons, how many each stands for, and the scale of their error.

    Staggered neurons are one accumulator for each group.  Integrate-and-fire neurons
    that are alike and start anywhere decode ``x`` exactly in the mean, with independent
    errors: ``n`` of them make ``sqrt(k / n)`` of the error of ``k``.
    """
    if population.neurons not in map(neuron_type, STAGGERED):
        return population, np.ones(len(population.gain)), 1.0
    groups = [population.groups(i) for i in range(population.order)]
    first, copies = (np.concatenate(part) for part in zip(*groups, strict=True))
    if population.initial_phases == "staggered":
        neurons, anywhere = population.subset(first, 1.0), np.full(len(first), np.nan)
        neurons = replace(neurons, per_unit=copies.astype(int), voltage=anywhere)
        return neurons, np.ones(len(first)), 1.0
    kept = np.minimum(copies, ALIKE).astype(int)
    keep = [at + np.arange(k) for at, k in zip(first, kept, strict=True)]
    stands_for = np.repeat(copies / kept, kept)
    fewer = population.subset(np.concatenate(keep), stands_for)
    of_all, of_these = (np.bincount(p.dimension) for p in (population, fewer))
    return fewer, stands_for, np.sqrt(of_these / of_all)


@contextmanager
def driver(population: Population, x: np.ndarray, dt: float, stands_for: Any = 1.0):
    """Yield a function that drives neurons with ``x``, each time from the beginning.

    Parameters
    ----------
    population : Population
    x : (T, runs, d) ndarray
        What they are driven with first, or another array of its shape.
    dt : float
        Step, seconds.
    stands_for : float or (m,) ndarray
        Neurons that each stands for.

    Yields
    ------
    callable
        Takes ``x``, and returns what the neurons decode (T, runs, d), and the rate of
        all (T, runs), Hz.
    """
    model, stimulus, probes = _network(population, dt, stands_for)
    with _opened(model, population, dt, {stimulus: x}) as sim:

        def decode(x):
            sim.reset()
            sim.feed(stimulus, np.moveaxis(x, 1, 0))
            sim.run_steps(len(x), progress_bar=False)
            y, rates = (_read(sim, probe) for probe in probes)
            return y, rates[:, :, 0]

        yield decode


def _in_loop(population: Population, carried, dt: float, stands_for, loop):
    """Return ``Z``, ``eta`` and rates of neurons in their loop; None if it diverges.

    Parameters
    ----------
    population : Population
    carried : (T, runs, d) ndarray
        The exact states.
    dt : float
        Step, seconds.
    stands_for : float or (m,) ndarray
        Neurons that each stands for.
    loop : tuple
        ``K``, ``L``, ``N`` and the scale of ``eta``.

    Returns
    -------
    Z : (T, runs, z) ndarray
    eta : (T, runs, d) ndarray
    rates : (T, runs) ndarray
        Hz.
    """
    K, L, N, scale = loop
    model, stimulus, (decoded, total) = _network(population, dt, stands_for, N)
    scaled, plain = np.eye(len(N)) * scale, {"synapse": None}
    with model:
        # a synapse of 0 s takes one step
        Z, eta = model.Z, nengo.Node(size_in=len(N))
        nengo.Connection(decoded.target, eta, transform=scaled, **plain)
        nengo.Connection(model.received, eta, transform=-scaled, **plain)
        nengo.Connection(Z, Z, transform=K, synapse=0)
        nengo.Connection(eta, Z, transform=L, synapse=0)
        probes = [nengo.Probe(x, synapse=None, sample_every=None) for x in (Z, eta)]
    try:
        with _opened(model, population, dt, {stimulus: carried}) as sim:
            sim.run_steps(len(carried), progress_bar=False)
            Z, eta, rates = (_read(sim, probe) for probe in (*probes, total))
    except NotANumberError:
        return None
    known = np.isfinite(Z).all() and np.isfinite(eta).all()
    return (Z, eta, rates[:, :, 0]) if known else None


def _network(population: Population, dt: float, stands_for, N=None):
    """Return a network of driven neurons, its stimulus, and probes of what they do.

    With ``N`` they receive ``N Z``, too, of a node ``Z`` that is to be connected.
    """
    d = population.order
    of, m = population.dimension, len(population.gain)
    encoders = population.encoders / population.radii[of]
    pairs = np.column_stack([np.arange(m), of])
    into = nengo.Sparse((m, d), pairs, encoders)
    out = nengo.Sparse((d, m), pairs[:, ::-1], population.decoders)
    curves: dict = {**population.currents, "seed": 0}
    # a model of its own, also where a memory is made within another model
    plain: dict = {"synapse": None, "learning_rule_type": None}
    with nengo.Network(seed=0, add_to_container=False) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(np.zeros((1, d)), dt))
        received = stimulus
        if N is not None:
            model.received = received = nengo.Node(size_in=d)
            model.Z = nengo.Node(size_in=N.shape[1])
            nengo.Connection(stimulus, received, **plain)
            nengo.Connection(model.Z, received, transform=N, **plain)
        ensemble = driven(m, population.model, **curves)
        decoded, total = nengo.Node(size_in=d), nengo.Node(size_in=1)
        nengo.Connection(received, ensemble.neurons, transform=into, **plain)
        nengo.Connection(ensemble.neurons, decoded, transform=out, **plain)
        count = np.broadcast_to(stands_for, (1, m))
        nengo.Connection(ensemble.neurons, total, transform=count, **plain)
        seen: dict = {"synapse": None, "sample_every": None}
        probes = [nengo.Probe(node, **seen) for node in (decoded, total)]
    return model, stimulus, probes


def _opened(model, population: Population, dt: float, shown: dict):
    """Return a simulator of runs whose inputs (T, runs, d) are given."""
    inputs = {node: np.moveaxis(x, 1, 0) for node, x in shown.items()}
    runs = len(next(iter(inputs.values())))
    # sums of many neurons have errors that single precision would hide
    exact = bool(np.any(population.per_unit > 1))
    options = {"trials": runs, "noise_seed": SEED, "inputs": inputs, "exact": exact}
    return simulator(model, dt, "compiled", **options)


def _read(sim, probe) -> np.ndarray:
    """Return the samples (T, runs, size) of a probe."""
    return np.moveaxis(np.asarray(sim.data[probe], dtype=float), 0, 1)


def _later(x: np.ndarray) -> np.ndarray:
    """Return a sequence (T, ...) one step later, from 0."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])
