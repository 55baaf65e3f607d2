"""Samples of probes: buffers that the compiled loop writes to and users read.

They stand apart from `simulator.simulator`, which makes them, because they are what
users see of it.
"""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from nengo.simulator import SimulationData

from lmu_spiking.errors import ValidationError

LEAST = 64  # samples that a buffer has room for when it is first made


class StepLock:
    """A lock that the thread that takes steps offers to others between two steps.

    Attributes
    ----------
    lock : threading.RLock
    wanted : bool
        Whether another thread waits for it.
    """

    def __init__(self):
        self.lock, self.wanted = threading.RLock(), False

    def __enter__(self):
        self.wanted = True
        self.lock.acquire()
        self.wanted = False

    def __exit__(self, *_):
        self.lock.release()


class Record(Sequence):
    """Samples of one probe: a list of arrays to read, of which samples can be deleted.

    Parameters
    ----------
    shape : tuple
        Shape of a sample.
    trials : int or None
        None for no axis of trials.
    period : float
        Steps between two samples.
    dtype : float32 or float64
    """

    def __init__(self, shape: tuple, trials: int | None, period: float, dtype):
        self.shape, self.trials, self.period = tuple(shape), trials, period
        self.dtype = np.dtype(dtype)
        self._counts = np.zeros(trials or 1, np.int64)
        self._addresses = np.zeros(trials or 1, np.int64)
        self._lock = StepLock()
        self._use(np.empty((trials or 1, 0, *self.shape), self.dtype))

    def _use(self, buffer: np.ndarray) -> None:
        """Write to another buffer from now on, as users may have views of the last."""
        # addresses are counted in numbers, from address 0
        self._buffer, trials = buffer, np.arange(len(buffer))
        first, stride = buffer.ctypes.data, buffer.strides[0]
        self._addresses[:] = (first + stride * trials) // self.dtype.itemsize

    def bind(self, counts, addresses, lock) -> None:
        """Let a compiled loop count and write the samples.

        Parameters
        ----------
        counts, addresses : (trials,) ndarray of int
        lock : StepLock
        """
        counts[:], addresses[:] = self._counts, self._addresses
        self._counts, self._addresses, self._lock = counts, addresses, lock

    def clear(self) -> None:
        """Forget all samples."""
        del self[:]

    def __len__(self) -> int:
        return int(self._counts[-1])  # the last trial is the last to take a step

    def samples_in(self, step: int, n_steps: int) -> int:
        """Return the number of samples that the steps after ``step`` produce.

        Parameters
        ----------
        step, n_steps : int

        Returns
        -------
        int
            Number of samples.
        """
        after = np.arange(step + 1, step + n_steps + 1)
        return int(np.count_nonzero(after % self.period < 1))

    def reserve(self, more: int) -> int:
        """Make room for more samples, and return the number that fits.

        Parameters
        ----------
        more : int
            Number of samples to come.

        Returns
        -------
        int
            Number of samples that can be written.
        """
        n, room = len(self), self._buffer.shape[1]
        if n + more > room:
            old, room = self._buffer, max(n + more, 2 * room, LEAST)
            # filled before it is used: another thread may be reading
            new = np.empty((len(old), room, *self.shape), self.dtype)
            new[:, :n] = old[:, :n]
            self._use(new)
        return room - n

    def append(self, block: np.ndarray) -> None:
        """Append samples.

        Parameters
        ----------
        block : (trials, k, size) ndarray
        """
        n, more = len(self), block.shape[1]
        self.reserve(more)
        self._buffer[:, n : n + more] = block.reshape(len(block), more, *self.shape)
        self._counts += more

    def array(self) -> np.ndarray:
        """Return all samples: (samples, ...), or (trials, samples, ...); read-only.

        Returns
        -------
        ndarray
            A view that cannot be written to.
        """
        return self._shown(self._buffer[:, : len(self)])

    def _shown(self, samples: np.ndarray) -> np.ndarray:
        """Return samples as users see them: with trials if any, read-only."""
        samples = samples if self.trials is not None else samples[0]
        samples.setflags(write=False)
        return samples

    def since(self, n: int) -> np.ndarray:
        """Return the samples after the first ``n``, (trials, k, ...).

        Parameters
        ----------
        n : int

        Returns
        -------
        ndarray
            A view.
        """
        return self._buffer[:, n : len(self)]

    def __getitem__(self, index) -> Any:
        """Return a sample, or a list of samples; a leading axis of trials if any.

        What is written to a sample would not be in the data: it is read-only.
        """
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._shown(self._buffer[:, range(len(self))[index]].copy())

    def __delitem__(self, index):
        """Forget a sample, or a slice of samples; the room for further ones stays."""
        with self._lock:  # a viewer may delete what another thread simulates
            n, old = len(self), self._buffer
            left = list(range(n))
            del left[index]
            m = len(left)
            shape = len(old), m + old.shape[1] - n, *self.shape
            new = np.empty(shape, self.dtype)
            new[:, :m] = old[:, left]
            # in the middle of a step the first trials may be a sample ahead
            new[:, m : m + 1] = old[:, n : n + 1]
            self._use(new)
            self._counts += m - n

    def pop(self, index=-1):
        """Return a sample, and forget it.

        Parameters
        ----------
        index : int

        Returns
        -------
        ndarray
            The sample.
        """
        with self._lock:
            sample = self[index]
            del self[index]
        return sample

    def __setitem__(self, index, value):
        """Replace a sample, or all samples of a slice by as many.

        A sample is as ``self[index]`` shows it, with a leading axis of trials if any.
        """
        with self._lock:
            trials = () if self.trials is None else (self.trials,)
            shape = (*trials, *self.shape)
            at = range(len(self))[index]
            # one sample is as a slice of one
            if isinstance(at, int):
                at, value = [at], [value]
            value = [np.asarray(each, self.dtype) for each in value]
            wrong = [each.shape for each in value if each.shape != shape]
            if wrong or len(value) != len(at):
                got = wrong[0] if wrong else f"{len(value)} samples"
                problem = f"does not replace {len(at)} samples of shape {shape}"
                remedy = "give one array for each sample"
                raise ValidationError("sim.data.raw", got, problem, remedy)
            self._use(self._buffer.copy())
            for k, each in zip(at, value, strict=True):
                self._buffer[:, k] = each if trials else each[None]

    def __eq__(self, other):
        """Return whether two lists of samples are equal, one by one."""
        if not isinstance(other, list | Record):
            return NotImplemented
        mine, theirs = self[:], other[:]
        if other is self or len(mine) != len(theirs):
            return other is self
        return all(map(np.array_equal, mine, theirs))

    __hash__: Any = None  # as a list

    def __add__(self, other: list) -> list:
        """Return a list of these samples and of others."""
        if not isinstance(other, list | Record):
            return NotImplemented
        return self[:] + other[:]

    def __radd__(self, other: list) -> list:
        """Return a list of others and of these samples."""
        return other + self[:] if isinstance(other, list) else NotImplemented

    def __iadd__(self, other):
        """Refuse: only a simulator adds samples, in the steps that it takes."""
        problem = "cannot add samples to what a probe has seen"
        remedy = "use raw[probe] + samples, which is a list of its own"
        raise ValidationError("sim.data.raw", "+=", problem, remedy)

    def copy(self) -> list:
        """Return a list of all samples.

        Returns
        -------
        list of ndarray
            The samples, read-only.
        """
        return self[:]

    def __array__(self, dtype=None, copy=None):
        """Return all samples for numpy."""
        samples = self.array() if dtype is None else self.array().astype(dtype)
        return samples.copy() if copy else samples

    def __repr__(self):
        return f"<{len(self)} samples of shape {self.shape}>"

    def __getstate__(self):
        names = "shape", "trials", "period", "dtype"
        samples = self.since(0).copy()
        return {k: getattr(self, k) for k in names} | {"samples": samples}

    def __setstate__(self, state):
        samples = state.pop("samples")
        self.__init__(**state)
        self.append(samples)


