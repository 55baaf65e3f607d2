import warnings
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_spiking.errors import ValidationError, ValidityWarning
from lmu_spiking.signals import Signal, SignalSpec, as_signal, white_noise
from lmu_spiking.signals import signal as module


def make(samples, dt=0.001):
    return Signal(samples, dt, "test", "made here")


def sine(frequency, dt, duration, phase=0.3):
    t = np.arange(round(duration / dt)) * dt
    return np.sin(2 * np.pi * frequency * t + phase)


def test_duration_and_rms():
    signal = make([3.0, -4.0, 3.0, -4.0], dt=0.5)
    assert signal.duration == 2.0
    assert signal.rms == np.sqrt(12.5)
    assert make([[3.0, -4.0], [-4.0, 3.0]], dt=0.5).rms == np.sqrt(12.5)


def test_is_a_frozen_value_of_its_own():
    samples = np.ones(3, dtype=np.int16)
    signal = make(samples)
    samples[:] = 7
    assert signal.samples.dtype == np.float64
    assert signal.samples.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="read-only"):
        signal.samples[0] = 2
    with pytest.raises(FrozenInstanceError):
        signal.dt = 1.0


def test_repr_is_short():
    assert repr(make(np.zeros(10_000))).count("\n") < 3


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "must be (T,)"),
        (1.0, "must be (T,)"),
        ([[[1.0, 2.0]]], "must be (T,) or (T, channels)"),
        ([1.0, np.nan], "nan at index 1 is not finite"),
        ([1.0, 2.0, -np.inf], "-inf at index 2 is not finite"),
        (["a", "b"], "must be real numbers"),
        ([1j], "must be real numbers"),
        ([[1.0], [1.0, 2.0]], "must be real numbers"),
        (None, "must be real numbers"),
    ],
)
def test_bad_samples(samples, message):
    with pytest.raises(ValidationError) as error:
        make(samples)
    assert str(error.value).startswith("Signal.samples: ")
    assert message in str(error.value)


def channels(n=3, length=4000):
    """Sines of one to n Hz, each louder than the one before it."""
    t = np.arange(length) / 1000
    rows = [(i + 1) * np.sin(2 * np.pi * (i + 1) * t + i) for i in range(n)]
    return np.stack(rows, axis=1)


def test_names_of_channels():
    three = channels()
    assert make(three[:, 0]).channels == ("0",)
    assert make(three).channels == ("0", "1", "2")
    names = ("x", "y", "z")
    signal = Signal(three, 0.001, "test", "made here", channels=names)
    others = signal.resampled(0.002), signal.looped(9.0), signal.resampled(0.001)
    assert all(other.channels == names for other in others)
    listed = Signal(three, 0.001, "test", "made here", channels=list(names))
    assert listed.channels == names
    assert repr(signal).count("\n") < 3


@pytest.mark.parametrize("names", [("x",), "xyz", ("x", "y", 3), None])
def test_bad_names_of_channels(names):
    with pytest.raises(
        ValidationError, match=r"^Signal\.channels: .* must be 3 names, "
    ):
        Signal(channels(), 0.001, "test", "made here", channels=names)


@pytest.mark.parametrize("dt", [0.0007, 0.0031, 0.001])
def test_each_channel_is_resampled_as_if_it_were_alone(dt):
    together = make(channels()).resampled(dt)
    for i in range(3):
        alone = make(channels()[:, i]).resampled(dt)
        np.testing.assert_allclose(together.samples[:, i], alone.samples, atol=1e-12)
        assert together.duration == alone.duration


@pytest.mark.parametrize("steps", [1, 2500, 4000, 9700])
def test_each_channel_is_repeated_as_if_it_were_alone(steps):
    for periodic in (True, False):
        together = replace(make(channels()), periodic=periodic)
        looped, led_in = together.looped(steps / 1000), together.led_in(steps)
        for i in range(3):
            alone = replace(together, samples=channels()[:, i], channels=())
            one = alone.looped(steps / 1000)
            np.testing.assert_array_equal(looped.samples[:, i], one.samples)
            np.testing.assert_array_equal(led_in[:, i], alone.led_in(steps))
            assert looped.periodic == one.periodic


def test_the_channel_that_loses_most_is_named():
    """A quiet channel above the new Nyquist frequency is a millionth of all power."""
    three = channels(length=8000)
    three[:, 1] = 0.01 * sine(90.0, 0.001, 8.0)
    signal = Signal(three, 0.001, "test", "made here", channels=("x", "y", "z"))
    with pytest.warns(ValidityWarning, match=r"^test, y: 100 % of its power is above"):
        coarse = signal.resampled(0.01)
    with pytest.warns(ValidityWarning, match=r"^test: 100 %"):
        alone = make(three[:, 1]).resampled(0.01)
    assert coarse.power_lost == pytest.approx(alone.power_lost, rel=1e-12)
    # a constant channel has no power to lose
    three[:, 1] = 1e6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make(three).resampled(0.01).power_lost < 1e-6


