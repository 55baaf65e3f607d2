"""What probes saw."""

import numpy as np
from nengo.simulator import SimulationData


class Record:
    """Samples of one probe, block by block.

    Parameters
    ----------
    shape : tuple
        Of a sample.
    trials : int or None
        None for no axis of trials.
    period : float
        Steps between two samples.
    """

    def __init__(self, shape: tuple, trials: int | None, period: float, dtype):
        self.shape, self.trials, self.period = tuple(shape), trials, period
        self.dtype = dtype
        self.clear()

    def clear(self) -> None:
        """Forget all samples."""
        self._blocks: list[np.ndarray] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def samples_in(self, step: int, n_steps: int) -> int:
        """How many samples the steps after ``step`` bring."""
        after = np.arange(step + 1, step + n_steps + 1)
        return int(np.count_nonzero(after % self.period < 1))

    def append(self, block: np.ndarray) -> None:
        """Samples (trials, k, size) that follow."""
        if block.shape[1]:
            self._blocks.append(block.reshape(len(block), -1, *self.shape))
            self._length += block.shape[1]

    def array(self) -> np.ndarray:
        """All samples: (samples, ...), or (trials, samples, ...); not to be written."""
        if len(self._blocks) > 1:
            self._blocks = [np.concatenate(self._blocks, axis=1)]
        if not self._blocks:
            empty = np.zeros((self.trials or 1, 0, *self.shape), self.dtype)
            self._blocks = [empty]
        found = self._blocks[0] if self.trials is not None else self._blocks[0][0]
        found = found.view()
        found.setflags(write=False)
        return found


class Data(SimulationData):
    """`nengo.simulator.SimulationData` with records for probes."""

    def __getitem__(self, key):
        """Samples of a probe, or what was built for another object."""
        found = self.raw[key]
        return found.array() if isinstance(found, Record) else super().__getitem__(key)
