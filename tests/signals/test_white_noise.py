import re

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_spiking.errors import ValidationError
from lmu_spiking.signals import white_noise

USUAL = {"duration": 4.0, "dt": 0.001, "bandwidth": 20.0, "rms": 0.5, "seed": 1}


def test_is_the_signal_of_nengo():
    with nengo.Network() as net:
        process = nengo.processes.WhiteSignal(period=4.0, high=20.0, rms=0.5, seed=1)
        probe = nengo.Probe(nengo.Node(process))
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(4.0)
    np.testing.assert_array_equal(white_noise(**USUAL).samples, sim.data[probe][:, 0])


def test_says_what_it_is():
    signal = white_noise(**USUAL)
    assert (signal.duration, signal.dt, signal.name) == (4.0, 0.001, "white")
    assert "WhiteSignal(period=4, high=20, rms=0.5, seed=1)" in signal.source


@pytest.fixture(scope="module")
def draws():
    return [white_noise(**{**USUAL, "seed": seed}) for seed in range(50)]


def test_rms_is_that_of_the_distribution(draws):
    draws = [signal.rms for signal in draws]
    spread = 0.5 / np.sqrt(4 * 20 * 4)  # rms / sqrt(4 bandwidth duration)
    assert np.sqrt(np.mean(np.square(draws))) == pytest.approx(0.5, abs=spread / 2)
    assert np.std(draws) == pytest.approx(spread, rel=0.3)


@settings(deadline=None, max_examples=20)
@given(
    steps=st.integers(20, 400).map(lambda n: 2 * n),
    part=st.floats(0.1, 1.0),
    seed=st.integers(0, 2**31 - 1),
)
def test_no_power_above_the_bandwidth_and_no_mean(steps, part, seed):
    bandwidth = part * 500.0
    signal = white_noise(steps * 0.001, 0.001, bandwidth, 0.5, seed)
    power = np.abs(np.fft.rfft(signal.samples)) ** 2 / steps
    frequency = np.fft.rfftfreq(steps, 0.001)
    assert power[frequency > bandwidth].sum() < 1e-20
    assert power[0] < 1e-20
    assert power[(frequency > 0) & (frequency <= bandwidth)].sum() > 0.01


def test_power_is_equal_below_the_bandwidth(draws):
    power = sum(np.abs(np.fft.rfft(signal.samples)[1:81]) ** 2 for signal in draws)
    low, high = power[:40].mean(), power[40:].mean()
    assert low / high == pytest.approx(1.0, abs=0.1)


def test_goes_on_without_a_seam():
    signal = white_noise(**USUAL)
    steps = np.abs(np.diff(signal.looped(8.0).samples))
    assert steps[3999] <= steps[:3999].max()
    power = np.abs(np.fft.rfft(signal.looped(8.0).samples)) ** 2
    assert power[161:].max() < 1e-18 * power.max()


def test_follows_its_seed():
    first = white_noise(**USUAL).samples
    np.testing.assert_array_equal(first, white_noise(**USUAL).samples)
    assert np.abs(first - white_noise(**{**USUAL, "seed": 2}).samples).max() > 0.1


def test_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    white_noise(**USUAL)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"duration": 0.0}, "white_noise.duration: 0.0 must be a positive number"),
        ({"duration": np.nan}, "white_noise.duration: nan must be a positive number"),
        ({"duration": 1e-4}, "white_noise.duration: 0.0001 s holds no whole step"),
        ({"dt": -0.001}, "white_noise.dt: -0.001 must be a positive number"),
        ({"bandwidth": np.nan}, "white_noise.bandwidth: nan must be a positive"),
        ({"bandwidth": 0}, "white_noise.bandwidth: 0 must be a positive number (Hz)"),
        ({"bandwidth": "2"}, "white_noise.bandwidth: '2' must be a positive number"),
        ({"bandwidth": 600.0}, "is above 500 Hz, the Nyquist frequency of dt 0.001 s"),
        ({"bandwidth": 0.1}, "is below 0.25 Hz, one cycle in 4 s"),
        ({"rms": 0.0}, "white_noise.rms: 0.0 must be a positive number"),
        ({"rms": -1}, "white_noise.rms: -1 must be a positive number"),
        ({"rms": np.nan}, "white_noise.rms: nan must be a positive number"),
        ({"seed": -1}, "white_noise.seed: -1 must be a whole number from 0"),
        ({"seed": 2**31}, "must be a whole number from 0 to 2147483647"),
        ({"seed": 1.5}, "white_noise.seed: 1.5 must be a whole number"),
        ({"seed": None}, "white_noise.seed: None must be a whole number"),
        ({"seed": True}, "white_noise.seed: True must be a whole number"),
    ],
)
def test_errors(change, message):
    with pytest.raises(ValidationError) as error:
        white_noise(**{**USUAL, **change})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@settings(deadline=None, max_examples=40)
@given(
    steps=st.integers(2, 500),
    dt=st.floats(1e-4, 0.1),
    wrong=st.sampled_from([1e-3, 1e3]),
)
def test_the_bandwidth_that_an_error_advises_works(steps, dt, wrong):
    bandwidth = wrong * (1 / (steps * dt) if wrong < 1 else 0.5 / dt)
    with pytest.raises(ValidationError) as error:
        white_noise(steps * dt, dt, bandwidth, 0.5, 0)
    advised = re.search(r"use at (?:least|most) (\S+) Hz", str(error.value))
    if steps > 2:  # of two steps the two limits are the same number
        signal = white_noise(steps * dt, dt, float(advised[1]), 0.5, 0)
        assert signal.rms > 0


@pytest.mark.parametrize(("duration", "dt"), [(1e12, 1e-3), (1e300, 1e-3), (1, 1e-15)])
def test_what_fits_into_no_memory_is_refused(duration, dt):
    with pytest.raises(ValidationError, match=r"^white_noise\.duration: .* GiB of mem"):
        white_noise(duration, dt, 2.0, 0.5, 0)
