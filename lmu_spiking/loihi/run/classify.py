"""A task on the chip: how often a trained cell is right there, and what it costs.

All sequences run on the emulator's arithmetic (`replica`), side by side and each from
rest; some of them on NengoLoihi's emulator itself, where spikes must be equal, and
synaptic operations are counted.
"""

from dataclasses import dataclass

import nengo
import numpy as np
from scipy import stats

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_seed, check_whole
from lmu_spiking.lmu.forward import forward
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.loihi.chip.integers import check_rounded, target_name
from lmu_spiking.loihi.chip.replica import replay_cell
from lmu_spiking.loihi.mapping.cell import CellLayout, ChipCell, lay_out_cell
from lmu_spiking.loihi.run.budget import budget
from lmu_spiking.loihi.run.energy import estimate
from lmu_spiking.loihi.run.target import Run, run_on
from lmu_spiking.tasks.sequences import Sequences

TOGETHER = 60  # sequences side by side


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers of a cell laid out to sequences, on the emulator's arithmetic.

    Parameters
    ----------
    y : (n, q) ndarray
    counts : (n, units * copies) int ndarray
        Spikes of the units that were read.
    memory_spikes, unit_spikes : (n,) int ndarray
        Of each sequence, from its beginning to the end of reading.
    """

    y: np.ndarray
    counts: np.ndarray
    memory_spikes: np.ndarray
    unit_spikes: np.ndarray

    __repr__ = brief


def answer(layout: CellLayout, x, progress=None) -> Answers:
    """Present sequences, each from rest, and return the answers.

    Parameters
    ----------
    layout : CellLayout
    x : (n, T, c) array_like
    progress : callable, optional
        Called with the sequences done and their number.

    Returns
    -------
    Answers
    """
    x = np.asarray(x, dtype=float)
    first, end = layout.window(x.shape[1])
    # some sequences side by side: more would not fit the memory of a computer
    counts, memory, units = [], [], []
    for i in range(0, len(x), TOGETHER):
        spikes, fired = replay_cell(layout, layout.drive(x[i : i + TOGETHER]))
        counts.append(fired[:, first:end].sum(axis=1))
        memory.append(spikes.sum(axis=(1, 2)))
        units.append(fired.sum(axis=(1, 2)))
        if progress is not None:
            progress(min(i + TOGETHER, len(x)), len(x))
    counts, memory, units = map(np.concatenate, (counts, memory, units))
    return Answers(layout.outputs(counts), counts, memory, units)


def emulate(layout: CellLayout, x, *, target="emulator", seed: int = 0):
    """Run one sequence on NengoLoihi.

    Parameters
    ----------
    layout : CellLayout
    x : (T, c) array_like
    target : {"simreal", "emulator", "board"}
    seed : int
        Of the run.

    Returns
    -------
    counts : (units * copies,) int ndarray
        Spikes of the units that were read.
    run : Run
        With counts and probes.
    cores : Budget
        What the network takes of the chip.
    """
    x = np.asarray(x, dtype=float)[None]
    u, dt = layout.drive(x)[0], layout.memory.dt
    model = network(layout, u, seed)
    cores = budget(model, dt=dt)
    run = run_on(model, target, len(u) * dt, dt=dt, seed=seed)
    spikes = run.data[model.cell.spikes]
    first, end = layout.window(x.shape[1])
    return np.round(spikes[first:end].sum(axis=0) * dt).astype(int), run, cores


def network(layout: CellLayout, u: np.ndarray, seed: int = 0) -> nengo.Network:
    """Return a network with a `ChipCell`, ``cell``, that is given ``u`` (T,).

    Parameters
    ----------
    layout : Layout
    u : (T,) ndarray
        Samples of the input.
    seed : int

    Returns
    -------
    nengo.Network
    """
    with nengo.Network(label="classify", seed=seed) as model:
        played = nengo.processes.PresentInput(np.asarray(u)[:, None], layout.memory.dt)
        stimulus = nengo.Node(played)
        model.cell = ChipCell(layout, label="cell")
        nengo.Connection(stimulus, model.cell.input, synapse=None)
    return model


def classify(
    params: LMUParams,
    data: Sequences,
    *,
    target: str = "emulator",
    items: int | None = None,
    emulated: int = 1,
    seed: int = 0,
    progress=None,
    **layout,
) -> dict:
    """Return the accuracy on ``data.test``, rate-based and on the chip, and its costs.

    Parameters
    ----------
    params : LMUParams
        Feedforward, with a chip's activation; see `lay_out_cell`.
    data : Sequences
        Of classes, read at the last step.
    target : {"emulator", "board"}
        What the cell is laid out for; no board is run here.
    items : int, optional
        How many of the test part, from its beginning; all by default.
    emulated : int
        How many of them run on NengoLoihi's emulator, too.
    seed : int
        Of the layout.
    progress : callable, optional
        Called with the sequences done and their number.
    **layout
        As in `lay_out_cell`.

    Returns
    -------
    dict
        ``rate_accuracy``, ``spiking_accuracy``, ``lost`` and ``lost_ci95`` over the
        items (paired), ``neurons``, ``cores``, ``seconds_per_inference``,
        ``spikes_per_inference``, ``synops_per_inference``,
        ``estimated_joules_per_inference`` (dynamic) and ``..._static``; of the items
        that ran on NengoLoihi ``emulated``, and whether their spikes are ``equal``.

    Raises
    ------
    ValidationError
        If the cell does not fit one chip, or is none that the chip can have.
    """
    seed, target = check_seed("classify.seed", seed), target_name(target)
    if data.classes is None or not data.last:
        problem = "has no classes to be told at the last step"
        raise ValidationError("classify.data", data.name, problem)
    if data.train.lengths is not None or data.test.lengths is not None:
        problem = "has sequences of different length, which the chip pass does not read"
        remedy = "use sequences of one length, or convert"
        raise ValidationError("classify.data", data.name, problem, remedy)
    remedy = "use 'emulator', or run a ChipCell with run_on"
    check_rounded("classify.target", target, remedy)
    n = len(data.test) if items is None else check_whole("classify.items", items, 2)
    x, labels = data.test.x[:n].astype(float), data.test.y[:n]
    # the cell on its cores, before anything runs
    laid = lay_out_cell(params, data.train.x, target=target, seed=seed, **layout)
    memory = laid.memory
    cores = budget(network(laid, laid.drive(x[:1])[0]), dt=memory.dt).check().cores
    # the same items, rate-based and in spikes
    said = answer(laid, x, progress)
    right = said.y.argmax(axis=1) == labels
    rate = forward(params, x, last=True).argmax(axis=1) == labels
    # both on the same items, so the interval is that of a paired difference
    differ = rate.astype(float) - right
    half = stats.norm.ppf(0.975) * differ.std(ddof=1) / np.sqrt(len(right))
    row = {
        "items": len(right),
        "rate_accuracy": float(rate.mean()),
        "spiking_accuracy": float(right.mean()),
        "lost": float(differ.mean()),
        "lost_ci95": float(half),
        "order": memory.ldn.order,
        "theta": memory.ldn.theta,
        "tau": memory.tau,
        "presentation": laid.presentation,
        "read_from": laid.start,
        "read_for": laid.width,
        "memory_neurons": memory.n_neurons,
        "units": laid.cell.units,
        "copies": laid.copies,
        "neurons": laid.n_neurons,
        "cores": cores,
        "memory_spikes_per_inference": float(said.memory_spikes.mean()),
        "unit_spikes_per_inference": float(said.unit_spikes.mean()),
        "spikes_per_inference": float((said.memory_spikes + said.unit_spikes).mean()),
    }
    return row | _emulate_some(laid, x[:emulated], said, target, seed)


def _emulate_some(laid: CellLayout, x, said: Answers, target: str, seed: int) -> dict:
    """Return counts of some items on NengoLoihi, and whether their spikes are equal."""
    if not len(x):
        return {"emulated": 0}
    runs: list[Run] = []
    equal = True
    for i, sequence in enumerate(x):
        counts, run, _ = emulate(laid, sequence, target=target, seed=seed)
        equal &= bool(np.array_equal(counts, said.counts[i]))
        runs.append(run)
    seconds = runs[0].dt * len(runs[0].trange)
    each = {"seconds_per_inference": seconds}
    energies = [estimate(run.counts, seconds, **each) for run in runs]

    def mean(values, name: str) -> float:
        return float(np.mean([getattr(value, name) for value in values]))

    counts = [run.counts for run in runs]
    return {
        "emulated": len(runs),
        "equal": equal,
        "seconds_per_inference": seconds,
        "emulated_spikes_per_inference": mean(counts, "spikes"),
        "synops_per_inference": mean(counts, "synops"),
        "synops_nonzero_per_inference": mean(counts, "synops_nonzero"),
        "estimated_joules_per_inference": mean(energies, "dynamic_per_inference"),
        "estimated_joules_static": mean(energies, "static_per_inference"),
        "seconds_run": mean(runs, "seconds_run"),
    }
