from dataclasses import replace

import numpy as np
import pytest

from lmu_spiking import MemorySpec, Signal, SignalSpec, ValidationError
from lmu_spiking.signals.spec import mean_of, spectrum, spectrum_of

DT, THETA = 0.01, 0.5


def recording(*columns, dt=DT, periodic=False):
    samples = np.column_stack(columns) if len(columns) > 1 else columns[0]
    return Signal(samples, dt, "mine", "test", periodic=periodic)


def tone(hertz, seconds=20.0):
    return np.sin(2 * np.pi * hertz * DT * np.arange(round(seconds / DT)))


def share_around(spec, hertz):
    """Share of the power in the band that a frequency is in."""
    ends, shares = np.array(spec.spectrum).T
    return shares[np.searchsorted(ends, hertz)]


def below(spec, hertz):
    """Share of the power up to a frequency, evenly spread within its band."""
    ends, shares = np.array([(0.0, 0.0), *spec.spectrum]).T
    return np.interp(hertz, ends, np.cumsum(shares))


# -- of a recording --------------------------------------------------------------------


def test_a_tone_is_in_its_band():
    (spec,) = spectrum_of(recording(3 * tone(7.25)), THETA)
    ends, shares = np.array(spec.spectrum).T
    assert ends[np.argmax(shares)] == ends[np.searchsorted(ends, 7.25)]
    assert below(spec, 8.5) - below(spec, 6.5) > 0.98
    assert spec.bandwidth == pytest.approx(7.25, rel=0.1)  # its mirror image has a kink
    assert spec.rms == pytest.approx(3 / np.sqrt(2), rel=1e-3)
    assert spec.peak == 1  # a sine has no bursts


def test_shares_are_those_of_the_power():
    """Of two tones in different bands and a mean, by their squares."""
    u = 2 + 3 * tone(2.25) + 1 * tone(11.0)
    (spec,) = spectrum_of(recording(u, periodic=True), THETA)
    total = 4 + 4.5 + 0.5
    assert spec.spectrum[0] == (0.0, pytest.approx(4 / total, rel=1e-3))
    assert share_around(spec, 2.25) == pytest.approx(4.5 / total, rel=1e-3)
    assert share_around(spec, 11.0) == pytest.approx(0.5 / total, rel=1e-3)
    assert sum(share for _, share in spec.spectrum) == pytest.approx(1, rel=1e-3)
    # the mean counts in the rms and has no bandwidth
    assert spec.rms == pytest.approx(3, rel=1e-3)
    assert spec.bandwidth == pytest.approx(11, rel=0.01)


def test_a_larger_recording_has_the_same_spectrum():
    u = np.random.default_rng(0).standard_normal(2000)
    (small,) = spectrum_of(recording(1e-9 * u), THETA)
    (large,) = spectrum_of(recording(1e6 * u), THETA)
    assert (small.spectrum, small.peak) == (large.spectrum, large.peak)
    assert large.rms / small.rms == pytest.approx(1e15, rel=1e-3)


def test_ends_that_differ_make_no_jump():
    ramp = np.linspace(-1, 1, 2000)
    (looped,) = spectrum_of(recording(ramp, periodic=True), THETA)
    (once,) = spectrum_of(recording(ramp), THETA)
    assert 1 - below(looped, 1.0) > 0.01
    assert 1 - below(once, 1.0) < 1e-4


def test_bursts_have_a_peak():
    u = np.random.default_rng(1).standard_normal(20_000)
    (even,) = spectrum_of(recording(u), THETA)
    assert even.peak == pytest.approx(1, abs=0.1)
    u[1000:] *= 0.01
    (burst,) = spectrum_of(recording(u), THETA)
    assert burst.peak > 2


def test_a_longer_window_tells_finer_bands_apart():
    u = np.random.default_rng(2).standard_normal(4000)
    few, many = (spectrum_of(recording(u), theta)[0] for theta in (0.05, 2.0))
    assert len(few.spectrum) < len(many.spectrum)


def test_a_silent_channel_counts_as_one_of_the_least_power():
    specs = spectrum_of(recording(tone(3), np.zeros(2000), 0.1 * tone(5)), THETA)
    assert specs[1] == specs[2] != specs[0]
    with pytest.raises(ValidationError, match="is silent; use samples not all of them"):
        spectrum_of(recording(np.zeros((2000, 2))), THETA)


# -- of several ------------------------------------------------------------------------


def test_the_mean_is_of_shares():
    low, high = spectrum_of(recording(100 * tone(2), tone(20)), THETA)
    both = mean_of([low, high])
    assert both.rms == 1
    assert both.bandwidth == high.bandwidth
    for hertz in (0.5, 3, 10, 25):
        wanted = (below(low, hertz) + below(high, hertz)) / 2
        assert below(both, hertz) == pytest.approx(wanted, abs=1e-3)
    assert mean_of([high, low]) == both
    assert mean_of([low, low]) == low


