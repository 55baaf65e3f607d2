"""Where a signal's numbers lie: entries of its base, in one piece or as a list."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Region:
    """Entries of a base signal.

    Attributes
    ----------
    base : nengo.builder.signal.Signal
    start, size : int
        The first entry, and how many; in one piece unless there is a list.
    entries : (size,) ndarray of int or None
        All entries, in the order of the signal, where they are not in one piece.
    """

    base: object
    start: int
    size: int
    entries: np.ndarray | None = None

    @property
    def key(self):
        """What equal regions in one piece have in common."""
        return (id(self.base), self.start, self.size)

    @property
    def whole(self) -> bool:
        """Whether the entries lie in one piece."""
        return self.entries is None

    def overlaps(self, other: "Region") -> bool:
        """Whether the two may share an entry."""
        return (
            self.base is other.base
            and self.start < other.end
            and other.start < self.end
        )

    def covers(self, other: "Region") -> bool:
        """Return whether the region's range contains that of another region."""
        return self.start <= other.start and other.end <= self.end

    @property
    def end(self) -> int:
        """One beyond the last entry."""
        return self.start + self.size if self.whole else int(self.entries.max()) + 1


def entries_of(signal) -> np.ndarray:
    """The entry of the base for each number of a signal, in the signal's shape."""
    found = np.asarray(signal.elemoffset)
    for n, stride in zip(signal.shape, signal.elemstrides, strict=True):
        found = np.add.outer(found, stride * np.arange(n))
    return found


def in_one_piece(signal) -> bool:
    """Whether a signal's numbers follow each other in memory."""
    expected = 1
    for n, stride in zip(signal.shape[::-1], signal.elemstrides[::-1], strict=True):
        if n > 1 and stride != expected:
            return False
        expected *= n
    return True


def region_of(signal) -> Region:
    """The region of a signal that is not sparse."""
    if in_one_piece(signal):
        return Region(signal.base, int(signal.elemoffset), int(signal.size))
    return listed(signal.base, entries_of(signal).ravel())


def listed(base, entries: np.ndarray) -> Region:
    """A region of some entries; in one piece where they follow each other."""
    entries = np.asarray(entries, dtype=np.int64).ravel()
    if entries.size and np.all(np.diff(entries) == 1):
        return Region(base, int(entries[0]), entries.size)
    start = int(entries.min()) if entries.size else 0
    return Region(base, start, entries.size, entries)
