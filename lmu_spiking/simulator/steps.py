"""A program before its addresses are known: steps with regions for operands."""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from lmu_spiking.simulator.opcodes import TILE, Code
from lmu_spiking.simulator.regions import Region


class Along(NamedTuple):
    """Numbers along the axis of a step: a region, or constants (n,)."""

    what: Any


class Whole(NamedTuple):
    """Numbers that every tile sees in full: a region, or constants.

    ``tail`` goes where an address would be told how to move.
    """

    what: Any
    tail: int = 0


class Pair(NamedTuple):
    """Two plain integers."""

    a: int
    b: int = 0


class Listed(NamedTuple):
    """Integers in the index arena; ``of`` makes them entries of that base."""

    values: np.ndarray
    tail: int = 0
    of: Any = None


class Work(NamedTuple):
    """A place to work in."""

    tail: int = 0


class Arenas:
    """Whether bases (or constants) lie among the state, 0, or the constants, 1."""

    def __init__(self, *bases):
        self.bases = bases


class Runs(NamedTuple):
    """Runs (k, w) of neighbours, by tile; their column 3 counts into ``weights``."""

    rows: np.ndarray
    n: int
    weights: np.ndarray | None = None


class Stream(NamedTuple):
    """A stream of random numbers, by the number of its seed."""

    seed: int


@dataclass(eq=False)
class Step:
    """One row of the program to be.

    Attributes
    ----------
    code : Code or None
        None for an operator that runs in Python.
    n : int
        Length of its axis.
    operands : list
    sets, incs, reads : list of Region
        What it overwrites, adds to (or changes), and reads.
    along : bool
        Whether it may run tile by tile.
    op : nengo operator, where it runs in Python
    """

    code: Code | None
    n: int
    operands: list = field(default_factory=list)
    sets: list = field(default_factory=list)
    incs: list = field(default_factory=list)
    reads: list = field(default_factory=list)
    along: bool = False
    op: Any = None

    @property
    def touched(self) -> list[Region]:
        """All regions."""
        return [*self.sets, *self.incs, *self.reads]

    @property
    def written(self) -> list[Region]:
        """What it overwrites or changes."""
        return [*self.sets, *self.incs]

    def but(self, **changes) -> "Step":
        """A copy with changes."""
        return replace(self, **changes)


@dataclass(eq=False)
class Node:
    """Steps that follow each other, and the operators that they stand for."""

    ops: list
    steps: list[Step]
    tiled: bool = False

    @property
    def python(self) -> bool:
        """Return whether Python runs in the node."""
        return any(step.code is None for step in self.steps)


def cut_into_tiles(rows: np.ndarray) -> np.ndarray:
    """Runs ``(start, stop, ...)`` split where tiles end.

    A run's weights, column 3 of those with 5, begin where the run begins.
    """
    pieces = []
    for row in rows:
        start, stop = row[:2]
        edges = [start, *range((start // TILE + 1) * TILE, stop, TILE), stop]
        for a, b in itertools.pairwise(edges):
            piece = row.copy()
            piece[:2] = a, b
            if len(row) == 5 and not row[4]:
                piece[3] += a - start
            pieces.append(piece)
    return np.array(pieces, dtype=np.int64).reshape(-1, rows.shape[1])


def tile_starts(rows: np.ndarray, n: int) -> np.ndarray:
    """Which of the cut runs is the first in each tile; one more for the end."""
    edges = np.arange(0, n + TILE, TILE)
    return np.searchsorted(rows[:, 0], edges)
