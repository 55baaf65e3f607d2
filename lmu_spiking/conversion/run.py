"""Present sequences to a conversion, many side by side, and count its spikes."""

from collections.abc import Callable
from dataclasses import dataclass

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.conversion.conversion import Conversion, draw_seeds
from lmu_spiking.errors import check_positive, check_seed, check_shape, check_whole
from lmu_spiking.processes import in_processes
from lmu_spiking.simulator.targets import check_target, simulator
from lmu_spiking.tasks.sequences import check_lengths, within

ENTRIES = 40_000  # of Nengo's signals in one network: more leave the cache
PARTS = 4  # that the sequences are split into at least
PROBED = 20e6  # numbers that a probe may record


@dataclass(frozen=True, eq=False)
class Presented:
    """The outputs and spikes of sequences that were presented.

    Parameters
    ----------
    y : (n, T, q) ndarray, or (n, q)
        Outputs of each sample, or of the last, at the time that they are read; past
        the length of a sequence they are what the network says to the padding.
    late : (L, n, q) ndarray
        Outputs some steps before and after that of each sequence's last sample is read.
    lags : (L,) ndarray
        Those times, seconds from when the output should be read.
    memory_spikes, unit_spikes : (n,) ndarray
        Spikes of each sequence, until its last output is read.
    """

    y: np.ndarray
    late: np.ndarray
    lags: np.ndarray
    memory_spikes: np.ndarray
    unit_spikes: np.ndarray

    __repr__ = brief

    @property
    def spikes(self) -> np.ndarray:
        """Return all spikes of each sequence."""
        return self.memory_spikes + self.unit_spikes


def present(
    conversion: Conversion,
    x,
    *,
    last: bool = False,
    lengths=None,
    noise_seed: int | None = None,
    around: float = 0.02,
    jobs: int = 1,
    progress: Callable | None = None,
    target: str = "compiled",
) -> Presented:
    """Run the spiking network on sequences.

    Parameters
    ----------
    conversion : Conversion
    x : (n, T, c) array_like
    last : bool
        Return only the output at the last step of each sequence.
    lengths : (n,) array_like of int, optional
        Steps of each sequence, which is padded to ``T`` at its end; all ``T`` by
        default.  Each is read, and its spikes are counted, at its own end.
    noise_seed : int, optional
        That of the settings by default.
    around : float
        Seconds before and after the end that outputs are returned for.
    jobs : int
        Processes; -1 for one a core.
    progress : callable, optional
        Called with the sequences done and their number.
    target : {"compiled", "core"}
        `lmu_spiking.Simulator` or `nengo.Simulator`, the same in distribution.

    Returns
    -------
    Presented
        In the order of the sequences.

    Raises
    ------
    ValidationError
        If an argument is out of range.
    """
    check_target("present.target", target)
    if jobs != -1:
        check_whole("present.jobs", jobs, 1)
    x = check_shape("present.x", x, ("n", "T", conversion.params.size_in))
    ends = check_lengths("present.lengths", lengths, *x.shape[:2])
    ends = np.full(len(x), x.shape[1]) if ends is None else ends
    seed = conversion.settings.noise_seed if noise_seed is None else noise_seed
    seed = check_seed("present.noise_seed", seed)
    if around != 0:
        check_positive("present.around", around, "seconds, or 0")
    n = round(around / conversion.settings.dt)
    offsets = np.arange(-n, n + 1)  # steps from that of the last output
    # split the sequences, and give each part spikes of its own
    size = copies_at_once(conversion, len(x), x.shape[1])
    rows = [slice(i, i + size) for i in range(0, len(x), size)]
    parts = [(x[some], ends[some]) for some in rows]
    seeds = [seed, *draw_seeds(seed, len(parts) - 1)]
    pairs = zip(parts, seeds, strict=True)
    tasks = ((conversion, *part, last, own, offsets, target) for part, own in pairs)
    done, results = 0, []
    for (part, _), found in zip(
        parts, in_processes(_present, tasks, jobs), strict=True
    ):
        results.append(found)
        done += len(part)
        if progress is not None:
            progress(done, len(x))
    y, late, *spikes = zip(*results, strict=True)
    late, lags = np.concatenate(late, axis=1), offsets * conversion.settings.dt
    return Presented(np.concatenate(y), late, lags, *map(np.concatenate, spikes))


def copies_at_once(conversion: Conversion, n: int, T: int) -> int:
    """Return how many sequences run side by side, whatever the number of processes.

    At most a quarter of them, so that there is something to share.

    Parameters
    ----------
    conversion : Conversion
    n, T : int
        Sequences, and samples of each.

    Returns
    -------
    int
        At least 1.
    """
    net = conversion.built
    ensembles = [each for c in net.cells for each in (c.memory.ensemble, c.units)]
    entries = sum(each.n_neurons for each in ensembles if each)
    probed = T * net.steps * conversion.params.size_out
    most = max(1, int(min(ENTRIES / entries, PROBED / probed)))
    return min(most, -(-n // PARTS))


def _present(conversion: Conversion, x, lengths, last, seed, offsets, target):
    """Return outputs, outputs about the end, and spikes, of sequences side by side.

    After its end a sequence is followed by its channels' means, which are 0 when they
    are normalised.
    """
    n, T, c = x.shape
    s, params = conversion.settings, conversion.params
    q, rest = params.size_out, np.zeros(c) if params.mean is None else params.mean
    x = np.where(within(lengths, T)[:, :, None], x, rest)
    with nengo.Network(seed=seed, add_to_container=False) as model:
        net = conversion.network(copies=n, noise_seed=seed)
        end = net.read_step(T - 1) + s.read_after
        steps = end + 2 + offsets.max()
        # the sequences, and then rest until the last output is there
        more = -(-steps // net.steps) - T
        shown = x.transpose(1, 0, 2).reshape(T, -1)
        shown = np.vstack([shown, np.tile(rest, (more, n))])
        shown = nengo.processes.PresentInput(shown, s.presentation)
        nengo.Connection(nengo.Node(shown), net.input, synapse=None)
        output = nengo.Probe(net.output, synapse=s.readout_synapse)
        counted = [count_spikes(c, n) for c in net.cells]
    with simulator(model, s.dt, target, exact=s.simulates_sums) as sim:
        sim.run_steps(steps)
    # read the outputs at their times, and count spikes until then
    y = np.asarray(sim.data[output], dtype=float).reshape(-1, n, q)
    ends, each = end - net.steps * (T - lengths), np.arange(n)
    late = y[np.clip(ends + offsets[:, None], 0, len(y) - 1), each]
    samples = end - net.steps * np.arange(T)[::-1]
    y = y[ends, each] if last else y[samples].transpose(1, 0, 2)
    until = np.arange(steps)[:, None] <= ends
    counts = [
        [(sim.data[p] * until).sum(axis=0, dtype=float) for p in both]
        for both in counted
    ]
    memory, units = s.dt * np.sum(counts, axis=0)
    return y, late, memory, units


def count_spikes(cell, copies: int) -> list[nengo.Probe]:
    """Return probes of the spikes of memory and units in each step, by copy."""
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