class Output:
    """Addresses and counts (trials, probes) of the samples that a loop writes.

    Parameters
    ----------
    records : list of Record
    trials : int
    """

    def __init__(self, records: list[Record], trials: int):
        self.records = records
        self.lock = StepLock()  # while samples may be written
        self.addresses = np.zeros((trials, len(records)), np.int64)
        self.counts = np.zeros((trials, len(records)), np.int64)
        self.periods = np.array([record.period for record in records], float)
        for k, record in enumerate(records):
            record.bind(self.counts[:, k], self.addresses[:, k], self.lock)
        self.room = 0  # steps for which all buffers are long enough

    def reserve(self, step: int, n: int) -> None:
        """Make room for the samples of the ``n`` steps after ``step``.

        Parameters
        ----------
        step, n : int
        """
        # most calls find the room that an earlier one has made
        if n > self.room:
            free = [r.reserve(r.samples_in(step, n)) for r in self.records]
            self.room = max(n, min(free, default=2**62))
        self.room -= n

    def drop(self, step: int) -> None:
        """Forget the samples of the last step, which was number ``step``.

        Parameters
        ----------
        step : int
        """
        self.counts -= step % self.periods < 1

    def cut(self) -> None:
        """Forget samples that some trials have and others have not."""
        self.counts[...] = self.counts.min(axis=0)


class Data(SimulationData):
    """`nengo.simulator.SimulationData` with records for probes."""

    def __getitem__(self, key):
        """Return samples of a probe, or what was built for another object."""
        built = self.raw[key]
        return built.array() if isinstance(built, Record) else super().__getitem__(key)
