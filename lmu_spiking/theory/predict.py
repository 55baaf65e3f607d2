r"""The error model: how wrong a spiking memory will be, before it runs.

A memory's decoded state carries spike noise ``eta`` of covariance ``Sigma`` in every
step, which the recurrent synapse feeds back.  For a lowpass,

.. math::

    m[k+1] = \bar A m[k] + \bar B u[k] + (\bar A - aI)\,\eta[k], \qquad
    P = \bar A P \bar A^T + (\bar A - aI)\,\Sigma\,(\bar A - aI)^T ,

and in general ``P`` is the state block of the closed loop's covariance, the synapse's
own states included.  For Poisson rectifier pairs of ``n`` neurons a dimension,

.. math:: \Sigma_{ii} = E|x_i|\, R_i / (r_{max}\, (n/2)\, dt) ,

where ``x`` includes its own noise: ``P`` is a fixed point.  A readout ``c`` then has
the error ``sqrt(c^T P c)``; with which power of ``d`` it grows depends on the readout
and on the signal (docs/laws.md).
To this are added what order ``d`` cannot hold of the input's spectrum (truncation), and
the static distortion of drawn curves, run through the same loop.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import ValidationError, ValidityWarning, check_whole
from lmu_spiking.memory.basis import REALISED
from lmu_spiking.memory.design import Assembly, assemble, signal_moments
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.neurons.curves import statistics
from lmu_spiking.neurons.population import NOISY, Population
from lmu_spiking.signals import Signal, white_noise
from lmu_spiking.theory.fixed_point import LEVELS, Table, along, fixed_point, tabulate

GROWN = 1.2  # warn if the error is so many times that on a fitting signal
RARELY, OFTEN = 1e-4, 0.02  # shares of time beyond the radii that need no warning
LARGEST = 1e100  # of a signal, whose squares are still numbers
LEAD = 2  # windows of signal before what counts: an onset rings for about as long


@dataclass(frozen=True, eq=False)
class ErrorBudget:
    """What is predicted of a memory on a signal.

    Delays are as in ``LegendreMemory.add_output``: ``dt`` to ``theta``, seconds.

    Attributes
    ----------
    spec : MemorySpec or LegendreMemory
        What was predicted.
    sigma : (d,) ndarray
        Variance in one step of the decoded state, in the coordinates that are carried.
    noise : (d, d) ndarray or None
        Covariance of the state's error from spikes.  None for regularly spiking
        neurons (IF, LIF), which no white-noise model describes.
    distortion : (d, d) ndarray
        Second moment of the state's error from the curves.
    moments : (d, d) ndarray
        Second moment of the exact state, from ``theta`` on.
    signal : (T,) ndarray
        The input that it was predicted for.
    states : (T, d) ndarray
        The exact LDN's states on it.
    initial : (d,) ndarray
        The state before it.
    spikes_per_s : float
        Of all neurons.
    quantisation : (d, d) ndarray or None
        Second moment of the state's error from weights in whole numbers, on a chip.
    bias : (T, d) ndarray or None
        The mean state less the exact one, of which ``distortion`` is the second moment;
        None if decoding is linear over the range of the signal.
    beyond : float
        Share of the samples at which the dimension that leaves its radius most is
        beyond it, or beyond the neurons' ceilings where those are lower.
    caution : str
        A sentence if the memory was not made for the signal, else empty.
    """

    spec: MemorySpec
    sigma: np.ndarray
    noise: np.ndarray | None
    distortion: np.ndarray
    moments: np.ndarray
    signal: np.ndarray
    states: np.ndarray
    initial: np.ndarray
    spikes_per_s: float
    quantisation: np.ndarray | None = None
    bias: np.ndarray | None = None
    beyond: float = 0.0
    caution: str = ""

    __repr__ = brief
    _told = ("nrmse", "noise_nrmse", "state_rmse", "spikes_per_s", "beyond")

    @property
    def error(self) -> np.ndarray | None:
        """(d, d): second moment of the state's error against the exact LDN."""
        if self.noise is None:
            return None
        whole = 0.0 if self.quantisation is None else self.quantisation
        return self.noise + self.distortion + whole

    @property
    def state_rmse(self) -> float | None:
        """Root of the mean over dimensions of the state's squared error."""
        error = self.error
        return None if error is None else float(np.sqrt(np.trace(error) / len(error)))

    def readout_rmse(self, delay) -> np.ndarray | None:
        """Error of readouts against the same readouts of the exact LDN: (n,)."""
        return None if self.error is None else _rms(self._weights(delay), self.error)

    def noise_nrmse(self, delay=None) -> float | None:
        """Return `readout_rmse` over the rms of the exact readout; at theta by default.

        It is NaN for a silent signal, whose rms is 0.
        """
        if self.error is None:
            return None
        c = self._weights(delay)
        return _relative(float(np.mean(_rms(c, self.error) ** 2)), self._power(c))

    def window_noise_nrmse(self, n_points: int = 100) -> float | None:
        """`noise_nrmse` with mean squares taken over ``n_points`` delays."""
        if self.error is None:
            return None
        return self.noise_nrmse(window_delays(self.spec, n_points))

    def truncation_rmse(self, delay=None) -> np.ndarray:
        """Error of the exact LDN's readouts against the delayed input: (n,).

        At the nearest delays of whole steps, where the input has samples, and from
        ``theta`` on; `truncation` tells it from a spectrum.
        """
        delay = self._on_grid(delay)
        gap = self.states[whole_steps(self.spec) :] @ self._weights(delay).T
        return np.sqrt(np.mean((gap - self._past(delay)) ** 2, axis=0))

    def nrmse(self, delay=None) -> float | None:
        """Return the error against the delayed input over the input's rms, all terms.

        It is NaN for a silent signal.
        """
        if self.error is None:
            return None
        delay = self._on_grid(delay)
        c, past = self._weights(delay), self._past(delay)
        total = _rms(c, self.error) ** 2 + self.truncation_rmse(delay) ** 2
        if self.bias is not None:  # it may add to the truncation error, or cancel it
            window = whole_steps(self.spec)
            gap = self.states[window:] @ c.T - past
            total += 2 * np.mean(gap * (self.bias[window:] @ c.T), axis=0)
        return _relative(float(total.mean()), float(np.mean(past**2)))

    def parts(self) -> dict[str, float | None]:
        """Return the errors at delay theta by their source, over the input's rms.

        Returns
        -------
        dict of float
            ``truncation`` (finite order), ``spikes`` (their noise) and ``curves``
            (their distortion or clipping, and the rounding of weights on a chip).  The
            squares sum to that of `nrmse`, up to the correlation of ``curves`` and
            ``truncation``.  ``spikes`` is None for regularly spiking neurons.  All are
            NaN for a silent signal.
        """
        delay = self._on_grid(None)
        c, power = self._weights(delay), float(np.mean(self._past(delay) ** 2))
        whole = 0.0 if self.quantisation is None else self.quantisation
        return {
            "truncation": _relative(self.truncation_rmse(delay)[0] ** 2, power),
            "spikes": None
            if self.noise is None
            else _relative(_rms(c, self.noise)[0] ** 2, power),
            "curves": _relative(_rms(c, self.distortion + whole)[0] ** 2, power),
        }

    def _delay(self, delay) -> np.ndarray:
        whole = self.spec.dt * whole_steps(self.spec)
        return np.atleast_1d(whole if delay is None else delay)

    def _on_grid(self, delay) -> np.ndarray:
        """The nearest delays of whole steps in the window, seconds."""
        self._weights(delay)  # refuses what is outside
        steps = np.round(self._delay(delay) / self.spec.dt)
        return self.spec.dt * np.clip(steps, 1, whole_steps(self.spec))

    def _past(self, delay: np.ndarray) -> np.ndarray:
        """The delayed input from ``theta`` on, in whole steps: (T - window, n)."""
        window, end = whole_steps(self.spec), len(self.signal)
        lags = np.round(delay / self.spec.dt).astype(int) - 1
        return np.stack([self.signal[window - s : end - s] for s in lags], axis=1)

    def _weights(self, delay) -> np.ndarray:
        dt = self.spec.dt
        return self.spec.ldn.readout(self._delay(delay) - dt, dt)

    def _power(self, c: np.ndarray) -> float:
        return float(np.mean(_rms(c, self.moments) ** 2))


