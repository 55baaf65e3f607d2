import nengo
import numpy as np
import pytest
from scipy.optimize import brentq

from lmu_spiking.neurons.curves import (
    AdaptiveLIF,
    AdaptiveLIFRate,
    adapted,
    neuron_type,
)
from lmu_spiking.neurons.population import build_population

ONE, NONE = np.ones(1), np.zeros(1)
KINDS = (nengo.AdaptiveLIF, nengo.AdaptiveLIFRate)


def rates(neurons, J):
    return neurons.rates(np.asarray(J, dtype=float), ONE, NONE).ravel()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inc_n", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("tau_ref", [0.002, 0.0])
def test_curve_solves_the_fixed_point(kind, inc_n, tau_ref):
    neurons = adapted(kind(inc_n=inc_n, tau_ref=tau_ref))
    lif = nengo.LIFRate(tau_ref=tau_ref)
    J = np.array([0.5, 1.0, 1.01, 1.5, 4.0, 12.0])

    def gap(r, drive):
        return r - rates(lif, [drive - inc_n * r]).item()

    wanted = [brentq(gap, 0, 2000, args=(drive,), xtol=1e-9) for drive in J]
    # the table is linear between nodes: a fraction of a node's distance
    assert rates(neurons, J) == pytest.approx(wanted, abs=0.2)
    assert rates(neurons, J)[3:] == pytest.approx(wanted[3:], rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_gain_and_bias_give_the_rates_that_were_asked_for(kind):
    neurons = adapted(kind())
    asked = np.array([100.0, 200.0, 400.0]), np.array([-0.9, 0.0, 0.8])
    gain, bias = neurons.gain_bias(*asked)
    at = neurons.rates(np.ones((1, 3)), gain, bias)[0]
    assert at == pytest.approx(asked[0], rel=1e-3)
    assert (neurons.rates(asked[1][None], gain, bias) == 0).all()
    for got, wanted in zip(
        neurons.max_rates_intercepts(gain, bias), asked, strict=True
    ):
        assert got == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tau_n", [0.1, 0.5])
def test_simulated_neurons_settle_to_the_curve(simulator, kind, tau_n):
    neurons = adapted(kind(tau_n=tau_n))
    J = np.array([2.0, 4.0, 8.0, 16.0])
    with nengo.Network(seed=1) as model:
        ensemble = nengo.Ensemble(
            len(J), 1, neuron_type=neurons, gain=np.ones(len(J)), bias=J
        )
        ensemble.encoders, ensemble.eval_points = np.ones((len(J), 1)), np.zeros((1, 1))
        probe = nengo.Probe(ensemble.neurons)
    with simulator(model) as sim:
        sim.run_steps(10_000)
        seen = sim.data[probe][5000:].mean(axis=0)
    # counts of 5 s are known to one spike in 200 and more
    assert seen == pytest.approx(rates(neurons, J), rel=0.01)
    unadapted = nengo.LIFRate.rates(neurons, J, ONE, NONE).ravel()
    assert (unadapted > 1.05 * seen).all()


def test_parameters_are_kept():
    given = nengo.AdaptiveLIF(tau_n=0.2, inc_n=0.03, tau_rc=0.01, min_voltage=-1)
    kept = adapted(given)
    assert type(kept) is AdaptiveLIF
    names = ("tau_n", "inc_n", "tau_rc", "tau_ref", "min_voltage", "initial_state")
    assert [getattr(kept, n) for n in names] == [getattr(given, n) for n in names]
    assert adapted(kept) is kept
    assert type(adapted(nengo.AdaptiveLIFRate())) is AdaptiveLIFRate


def test_other_neurons_stay_as_they_are():
    lif = nengo.LIF()
    assert adapted(lif) is lif
    assert type(neuron_type(nengo.AdaptiveLIF())) is AdaptiveLIF


def test_decoders_know_the_adapted_curve():
    population = build_population(
        400, [1.0], neurons="adaptive", rng=np.random.RandomState(0)
    )
    x = np.linspace(-0.9, 0.9, 31)
    decoded = population.tables(0, x, 1e-3)["decoded"]
    assert decoded == pytest.approx(x, abs=0.01)
