"""Rows of a program before their addresses are known: regions of signals as operands.

Nengo's operators are lowered to rows (`lowering`), which `optimization` makes fewer and
`schedule` puts in order, before `program` gives them addresses.  The passes see from a
row's regions which other rows it must follow.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lmu_spiking.simulator.opcodes import Code


@dataclass(frozen=True, eq=False)
class Region:
    """Entries of a base signal.

    Parameters
    ----------
    base : nengo.builder.signal.Signal
    start, size : int
        First entry, and number of entries; contiguous unless there is a list.
    entries : (size,) ndarray of int or None
        All entries, in the order of the signal, where they are not contiguous.
    """

    base: Any
    start: int
    size: int
    entries: np.ndarray | None = None

    @property
    def key(self) -> tuple[int, int, int]:
        """Return what equal contiguous regions have in common."""
        return (id(self.base), self.start, self.size)

    @property
    def contiguous(self) -> bool:
        """Return whether the entries follow each other in memory."""
        return self.entries is None

    @property
    def end(self) -> int:
        """Return the number of the last entry plus one."""
        if self.entries is not None:
            return int(self.entries.max()) + 1
        return self.start + self.size

    @property
    def indices(self) -> np.ndarray:
        """Return all entries, in the order of the signal."""
        return np.arange(self.start, self.end) if self.entries is None else self.entries

    def overlaps(self, other: "Region") -> bool:
        """Return whether the two may share an entry.

        Parameters
        ----------
        other : Region

        Returns
        -------
        bool
            True if their ranges overlap.
        """
        apart = self.end <= other.start or other.end <= self.start
        return self.base is other.base and not apart


def entries_of(signal) -> np.ndarray:
    """Return the entry of the base for each number of a signal, in its shape.

    Parameters
    ----------
    signal : nengo.builder.signal.Signal

    Returns
    -------
    ndarray of int
        In the shape of the signal.
    """
    entries = np.asarray(signal.elemoffset)
    for n, stride in zip(signal.shape, signal.elemstrides, strict=True):
        entries = np.add.outer(entries, stride * np.arange(n))
    return entries


def region_of(signal) -> Region:
    """Return the region of a signal that is not sparse.

    Parameters
    ----------
    signal : nengo.builder.signal.Signal

    Returns
    -------
    Region
        Contiguous where the signal is.
    """
    # contiguous if strides are those of numpy's C order
    expected = 1
    for n, stride in zip(signal.shape[::-1], signal.elemstrides[::-1], strict=True):
        if n > 1 and stride != expected:
            return region_at(signal.base, entries_of(signal))
        expected *= n
    return Region(signal.base, int(signal.elemoffset), int(signal.size))


def region_at(base, entries: np.ndarray) -> Region:
    """Return the region of some entries; contiguous where they follow each other.

    Parameters
    ----------
    base : nengo.builder.signal.Signal
    entries : ndarray of int

    Returns
    -------
    Region
        With a list of entries where they are not contiguous.
    """
    entries = np.asarray(entries, dtype=np.int64).ravel()
    if entries.size and np.all(np.diff(entries) == 1):
        return Region(base, int(entries[0]), entries.size)
    start = int(entries.min()) if entries.size else 0
    return Region(base, start, entries.size, entries)


# Operands, each of which becomes two integers of a row in the table.  Which operands an
# operation takes stands in `kernels.machine`, beside the kernel that it runs.


class Along(NamedTuple):
    """Numbers along the axis of a row: a region, or constants (n,)."""

    values: Any


class Whole(NamedTuple):
    """Numbers that every tile sees in full: a region, or constants.

    The integer ``second`` takes the place of how the address moves from tile to tile.
    """

    values: Any
    second: int = 0


class Pair(NamedTuple):
    """Two plain integers, such as sizes, or the number of a stream."""

    first: int
    second: int = 0


class Listed(NamedTuple):
    """Integers in the index arena; entries of the base (or constants) ``base``."""

    values: np.ndarray
    second: int = 0
    base: Any = None


class Work(NamedTuple):
    """A place in the state for intermediate results."""

    second: int = 0


class Arenas(NamedTuple):
    """The arenas of two bases or constants: 0 for the state, 1 for the constants."""

    first: Any
    second: Any


class Runs(NamedTuple):
    """Runs (k, w) of neighbours along an axis of ``n``: start, stop, and more.

    Rows of 5 are as `kernels.algebra.encode_runs` has them; their column 3 is the first
    of the run's ``weights``.
    """

    rows: np.ndarray
    n: int
    weights: np.ndarray | None = None


@dataclass(eq=False)
class Row:
    """One row of the program.

    Parameters
    ----------
    code : Code or None
        None for an operator that runs in Python.
    n : int
        Length of its axis.
    operands : list
    sets, incs, reads : list of Region
        Regions that it overwrites, adds to (or changes), and reads.
    along : bool
        Whether it may run tile by tile.
    op : nengo.builder.Operator, optional
        Operator that runs in Python.
    """

    code: Code | None
    n: int
    operands: list = field(default_factory=list)
    sets: list[Region] = field(default_factory=list)
    incs: list[Region] = field(default_factory=list)
    reads: list[Region] = field(default_factory=list)
    along: bool = False
    op: Any = None

    @property
    def touched(self) -> list[Region]:
        """Return all regions."""
        return [*self.sets, *self.incs, *self.reads]

    @property
    def written(self) -> list[Region]:
        """Return the regions that it overwrites or changes."""
        return [*self.sets, *self.incs]


@dataclass(eq=False)
class Group:
    """Rows that follow each other, and the operators that they stand for."""

    ops: list
    rows: list[Row]
    tiled: bool = False

    @property
    def python(self) -> bool:
        """Return whether Python runs in the group."""
        return any(row.code is None for row in self.rows)