@dataclass(frozen=True, eq=False)
class BandLaw:
    """The predicted error on a whole band of noise; see `predict_band`.

    Attributes
    ----------
    noise : (d, d) ndarray
        Covariance of the state's error from spikes.
    spikes_per_s : float
    counts : tuple of int
        Neurons of each coordinate.
    """

    noise: np.ndarray
    spikes_per_s: float
    counts: tuple[int, ...]

    __repr__ = brief


def predict(spec, signal=None, *, duration: float = 60.0, lead: int = 0) -> ErrorBudget:
    """Predict the error budget of a memory on a signal, without running the memory.

    Parameters
    ----------
    spec : MemorySpec, LegendreMemory or loihi.layout.Layout
        A memory of one input; one that is laid out for a chip brings the errors that
        its neurons make of this signal, one by one, and its whole-number weights.
    signal : (T,) array_like, optional
        Samples of the input at the memory's ``dt``; by default ``duration`` seconds of
        the white noise that the spec names (seed 0).
    duration : float
        Seconds, where ``signal`` is not given.
    lead : int
        Samples at the beginning that bring the memory into its course and do not count.

    Returns
    -------
    ErrorBudget

    Warns
    -----
    ValidityWarning
        If the signal is not what the memory was tuned to, or is silent.

    Examples
    --------
    >>> budget = predict(MemorySpec(n_neurons=6000, order=6, theta=0.5))
    >>> 0.02 < budget.noise_nrmse(delay=0.5) < 0.04
    True
    """
    budget = budget_of(spec, signal, duration=duration, lead=lead)
    if budget.caution:
        warnings.warn(budget.caution, ValidityWarning, stacklevel=2)
    return budget


