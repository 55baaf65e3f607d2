"""Noisy neurons on the chip: their integers, statistics, and the scale of the noise."""

import sys

import nengo
import numpy as np
import pytest

from lmu_spiking.errors import MissingPackageError, ValidationError
from lmu_spiking.experiments.chip.poisson_spikes import measure_tuning
from lmu_spiking.loihi.poisson import neuron as noise_chip
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear, drive_at, rate_of

DT = 1e-3
RATES = np.array([20.0, 60, 150])


def within_the_issue(found):
    lawful = rate_of(found.drives)
    assert np.all(np.abs(found.rates - lawful) < 0.05 * lawful)
    assert np.all(np.abs(found.cv - 1) < 0.1)
    assert np.all((found.fano > 0.9) & (found.fano < 1.15))


def built(drives, tau=0.1, own=None, largest=0.0, seed=0):
    """A built network of neurons at constant drives, and its probe."""
    nengo_loihi = pytest.importorskip("nengo_loihi")
    noise_chip.register()
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
        if own is None:
            noise_chip.anchor(ensemble, tau, largest=largest)
        else:
            nengo.Connection(
                ensemble.neurons,
                ensemble.neurons,
                transform=np.full((n, n), own),
                synapse=tau,
            )
        probe = nengo.Probe(ensemble.neurons)
    return nengo_loihi.Simulator(network, target="sim", seed=seed), probe


@pytest.mark.parametrize("target", ["simreal", "emulator"])
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


@pytest.mark.parametrize("largest", [0.0, 1.0])
@pytest.mark.parametrize("tau", [0.0, 0.005, 0.05, 0.1])
def test_the_anchor_makes_the_noise_exact(tau, largest):
    if tau == 0 and largest:
        pytest.skip("so large a weight is refused without a synapse")
    sim, _ = built([100.0] * 4, tau, largest=largest)
    with sim:
        ((_, ratio),) = noise_chip.noise_ratios(sim)
        noise_chip.check_noise(sim)
    assert ratio == pytest.approx(1, abs=1e-3)


def test_another_largest_weight_is_refused():
    pytest.importorskip("nengo_loihi")
    weight = noise_chip.anchor_weight(0.1)
    sim, _ = built([100.0] * 4, own=1.3 * weight)
    with sim:
        ((_, ratio),) = noise_chip.noise_ratios(sim)
        with pytest.raises(ValidationError, match=r"call anchor\(ensemble, tau"):
            noise_chip.check_noise(sim)
    assert abs(np.log2(ratio)) <= 0.5


def test_weights_beyond_the_chip_are_refused():
    pytest.importorskip("nengo_loihi")
    with pytest.raises(ValidationError, match=r"fewer than 14 bits at tau = 0\.005 s"):
        noise_chip.anchor_weight(0.005, largest=100.0)


def test_gains_that_are_not_known_are_refused():
    with nengo.Network():
        ensemble = nengo.Ensemble(4, 1, neuron_type=NoisyRectifiedLinear())
        with pytest.raises(ValidationError, match="give the ensemble its gain"):
            noise_chip.anchor(ensemble, 0.1)


def test_decoders_are_those_of_the_noisy_curve():
    """An ensemble drawn as usual, fed from the host and decoded there."""
    nengo_loihi = pytest.importorskip("nengo_loihi")
    noise_chip.register()
    rng, n = np.random.default_rng(0), 200
    neurons, x = NoisyRectifiedLinear(), 0.4
    rates, begin = rng.uniform(80, 150, n), rng.uniform(-0.9, 0.5, n)
    gain, bias = neurons.gain_bias(rates, begin)
    with nengo.Network(seed=0) as outer:
        with nengo.Network():
            stimulus = nengo.Node(x)
            ensemble = nengo.Ensemble(n, 1, neuron_type=neurons, gain=gain, bias=bias)
            nengo.Connection(stimulus, ensemble, synapse=None)
            noise_chip.anchor(ensemble, 0.005, largest=gain.max() * DT)
            read = nengo.Node(size_in=1)
            nengo.Connection(ensemble, read, synapse=None)
        probe = nengo.Probe(read)
        spikes = nengo.Probe(ensemble.neurons)
    with nengo_loihi.Simulator(outer, target="sim") as sim:
        noise_chip.check_noise(sim)
        sim.run_steps(4000)
        decoded = sim.data[probe][500:].mean()
        measured = (sim.data[spikes][500:] > 0).mean(0) / DT
    encoders = sim.data[ensemble].encoders
    lawful = neurons.rates(x * encoders[:, 0], gain, bias).diagonal()
    assert measured.sum() == pytest.approx(lawful.sum(), rel=0.02)
    assert decoded == pytest.approx(x, rel=0.05)


def test_the_builder_is_registered_once_and_replaces_none():
    pytest.importorskip("nengo_loihi")
    from nengo_loihi.builder.builder import Builder

    noise_chip.register()
    before = dict(Builder.builders)
    noise_chip.register()
    assert Builder.builders == before
    assert Builder.builders[nengo.LIF].__module__.startswith("nengo_loihi.")


def test_without_nengo_loihi_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "nengo_loihi", None)
    with pytest.raises(MissingPackageError, match=r"lmu_spiking\[loihi\]"):
        noise_chip.register()
