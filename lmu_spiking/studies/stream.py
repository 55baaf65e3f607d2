"""Streams: blocks of samples in, decoded windows or decisions out, without an end.

A stream keeps the state of its network between blocks, so that its outputs are those of
one long run, spike by spike, however the samples are cut into blocks.

Letters: ``n`` samples of a block, ``C`` channels, ``q`` outputs.  Times are in seconds.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import nengo
import numpy as np

from lmu_spiking.conversion.conversion import Conversion
from lmu_spiking.conversion.run import count_spikes
from lmu_spiking.errors import ValidationError
from lmu_spiking.memory.design import Design
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.simulator.targets import simulator
from lmu_spiking.studies.trial import spikes_of

WARM = 16  # steps before the first block, which prepare what the others use
MOST = 4096  # steps that are recorded before they are read
LARGEST = 1e30  # of a sample: its sums stay numbers in single precision


class Decoded(NamedTuple):
    """The past that a memory's spikes tell, at each sample of a block.

    Parameters
    ----------
    times : (n,) ndarray
        Of the samples, seconds from the first of the stream.
    values : (n, C * delays) ndarray
        What is decoded of the samples ``delay`` before ``times``, channel by channel.
    """

    times: np.ndarray
    values: np.ndarray


class Decisions(NamedTuple):
    """The outputs of a model whose samples have passed through all of its cells.

    Parameters
    ----------
    times : (n,) ndarray
        When those samples came, seconds from the first of the stream.
    outputs : (n, q) ndarray
        Decoded from the spikes of one step, or through the readout's synapse.
    classes : (n,) ndarray or None
        The largest of the outputs; None for a model of values.
    """

    times: np.ndarray
    outputs: np.ndarray
    classes: np.ndarray | None


@dataclass(frozen=True)
class Latency:
    """The delay of an output by its causes, seconds.

    Parameters
    ----------
    readout : float
        From a sample to the step in which it is read: the shortest delay that a memory
        decodes; the presentations that a model takes.
    block : float
        Length of the longest block so far, whose first sample waits for the last.
    computation : float
        The longest that a block has taken to compute.
    """

    readout: float
    block: float
    computation: float

    @property
    def total(self) -> float:
        """Return the sum."""
        return self.readout + self.block + self.computation


class Stream:
    """A network that takes blocks of samples; what `MemoryStream` and `ModelStream` do.

    Use it in a ``with`` block, or call `close`.

    Parameters
    ----------
    network : nengo.Network
    source : nengo.Node
        Replaced by the samples, (C,) each.
    output : nengo.Probe
    counted : list of nengo.Probe
        Of spikes.
    dt : float
        Step, seconds.
    held : int
        Steps of a sample.
    exact : bool
        Compute in double precision.

    Attributes
    ----------
    channels : int
        ``C``.
    sample_dt : float
        Simulated seconds of a sample.
    samples : int
        Number of samples since the beginning, or the last `reset`.
    spikes : float
        Number of spikes so far.
    seconds : float
        That computing took so far.
    """

    def __init__(self, network, source, output, counted, *, dt, held, exact):
        self.channels, self.dt, self.held = source.size_out, float(dt), held
        self.sample_dt = self.held * self.dt
        self._source, self._output, self._counted = source, output, counted
        silent: dict = {source: np.zeros((1, self.channels))}
        self._sim: Any = simulator(network, dt, "compiled", exact=exact, inputs=silent)
        # the first steps prepare what others use; they do not count
        self._sim.run_steps(WARM)
        self.closed = False
        self.samples, self._before = 0, 0  # since and before the last reset
        self.spikes, self.seconds = 0.0, 0.0
        self._longest, self._slowest = 0, 0.0
        self.reset()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Release the memory; the numbers stay."""
        if not self.closed:
            self.closed = True
            self._sim.close()

    def reset(self) -> None:
        """Begin anew, at time 0 and with the spikes of the first time.

        Counters of spikes and seconds go on.
        """
        self._check_open("reset")
        self._sim.reset()
        self._seen = 0  # steps that probes hold
        self._before, self.samples = self._before + self.samples, 0

    @property
    def time(self) -> float:
        """Return the simulated time since the beginning or a reset, seconds."""
        return self.samples * self.sample_dt

    @property
    def real_time_factor(self) -> float:
        """Return simulated over computing time so far: 1 or more keeps up; or NaN."""
        simulated = (self._before + self.samples) * self.sample_dt
        return simulated / self.seconds if self.seconds else float("nan")

    @property
    def readout_latency(self) -> float:
        """Return the seconds from a sample to the step in which it is read."""
        raise NotImplementedError

    @property
    def latency(self) -> Latency:
        """Return how late an output is, by cause."""
        block = self._longest * self.sample_dt
        return Latency(self.readout_latency, block, self._slowest)

    def push(self, block):
        """Take a block of samples, and return what there is to say at its end.

        Parameters
        ----------
        block : (n, C) array_like, or (n,) for one channel
            Any number of samples, also none.

        Returns
        -------
        Decoded or Decisions
            Of the samples whose outputs are there.

        Raises
        ------
        ValidationError
            If the samples have another shape or are not finite (the stream goes on), or
            the stream is closed.
        NotANumberError
            If the network's state became NaN, which closes it.
        """
        self._check_open("push")
        block = self._checked(block)
        began = time.perf_counter()
        values = self._advance(block)
        first, self.samples = self.samples, self.samples + len(block)
        result = self._read(values, first)
        spent = time.perf_counter() - began
        self.seconds += spent
        self._slowest = max(self._slowest, spent)
        self._longest = max(self._longest, len(block))
        return result

    def run(self, blocks: Iterable) -> Iterator:
        """Yield what `push` returns for each block, as soon as it comes.

        Parameters
        ----------
        blocks : iterable of array_like

        Yields
        ------
        Decoded or Decisions
        """
        for block in blocks:
            yield self.push(block)

    def _check_open(self, what: str) -> None:
        """Raise a ValidationError if the stream is closed."""
        if self.closed:
            problem, remedy = (
                "is for an open stream, and this is closed",
                "open another",
            )
            raise ValidationError(f"Stream.{what}", self.samples, problem, remedy)

    def _checked(self, block) -> np.ndarray:
        """Return a block as samples (n, C), or raise a ValidationError."""
        try:
            samples = np.asarray(block)
            kind = samples.dtype.kind
        except ValueError:  # rows of unequal length
            samples, kind = np.zeros(0), "O"
        C, shape = self.channels, samples.shape
        if kind != "O" and shape in ((0,), (0, C)):
            return np.zeros((0, C))
        if samples.ndim == 1 and C == 1:
            samples = samples[:, None]
        if kind not in "biuf" or samples.ndim != 2 or samples.shape[1] != C:
            got = shape if kind in "biuf" else block
            wanted = f"(n, {C})" + (" or (n,)" if C == 1 else "")
            problem = f"must be real numbers of shape {wanted}"
            remedy = "one row a sample"
            raise ValidationError("Stream.push.samples", got, problem, remedy)
        samples = samples.astype(float)
        bad = np.argwhere(~(np.abs(samples) <= LARGEST))
        if len(bad):
            value, at = float(samples[tuple(bad[0])]), self.samples + bad[0][0]
            problem = f"in sample {at} (from 0) is not finite, or above {LARGEST:g}"
            remedy = "leave out or fill such samples"
            raise ValidationError("Stream.push.samples", value, problem, remedy)
        return samples

    def _advance(self, block: np.ndarray) -> np.ndarray:
        """Run the steps of a block; return the outputs of each step."""
        sim, rows = self._sim, []
        each = max(1, MOST // self.held)
        try:
            for start in range(0, len(block), each):
                part = np.repeat(block[start : start + each], self.held, axis=0)
                sim.feed(self._source, part)
                sim.step() if len(part) == 1 else sim.run_steps(len(part), False)
                new = [self._since(probe) for probe in (self._output, *self._counted)]
                rows.append(self._kept(new[0].astype(float)))
                self.spikes += self.dt * sum(float(x.sum(dtype=float)) for x in new[1:])
                self._seen += len(part)
                if self._seen >= MOST:  # seldom, as new buffers take time
                    sim.clear_probes()
                    self._seen = 0
        except BaseException:
            self.close()  # which sample it stands at is not known any more
            raise
        return np.concatenate(rows) if rows else np.zeros((0, self._output.size_in))

    def _since(self, probe: nengo.Probe) -> np.ndarray:
        """Return what a probe recorded in the last part."""
        return self._sim.data.raw[probe].since(self._seen)[0]

    def _kept(self, values: np.ndarray) -> np.ndarray:
        """Return those of a part's outputs that are read; it begins with a sample."""
        raise NotImplementedError

    def _read(self, values: np.ndarray, first: int):
        """Return the result of a block from its outputs, and from its first sample."""
        raise NotImplementedError


class MemoryStream(Stream):
    """A memory that tells what the samples were some time ago, while they come.

    Parameters
    ----------
    memory : MemorySpec, Design or LegendreMemory
        The memory, with its seed of spikes; of a network, an equal one is built.
    delays : float or (k,) array_like, optional
        Seconds, ``dt`` to ``theta``; by default theta.

    Attributes
    ----------
    memory : LegendreMemory
        Of this stream; ``memory.predict()`` says how large its errors are.
    delays : (k,) ndarray
        Seconds.

    Raises
    ------
    ValidationError
        If the memory is none, or has not these delays.

    Examples
    --------
    >>> spec = MemorySpec(n_neurons=600, order=6, theta=0.5)
    >>> with MemoryStream(spec, delays=[0.1, 0.5]) as stream:
    ...     for times, values in stream.run(np.zeros((5, 100))):
    ...         print(times[-1], values.shape)
    0.099 (100, 2)
    0.199 (100, 2)
    0.299 (100, 2)
    0.399 (100, 2)
    0.499 (100, 2)
    """

    def __init__(self, memory: MemorySpec | Design | LegendreMemory, delays=None):
        with nengo.Network(label="stream", add_to_container=False) as model:
            self.memory = made = _rebuilt(memory)
            source = nengo.Node(_silence(made.size_in), label="samples")
            nengo.Connection(source, made.input, synapse=None)
            delays = made.theta if delays is None else delays
            output = nengo.Probe(made.add_output(delay=delays), synapse=None)
            spikes = spikes_of(made)
        self.delays = np.atleast_1d(np.asarray(delays, dtype=float))
        # as in `run_trial`: single precision would be seen where nothing is noisy
        population = made.population
        summed = population.n_neurons > len(population.gain)
        exact = summed or not population.neurons.spiking
        counted = [] if spikes is None else [spikes]
        parts = (model, source, output, counted)
        super().__init__(*parts, dt=made.dt, held=1, exact=exact)

    @property
    def readout_latency(self) -> float:
        """Return the shortest delay that is decoded, seconds."""
        return float(self.delays.min())

    def _kept(self, values):
        return values

    def _read(self, values, first):
        return Decoded(self.dt * np.arange(first, self.samples), values)


class ModelStream(Stream):
    """A converted model that tells its output for each sample, while they come.

    Each sample is presented for ``presentation`` seconds, and its output is there after
    one more for each cell, so that the first blocks may return nothing.

    Parameters
    ----------
    conversion : Conversion
        From `convert`.
    noise_seed : int, optional
        Draws the spikes; that of its settings by default.

    Attributes
    ----------
    late : int
        Samples that must follow a sample before its output is there.
    decides : bool
        Whether outputs are classes.
    """

    def __init__(self, conversion: Conversion, noise_seed: int | None = None):
        settings, params = conversion.settings, conversion.params
        seed = settings.noise_seed if noise_seed is None else noise_seed
        # as `present` has it, so that the spikes are the same
        with nengo.Network(seed=seed, add_to_container=False) as model:
            net = conversion.network(noise_seed=seed)
            source = nengo.Node(_silence(params.size_in), label="samples")
            nengo.Connection(source, net.input, synapse=None)
            output = nengo.Probe(net.output, synapse=settings.readout_synapse)
            counted = [probe for cell in net.cells for probe in count_spikes(cell, 1)]
        # the output is read at the first step of its presentation, or that of the next
        self._after = net.read_step(0) + settings.read_after
        self.late = self._after // net.steps
        found = params.header.get("results", {})
        of_values = any(name.endswith("nrmse") for name in found)
        self.decides = params.size_out > 1 and not of_values
        parts, exact = (model, source, output, counted), settings.simulates_sums
        super().__init__(*parts, dt=settings.dt, held=net.steps, exact=exact)

    @property
    def readout_latency(self) -> float:
        """Return the seconds from a sample to the step in which its output is read."""
        return (self._after + 1) * self.dt

    def finish(self) -> Decisions:
        """Return the outputs of the last samples, and begin anew as by `reset`.

        Returns
        -------
        Decisions
            As if silence followed.
        """
        self._check_open("finish")
        first = self.samples
        values = self._advance(np.zeros((self.late, self.channels)))
        self.samples += self.late
        result = self._read(values, first)
        self.samples = first
        self.reset()
        return result

    def _kept(self, values):
        return values[:: self.held]

    def _read(self, values, first):
        # the output of sample t is read at the first step of sample t + late
        ready = np.arange(max(first, self.late), self.samples)
        outputs = values[len(values) - len(ready) :]
        classes = outputs.argmax(axis=1) if self.decides else None
        return Decisions((ready - self.late) * self.sample_dt, outputs, classes)


def _silence(size: int) -> nengo.Process:
    """Return what a node puts out until samples replace it."""
    return nengo.processes.PresentInput(np.zeros((1, size)), 1.0)


def _rebuilt(memory) -> LegendreMemory:
    """Return an equal memory in the current network, or raise a ValidationError."""
    if isinstance(memory, MemorySpec):
        return LegendreMemory.from_spec(memory, noise_seed=memory.noise_seed)
    if isinstance(memory, LegendreMemory):
        seed = memory.noise_seed
        return LegendreMemory.from_design(memory.design, noise_seed=seed)
    if isinstance(memory, Design):
        seed = 0 if memory.spec is None else memory.spec.noise_seed
        return LegendreMemory.from_design(memory, noise_seed=seed)
    problem = "must be a MemorySpec, a Design or a LegendreMemory"
    raise ValidationError("MemoryStream.memory", memory, problem)
