"""Noisy neurons: their law, their integers on the chip, how their spikes scatter."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError as NengoValidationError

from lmu_spiking.errors import MissingPackageError, ValidationError
from lmu_spiking.loihi import noise
from lmu_spiking.loihi.noise import NoisyRectifiedLinear, drive_at, rate_of
from lmu_spiking.loihi.noise_tuning import measure_tuning, spike_statistics

DT = 1e-3
CHIP = pytest.mark.parametrize("target", ["simreal", "emulator"])


def stationary_rate(drive, kept, cells=800):
    """Rate, Hz, from the stationary distribution of the voltage: no formula of ours."""
    j = (1 - kept) * DT * drive + kept / 2
    edges = np.linspace(-1.6, 0, cells + 1)  # in units of the noise
    middle = (edges[:-1] + edges[1:]) / 2
    before = np.append(middle, 0.0)  # after a spike the voltage is 0
    below = np.clip(edges[:, None] - (kept * before + j) + 1, 0, 1)
    kernel = np.vstack([np.diff(below, axis=0), 1 - below[-1:]])
    density = np.full(cells + 1, 1 / (cells + 1))
    for _ in range(60):
        density = kernel @ density
        density /= density.sum()
    return density[-1] / DT


# -- the law ---------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0.02, 0.1, 0.125])
@pytest.mark.parametrize("drive", [-60, -20, 0, 20, 50, 100, 150, 300])
def test_the_rate_is_that_of_the_stationary_voltage(kept, drive):
    expected = stationary_rate(float(drive), kept)
    assert rate_of(drive, kept) == pytest.approx(expected, rel=0.01, abs=0.15)


def test_without_memory_rates_are_rectified_linear():
    drives = np.array([-10.0, 0, 20, 150, 900, 1100])
    np.testing.assert_allclose(rate_of(drives, 0.0), [0, 0, 20, 150, 900, 1000])


def test_the_curve_rises_and_nearly_is_the_drive():
    drives = np.linspace(-100, 1500, 16001)
    rates = rate_of(drives)
    assert np.all(np.diff(rates) >= 0)
    assert rates[0] == 0
    assert rates[-1] == 1000
    on_line = (drives > 65) & (drives <= 150)
    np.testing.assert_allclose(rates[on_line], drives[on_line], rtol=0.012)


def test_a_pair_is_linear_but_for_a_hundredth_of_its_range():
    x = np.linspace(-1, 1, 2001)
    both = rate_of(150 * x) - rate_of(-150 * x)
    slope = both @ x / (x @ x)
    assert np.abs(both - slope * x).max() < 0.01 * slope


def test_gain_and_bias_give_the_rates_asked_for():
    neurons = NoisyRectifiedLinear()
    asked, begin = np.array([80.0, 150, 400]), np.array([-0.5, 0, 0.4])
    gain, bias = neurons.gain_bias(asked, begin)
    rates, intercepts = neurons.max_rates_intercepts(gain, bias)
    np.testing.assert_allclose(rates, asked, rtol=1e-5)
    np.testing.assert_allclose(intercepts, begin, atol=1e-12)
    np.testing.assert_allclose(neurons.rates(1.0, gain, bias), rates[None])


@pytest.mark.parametrize("rate", [10.0, 1200.0])
def test_rates_below_that_at_no_drive_or_over_one_a_step_are_refused(rate):
    with pytest.raises(NengoValidationError, match=r"must be over 15\.7 Hz"):
        NoisyRectifiedLinear().gain_bias([rate], [0.0])


@pytest.mark.parametrize("kept", [0.0, 0.05, 0.125])
def test_drives_and_rates_are_inverse(kept):
    rates = np.array([1.0, 20, 50, 60, 150, 700])
    np.testing.assert_allclose(rate_of(drive_at(rates, kept), kept), rates, rtol=1e-3)


def test_no_more_than_a_quarter_is_kept():
    with pytest.raises(NengoValidationError, match="kept"):
        NoisyRectifiedLinear(0.3)


# -- spikes in core Nengo --------------------------------------------------------------

RATES = np.array([20.0, 60, 150])


def within_the_issue(found):
    lawful = rate_of(found.drives)
    assert np.all(np.abs(found.rates - lawful) < 0.05 * lawful)
    assert np.all(np.abs(found.cv - 1) < 0.1)
    assert np.all((found.fano > 0.9) & (found.fano < 1.15))


def test_spikes_in_core_nengo_are_nearly_poisson():
    within_the_issue(measure_tuning(drive_at(RATES), target="core", n_neurons=80))


def test_populations_in_a_network_draw_their_own_noise():
    with nengo.Network(seed=1) as network:
        ensembles = [
            nengo.Ensemble(
                5,
                1,
                neuron_type=NoisyRectifiedLinear(),
                gain=np.ones(5),
                bias=np.full(5, 100.0),
                seed=seed,
            )
            for seed in (1, 2)
        ]
        probes = [nengo.Probe(ensemble.neurons) for ensemble in ensembles]
    with nengo.Simulator(network, progress_bar=False) as sim:
        sim.run_steps(300, progress_bar=False)
    assert np.any(sim.data[probes[0]] != sim.data[probes[1]])


def test_statistics_of_poisson_spikes_are_one():
    spikes = np.random.default_rng(0).random((400_000, 20)) < 0.002
    rate, rate_ci, cv, cv_ci, fano, fano_ci = spike_statistics(spikes, 1e-4)
    assert abs(rate - 20) < 3 * rate_ci
    assert abs(cv - 1) < 3 * cv_ci < 0.1
    assert abs(fano - 1) < 3 * fano_ci < 0.2


def test_targets_are_named():
    with pytest.raises(ValidationError, match="core, simreal, emulator"):
        measure_tuning([100.0], target="board", duration=0.1)


# -- on the chip -----------------------------------------------------------------------


def built(drives, tau=0.1, largest=None, seed=0):
    """A built network of neurons at constant drives, and its probe."""
    nengo_loihi = pytest.importorskip("nengo_loihi")
    noise.register()
    n = len(drives)
    with nengo.Network(seed=seed) as network:
        ensemble = nengo.Ensemble(
            n,
            1,
            neuron_type=NoisyRectifiedLinear(),
            encoders=np.ones((n, 1)),
            gain=np.ones(n),
            bias=np.asarray(drives, dtype=float),
        )
        if largest is None:
            noise.anchor(ensemble, tau)
        else:
            nengo.Connection(
                ensemble.neurons,
                ensemble.neurons,
                transform=np.full((n, n), largest),
                synapse=tau,
            )
        probe = nengo.Probe(ensemble.neurons)
    return nengo_loihi.Simulator(network, target="sim", seed=seed), probe


@CHIP
def test_spikes_on_the_chip_are_nearly_poisson(target):
    pytest.importorskip("nengo_loihi")
    within_the_issue(
        measure_tuning(drive_at(RATES), target=target, n_neurons=80, duration=8)
    )


def test_the_knee_is_the_same_on_the_chip():
    pytest.importorskip("nengo_loihi")
    drives = [-40.0, -20.0, 0.0, 10.0]
    found = measure_tuning(drives, n_neurons=60, duration=8)
    # four half-widths of 95 % are more than seven standard errors
    lawful = rate_of(drives)
    assert np.all(np.abs(found.rates - lawful) < 4 * found.rates_ci + 0.15)


def integer_spikes(steps, seed, *, bias, vth, keep, exponent, offset, vmin):
    """The chip's recursion in whole numbers, with the emulator's random numbers."""
    rng, n = np.random.RandomState(seed), len(bias)
    v, out = np.zeros(n, dtype=np.int64), np.zeros((steps, n), dtype=bool)
    for t in range(steps):
        noise = (rng.randint(-127, 128, size=n, dtype=np.int32) + 64 * offset) * (
            2 ** (exponent - 7)
        )
        v = np.sign(v) * (np.abs(v) * keep >> 12) + bias + noise
        v = np.maximum(v, vmin)
        out[t] = v > vth
        v[out[t]] = 0
    return out


def test_the_emulator_runs_these_integers():
    sim, probe = built(np.linspace(-50, 200, 30), seed=3)
    with sim:
        c = next(iter(sim.model.blocks)).compartment
        sim.run_steps(400)
        expected = integer_spikes(
            400,
            3,
            bias=c.bias.astype(np.int64),
            vth=c.vth[0],
            keep=4096 - int(c.decay_v[0]),
            exponent=c.noise_exp,
            offset=c.noise_offset,
            vmin=int(c.vmin),
        )
        np.testing.assert_array_equal(sim.data[probe] > 0, expected)


def test_what_is_kept_fills_the_gaps_between_the_levels_of_noise():
    """Rates over one level of the noise, 3.9 Hz: a stair, or a line with memory."""
    level = 2**13
    drive = np.repeat(100 * level / 4 + np.arange(8) * level / 8, 250)
    settings = dict(exponent=20, offset=-2, vmin=-(2**22), bias=drive.astype(int))
    steps = [
        integer_spikes(4000, 0, keep=keep, vth=0, **settings)
        .mean(0)
        .reshape(8, 250)
        .mean(1)
        for keep in (0, 512)
    ]
    x = np.arange(8) / 8
    stair, line = (y - np.polyval(np.polyfit(x, y, 1), x) for y in steps)
    error = np.sqrt(0.1 / (4000 * 250))  # standard error of each rate
    assert np.ptp(steps[0]) == pytest.approx(1 / 255, abs=6 * error)
    assert np.abs(stair).max() > 4 * error
    assert np.abs(line).max() < 4 * error


@pytest.mark.parametrize("tau", [0.0, 0.005, 0.05, 0.1])
def test_the_anchor_makes_the_noise_exact(tau):
    sim, _ = built([100.0] * 4, tau)
    with sim:
        ((_, ratio),) = noise.noise_ratios(sim)
        noise.check_noise(sim)
    assert ratio == pytest.approx(1, abs=1e-3)


def test_another_largest_weight_is_refused():
    weight = noise.anchor_weight(0.1)
    sim, _ = built([100.0] * 4, largest=1.3 * weight)
    with sim:
        ((_, ratio),) = noise.noise_ratios(sim)
        with pytest.raises(ValidationError, match=r"call anchor\(ensemble, tau\)"):
            noise.check_noise(sim)
    assert abs(np.log2(ratio)) <= 0.5


def test_the_builder_is_registered_once_and_replaces_none():
    pytest.importorskip("nengo_loihi")
    from nengo_loihi.builder.builder import Builder

    noise.register()
    before = dict(Builder.builders)
    noise.register()
    assert Builder.builders == before
    assert Builder.builders[nengo.LIF].__module__.startswith("nengo_loihi.")


def test_without_nengo_loihi_the_error_names_the_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "nengo_loihi", None)
    with pytest.raises(MissingPackageError, match=r"lmu_spiking\[loihi\]"):
        noise.register()
