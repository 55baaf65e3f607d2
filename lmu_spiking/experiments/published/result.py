"""What a reproduction returns: comparisons, faults, and the numbers behind them."""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import stats

from lmu_spiking.brief import brief
from lmu_spiking.experiments.records import pick


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
    beside: str = ""

    __repr__ = brief

    def to_dict(self) -> dict:
        """Return plain values for JSON."""
        tables = {name: table.to_dict("records") for name, table in self.data.items()}
        return {
            **pick(self, "name", "title", "fast", "seed", "settings"),
            "beside": self.beside or None,
            "comparisons": [asdict(one) for one in self.comparisons],
            "faults": list(self.faults),
            "notes": list(self.notes),
            "data": tables,
        }


class Silent:
    """A progress bar that shows nothing.

    Parameters
    ----------
    name : str
    total : int, optional
    """

    def __init__(self, name: str, total: int | None = None):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def advance(self, _row) -> None:
        """Count one more."""


def bootstrapped(values, seed: int = 0) -> tuple[float, float, float]:
    """Return the mean of trials and its bootstrapped 95 % interval (percentiles).

    Parameters
    ----------
    values : (n,) array_like
    seed : int

    Returns
    -------
    mean, low, high : float
        Of fewer than two trials, the ends are NaN.
    """
    values = pd.Series(values, dtype=float)
    if len(values) < 2:
        return float(values.mean()), float("nan"), float("nan")
    options = {"method": "percentile", "random_state": seed}
    ends = stats.bootstrap((values.to_numpy(),), np.mean, **options).confidence_interval
    return float(values.mean()), float(ends.low), float(ends.high)


def interval(errors) -> dict:
    """Return ``mse, low, high``: the mean over sequences with its 95 % interval.

    Parameters
    ----------
    errors : (n,) array_like

    Returns
    -------
    dict
    """
    return dict(zip(("mse", "low", "high"), bootstrapped(errors), strict=True))
