"""What a reproduction returns: comparisons, faults, and the numbers behind them."""

from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from lmu_spiking.brief import brief
from lmu_spiking.errors import LMUSpikingError
from lmu_spiking.processes import in_processes


@dataclass(frozen=True)
class Comparison:
    """One published number and ours.

    Attributes
    ----------
    what : str
    published : float or (low, high), optional
        A number, or its 95 % interval.
    ours : float, optional
        None where nothing was run; ``say`` tells why.
    low, high : float, optional
        95 % interval of ours.
    beside : float, optional
        A second number of ours; `Reproduction.beside` is its name.
    say : str
        In place of ours.
    """

    what: str
    published: float | tuple[float, float] | None = None
    ours: float | None = None
    low: float | None = None
    high: float | None = None
    beside: float | None = None
    say: str = ""


@dataclass(frozen=True, eq=False)
class Reproduction:
    """A figure or table, run again.

    Attributes
    ----------
    name, title : str
    comparisons : tuple of Comparison
    faults : tuple of str
        What is wrong with the published version, a line each.
    notes : tuple of str
        How ours differs from it, and what was shortened.
    data : dict of DataFrame
        The measurements, as the figure shows them.
    settings : dict
    seed : int
    fast : bool
        A short version, which decides nothing.
    beside : str
        Name of `Comparison.beside`, if there is one.
    """

    name: str
    title: str
    comparisons: tuple[Comparison, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    data: dict[str, pd.DataFrame]
    settings: dict
    seed: int
    fast: bool
    beside: str = field(default="")

    __repr__ = brief

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "fast": self.fast,
            "seed": self.seed,
            "settings": self.settings,
            "beside": self.beside or None,
            "comparisons": [asdict(one) for one in self.comparisons],
            "faults": list(self.faults),
            "notes": list(self.notes),
            "data": {
                name: table.to_dict("records") for name, table in self.data.items()
            },
        }


class Silent:
    """A bar that shows nothing: what `reproduce` takes where nobody watches."""

    def __init__(self, name: str, total: int | None = None):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def advance(self, _row) -> None:
        """One more is done."""


def in_parallel(
    run: Callable, arguments: Iterable[tuple], jobs: int, on_done: Callable
) -> list:
    """Return ``run(*each)`` for each of the arguments, from ``jobs`` processes."""
    done = []
    try:
        for value in in_processes(run, arguments, jobs):
            done.append(value)
            on_done(value)
    except BrokenProcessPool:
        raise LMUSpikingError(
            "a worker was killed, perhaps for want of memory: use fewer jobs"
        ) from None
    return done


def bootstrapped(values, seed: int) -> tuple[float, float, float]:
    """Mean of trials (n,) and its bootstrapped 95 % interval (percentiles)."""
    values = np.asarray(values, dtype=float)
    found = stats.bootstrap(
        (values,), np.mean, method="percentile", random_state=seed
    ).confidence_interval
    return float(values.mean()), float(found.low), float(found.high)


def interval(errors) -> dict:
    """Mean over sequences with the ends of its bootstrapped 95 % interval."""
    return dict(zip(("mse", "low", "high"), bootstrapped(errors, 0), strict=True))
