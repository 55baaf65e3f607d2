"""Noisy neurons: the law of their rates, and how their spikes scatter."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError as NengoValidationError

from lmu_spiking.errors import ValidationError
from lmu_spiking.experiments.chip.poisson_spikes import measure_tuning, spike_statistics
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear, drive_at, rate_of

DT = 1e-3


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