def test_the_mean_keeps_means_at_frequency_0():
    first, second = spectrum_of(recording(1 + tone(2), tone(2)), THETA)
    both = mean_of([first, second])
    assert both.spectrum[0] == (0.0, pytest.approx(1 / 3, rel=1e-2))


# -- drawn -----------------------------------------------------------------------------


def test_what_is_drawn_has_the_spectrum():
    """Many periods: shares scatter by one over the root of the lines in a band."""
    u = 0.5 + 2 * tone(3.25) + np.random.default_rng(3).standard_normal(2000)
    (spec,) = spectrum_of(recording(u), THETA)
    drawn = spec.draw(400.0, DT, seed=4)
    frequency, power = spectrum(drawn.samples, DT)
    assert drawn.periodic
    assert drawn.samples.mean() == pytest.approx(0.5, rel=0.2)
    assert drawn.rms == pytest.approx(spec.rms, rel=0.05)
    for hertz in (1, 3, 3.5, 10, 25):
        share = power[frequency <= hertz].sum() / power.sum()
        assert share == pytest.approx(below(spec, hertz), abs=0.03)


def test_a_draw_is_its_seeds():
    spec = SignalSpec(2.0, 1.0, ((1.0, 0.5), (2.0, 0.5)))
    first, again, other = (spec.draw(4.0, DT, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.samples, again.samples)
    assert abs(np.corrcoef(first.samples, other.samples)[0, 1]) < 0.9
    assert first.name == "noise"
    assert SignalSpec(2.0).draw(4.0, DT).name == "white"


def test_bands_between_the_lines_of_a_short_draw_keep_their_power():
    """Two bands are narrower than one over the duration: the next one takes it."""
    spec = SignalSpec(2.0, 3.0, ((0.3, 0.5), (0.6, 0.25), (2.0, 0.25)))
    squares = [np.mean(spec.draw(1.0, DT, seed).samples ** 2) for seed in range(400)]
    assert np.mean(squares) == pytest.approx(9, rel=0.15)


# -- integrated ------------------------------------------------------------------------


@pytest.mark.parametrize("theta", [0.05, 0.5, 5.0])
def test_lines_integrate_over_the_band(theta):
    """The autocorrelation of noise of a band is a sinc, also of a band in pieces."""
    white = SignalSpec(4.0, 3.0)
    pieces = replace(white, spectrum=((1.0, 0.25), (2.0, 0.25), (4.0, 0.5)))
    for spec in (white, pieces):
        frequency, power = spec.lines(theta)
        assert power.sum() == pytest.approx(9)
        for delay in np.array([0.1, 0.5, 1.0]) * theta:
            found = power @ np.cos(2 * np.pi * frequency * delay)
            assert found == pytest.approx(9 * np.sinc(8 * delay), abs=1e-3)


def test_a_mean_is_a_line_at_0():
    spec = SignalSpec(4.0, 1.0, ((0.0, 0.75), (4.0, 0.25)))
    frequency, power = spec.lines(THETA)
    assert power[frequency == 0].sum() == pytest.approx(0.75)


# -- as values -------------------------------------------------------------------------


def test_specs_of_recordings_come_back_from_toml(tmp_path):
    u = np.random.default_rng(5).standard_normal(2000)
    signals = spectrum_of(recording(u, 1 + tone(3), u**3), THETA)
    spec = MemorySpec(600, 6, THETA, dt=DT, signal=signals, size_in=3)
    spec.to_toml(tmp_path / "spec.toml")
    again = MemorySpec.from_toml(tmp_path / "spec.toml")
    assert again == spec
    assert again.digest == spec.digest
    assert np.array_equal(again.draw(2.0).samples, spec.draw(2.0).samples)
    assert SignalSpec(**signals[2].to_dict()) == signals[2]


def test_channels_are_drawn_apart():
    signal = SignalSpec(2.0, 1.0, ((2.0, 1.0),))
    spec = MemorySpec(600, 6, THETA, dt=DT, signal=signal, size_in=2)
    drawn = spec.draw(20.0).samples
    assert drawn.shape == (2000, 2)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.5  # 80 free numbers: 4.5 deviations


@pytest.mark.parametrize(
    "bands",
    [
        (),
        ((2.0, 1.0), (1.0, 1.0)),
        ((1.0, -1.0),),
        ((-1.0, 1.0),),
        ((1.0, 0.0), (2.0, 0.0)),
        ((np.nan, 1.0),),
        ((1.0, 1.0, 1.0),),
        1.0,
        "low",
    ],
)
def test_what_is_no_spectrum_is_refused(bands):
    message = "must be pairs of a rising frequency and a share; use spectrum_of"
    with pytest.raises(ValidationError, match=message):
        SignalSpec(2.0, 1.0, bands)


def test_a_peak_below_that_of_noise_is_refused():
    with pytest.raises(ValidationError, match=r"signal.peak: 0.5 must be at least 1"):
        SignalSpec(peak=0.5)