def budget_of(spec, signal=None, *, duration: float = 60.0, lead: int = 0):
    """Return what `predict` does, with its warning in ``caution`` alone."""
    window = whole_steps(spec)
    if signal is None:
        lead = LEAD * window
        signal = _white(spec, duration).led_in(lead)
    lead = check_whole("predict.lead", lead, 0)
    u = _checked_signal(spec, signal, lead)
    entire = spec.ldn.simulate(u, spec.dt)
    initial = entire[lead - 1] if lead else np.zeros(spec.ldn.order)
    states = entire[lead:]
    settled = states[window:]
    common = {
        "spec": spec,
        "moments": settled.T @ settled / len(settled),
        "signal": u[lead:],
        "states": states,
        "initial": initial,
    }
    if hasattr(spec, "errors"):
        return ErrorBudget(**common, **spec.errors(entire, lead + window))
    assembly = _summed(spec) if isinstance(spec, MemorySpec) else spec.assembly
    population, loop, U = assembly.population, assembly.loop, assembly.U
    carried = entire @ assembly.T.T
    tables = tabulate(population, carried, spec.dt)
    ranges = _ranges(population, tables)
    course = along(loop, tables, carried, window, lead)
    bias = None if course.bias is None else course.bias[lead:] @ U.T
    distorted = np.zeros_like(course.noise)
    if bias is not None:
        distorted = bias[window:].T @ bias[window:] / len(settled)
    kind = statistics(population.neurons)
    budget = ErrorBudget(
        **common,
        sigma=course.sigma,
        noise=None if kind == "regular" else U @ course.noise @ U.T,
        distortion=distorted,
        spikes_per_s=0.0 if kind == "rate" else float(course.rate),
        bias=bias,
        beyond=float(np.mean(np.abs(carried[lead:]) > ranges, axis=0).max()),
    )
    return replace(budget, caution=_caution(assembly, budget))


