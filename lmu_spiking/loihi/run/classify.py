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
from lmu_spiking.loihi.chip.limits import CORES_PER_CHIP, Budget
from lmu_spiking.loihi.chip.replica import replay_cell
from lmu_spiking.loihi.mapping.cell import CellLayout, ChipCell, lay_out_cell
from lmu_spiking.loihi.run.budget import budget
from lmu_spiking.loihi.run.energy import estimate
from lmu_spiking.loihi.run.target import Run, run_on
from lmu_spiking.metrics import confusion, paired_interval
from lmu_spiking.tasks.sequences import Sequences, check_lengths

TOGETHER = 60  # sequences side by side, at most
QUICK = 150_000  # spikes of a sequence that NengoLoihi takes a minute or two for
ROOM = 5e8  # bytes of their spikes, about


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


def answer(layout: CellLayout, x, lengths=None, progress=None) -> Answers:
    """Present sequences, each from rest, and return the answers at their own ends.

    Parameters
    ----------
    layout : CellLayout
    x : (n, T, c) array_like
    lengths : (n,) array_like of int, optional
        Samples of each; all ``T`` by default.
    progress : callable, optional
        Called with the sequences done and their number.

    Returns
    -------
    Answers
    """
    x = np.asarray(x, dtype=float)
    ends = _ends(x, lengths)
    counts = np.zeros((len(x), len(layout.units.unit)), int)
    memory, units = np.zeros((2, len(x)), int)
    # some sequences side by side, of about one length: more would not fit the memory of
    # a computer, with a byte for each neuron and eight for each pulse in every step
    each = layout.n_neurons + 8 * layout.units.stage.inputs.shape[1]
    together = ROOM / each / layout.window(int(ends.max()))[1]
    together = int(np.clip(together, 1, TOGETHER))
    order = np.argsort(ends, kind="stable")
    for i in range(0, len(x), together):
        chosen = order[i : i + together]
        u = layout.drive(x[chosen], ends[chosen])
        each = zip(chosen, *replay_cell(layout, u), strict=True)
        for k, spikes, fired in each:
            first, end = layout.window(ends[k])
            counts[k] = fired[first:end].sum(axis=0)
            memory[k], units[k] = spikes[:end].sum(), fired[:end].sum()
        if progress is not None:
            progress(min(i + together, len(x)), len(x))
    return Answers(layout.outputs(counts), counts, memory, units)


def _ends(x: np.ndarray, lengths) -> np.ndarray:
    """Return the samples (n,) of each sequence (n, T, c)."""
    ends = check_lengths("answer.lengths", lengths, *x.shape[:2])
    return np.full(len(x), x.shape[1]) if ends is None else ends


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
    u, dt = layout.drive(x)[0], layout.dt
    model = network(layout, u, seed)
    cores = budget(model, dt=dt)
    run = run_on(model, target, len(u) * dt, dt=dt, seed=seed)
    spikes = run.data[model.cell.spikes]
    first, end = layout.window(x.shape[1])
    return np.round(spikes[first:end].sum(axis=0) * dt).astype(int), run, cores