def test_more_channels_than_memory_holds_are_refused(monkeypatch):
    monkeypatch.setattr("lmu_spiking.errors.machine_memory", lambda: 2**20)
    make(channels(1)).looped(20.0)
    with pytest.raises(ValidationError, match="GiB of memory; use fewer channels"):
        make(channels(3)).looped(20.0)


@pytest.mark.parametrize("dt", [0, -0.001, np.nan, np.inf, "fast", None, True, 1j])
def test_bad_step(dt):
    with pytest.raises(ValidationError, match=r"Signal\.dt: .* positive number"):
        make([1.0, 2.0], dt)
    with pytest.raises(ValidationError, match=r"resampled\.dt: .* positive number"):
        make([1.0, 2.0]).resampled(dt)


@pytest.mark.parametrize("dt", [0.001, 0.0007, 0.002, 0.00999])
def test_a_sine_at_a_finer_step_is_the_sine(dt):
    fine = make(sine(2.0, 0.01, 4.0), 0.01).resampled(dt)
    expected = sine(2.0, dt, 4.0)
    inner = slice(len(expected) // 10, -len(expected) // 10)
    assert len(fine.samples) == len(expected)
    np.testing.assert_allclose(fine.samples[inner], expected[inner], atol=1e-5)


def test_a_finer_grid_holds_the_last_sample():
    fine = make([0.0, 1.0, 2.0, 3.0], dt=1.0).resampled(0.25)
    expected = np.minimum(np.arange(16) / 4, 3.0)
    np.testing.assert_allclose(fine.samples, expected, atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(ratio=st.floats(1.01, 60.0), part=st.floats(0.02, 0.84))
def test_a_sine_at_a_coarser_step_is_the_sine(ratio, part):
    dt = 0.001 * ratio
    frequency, duration = part / (2 * dt), 240 * dt
    coarse = make(sine(frequency, 0.001, duration)).resampled(dt)
    expected = sine(frequency, dt, duration)
    n = min(len(coarse.samples), len(expected))
    np.testing.assert_allclose(
        coarse.samples[40 : n - 40], expected[40 : n - 40], atol=2e-3
    )


@settings(deadline=None, max_examples=25)
@given(ratio=st.floats(1.5, 60.0), above=st.floats(1.0, 1.4))
def test_a_coarser_step_carries_nothing_above_its_nyquist_frequency(ratio, above):
    dt = 0.001 * ratio
    signal = make(sine(above / (2 * dt), 0.001, 240 * dt))
    with pytest.warns(ValidityWarning, match="of its power is above"):
        coarse = signal.resampled(dt)
    assert coarse.power_lost > 0.9
    assert np.abs(coarse.samples[40:-40]).max() < 2e-4


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(1, 60),
    ratio=st.floats(0.05, 20.0),
    level=st.floats(-100, 100, allow_subnormal=False),
)
def test_resampling_keeps_duration_and_level(n, ratio, level):
    signal = make(np.full(n, level), 0.01)
    if round(n / ratio) < 1:
        with pytest.raises(ValidationError, match="holds no whole step"):
            signal.resampled(0.01 * ratio)
        return
    other = signal.resampled(0.01 * ratio)
    assert abs(other.duration - signal.duration) <= other.dt * 0.5 * (1 + 1e-9)
    assert (other.name, other.source) == (signal.name, signal.source)
    np.testing.assert_allclose(other.samples, level, rtol=1e-4, atol=1e-12)


def test_equal_steps_keep_the_samples():
    signal = make(np.random.default_rng(0).normal(size=1000), 1 / 360)
    for dt in (1 / 360, 1 / 360 * (1 + 1e-6)):
        other = signal.resampled(dt)
        np.testing.assert_array_equal(other.samples, signal.samples)
        assert other.dt == dt


@given(n=st.integers(1, 50), steps=st.integers(1, 200))
def test_looped(n, steps):
    looped = make(np.arange(float(n)), 0.01).looped(steps * 0.01)
    np.testing.assert_array_equal(looped.samples, np.arange(steps) % n)


@pytest.mark.parametrize("duration", [0, -1, np.nan, np.inf, "long", 0.0004])
def test_bad_loop(duration):
    with pytest.raises(ValidationError, match=r"^Signal\.looped\.duration: "):
        make([1.0, 2.0]).looped(duration)


def test_what_a_longer_step_takes_away_is_told():
    """White noise at 8 kHz keeps what is below 0.92 of 500 Hz: an eighth, nearly."""
    noise = np.random.default_rng(0).standard_normal(80_000)
    signal = make(noise, 1 / 8000)
    told = r"^test: 8[89] % of its power is above 500 Hz.*\(--dt 0.000125\) keeps all"
    with pytest.warns(ValidityWarning, match=told):
        coarse = signal.resampled(0.001)
    assert coarse.power_lost == pytest.approx(1 - 0.92 / 8, abs=0.01)
    with pytest.warns(ValidityWarning, match="4[5-9] % of its power is above 250 Hz"):
        again = coarse.resampled(0.002)
    assert again.power_lost == pytest.approx(1 - 0.92 / 16, abs=0.01)
    assert again.looped(1.0).power_lost == again.power_lost


@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("dt", [1 / 8000, 0.0005, 0.001, 0.0017])
def test_a_slow_signal_loses_nothing_whatever_its_mean(dt, offset):
    slow = make(offset + sine(20.0, 1 / 8000, 2.0), 1 / 8000).resampled(dt)
    assert slow.power_lost < 1e-4


def test_a_finer_step_loses_nothing():
    noise = make(np.random.default_rng(0).standard_normal(500), 0.002)
    assert noise.resampled(0.001).power_lost == 0.0


@pytest.mark.parametrize("ratio", [0.3, 0.99, 1.003, 1.1, 3.0, 7.9, 8.0, 44.1, 300.5])
def test_blocks_make_no_difference(ratio, monkeypatch):
    noise = np.random.default_rng(0).standard_normal(5000)
    n = round(5000 / ratio)
    whole, lost = module._at_step(noise, 1e-3 / ratio, 1e-3, n)
    monkeypatch.setattr(module, "BLOCK", 300)
    parts, of_parts = module._at_step(noise, 1e-3 / ratio, 1e-3, n)
    np.testing.assert_allclose(parts, whole, atol=1e-9)
    assert of_parts == pytest.approx(lost, abs=0.02)


def test_steps_that_cannot_be_meant_are_refused():
    signal = make(np.ones(100_000), 1.0)
    with pytest.raises(ValidationError, match=r"makes 1e\+08 steps.*16,777,216"):
        signal.resampled(0.001)
    with pytest.raises(ValidationError, match="makes 1e\\+08 steps"):
        signal.looped(1e8)
    with pytest.raises(ValidationError, match="check its sampling rate"):
        make(np.ones(10**6), 1e-9).resampled(0.001)


# -- several channels ------------------------------------------------------------------


@pytest.mark.parametrize("dt", [0.0005, 0.003])
def test_channels_are_resampled_and_looped_one_by_one(dt):
    both = np.random.default_rng(0).standard_normal((500, 2)).cumsum(axis=0)
    one, other = (make(column) for column in both.T)
    signal = make(both)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        resampled = [s.resampled(dt).samples for s in (signal, one, other)]
    np.testing.assert_allclose(resampled[0], np.stack(resampled[1:], 1), atol=1e-9)
    looped = [s.looped(0.7).samples for s in (signal, one, other)]
    np.testing.assert_array_equal(looped[0], np.stack(looped[1:], 1))
    led = [s.led_in(30) for s in (signal, one, other)]
    np.testing.assert_array_equal(led[0], np.stack(led[1:], 1))


# -- whatever is passed as a signal ----------------------------------------------------


def test_each_kind_of_signal_becomes_one():
    u = sine(2.0, 0.001, 1.0)
    for given_as in (u, list(u), make(u)):
        np.testing.assert_array_equal(as_signal(given_as, 0.001, 0.5).samples, u)
    band = SignalSpec(5.0, 0.3)
    drawn = as_signal(band, 0.002, 0.5, duration=3.0)
    np.testing.assert_array_equal(
        drawn.samples, white_noise(3.0, 0.002, 5.0, 0.3, 0).samples
    )
    np.testing.assert_array_equal(drawn.samples, band.draw(3.0, 0.002).samples)
    default = as_signal(None, 0.001, duration=2.0).samples
    np.testing.assert_array_equal(
        default, SignalSpec().draw(2.0, 0.001, seed=0).samples
    )


def test_channels_stand_side_by_side():
    u = np.ones((600, 2))
    assert as_signal(u, 0.001, channels=2).samples.shape == (600, 2)
    assert as_signal(np.ones(600), 0.001, channels=1).samples.shape == (600, 1)
    for given_as, channels in ((u, None), (u, 3), (np.ones(600), 2)):
        with pytest.raises(ValidationError, match="finite samples"):
            as_signal(given_as, 0.001, channels=channels)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones(500), "is too short; use at least 501 steps"),
        ("ecg", "'ecg' must be finite samples"),
        ([1.0, np.nan] * 500, "finite samples"),
        (0.5, "0.5 must be finite samples"),
        (make(np.ones(900), 0.002), r"steps of 0.002 s, not of 0.001 s.*resampled"),
        (np.full(900, 1e160), "1e.160 is more than 1e.100.*scale it"),
        (SignalSpec(900.0, 1.0), r"white_noise.bandwidth: 900.0 is above 500 Hz"),
    ],
)
def test_what_is_no_signal_for_a_window(x, message):
    with pytest.raises(ValidationError, match=message):
        as_signal(x, 0.001, 0.5)