def _ranges(population: Population, tables: list[Table]) -> np.ndarray:
    """Return values (d,) up to which decoding is valid: radii, or lower ceilings."""
    if population.tuning.kind == "drawn":
        return population.radii
    first = [
        np.abs(t.x[np.abs(t.columns["decoded"] - t.x) > 1e-3 * r]).min(initial=r)
        for t, r in zip(tables, population.radii, strict=True)
    ]
    return np.array(first)


def _caution(assembly: Assembly, budget: ErrorBudget) -> str:
    """Return a sentence if the memory is not made for the signal, else an empty one."""
    if not budget.moments.any():
        return "the signal is silent: errors relative to it (NRMSE) are undefined"
    c, own = budget._weights(None), assembly.own_nrmse
    power = np.sqrt(budget._power(c))
    bent = budget.bias is not None
    where = f"{100 * budget.beyond:.3g} % of the samples are beyond the radii"
    noisy = 0.0 if budget.noise is None else float(_rms(c, budget.noise)[0] / power)
    if bent and noisy > 1:
        return (
            f"the spikes alone make an error of {noisy:.2g} NRMSE, so that neurons "
            "clip their own noise and the prediction is rough; use more neurons, a "
            "lower order or tuning='balanced'"
        )
    if own and budget.error is not None:
        grown = float(_rms(c, budget.error)[0] / power / own)
        if grown < GROWN or budget.beyond < (RARELY if bent else OFTEN):
            return ""
        what, remedy = "neurons fire above max_rate", "give the memory that signal"
        if bent:
            what, remedy = "neurons clip", f"{remedy}, or use tuning='balanced'"
        return (
            f"the signal is not what tuning='{assembly.tuning}' was made for: {where}, "
            f"where {what}, and the predicted error is {grown:.3g} times that on its "
            f"own signal; {remedy}"
        )
    noise, added = (
        0.0 if part is None else float(_rms(c, part)[0] / power)
        for part in (budget.noise, budget.distortion)
    )
    grown = np.hypot(noise, added) / noise if noise else np.inf
    if not added or grown < GROWN or budget.beyond < (RARELY if noise else OFTEN):
        return ""
    effect = f"the tuning curves alone make an error of {added:.2g} NRMSE"
    if noise:
        effect = f"the predicted error is {grown:.3g} times that of the spikes alone"
    return (
        f"the signal exceeds the radii: {where}, where decoding is not linear, and "
        f"{effect}; "
        "give larger radii (radii_from)"
    )


def _white(spec, duration: float) -> Signal:
    """The noise that a spec names, or the default."""
    band = getattr(spec, "signal", None) or SignalSpec()
    return white_noise(duration, spec.dt, band.bandwidth, band.rms, 0)


def _checked_signal(spec, signal, lead: int) -> np.ndarray:
    if getattr(spec, "size_in", 1) != 1:
        raise ValidationError(
            "predict.spec.size_in",
            spec.size_in,
            "must be 1",
            "predict each input alone",
        )
    try:
        u = np.asarray(signal, dtype=float)
    except (TypeError, ValueError):
        u = np.empty((0, 0))
    window = whole_steps(spec) + lead
    if u.ndim != 1 or len(u) <= window or not np.isfinite(u).all():
        raise ValidationError(
            "predict.signal",
            signal,
            "must be finite samples (T,), more than a window",
            f"use more than {window} steps of {spec.dt:g} s",
        )
    if np.abs(u).max() > LARGEST:
        raise ValidationError(
            "predict.signal",
            float(np.abs(u).max()),
            f"is more than {LARGEST:g}, whose squares are no numbers",
            "scale it",
        )
    return u


