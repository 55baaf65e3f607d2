"""Where the error of spiking neurons comes from: curves, phases or membranes.

The same memory is run with the same curves and decoders, and other neurons:

- rates of the curves, without spikes: what the curves distort;
- regular spikes of those rates: the noise of spikes at independent phases is added;
- the neurons themselves: what their membranes do is added; and with that mapped out.
"""

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

import nengo
import numpy as np
import pandas as pd
from nengo.neurons import NeuronType, NeuronTypeParam

from lmu_spiking.experiments.spikes.membrane import lead_floor, map_lead, measure_lead
from lmu_spiking.experiments.spikes.phases import watch_phases
from lmu_spiking.files import NOT_OURS, read_json
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.processes import in_processes
from lmu_spiking.simulator.targets import simulator
from lmu_spiking.spec import MemorySpec
from lmu_spiking.studies.metrics import rms
from lmu_spiking.studies.records import check_row, write_json
from lmu_spiking.studies.report import interval
from lmu_spiking.studies.sweep import Trial
from lmu_spiking.studies.trial import versions
from lmu_spiking.tasks import white_noise

SOURCES = (
    *("state_rmse", "static_rmse", "regular_rmse", "in_step_rmse"),
    *("mended_rmse", "lead_rmse"),
)
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
        """Rates at drives ``J``."""
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
    population = _memory(spec).population
    other = u if training is None else np.asarray(training, dtype=float)
    lead = measure_lead(
        population, spec.ldn.simulate(other, spec.dt), spec.dt, spec.tau
    )
    neurons = population.neurons
    curve = CurveRate(neurons)
    own, watch = _error(spec, u, watch=True)
    together, watch_together = _error(spec, u, _from_zero(neurons), watch=True)
    found = watch.discrepancy(spec.theta)
    return {
        "state_rmse": own,
        "static_rmse": _error(spec, u, curve)[0],
        "regular_rmse": _error(spec, u, nengo.RegularSpiking(curve))[0],
        "in_step_rmse": together,
        "mended_rmse": _error(spec, u, lead=lead.seconds)[0],
        "lead_rmse": lead_floor(spec, spec.ldn.simulate(u, spec.dt), lead.seconds),
        "lead": float(lead.seconds.mean()),
        "lead_explained": lead.explained,
        "discrepancy": found.distance,
        "discrepancy_null": found.null,
        "discrepancy_ratio": found.ratio,
        "in_step_discrepancy": watch_together.discrepancy(spec.theta).distance,
        "effective_neurons": found.effective_neurons,
        "group_neurons": found.neurons,
        "verdict": found.verdict,
    }


def source_trials(
    trials: Iterable[Trial],
    out,
    n_jobs: int = 1,
    resume: bool = True,
    on_done: Callable[[dict], None] | None = None,
) -> pd.DataFrame:
    """`error_sources` of trials, in parallel: a row for each, in no order.

    The lead is learned from another signal of the same kind.

    Parameters
    ----------
    trials : iterable of Trial
    out : path-like
        Folder; each trial goes to ``out/sources/<digest>.json`` when it is done.
    n_jobs, resume, on_done
        As in `sweep`.
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
    """One row for each neuron type, order and number of neurons.

    Errors are roots of the mean square over trials, the rest are means; ``_low`` and
    ``_high`` end 95 % intervals over trials, NaN for a single one.
    """
    rows = []
    if frame.empty:
        return frame
    for key, cell in frame.groupby(["neuron_type", "order", "neurons"]):
        row = dict(zip(("neuron_type", "order", "neurons"), key, strict=True))
        row["trials"] = len(cell)
        for name in SOURCES:
            row |= interval(name, cell[name])
        row |= interval("discrepancy", cell.discrepancy)
        row |= interval("in_step_discrepancy", cell.in_step_discrepancy)
        for name in MEASURED:
            if name not in row:
                row[name] = cell[name].mean()
        row["verdict"] = cell.verdict.mode().iloc[0]
        rows.append(row)
    return pd.DataFrame(rows)


def _run(trial: Trial, folder: Path, resume: bool) -> dict:
    """The row of one trial, from its file if this version wrote it; in a worker."""
    path, version = folder / f"{trial.digest}.json", versions()["lmu_spiking"]
    found = _kept(path, version) if resume else None
    if found is not None:
        return found
    spec, white = trial.spec, trial.spec.signal
    other = (trial.signal_seed + 1) % 2**31
    training = white_noise(
        trial.duration, spec.dt, white.bandwidth, white.rms, other
    ).samples
    row = {
        "neuron_type": spec.neuron_type,
        "order": spec.order,
        "neurons": spec.n_neurons,
        "max_rate": spec.max_rate,
        "bandwidth": white.bandwidth,
        **error_sources(spec, trial.signal.samples, training=training),
    }
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


# -- runs --------------------------------------------------------------------------


def _memory(spec: MemorySpec) -> LegendreMemory:
    with nengo.Network(add_to_container=False):
        return LegendreMemory.from_spec(spec)


def _error(spec, u, neurons=None, lead=None, watch=False):
    """State RMSE of a memory with other neurons or with its lead mapped out."""
    with nengo.Network() as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], spec.dt))
        memory = LegendreMemory.from_spec(spec)
        nengo.Connection(stimulus, memory.input, synapse=None)
        if neurons is not None:
            memory.ensemble.neuron_type = neurons
        if lead is not None:
            _rewire(memory, *map_lead(memory.mapped, memory.ldn, lead))
        probe = nengo.Probe(memory.state, synapse=None)
        watcher = watch_phases(memory) if watch else None
    with simulator(model, spec.dt) as sim:
        sim.run_steps(len(u), progress_bar=False)
        state = sim.data[probe].copy()
    exact = spec.ldn.simulate(u, spec.dt)
    return rms(state[1:] - exact[:-1]), watcher


def _rewire(memory: LegendreMemory, A: np.ndarray, B: np.ndarray) -> None:
    """Give the loop and the input other transforms."""
    for connection in memory.connections:
        if connection.post_obj is memory.state:
            connection.transform = A if connection.pre_obj is memory.output else B


def _from_zero(neurons):
    """The same neurons, all from voltage zero; others as they are."""
    if "voltage" not in neurons.state:
        return neurons
    names = ("tau_rc", "tau_ref", "min_voltage", "tau_n", "inc_n", "base_type")
    fields = {name: getattr(neurons, name) for name in names if hasattr(neurons, name)}
    return type(neurons)(**fields, initial_state={"voltage": nengo.dists.Choice([0.0])})
