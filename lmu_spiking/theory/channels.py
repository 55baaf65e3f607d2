"""The predicted errors of a memory of several channels, and what they come to together.

Channels share nothing but the network: each has neurons, spikes and an `ErrorBudget` of
its own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from lmu_spiking.brief import brief
from lmu_spiking.memory.design import Design
from lmu_spiking.theory.budget import ErrorBudget
from lmu_spiking.theory.interval import quantiles


@dataclass(frozen=True, eq=False)
class ChannelBudgets:
    """The predicted errors of a memory of several channels.

    Channels share nothing but the network, and may be volts and degrees: errors of all
    together are root mean squares over the channels of what each has relative to its
    own signal.  Channels without any signal do not count.

    Parameters
    ----------
    each : tuple of ErrorBudget
        One for each channel.
    names : tuple of str
        Of the channels.
    made : Design
        The design of all channels.
    """

    each: tuple[ErrorBudget, ...]
    names: tuple[str, ...]
    made: Design

    __repr__ = brief
    _told = ("nrmse", "noise_nrmse", "state_rmse", "spikes_per_s", "names")

    @property
    def signal(self) -> np.ndarray:
        """Return the input (T, size_in)."""
        return np.column_stack([budget.signal for budget in self.each])

    @property
    def states(self) -> np.ndarray:
        """Return the exact LDN's states (T, size_in * d), channel by channel."""
        return np.hstack([budget.states for budget in self.each])

    @property
    def initial(self) -> np.ndarray:
        """Return the state (size_in * d,) before it."""
        return np.concatenate([budget.initial for budget in self.each])

    @property
    def spikes_per_s(self) -> float:
        """Return the spikes per second of all neurons."""
        return sum(budget.spikes_per_s for budget in self.each)

    @property
    def beyond(self) -> float:
        """Return the largest `ErrorBudget.beyond` of the channels."""
        return max(budget.beyond for budget in self.each)

    @property
    def settled(self) -> bool:
        """Return whether the error of measured neurons has settled in all channels."""
        return all(budget.settled for budget in self.each)

    @property
    def caution(self) -> str:
        """Return the caution of the first channel that has one, with its name."""
        told = [
            f"channel {name}: {budget.caution}"
            for name, budget in zip(self.names, self.each, strict=True)
            if budget.caution
        ]
        if not told:
            return ""
        more = len(told) - 1
        return told[0] + (f" (and {more} more like it)" if more else "")

    @property
    def state_rmse(self) -> float:
        """Return the root of the mean over dimensions of the state's squared error."""
        return float(np.sqrt(np.mean([b.state_rmse**2 for b in self.each])))

    def readout_rmse(self, delay) -> np.ndarray:
        """Return `ErrorBudget.readout_rmse` of each channel.

        Parameters
        ----------
        delay : float or (n,) array_like
            Seconds.

        Returns
        -------
        (size_in, n) ndarray
            In the units of each channel.
        """
        return np.array([budget.readout_rmse(delay) for budget in self.each])

    def truncation_rmse(self, delay=None) -> np.ndarray:
        """Return `ErrorBudget.truncation_rmse` of each channel.

        Parameters
        ----------
        delay : float or (n,) array_like, optional
            Seconds; theta by default.

        Returns
        -------
        (size_in, n) ndarray
            In the units of each channel.
        """
        return np.array([budget.truncation_rmse(delay) for budget in self.each])

    def noise_nrmse(self, delay=None) -> float:
        """Return the root mean square over channels of `ErrorBudget.noise_nrmse`.

        Parameters
        ----------
        delay : float or (n,) array_like, optional
            Seconds; theta by default.

        Returns
        -------
        float
            It is NaN if all channels are silent.
        """
        return together([budget.noise_nrmse(delay) for budget in self.each])

    def window_noise_nrmse(self, n_points: int = 100) -> float:
        """Return `noise_nrmse` over delays that stand for the window.

        Parameters
        ----------
        n_points : int
            Number of delays.

        Returns
        -------
        float
            It is NaN if all channels are silent.
        """
        return together([budget.window_noise_nrmse(n_points) for budget in self.each])

    def nrmse(self, delay=None) -> float:
        """Return the root mean square over channels of `ErrorBudget.nrmse`.

        Parameters
        ----------
        delay : float or (n,) array_like, optional
            Seconds; theta by default.

        Returns
        -------
        float
            It is NaN if all channels are silent.
        """
        return together([budget.nrmse(delay) for budget in self.each])

    def parts(self) -> dict[str, float]:
        """Return the root mean squares over channels of `ErrorBudget.parts`.

        Returns
        -------
        dict of float
            ``truncation``, ``spikes`` and ``curves``.
        """
        each = [budget.parts() for budget in self.each]
        return {name: together([parts[name] for parts in each]) for name in each[0]}

    def bound(self, delay=None) -> np.ndarray:
        """Return `ErrorBudget.bound` of each channel.

        Parameters
        ----------
        delay : float or (n,) array_like, optional
            Seconds; theta by default.

        Returns
        -------
        (size_in, n) ndarray
            In the units of each channel.
        """
        return np.array([budget.bound(delay) for budget in self.each])

    def bound_nrmse(self) -> float | None:
        """Return the root mean square over channels of `ErrorBudget.bound_nrmse`.

        Returns
        -------
        float or None
            None where there is no bound.
        """
        bounds = [budget.bound_nrmse() for budget in self.each]
        return None if None in bounds else together(bounds)

    def interval(self, duration: float | None = None, level: float = 0.95, delay=None):
        """Return the range in which the `noise_nrmse` of one run lies.

        Parameters
        ----------
        duration, level, delay
            As in `ErrorBudget.interval`.

        Returns
        -------
        (float, float) or None
            Lower and upper end.
        """
        ends = [budget.interval(duration, level, delay) for budget in self.each]
        errors = [budget.noise_nrmse(delay) for budget in self.each]
        return self._interval(errors, ends, level)

    def nrmse_interval(self, duration=None, level: float = 0.95, delay=None):
        """Return the range in which the `nrmse` of one run lies.

        Parameters
        ----------
        duration, level, delay
            As in `ErrorBudget.interval`.

        Returns
        -------
        (float, float) or None
            Lower and upper end.
        """
        ends = [budget.nrmse_interval(duration, level, delay) for budget in self.each]
        errors = [budget.nrmse(delay) for budget in self.each]
        return self._interval(errors, ends, level)

    def _interval(self, errors, ends, level: float):
        """Return the interval of all channels, from errors and intervals of each.

        Spikes of channels are independent, but predictions are wrong together.
        """
        if None in ends:
            return None
        doubts = np.array([2 * budget.doubt for budget in self.each])
        heard = ~np.isnan(errors)
        if not heard.any():
            return float("nan"), float("nan")
        squares, ends = np.square(errors)[heard], np.square(ends)[heard]
        width = 2 * ndtri((1 + level) / 2)
        wrong = doubts[heard] * squares
        own = np.maximum((np.diff(ends)[:, 0] / width) ** 2 - wrong**2, 0)
        variance = own.sum() / len(own) ** 2 + wrong.mean() ** 2
        low, high = np.sqrt(quantiles(float(squares.mean()), float(variance), level))
        return float(low), float(high)


def together(errors) -> float:
    """Return the root mean square of the errors of channels that are not silent.

    Parameters
    ----------
    errors : iterable of float
        NaN for a silent channel.

    Returns
    -------
    float
        NaN if all are silent.
    """
    squares = np.square([error for error in errors if not np.isnan(error)])
    return float(np.sqrt(squares.mean())) if len(squares) else float("nan")
