"""Present sequences to a conversion, many side by side, and count its spikes."""

from collections.abc import Callable
from dataclasses import dataclass

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.conversion.conversion import Conversion, draw_seeds
from lmu_spiking.errors import check_positive, check_seed, check_whole
from lmu_spiking.lmu.forward import checked_sequences
from lmu_spiking.processes import in_processes
from lmu_spiking.simulator.targets import check_target, simulator

ENTRIES = 40_000  # of Nengo's signals in one network: more leave the cache
PARTS = 4  # that the sequences are split into at least
PROBED = 20e6  # numbers that a probe may keep


@dataclass(frozen=True, eq=False)
class Presented:
    """What came out.

    Attributes
    ----------
    y : (n, T, q) ndarray, or (n, q)
        Outputs of each sample, or of the last, at the time that they are read.
    late : (L, n, q) ndarray
        Outputs some steps before and after the last sample's is read.
    lags : (L,) ndarray
        Those times, seconds from when the output should be read.
    memory_spikes, unit_spikes : (n,) ndarray
        Spikes of each sequence.
    """

    y: np.ndarray
    late: np.ndarray
    lags: np.ndarray
    memory_spikes: np.ndarray
    unit_spikes: np.ndarray

    __repr__ = brief

    @property
    def spikes(self) -> np.ndarray:
        """All spikes of each sequence."""
        return self.memory_spikes + self.unit_spikes


def present(
    conversion: Conversion,
    x,
    *,
    last: bool = False,
    noise_seed: int | None = None,
    around: float = 0.02,
    jobs: int = 1,
    progress: Callable | None = None,
    target: str = "compiled",
) -> Presented:
    """Run the spiking network on sequences.

    Parameters
    ----------
    x : (n, T, c) array_like
    last : bool
        Keep only the output at the last step.
    noise_seed : int, optional
        That of the settings by default.
    around : float
        Seconds before and after the end that outputs are kept for.
    jobs : int
        Processes; -1 for one a core.
    progress : callable, optional
        Called with the sequences done and their number.
    target : {"compiled", "core"}
        `lmu_spiking.Simulator` or `nengo.Simulator`, the same in distribution.
    """
    check_target("present.target", target)
    if jobs != -1:
        check_whole("present.jobs", jobs, 1)
    x = checked_sequences("present.x", x, conversion.params.size_in)
    seed = conversion.settings.noise_seed if noise_seed is None else noise_seed
    seed = check_seed("present.noise_seed", seed)
    offsets = _around(conversion, around)
    size = copies_at_once(conversion, len(x), x.shape[1])
    parts = [slice(i, i + size) for i in range(0, len(x), size)]
    seeds = [seed, *draw_seeds(seed, len(parts) - 1)]
    tasks = (
        (conversion, x[part], last, own, offsets, target)
        for part, own in zip(parts, seeds, strict=True)
    )
    done, found = 0, []
    for part, result in zip(parts, in_processes(_present, tasks, jobs), strict=True):
        found.append(result)
        done += len(x[part])
        if progress is not None:
            progress(done, len(x))
    y, late, memory, units = (list(column) for column in zip(*found, strict=True))
    return Presented(
        np.concatenate(y),
        np.concatenate(late, axis=1),
        offsets * conversion.settings.dt,
        np.concatenate(memory),
        np.concatenate(units),
    )


def copies_at_once(conversion: Conversion, n: int, T: int) -> int:
    """Sequences side by side in one network, whatever the number of processes.

    At most a quarter of them, so that there is something to share.
    """
    net = conversion.built
    entries = sum(
        c.memory.ensemble.n_neurons + (c.units.n_neurons if c.units else 0)
        for c in net.cells
    )
    probed = T * net.steps * conversion.params.size_out
    most = max(1, int(min(ENTRIES / entries, PROBED / probed)))
    return min(most, -(-n // PARTS))


def _present(conversion: Conversion, x: np.ndarray, last, seed, offsets, target):
    n, T, _ = x.shape
    s, q = conversion.settings, conversion.params.size_out
    with nengo.Network(seed=seed, add_to_container=False) as model:
        net = conversion.network(copies=n, noise_seed=seed)
        end = net.read_step(T - 1) + s.read_after
        steps = end + 2 + offsets.max()
        silence = np.zeros((-(-steps // net.steps) - T, n * x.shape[2]))
        shown = np.vstack([x.transpose(1, 0, 2).reshape(T, -1), silence])
        shown = nengo.processes.PresentInput(shown, s.presentation)
        nengo.Connection(nengo.Node(shown), net.input, synapse=None)
        output = nengo.Probe(net.output, synapse=s.readout_synapse)
        counted = [_count(c, n) for c in net.cells]
    with simulator(model, s.dt, target, exact=s.simulates_sums) as sim:
        sim.run_steps(steps)
    y = np.asarray(sim.data[output], dtype=float).reshape(-1, n, q)
    late = y[np.clip(end + offsets, 0, len(y) - 1)]
    ends = [end] if last else end - net.steps * np.arange(T)[::-1]
    y = y[ends].transpose(1, 0, 2)
    counts = [
        [sim.data[p][: end + 1].sum(axis=0, dtype=float) for p in both]
        for both in counted
    ]
    memory, units = s.dt * np.sum(counts, axis=0)
    return (y[:, 0] if last else y), late, memory, units


def _count(cell, copies: int) -> list[nengo.Probe]:
    """The spikes of memory and units in each step, by copy."""
    probes = []
    for ensemble in (cell.memory.ensemble, cell.units):
        count = nengo.Node(size_in=copies)
        if ensemble is not None:
            n = ensemble.n_neurons
            of = np.repeat(np.arange(copies), n // copies)
            indices = np.column_stack([of, np.arange(n)])
            summed = nengo.Sparse((copies, n), indices=indices, init=1.0)
            nengo.Connection(ensemble.neurons, count, transform=summed, synapse=None)
        probes.append(nengo.Probe(count, synapse=None))
    return probes


def _around(conversion: Conversion, around: float) -> np.ndarray:
    """Steps before and after that of the last output."""
    if around != 0:
        check_positive("present.around", around, "seconds, or 0")
    n = round(around / conversion.settings.dt)
    return np.arange(-n, n + 1)