def predict_band(spec: MemorySpec) -> BandLaw:
    """Predict the error on the spec's whole band of noise, not on one stretch of it.

    For rectifier pairs of Poisson or stochastic neurons, on states that are normally
    distributed.
    """
    assembly = _summed(spec)
    population = assembly.population
    moments, _ = signal_moments(spec.ldn, spec.dt, spec.signal)
    spread = np.sqrt(np.maximum(np.diag(assembly.T @ moments @ assembly.T.T), 0.0))
    normal = ndtri(LEVELS)
    normal /= normal.std()
    tables = [
        Table(population, i, s * normal, 4 * s, spec.dt) for i, s in enumerate(spread)
    ]
    noise, _ = fixed_point(assembly.loop, tables)
    rates = sum(t.mean("rate", v) for t, v in zip(tables, np.diag(noise), strict=True))
    counts = np.bincount(population.dimension, population.per_unit).astype(int)
    return BandLaw(
        assembly.U @ noise @ assembly.U.T, float(rates), tuple(counts.tolist())
    )


def spec_assembly(spec: MemorySpec) -> Assembly:
    """The neurons that `LegendreMemory.from_spec` builds."""
    radii = np.broadcast_to(spec.radii, (spec.order,))
    return assemble(
        spec.ldn,
        map_onto(spec.ldn, spec.tau, spec.dt),
        spec.dt,
        spec.n_neurons,
        radii=None if spec.tuning in REALISED else radii,
        neurons=spec.neuron_type,
        tuning=spec.tuning,
        max_rate=spec.max_rate,
        aggregated=spec.aggregated,
        rng=np.random.RandomState(spec.tuning_seed),
        signal=spec.signal,
    )


def _summed(spec: MemorySpec) -> Assembly:
    """The same neurons, those that are alike as one, however many there are."""
    if spec.neuron_type in NOISY and spec.tuning != "drawn":
        spec = spec.replace(aggregated=True)
    return spec_assembly(spec)


def whole_steps(spec) -> int:
    """Whole steps in the window."""
    return spec.ldn.steps(spec.dt)


def window_delays(spec: MemorySpec, n_points: int = 100) -> np.ndarray:
    """Delays (n,), whole steps from ``dt`` to ``theta``, that stand for the window."""
    steps = np.linspace(1, whole_steps(spec), n_points)
    return spec.dt * np.unique(np.round(steps))


def spectrum(u, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (F,), Hz, and powers (F,), which sum to ``mean(u^2)``.

    Frequencies that carry less than 1e-12 of the power are left out.
    """
    power = np.abs(np.fft.rfft(u) / len(u)) ** 2
    power[1:] *= 2
    if len(u) % 2 == 0:
        power[-1] /= 2
    kept = power > 1e-12 * power.sum()
    return np.fft.rfftfreq(len(u), dt)[kept], power[kept]


def truncation(ldn: LDN, frequency, power, delay, dt: float) -> np.ndarray:
    r"""What order ``d`` cannot hold of a spectrum: rms error of readouts, (n,).

    ``sqrt(sum_f S(f) |c G(f) - exp(-2 pi i f s)|^2)`` with ``G`` the LDN's frequency
    response and ``s`` the delay: a function of ``theta f`` and ``d`` where dt is small.

    Parameters
    ----------
    frequency, power : (F,) array_like
        Hz, and mean square at each; see `spectrum`.
    delay : float or (n,) array_like
        Seconds, ``dt`` to ``theta``.
    """
    lag = np.atleast_1d(delay) - dt
    shifted = np.exp(-2j * np.pi * np.outer(frequency, lag))
    response = ldn.frequency_response(frequency, dt) @ ldn.readout(lag, dt).T
    return np.sqrt(np.asarray(power) @ np.abs(response - shifted) ** 2)


def _relative(square: float, power: float) -> float:
    """Return the root of a ratio of mean squares; NaN where the power is 0."""
    return float(np.sqrt(square / power)) if power else float("nan")


def _rms(c: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """``sqrt(c^T M c)`` for each row of ``c``."""
    return np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", c, moment, c), 0.0))
