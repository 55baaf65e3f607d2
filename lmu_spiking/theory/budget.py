"""The predicted errors of a memory on a signal, by their source: a budget.

`predict` fills one for a memory of one channel; several channels have one each, see
`theory.channels`.  Readouts are weights ``c`` of the
state, whose error has the root mean square ``sqrt(c^T P c)``.
"""

from dataclasses import dataclass, replace

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_between, check_positive
from lmu_spiking.memory.design import Design
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.theory.bound import has_bound, largest_error
from lmu_spiking.theory.interval import Correlation, Sampled

DOUBT_OF_CURVES = 0.02  # standard error, relative, of a prediction with distortion


@dataclass(frozen=True, eq=False)
class ErrorBudget:
    """The predicted errors of a memory on a signal, by their source.

    Delays are as in ``LegendreMemory.add_output``: ``dt`` to ``theta``, seconds.

    Parameters
    ----------
    spec : MemorySpec, Design or LegendreMemory
        The memory that they are predicted for.
    sigma : (d,) ndarray
        Variance in one step of the decoded state, in the coordinates that are carried.
    noise : (d, d) ndarray
        Covariance of the state's error from spikes.
    distortion : (d, d) ndarray
        Second moment of the state's error from the curves.
    moments : (d, d) ndarray
        Second moment of the exact state, from ``theta`` on.
    signal : (T,) ndarray
        The input that they are predicted for.
    states : (T, d) ndarray
        The exact LDN's states on it.
    initial : (d,) ndarray
        The state before it.
    spikes_per_s : float
        Spikes per second of all neurons.
    quantisation : (d, d) ndarray or None
        Second moment of the state's error from weights in whole numbers, on a chip.
    bias : (T, d) ndarray or None
        The mean state less the exact one, of which ``distortion`` is the second moment;
        None if decoding is linear over the range of the signal.
    beyond : float
        Share of the samples at which the dimension that leaves its radius most is
        beyond it, or beyond the neurons' ceilings where those are lower.
    runs : (n, T, d) ndarray or None
        The state's error in some runs, for neurons whose noise is measured (IF, LIF).
    settled : bool
        Whether the error of measured neurons has settled.
    caution : str
        A sentence if the memory was not made for the signal, else empty.
    correlation : Correlation, Sampled or None
        How the noise of readouts is correlated in time; None on a chip, and where an
        error has not settled.
    made : Design or None
        The memory's design; None on a chip.
    """

    spec: MemorySpec
    sigma: np.ndarray
    noise: np.ndarray
    distortion: np.ndarray
    moments: np.ndarray
    signal: np.ndarray
    states: np.ndarray
    initial: np.ndarray
    spikes_per_s: float
    quantisation: np.ndarray | None = None
    bias: np.ndarray | None = None
    beyond: float = 0.0
    runs: np.ndarray | None = None
    settled: bool = True
    caution: str = ""
    correlation: Correlation | Sampled | None = None
    made: Design | None = None

    __repr__ = brief
    _told = ("nrmse", "noise_nrmse", "state_rmse", "spikes_per_s", "beyond")

    @property
    def error(self) -> np.ndarray:
        """Return the second moment (d, d) of the state's error to the exact LDN."""
        return self._sum(self.noise, self.distortion)

    @property
    def state_rmse(self) -> float:
        """Return the root of the mean over dimensions of the state's squared error."""
        error = self.error
        return float(np.sqrt(np.trace(error) / len(error)))

    def readout_rmse(self, delay) -> np.ndarray:
        """Return the error of readouts against the same readouts of the exact LDN.

        Parameters
        ----------
        delay : float or (n,) array_like
            Seconds.

        Returns
        -------
        (n,) ndarray
            One for each delay.
        """
        return _rms(self._weights(delay), self.error)

    def noise_nrmse(self, delay=None) -> float:
        """Return `readout_rmse` over the rms of the exact readout.

        Parameters
        ----------
        delay : float or (n,) array_like, optional
            Seconds; theta by default.  Of several delays, mean squares are taken.

        Returns
        -------
        float
            It is NaN for a silent signal, whose rms is 0.
        """
        c = self._weights(delay)
        return _relative(float(np.mean(_rms(c, self.error) ** 2)), self._power(c))

    def window_noise_nrmse(self, n_points: int = 100) -> float:
        """Return `noise_nrmse` over delays that stand for the window.

        Parameters
        ----------
        n_points : int
            Number of delays.

        Returns
        -------
        float
            It is NaN for a silent signal.
        """
        return self.noise_nrmse(window_delays(self.spec, n_points))

    def truncation_rmse(self, delay=None) -> np.ndarray:
        """Return the error of the exact LDN's readouts against the delayed input.

        It is taken at the nearest delays of whole steps, where the input has samples,
        and from ``theta`` on; `truncation` computes it from a spectrum.

        Parameters
        ----------
        delay : float or (n,) array_like, optional
            Seconds; theta by default.

        Returns
        -------
        (n,) ndarray
            One for each delay.
        """
        c, past, exact = self._on_grid(delay)
        return np.sqrt(np.mean((exact @ c.T - past) ** 2, axis=0))

    def nrmse(self, delay=None) -> float:
        """Return the error against the delayed input over the input's rms, all terms.

        Parameters
        ----------
        delay : float or (n,) array_like, optional
            Seconds; theta by default.

        Returns
        -------
        float
            It is NaN for a silent signal.
        """
        c, past, exact = self._on_grid(delay)
        total = _rms(c, self.error) ** 2 + self.truncation_rmse(delay) ** 2
        if self.bias is not None:  # it may add to the truncation error, or cancel it
            bias = self.bias[whole_steps(self.spec) :] @ c.T
            total += 2 * np.mean((exact @ c.T - past) * bias, axis=0)
        return _relative(float(total.mean()), float(np.mean(past**2)))

    @property
    def doubt(self) -> float:
        """Return the standard error of the prediction itself, relative."""
        of_noise = 0.0 if self.correlation is None else self.correlation.doubt
        return of_noise if self.bias is None else max(of_noise, DOUBT_OF_CURVES)

    def interval(self, duration: float | None = None, level: float = 0.95, delay=None):
        """Return the range in which the `noise_nrmse` of one run lies.

        A run is a sample: of its spikes, if ``duration`` is None, and it has the signal
        that this budget is predicted for; of spikes and of the signal, if it is given.
        The signal of the run is then another one of the same kind, and the part of the
        interval that is due to it is estimated from how parts of this signal differ: it
        is rough if this signal is not several times as long as what varies in it.  A
        standard error of the prediction itself is in it, as docs/laws.md says.

        Parameters
        ----------
        duration : float, optional
            Of the run, seconds.  Its first window is not counted, as in ``run_trial``.
        level : float
            Probability that the measured error is in the interval.
        delay : float, optional
            Seconds; theta by default.

        Returns
        -------
        (float, float) or None
            Lower and upper end: NaN for a silent signal.  None where `correlation` is.

        Raises
        ------
        ValidationError
            If the duration is not longer than the window, or ``level`` is not between 0
            and 1.

        Examples
        --------
        >>> budget = predict(MemorySpec(n_neurons=6000, order=6, theta=0.5))
        >>> low, high = budget.interval(duration=20)
        >>> low < budget.noise_nrmse() < high
        True
        """
        c = self._weights(_one(delay))
        exact = self.states[whole_steps(self.spec) : -1] @ c[0]
        return self._interval(c[0], 0 * exact, exact, duration, level)

    def nrmse_interval(self, duration=None, level: float = 0.95, delay=None):
        """Return the range in which the `nrmse` of one run lies; see `interval`.

        Parameters
        ----------
        duration, level, delay
            As in `interval`.

        Returns
        -------
        (float, float) or None
            Lower and upper end.
        """
        c, past, exact = self._on_grid(_one(delay))
        past, exact = past[:-1, 0], exact[:-1] @ c[0]
        return self._interval(c[0], exact - past, past, duration, level)

    def _interval(self, c, missed, reference, duration, level):
        """Return the range of a run's error of readout ``c`` (d,) over a reference.

        Parameters
        ----------
        c : (d,) ndarray
        missed, reference : (T,) ndarray
            The error of the exact readout, and what errors are relative to.
        duration, level
            As in `interval`.
        """
        dt, window = self.spec.dt, whole_steps(self.spec)
        level = check_between("interval.level", level, 0.0, 1.0)
        n = None
        if duration is not None:
            duration = check_positive("interval.duration", duration, "seconds")
            n = round(duration / dt) - window - 1
            if n < 1:
                problem = "leaves nothing to measure after the first window"
                remedy = f"use more than {(window + 1) * dt:g} s"
                raise ValidationError("interval.duration", duration, problem, remedy)
        if self.correlation is None:
            return None
        bias = 0.0 if self.bias is None else self._bias(self.bias, c)
        noise = self.correlation.of_readout(c, self.noise, self.sigma, len(reference))
        noise = replace(noise, doubt=self.doubt)
        return noise.interval(missed + bias, reference, level, n)

    def bound(self, delay=None) -> np.ndarray:
        """Return the largest error of readouts that any input can cause.

        Unlike all else here it says nothing of this signal: it holds for every input,
        at every step, as `theory.bound` shows.  Errors are against the same readouts of
        the exact LDN, as those of `readout_rmse`.

        Parameters
        ----------
        delay : float or (n,) array_like, optional
            Seconds; theta by default.

        Returns
        -------
        (n,) ndarray
            Of its absolute value, one for each delay.

        Raises
        ------
        ValidationError
            If the neurons are not staggered, or have ceilings.

        Examples
        --------
        >>> budget = predict(MemorySpec(n_neurons=6000, order=6, neuron_type="if"))
        >>> bool(budget.readout_rmse(0.5)[0] < budget.bound(0.5)[0] < 0.01)
        True
        """
        if self.made is None:
            problem, remedy = "has no bound on a chip", "predict the spec itself"
            raise ValidationError("bound.spec", self.spec, problem, remedy)
        return largest_error(self.made, self._weights(delay))

    def bound_nrmse(self) -> float | None:
        """Return `bound` at delay theta over the rms of the exact readout.

        Returns
        -------
        float or None
            None where there is no bound, NaN for a silent signal.
        """
        if self.made is None or not has_bound(self.made.population):
            return None
        power = self._power(self._weights(None))
        return _relative(float(self.bound()[0]) ** 2, power)

    def parts(self) -> dict[str, float]:
        """Return the errors at delay theta by their source, over the input's rms.

        Returns
        -------
        dict of float
            ``truncation`` (finite order), ``spikes`` (their noise) and ``curves``
            (their distortion or clipping, and the rounding of weights on a chip).  The
            squares sum to that of `nrmse`, up to the correlation of ``curves`` and
            ``truncation``.  All are NaN for a silent signal.
        """
        c, past, _ = self._on_grid(None)
        errors = {"truncation": self.truncation_rmse()[0]}
        errors["spikes"] = _rms(c, self.noise)[0]
        errors["curves"] = _rms(c, self._sum(self.distortion))[0]
        power = float(np.mean(past**2))
        return {name: _relative(error**2, power) for name, error in errors.items()}

    def _bias(self, bias: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Return the mean error of readout ``c`` while it is measured, (T,).

        The mean over a few runs has some of their noise in it, by which it is reduced.
        """
        bias = bias[whole_steps(self.spec) : -1] @ c
        power = float(np.mean(bias**2))
        known = min(float(_rms(c[None], self.distortion)[0]) ** 2, power)
        return bias * np.sqrt(known / power) if power else bias

    def _sum(self, *moments: np.ndarray) -> np.ndarray:
        """Return the sum of second moments and of that from whole-number weights."""
        total = np.sum(moments, axis=0)
        return total if self.quantisation is None else total + self.quantisation

    def _delay(self, delay) -> np.ndarray:
        """Return delays (n,), seconds; theta in whole steps by default."""
        whole = self.spec.dt * whole_steps(self.spec)
        return np.atleast_1d(whole if delay is None else delay)

    def _on_grid(self, delay) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return readouts at the nearest delays of whole steps, with past and states.

        Returns
        -------
        c : (n, d) ndarray
        past : (T - window, n) ndarray
            The delayed input, from ``theta`` on.
        exact : (T - window, d) ndarray
            The exact states from ``theta`` on.
        """
        self._weights(delay)  # refuses what is outside
        dt, window, end = self.spec.dt, whole_steps(self.spec), len(self.signal)
        steps = np.clip(np.round(self._delay(delay) / dt), 1, window)
        lags = np.round(dt * steps / dt).astype(int) - 1
        past = np.stack([self.signal[window - s : end - s] for s in lags], axis=1)
        return self._weights(dt * steps), past, self.states[window:]

    def _weights(self, delay) -> np.ndarray:
        """Return readouts (n, d) of the state at delays in seconds."""
        dt = self.spec.dt
        return self.spec.ldn.readout(self._delay(delay) - dt, dt)

    def _power(self, c: np.ndarray) -> float:
        """Return the mean square of exact readouts ``c`` (n, d)."""
        return float(np.mean(_rms(c, self.moments) ** 2))

    def _share(self, moment: np.ndarray) -> float:
        """Return an error at delay theta over the exact readout's rms."""
        c = self._weights(None)
        return float(_rms(c, moment)[0] / np.sqrt(self._power(c)))


def whole_steps(spec) -> int:
    """Return the number of whole steps in the window."""
    return spec.ldn.steps(spec.dt)


def window_delays(spec, n_points: int = 100) -> np.ndarray:
    """Return delays (n,), whole steps from ``dt`` to ``theta``, in place of the window.

    Parameters
    ----------
    spec : MemorySpec or LegendreMemory
    n_points : int
        The most delays.

    Returns
    -------
    (n,) ndarray
        Seconds.
    """
    steps = np.linspace(1, whole_steps(spec), n_points)
    return spec.dt * np.unique(np.round(steps))


def _one(delay):
    """Return a delay, which must be one, or None."""
    return None if delay is None else check_positive("interval.delay", delay, "seconds")


def _relative(square: float, power: float) -> float:
    """Return the root of a ratio of mean squares; NaN where the power is 0."""
    return float(np.sqrt(square / power)) if power else float("nan")


def _rms(c: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Return ``sqrt(c^T M c)`` for each row of ``c``."""
    return np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", c, moment, c), 0.0))
