"""What the lowering of an operator needs to know about its network."""

from dataclasses import dataclass, field

import numpy as np

from lmu_spiking.simulator.regions import entries_of


@dataclass(eq=False)
class Context:
    """The network around an operator.

    Attributes
    ----------
    dt : float
        Seconds.
    single : bool
        Whether numbers are of single precision.
    written : set of int
        Ids of the base signals that change.
    streams : list
        Operators with random numbers, in the order of their streams.
    inputs : list of Input
        Whose values are made ahead.
    work : int
        Numbers that filters need to work with.
    """

    dt: float
    single: bool
    written: set[int]
    streams: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    work: int = 0

    def constant(self, signal) -> np.ndarray | None:
        """Return the value of a signal that cannot change; None if it can."""
        if id(signal.base) in self.written or not signal.base.readonly:
            return None
        return signal.initial_value


def sliced(signal, part) -> np.ndarray:
    """Entries of the base of ``signal[part]``, or of all of it."""
    entries = entries_of(signal)
    return entries if part is None else entries[part]
