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
from lmu_spiking.loihi.chip.replica import replay_cell
from lmu_spiking.loihi.mapping.cell import CellLayout, lay_out_cell
from lmu_spiking.loihi.mapping.cell_network import ChipCell
from lmu_spiking.loihi.run.budget import Budget, budget
from lmu_spiking.loihi.run.energy import estimate
from lmu_spiking.loihi.run.target import Run, run_on
from lmu_spiking.tasks.sequences import Sequences

TOGETHER = 60  # sequences side by side


@dataclass(frozen=True, eq=False)
class Answers:
    """What a cell laid out says of sequences, on the emulator's arithmetic.

    Attributes
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
    """Present sequences ``x`` (n, T, c), each from rest.

    ``progress`` is called with the sequences done and their number.
    """
    x = np.asarray(x, dtype=float)
    first, end = layout.window(x.shape[1])
    counts, memory, units = [], [], []
    for i in range(0, len(x), TOGETHER):
        spikes, fired = replay_cell(layout, layout.drive(x[i : i + TOGETHER]))
        counts.append(fired[:, first:end].sum(axis=1))
        memory.append(spikes.sum(axis=(1, 2)))
        units.append(fired.sum(axis=(1, 2)))
        if progress is not None:
            progress(min(i + TOGETHER, len(x)), len(x))
    counts = np.concatenate(counts)
    return Answers(
        layout.outputs(counts),
        counts,
        np.concatenate(memory),
        np.concatenate(units),
    )


def emulate(layout: CellLayout, x, *, target="emulator", seed: int = 0):
    """Run one sequence ``x`` (T, c) on NengoLoihi.

    Returns
    -------
    counts : (units * copies,) int ndarray
        Spikes of the units that were read.
    run : Run
    held : Budget
    """
    x = np.asarray(x, dtype=float)[None]
    u, dt = layout.drive(x)[0], layout.memory.dt
    model = network(layout, u, seed)
    held = budget(model, dt=dt)
    run = run_on(model, target, len(u) * dt, dt=dt, seed=seed)
    spikes = run.data[model.cell.spikes]
    first, end = layout.window(x.shape[1])
    return np.round(spikes[first:end].sum(axis=0) * dt).astype(int), run, held


def network(layout: CellLayout, u: np.ndarray, seed: int = 0) -> nengo.Network:
    """A `ChipCell` that is given ``u`` (T,); it is the network's ``cell``."""
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
    """Accuracy on ``data.test`` in rates and on the chip, and the chip's costs.

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
        If the cell does not fit one chip, or is none that the chip can hold.
    """
    seed = check_seed("classify.seed", seed)
    if data.classes is None or not data.last:
        raise ValidationError(
            "classify.data", data.name, "has no classes to be told at the last step"
        )
    if target not in ("emulator", "board"):
        raise ValidationError(
            "classify.target",
            target,
            "has no whole numbers",
            "use 'emulator', or run a ChipCell with run_on",
        )
    n = len(data.test) if items is None else check_whole("classify.items", items, 2)
    x, labels = data.test.x[:n].astype(float), data.test.y[:n]
    laid = lay_out_cell(params, data.train.x, target=target, seed=seed, **layout)
    held = budget(network(laid, laid.drive(x[:1])[0]), dt=laid.memory.dt).check()
    said = answer(laid, x, progress)
    right = said.y.argmax(axis=1) == labels
    rate = forward(params, x, last=True).argmax(axis=1) == labels
    row = _row(laid, held, said, rate, right)
    return row | _emulated(laid, x[:emulated], said, target, seed)


def _row(laid: CellLayout, held: Budget, said: Answers, rate, right) -> dict:
    differ = rate.astype(float) - right
    half = stats.norm.ppf(0.975) * differ.std(ddof=1) / np.sqrt(len(right))
    memory = laid.memory
    return {
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
        "cores": held.cores,
        "memory_spikes_per_inference": float(said.memory_spikes.mean()),
        "unit_spikes_per_inference": float(said.unit_spikes.mean()),
        "spikes_per_inference": float((said.memory_spikes + said.unit_spikes).mean()),
    }


def _emulated(laid: CellLayout, x, said: Answers, target: str, seed: int) -> dict:
    """What NengoLoihi says of some of the items, and counts."""
    if not len(x):
        return {"emulated": 0}
    runs: list[Run] = []
    equal = True
    for i, sequence in enumerate(x):
        counts, run, _ = emulate(laid, sequence, target=target, seed=seed)
        equal &= bool(np.array_equal(counts, said.counts[i]))
        runs.append(run)
    seconds = runs[0].dt * len(runs[0].trange)
    energies = [
        estimate(run.counts, seconds, seconds_per_inference=seconds) for run in runs
    ]
    return {
        "emulated": len(runs),
        "equal": equal,
        "seconds_per_inference": seconds,
        "emulated_spikes_per_inference": _mean(r.counts.spikes for r in runs),
        "synops_per_inference": _mean(r.counts.synops for r in runs),
        "synops_nonzero_per_inference": _mean(r.counts.synops_nonzero for r in runs),
        "estimated_joules_per_inference": _mean(
            e.dynamic_per_inference for e in energies
        ),
        "estimated_joules_static": _mean(e.static_per_inference for e in energies),
        "seconds_run": _mean(r.seconds_run for r in runs),
    }


def _mean(numbers) -> float:
    return float(np.mean(list(numbers)))
