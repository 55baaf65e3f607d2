import sys

import numpy as np
import pytest

from lmu_spiking.errors import MissingPackageError, ValidationError
from lmu_spiking.signals import ecg
from lmu_spiking.signals.ecg import PERIOD, recording

pywt_data = pytest.importorskip("pywt.data")


def test_recording_is_centred_with_a_peak_of_one():
    u, raw = recording(), pywt_data.ecg()
    assert u.shape == (1024,)
    assert abs(u.mean()) < 1e-15
    assert np.abs(u).max() == 1.0
    assert np.corrcoef(u, raw)[0, 1] == pytest.approx(1.0, abs=1e-12)
    assert raw.dtype.kind == "i"  # PyWavelets shares one array among all callers


def test_at_its_own_rate_it_is_the_recording_over_and_over():
    signal = ecg(3 * PERIOD, 1 / 360)
    np.testing.assert_allclose(signal.samples, np.tile(recording(), 3), atol=1e-9)


def test_loop_is_1024_samples_of_360_hz_long():
    # 45 loops are 128 s, the first whole number of milliseconds
    samples = ecg(130.0, 0.001).samples
    np.testing.assert_allclose(samples[128_000:], samples[:2000], atol=1e-9)
    for shift in (2844, 2845):  # between which a loop of milliseconds would fall
        assert np.abs(samples[shift:] - samples[:-shift]).max() > 0.01
    dt = PERIOD / 2844
    samples = ecg(3 * PERIOD, dt).samples
    np.testing.assert_allclose(samples[2844:], samples[:-2844], atol=1e-9)


@pytest.mark.parametrize("dt", [0.001, 0.0005, 1 / 360])
def test_mean_and_peak(dt):
    samples = ecg(128.0, dt).samples
    assert abs(samples.mean()) < 1e-5
    assert 0.995 < np.abs(samples).max() < 1.0013


def test_seam_is_no_steeper_than_a_beat_and_does_not_ring():
    dt = PERIOD / 28440
    samples = ecg(2 * PERIOD, dt).samples
    seam = samples[28440 - 112 : 28440 + 112]  # four samples of the recording each way
    u = recording()
    assert np.abs(np.diff(seam)).max() < 0.2 * np.abs(np.diff(samples)).max()
    assert seam.max() < u[-4:].max() + 0.005
    assert seam.min() > u[:5].min() - 0.005


def test_three_beats_at_65_a_minute():
    samples = ecg(PERIOD, 0.001).samples
    beats = np.flatnonzero(np.diff((samples > 0.5).astype(int)) == 1) * 0.001
    assert len(beats) == 3
    assert 60 / np.diff(beats) == pytest.approx(65.6, abs=0.5)


def test_a_coarse_step_carries_no_alias():
    n = 256  # a loop is 256 steps: the recording at 90 Hz
    samples = ecg(PERIOD, PERIOD / n).samples
    expected = np.fft.rfft(recording())[: n // 2] / 4
    np.testing.assert_allclose(np.fft.rfft(samples)[: n // 2], expected, atol=2e-2)


def test_says_what_it_is():
    signal = ecg(1.0, 0.001)
    assert (signal.name, signal.dt, len(signal.samples)) == ("ecg", 0.001, 1000)
    assert "PyWavelets" in signal.source


@pytest.mark.parametrize(
    ("duration", "dt", "message"),
    [
        (0, 0.001, "ecg.duration: 0 must be a positive number"),
        (np.nan, 0.001, "ecg.duration: nan must be a positive number"),
        (0.0001, 0.001, "ecg.duration: 0.0001 s holds no whole step"),
        (1.0, -1, "ecg.dt: -1 must be a positive number"),
        (5.0, 1.5, "ecg.dt: 1.5 s is more than half a loop; use at most 1.42 s"),
    ],
)
def test_errors(duration, dt, message):
    with pytest.raises(ValidationError) as error:
        ecg(duration, dt)
    assert message in str(error.value)


def test_without_pywavelets(monkeypatch):
    monkeypatch.setitem(sys.modules, "pywt.data", None)
    with pytest.raises(MissingPackageError, match=r"lmu_spiking\[data\]"):
        ecg(1.0, 0.001)