def network(layout: CellLayout, u: np.ndarray, seed: int = 0) -> nengo.Network:
    """Return a network with a `ChipCell`, ``cell``, that is given ``u`` (T, k).

    Parameters
    ----------
    layout : CellLayout
    u : (T, k) ndarray
        Samples of the inputs.
    seed : int

    Returns
    -------
    nengo.Network
    """
    with nengo.Network(label="classify", seed=seed) as model:
        played = nengo.processes.PresentInput(np.asarray(u), layout.dt)
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
    emulated: int | None = None,
    chips: int = 1,
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
        Of classes, each read at its own last step.
    target : {"emulator", "board"}
        What the cell is laid out for; no board is run here.
    items : int, optional
        How many of the test part, from its beginning; all by default.
    emulated : int, optional
        How many of them run on NengoLoihi's emulator, too; by default one, if it has at
        most `QUICK` spikes.
    chips : int
        Chips that there are.
    seed : int
        Of the layout.
    progress : callable, optional
        Called with the sequences done and their number, those on NengoLoihi counted
        twice.
    **layout
        As in `lay_out_cell`.

    Returns
    -------
    dict
        ``rate_accuracy``, ``spiking_accuracy``, ``lost`` and ``lost_ci95`` over the
        items (paired; ``lost_low`` and ``lost_high`` hold where few or none differ),
        ``confusion`` of both, ``neurons``, ``cores``,
        ``seconds_per_inference`` and ``spikes_per_inference``; of the items that ran on
        NengoLoihi ``emulated``, their ``emulated_seconds_per_inference``,
        ``synops_per_inference``, ``estimated_joules_per_inference`` (dynamic) and
        ``estimated_joules_static``, and whether their spikes are ``equal``.

    Raises
    ------
    ValidationError
        If the cell does not fit the chips, or is none that the chip can have.
    """
    seed, target = check_seed("classify.seed", seed), target_name(target)
    if data.classes is None or not data.last:
        kind = "values" if data.classes is None else "a label for each step"
        problem = f"has {kind}, and the chip pass reads one label at the end of each"
        remedy = "use lmu-spiking convert, or give each sequence one label"
        raise ValidationError("classify.data", data.name, problem, remedy)
    remedy = "use 'emulator', or run a ChipCell with run_on"
    check_rounded("classify.target", target, remedy)
    n = len(data.test) if items is None else check_whole("classify.items", items, 2)
    x, labels = data.test.x[:n].astype(float), data.test.y[:n]
    ends = None if data.test.lengths is None else data.test.lengths[:n]
    # the cell on its cores, before anything runs
    of_train = {"lengths": data.train.lengths, "target": target, "seed": seed}
    laid = lay_out_cell(params, data.train.x, **of_train, **layout)
    built = network(laid, laid.drive(x[:1])[0])
    cores = _check_fit(budget(built, chips=chips, dt=laid.dt), laid)
    # the same items, rate-based and in spikes, some of them once more on NengoLoihi
    again = 1 if emulated is None else check_whole("classify.emulated", emulated, 0)
    again = min(again, n)

    def tell(done: int, of: int) -> None:
        if progress is not None:
            progress(done, of + again)

    said = answer(laid, x, ends, tell)
    y = forward(params, x, last=True, lengths=ends)
    if emulated is None and said.memory_spikes[0] + said.unit_spikes[0] > QUICK:
        again = 0
    rate, right = (each.argmax(axis=1) == labels for each in (y, said.y))
    seconds = laid.window(_ends(x, ends))[1] * laid.dt
    # both on the same items, so the interval is that of a paired difference
    differ = rate.astype(float) - right
    half = stats.norm.ppf(0.975) * differ.std(ddof=1) / np.sqrt(len(right))
    low, high = paired_interval(rate, right)
    row = {
        "items": len(right),
        "rate_accuracy": float(rate.mean()),
        "spiking_accuracy": float(right.mean()),
        "lost": float(differ.mean()),
        "lost_ci95": float(half),
        "lost_low": low,
        "lost_high": high,
        "confusion": {
            "rate": confusion(y, labels).tolist(),
            "spiking": confusion(said.y, labels).tolist(),
        },
        "memories": len(laid.memories),
        "order": laid.cell.order,
        "theta": laid.memories[0].ldn.theta,
        "tau": laid.tau,
        "presentation": laid.presentation,
        "read_from": laid.start,
        "read_for": laid.width,
        "memory_neurons": laid.memory_neurons,
        "units": laid.cell.units,
        "copies": laid.copies,
        "neurons": laid.n_neurons,
        "cores": cores,
        "chips": chips,
        "seconds_per_inference": float(seconds.mean()),
        "memory_spikes_per_inference": float(said.memory_spikes.mean()),
        "unit_spikes_per_inference": float(said.unit_spikes.mean()),
        "spikes_per_inference": float((said.memory_spikes + said.unit_spikes).mean()),
    }
    shown = [each[:end] for each, end in zip(x, _ends(x, ends), strict=True)]
    runs, equal = [], True
    for i, sequence in enumerate(shown[:again], 1):
        counts, run, _ = emulate(laid, sequence, target=target, seed=seed)
        equal &= bool(np.array_equal(counts, said.counts[i - 1]))
        runs.append(run)
        tell(len(x) + i, len(x))
    return row | _costs(runs, equal)


def _check_fit(found: Budget, laid: CellLayout) -> int:
    """Return the cores of a cell, or raise a ValidationError if there are fewer."""
    if found.chips_needed > found.chips:
        units = laid.n_neurons - laid.memory_neurons
        problem = f"of memories and {units:,} of units take {found.cores} cores, and "
        problem += f"there are {found.chips * CORES_PER_CHIP}"
        remedy = "use fewer, fewer copies or more chips, or train with a lower order"
        name = "lay_out_cell.n_neurons"
        raise ValidationError(name, laid.memory_neurons, problem, remedy)
    return found.check().cores


def _costs(runs: list[Run], equal: bool) -> dict:
    """Return mean counts and energies of runs on NengoLoihi."""
    if not runs:
        return {"emulated": 0}
    energies = []
    for run in runs:
        seconds = run.dt * len(run.trange)
        each = {"seconds_per_inference": seconds}
        energies.append(estimate(run.counts, seconds, **each))

    def mean(values, name: str) -> float:
        return float(np.mean([getattr(value, name) for value in values]))

    counts = [run.counts for run in runs]
    return {
        "emulated": len(runs),
        "equal": equal,
        "emulated_seconds_per_inference": mean(energies, "seconds"),
        "emulated_spikes_per_inference": mean(counts, "spikes"),
        "synops_per_inference": mean(counts, "synops"),
        "synops_nonzero_per_inference": mean(counts, "synops_nonzero"),
        "estimated_joules_per_inference": mean(energies, "dynamic_per_inference"),
        "estimated_joules_static": mean(energies, "static_per_inference"),
        "seconds_run": mean(runs, "seconds_run"),
    }
