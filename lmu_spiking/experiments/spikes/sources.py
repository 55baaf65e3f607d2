r"""Where the error of spiking neurons comes from: curves, phases or membranes.

The same memory is run with the same curves and decoders, and other neurons:

- rates of the curves, without spikes: what the curves distort;
- regular spikes of those rates: the noise of spikes at independent phases is added;
- the neurons themselves: what their membranes do is added; and with that mapped out.

**Phases.** Averaging over ``n`` neurons lowers the noise of regular spikes by
``1 / sqrt(n)`` if, at any time, the neurons stand at independent and evenly spread
places between their last and their next spike [1]_: at independent, even *phases*

.. math::

    \phi_k(t) = \frac{\Lambda_k(t) - \Lambda_k(t_{last})}
                     {\Lambda_k(t_{next}) - \Lambda_k(t_{last})} \in [0, 1), \qquad
    \Lambda_k(t) = \int_0^t r_k(x(s))\, ds ,

on the neuron's own clock, which its rate drives: for a constant rate, plain time.  On
that clock a Poisson neuron's spikes are even, so that its phases are, at any rates.
The *state discrepancy* is the Kolmogorov-Smirnov distance of the phases from evenness,
beside its expectation for independent phases (the null).  Poisson neurons are at the
null by construction; neurons that all fire together are at 1.

**The membrane's lead.** A LIF neuron that is driven harder and harder fires ahead of
its curve, which is that of constant drives: its membrane weighs the latest drive most.
A population of them decodes ``x + l dx/dt`` with a *lead* ``l`` of about a millisecond,
which no number of neurons averages out.  In the loop it is an error

.. math:: e[k+1] = \bar A e[k] + (\bar A - aI)\, L\, \dot m[k], \qquad L = diag(l),

the floor that LIF neurons stop at.  The way out is to map it out, as a synapse is: with

.. math:: A'' = A' (I + L A / \theta)^{-1}, \qquad B'' = B' - A'' L B / \theta

the loop has ``A' m + B' u`` again.

The file is long because the three explanations share the same runs and one table.

References
----------
.. [1] Voelker (2019). Dynamical systems in spiking neuromorphic hardware. PhD thesis,
   University of Waterloo, section 3.2.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import nengo
import numpy as np
import pandas as pd
from nengo.neurons import NeuronType, NeuronTypeParam

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN, propagate
from lmu_spiking.dynamics.mapping import Mapped
from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.experiments.records import pick
from lmu_spiking.experiments.runs import run_probed, streamed
from lmu_spiking.files import NOT_OURS, read_json
from lmu_spiking.memory.design import design
from lmu_spiking.memory.open_loop import driver
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.neurons.curves import statistics
from lmu_spiking.neurons.population import Population
from lmu_spiking.processes import in_processes
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.metrics import rms
from lmu_spiking.studies.records import check_row, write_json
from lmu_spiking.studies.report import interval
from lmu_spiking.studies.sweep import Trial
from lmu_spiking.studies.trial import versions

# -- state discrepancy ---------------------------------------------------------------

KOLMOGOROV_MEAN = np.sqrt(np.pi / 2) * np.log(2)  # of sqrt(n) D, n to infinity


@dataclass(frozen=True)
class Discrepancy:
    """The unevenness of phases, the mean over groups and times.

    A group is one side (encoders +1 or -1) of one dimension.

    Attributes
    ----------
    distance : float
        Kolmogorov-Smirnov distance of the phases from evenness.
    null : float
        What as many independent phases are expected to have.
    neurons : float
        That were firing in a group.
    samples : int
        Groups times times.
    """

    distance: float
    null: float
    neurons: float
    samples: int

    @property
    def ratio(self) -> float:
        """Return distance over null: 1 for independent neurons, more in step."""
        return self.distance / self.null

    @property
    def effective_neurons(self) -> float:
        """Return how many independent neurons are as uneven as a group of these."""
        return independent_neurons(self.distance)

    @property
    def verdict(self) -> str:
        """Return "independent", "partly in step" or "in step"."""
        if self.distance > 0.5:
            return "in step"
        return "independent" if self.ratio < 1.25 else "partly in step"


def expected_distance(n) -> np.ndarray:
    r"""Return the mean Kolmogorov-Smirnov distance of ``n`` independent even phases.

    ``sqrt(pi / 2) ln 2 / (sqrt n + .12 + .11 / sqrt n)``: the limit law with Stephens'
    (1970) correction; within 1 % of the exact mean from ``n`` = 2.

    Parameters
    ----------
    n : array_like

    Returns
    -------
    ndarray
    """
    root = np.sqrt(np.asarray(n, dtype=float))
    return KOLMOGOROV_MEAN / (root + 0.12 + 0.11 / root)


def independent_neurons(distance: float) -> float:
    """Return the ``n`` that has this `expected_distance`; at least 1.

    Parameters
    ----------
    distance : float

    Returns
    -------
    float
    """
    q = KOLMOGOROV_MEAN / distance - 0.12
    return float(max(1.0, ((q + np.sqrt(max(q**2 - 0.44, 0.0))) / 2) ** 2))


def distance_from_even(phases) -> float:
    r"""Return the Kolmogorov-Smirnov distance of phases from evenness on [0, 1].

    ``max_k max(k / n - phi_(k), phi_(k) - (k - 1) / n)`` over the sorted phases.

    Parameters
    ----------
    phases : (n,) array_like

    Returns
    -------
    float
    """
    phi = np.sort(np.asarray(phases, dtype=float))
    ranks = np.arange(len(phi) + 1) / len(phi)
    return float(max((ranks[1:] - phi).max(), (phi - ranks[:-1]).max()))


def discrepancy(population: Population, phases, least: int = 2) -> Discrepancy:
    """Return the discrepancy of phases, over groups in which enough neurons fire.

    Parameters
    ----------
    population : Population
    phases : (samples, m) ndarray
        NaN for those that are silent.
    least : int
        Neurons that must fire in a group.

    Returns
    -------
    Discrepancy

    Raises
    ------
    ValidationError
        If there is no such group.
    """
    rows = []
    for i, side in itertools.product(range(population.order), (1, -1)):
        at = population.block(i)
        for row in phases[:, at][:, population.encoders[at] == side]:
            row = row[np.isfinite(row)]
            if (n := len(row)) >= least:
                rows.append((distance_from_even(row), expected_distance(n), n))
    if not rows:
        problem = f"samples have no group of {least} neurons that fire often enough"
        remedy = "run for longer, or use more neurons"
        raise ValidationError("discrepancy.phases", len(phases), problem, remedy)
    return Discrepancy(*np.mean(rows, axis=0).tolist(), len(rows))


# -- phases --------------------------------------------------------------------------

EDGE = 5.0  # spikes expected since the start, and before the end, of those counted


class watch_phases:
    """Samples the phases of a memory's neurons as it runs; make it within its model.

    Spikes are placed at random within their steps, and so are the samples, each neuron
    by itself: of spikes that are spread evenly, phases are then even exactly.

    Parameters
    ----------
    memory : LegendreMemory
        Spiking, not aggregated.
    every : float
        Seconds between samples.
    seed : int
        Places the spikes within their steps.
    """

    def __init__(self, memory: LegendreMemory, every: float = 0.05, seed: int = 0):
        self.population, self._dt = memory.population, memory.dt
        _check_spikes(self.population)
        every = check_positive("watch_phases.every", every, "seconds")
        self._every, self._k = max(1, round(every / memory.dt)), 0
        self._rng = np.random.RandomState(seed)
        m = len(self.population.gain)
        self._clock = np.zeros(m)
        self._last, self._first = np.full((2, m), np.nan)
        self._samples: list[tuple] = []
        node = nengo.Node(self._step, size_in=memory.state.size_out + m, label="phases")
        d = memory.state.size_out
        nengo.Connection(memory.state, node[:d], synapse=None)
        nengo.Connection(memory.ensemble.neurons, node[d:], synapse=None)

    def phases(self) -> np.ndarray:
        """Return phases (samples, m); NaN for neurons that were silent.

        They are NaN as well near the start and the end, on each neuron's own clock,
        where those that have not spiked yet would be missing.
        """
        if not self._samples:
            return np.empty((0, len(self._clock)))
        here, last, active, first = map(np.array, zip(*self._samples, strict=True))
        # the next spike is the first after a sample, or after a later one
        following = pd.DataFrame(np.vstack([first[1:], self._first])).bfill().to_numpy()
        with np.errstate(invalid="ignore", divide="ignore"):
            phi = (here - last) / (following - last)
        inside = (here > EDGE) & (here < self._clock - EDGE)
        return np.where(active & inside & (following > last), phi, np.nan)

    def discrepancy(self, start: float = 0.0) -> Discrepancy:
        """Return the discrepancy of all samples from ``start`` seconds on."""
        first = int(np.ceil(start / self._dt / self._every))
        return discrepancy(self.population, self.phases()[first:])

    def _step(self, t, received) -> None:
        """Advance the clocks by a step, and sample when it is time."""
        d, rate = self.population.order, self.population.rates
        rates = np.concatenate([rate(i, received[i : i + 1])[0] for i in range(d)])
        fired = np.flatnonzero(received[d:])
        ahead = rates * self._dt
        at = self._clock[fired] + self._rng.rand(len(fired)) * ahead[fired]
        self._k += 1
        if self._k % self._every == 0:
            here = self._clock + self._rng.rand(len(ahead)) * ahead
            early = at <= here[fired]
            self._spike(fired[early], at[early])
            self._samples.append((here, self._last.copy(), rates > 0, self._first))
            self._first = np.full(len(here), np.nan)
            fired, at = fired[~early], at[~early]
        self._spike(fired, at)
        self._clock += ahead

    def _spike(self, fired, at) -> None:
        """Note spikes of neurons at times of their clocks."""
        new = np.isnan(self._first[fired])
        self._first[fired[new]] = at[new]
        self._last[fired] = at


def _check_spikes(population: Population) -> None:
    """Raise an error for neurons that have no phases."""
    if statistics(population.neurons) == "rate":
        given, problem = population.neurons, "does not spike"
        raise ValidationError("watch_phases.memory", given, problem)
    if np.any(population.per_unit > 1):
        given, problem = population.n_neurons, "neurons are aggregated, without phases"
        remedy = "use aggregated=False"
        raise ValidationError("watch_phases.memory", given, problem, remedy)


# -- the membrane's lead -------------------------------------------------------------

SETTLING = 5  # time constants of a synapse, after which its onset is over


@dataclass(frozen=True, eq=False)
class Lead:
    """The time by which a population's decoded state is ahead of a changing state.

    Attributes
    ----------
    seconds : (d,) ndarray
        Of each dimension; negative for a lag.
    explained : float
        Share of the decoding error's power that the lead explains.
    """

    seconds: np.ndarray
    explained: float

    __repr__ = brief


def measure_lead(population: Population, states, dt: float, tau: float) -> Lead:
    r"""Return the lead of neurons that are driven with states, outside any loop.

    Least squares of ``h * (decoded - m)`` on ``h * dm/dt``, with ``h`` the lowpass of
    the loop: ``l = <e, m'> / <m', m'>``.

    Parameters
    ----------
    population : Population
    states : (T, d) ndarray
    dt, tau : float
        Step and synapse, seconds.

    Returns
    -------
    Lead

    Raises
    ------
    ValidationError
        If the states end before the synapse has settled.
    """
    check_settled("measure_lead.states", len(states) * dt, tau)
    carried = np.asarray(states)[:, None]
    with driver(population, carried, dt) as decode:
        decoded = decode(carried)[0][:, 0]
    speed = np.gradient(states, dt, axis=0)
    lowpass = nengo.Lowpass(tau)
    settled = slice(int(SETTLING * tau / dt), None)
    e = lowpass.filt(decoded - states, dt=dt, y0=0)[settled]
    v = lowpass.filt(speed, dt=dt, y0=0)[settled]
    lead = np.sum(e * v, axis=0) / np.sum(v**2, axis=0)
    return Lead(lead, 1 - float(np.sum((e - lead * v) ** 2) / np.sum(e**2)))


def check_settled(attribute: str, duration: float, tau: float) -> None:
    """Refuse signals in which the loop's synapse does not settle and then go on.

    Parameters
    ----------
    attribute : str
        Name of the argument, for the message.
    duration, tau : float
        Of the signal, and of the synapse, seconds.
    """
    needed = 2 * SETTLING * tau
    if duration < needed:
        problem = f"is too short for a lead: the synapse settles in {needed / 2:g} s"
        remedy = f"use at least {needed:g} s"
        raise ValidationError(attribute, duration, problem, remedy)


def map_lead(mapped: Mapped, ldn: LDN, lead) -> tuple[np.ndarray, np.ndarray]:
    """Return transforms of a lowpass loop that undo a lead.

    Parameters
    ----------
    mapped : Mapped
    ldn : LDN
    lead : (d,) array_like or float
        Seconds.

    Returns
    -------
    A : (d, d) ndarray
    B : (d, 1) ndarray
    """
    L = np.diag(np.broadcast_to(lead, ldn.order))
    A, B = ldn.A / ldn.theta, ldn.B.reshape(-1, 1) / ldn.theta
    undone = mapped.A @ np.linalg.inv(np.eye(ldn.order) + L @ A)
    return undone, mapped.B - undone @ L @ B


def lead_floor(spec: MemorySpec, states, lead) -> float:
    """Return the state RMSE that a lead leads to, without any spikes.

    Parameters
    ----------
    spec : MemorySpec
    states : (T, d) ndarray
    lead : (d,) array_like
        Seconds.

    Returns
    -------
    float
    """
    Ad, _ = spec.ldn.discretize(spec.dt)
    G = (Ad - np.exp(-spec.dt / spec.tau) * np.eye(spec.order)) * np.asarray(lead)
    pushed = np.gradient(states, spec.dt, axis=0) @ G.T
    return rms(propagate(pushed, Ad.T, np.zeros(spec.order)))


# -- sources of error ----------------------------------------------------------------

SOURCES = ("state_rmse", "static_rmse", "regular_rmse", "in_step_rmse")
SOURCES += ("mended_rmse", "lead_rmse")
MEASURED = (*SOURCES, "discrepancy", "discrepancy_null", "discrepancy_ratio")
MEASURED += ("in_step_discrepancy", "effective_neurons", "group_neurons")
MEASURED += ("lead", "lead_explained")


class CurveRate(NeuronType):
    """Neurons that do not spike and are always on the curve of others.

    Parameters
    ----------
    base_type : nengo.neurons.NeuronType
    """

    base_type = NeuronTypeParam("base_type")
    negative, spiking = False, False

    def __init__(self, base_type, initial_state=None):
        super().__init__(initial_state)
        self.base_type = base_type

    def step(self, dt, J, output):
        """Set ``output`` to the rates at drives ``J``."""
        one = np.ones(J.shape[-1])
        rates = self.base_type.rates(np.atleast_2d(J), one, 0 * one)
        output[...] = rates.reshape(output.shape)


def error_sources(spec: MemorySpec, signal, *, training=None) -> dict:
    """Run a memory of spiking neurons and its relatives on one signal.

    Parameters
    ----------
    spec : MemorySpec
    signal, training : (T,) array_like
        Input; and another of its kind from which the lead is learned, ``signal`` by
        default.

    Returns
    -------
    dict
        State RMSE: ``state_rmse`` as it is, ``static_rmse`` of the curves,
        ``regular_rmse`` of regular spikes, ``in_step_rmse`` of neurons that all start
        at zero voltage, ``mended_rmse`` with the lead mapped out; ``lead_rmse``, what
        the lead explains; ``lead`` (mean, seconds), ``lead_explained``; and of phases:
        ``discrepancy``, ``discrepancy_null``, ``discrepancy_ratio``,
        ``in_step_discrepancy`` (all from zero voltage), ``effective_neurons``,
        ``group_neurons``, ``verdict``.
    """
    u = np.asarray(signal, dtype=float)
    other = u if training is None else np.asarray(training, dtype=float)
    states = spec.ldn.simulate(other, spec.dt)
    population = design(spec).population
    lead = measure_lead(population, states, spec.dt, spec.tau)
    neurons = population.neurons
    curve = CurveRate(neurons)
    # the neurons as they are, and all from one voltage, with their phases
    own, watch = _error(spec, u, watch=True)
    together, watch_together = _error(spec, u, _from_zero(neurons), watch=True)
    phases = watch.discrepancy(spec.theta)
    return {
        "state_rmse": own,
        "static_rmse": _error(spec, u, curve)[0],
        "regular_rmse": _error(spec, u, nengo.RegularSpiking(curve))[0],
        "in_step_rmse": together,
        "mended_rmse": _error(spec, u, lead=lead.seconds)[0],
        "lead_rmse": lead_floor(spec, spec.ldn.simulate(u, spec.dt), lead.seconds),
        "lead": float(lead.seconds.mean()),
        "lead_explained": lead.explained,
        "discrepancy": phases.distance,
        "discrepancy_null": phases.null,
        "discrepancy_ratio": phases.ratio,
        "in_step_discrepancy": watch_together.discrepancy(spec.theta).distance,
        "group_neurons": phases.neurons,
        **pick(phases, "effective_neurons", "verdict"),
    }


def _error(spec, u, neurons=None, lead=None, watch=False):
    """Return the state RMSE with other neurons or a lead mapped out, and the phases."""
    memory = LegendreMemory.from_spec(spec, add_to_container=False)
    if neurons is not None:
        memory.ensemble.neuron_type = neurons
    if lead is not None:
        # other transforms of the loop and of the input
        A, B = map_lead(memory.mapped, memory.ldn, lead)
        for connection in memory.connections:
            if connection.post_obj is memory.state:
                connection.transform = A if connection.pre_obj is memory.output else B
    model, probe = streamed(memory, u)
    with model:
        watcher = watch_phases(memory) if watch else None
    (state,) = run_probed(model, spec.dt, len(u), probe)
    exact = spec.ldn.simulate(u, spec.dt)
    return rms(state[1:] - exact[:-1]), watcher


def _from_zero(neurons: NeuronType) -> NeuronType:
    """Return the same neurons, all from voltage zero; others as they are."""
    if "voltage" not in neurons.state:
        return neurons
    names = ("tau_rc", "tau_ref", "min_voltage", "tau_n", "inc_n", "base_type")
    fields = {name: getattr(neurons, name) for name in names if hasattr(neurons, name)}
    return type(neurons)(**fields, initial_state={"voltage": nengo.dists.Choice([0.0])})


# -- trials --------------------------------------------------------------------------


def source_trials(
    trials: Iterable[Trial],
    out,
    n_jobs: int = 1,
    resume: bool = True,
    on_done: Callable[[dict], None] | None = None,
) -> pd.DataFrame:
    """Return `error_sources` of trials, in parallel: a row for each, in no order.

    The lead is learned from another signal of the same kind.

    Parameters
    ----------
    trials : iterable of Trial
    out : path-like
        Folder; each trial goes to ``out/sources/<digest>.json`` when it is done.
    n_jobs, resume, on_done
        As in `sweep`.

    Returns
    -------
    DataFrame
    """
    folder, rows = Path(out) / "sources", []
    folder.mkdir(parents=True, exist_ok=True)
    each = ((trial, folder, resume) for trial in trials)
    for row in in_processes(_run, each, n_jobs, ordered=False):
        rows.append(row)
        if on_done:
            on_done(row)
    return pd.DataFrame(rows)


def summarise_sources(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each neuron type, order and number of neurons.

    Errors are roots of the mean square over trials, the rest are means; ``_low`` and
    ``_high`` end 95 % intervals over trials, NaN for a single one.

    Parameters
    ----------
    frame : DataFrame
        From `source_trials`.

    Returns
    -------
    DataFrame
    """
    keys, rows = ["neuron_type", "order", "neurons"], []
    if frame.empty:
        return frame
    for key, cell in frame.groupby(keys):
        row = dict(zip(keys, key, strict=True)) | {"trials": len(cell)}
        for name in (*SOURCES, "discrepancy", "in_step_discrepancy"):
            row |= interval(name, cell[name])
        others = [name for name in MEASURED if name not in row]
        row |= cell[others].mean().to_dict()
        row["verdict"] = cell.verdict.mode().iloc[0]
        rows.append(row)
    return pd.DataFrame(rows)


def _run(trial: Trial, folder: Path, resume: bool) -> dict:
    """Return the row of one trial, from its file if this version wrote it."""
    path, version = folder / f"{trial.digest}.json", versions()["lmu_spiking"]
    if resume and (row := _kept(path, version)) is not None:
        return row
    spec, white = trial.spec, trial.spec.signal
    seed = (trial.signal_seed + 1) % 2**31
    other = white_noise(trial.duration, spec.dt, white.bandwidth, white.rms, seed)
    row = {"neuron_type": spec.neuron_type, "order": spec.order}
    row |= {"neurons": spec.n_neurons, "max_rate": spec.max_rate}
    row |= {"bandwidth": white.bandwidth}
    row |= error_sources(spec, trial.signal.samples, training=other.samples)
    write_json(path, {"version": version, "trial": trial.to_dict(), "row": row})
    return row


def _kept(path: Path, version: str) -> dict | None:
    """Return the row in a file; None if missing, damaged or of another version."""
    with contextlib.suppress(*NOT_OURS):
        record = read_json(path)
        if record["version"] == version:
            check_row(record["row"], ("neurons", "order", "max_rate"), MEASURED)
            return record["row"]
    return None
