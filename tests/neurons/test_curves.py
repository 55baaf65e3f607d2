import nengo
import numpy as np
import pytest
from nengo.dists import Uniform
from scipy.stats import bernoulli, poisson

from lmu_spiking.errors import ValidationError, ValidityWarning
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.neurons.curves import (
    NEURON_TYPES,
    Tuning,
    averaged_variance,
    is_rectified_linear,
    loop_caution,
    neuron_type,
    statistics,
    step_cumulant,
    step_variance,
)
from lmu_spiking.neurons.types import PoissonPopulation

KINDS = {
    "poisson": ("poisson", True),
    "stochastic": ("stochastic", True),
    "regular": ("regular", True),
    "rate": ("rate", True),
    "if": ("regular", True),
    "lif": ("regular", False),
    "rate-lif": ("rate", False),
    "poisson-lif": ("poisson", False),
    "stochastic-lif": ("stochastic", False),
    "regular-lif": ("regular", False),
    "adaptive": ("regular", False),
    "rate-adaptive": ("rate", False),
}


@pytest.mark.parametrize("name", NEURON_TYPES)
def test_names_stand_for_neuron_types(name):
    neurons = neuron_type(name)
    assert (statistics(neurons), is_rectified_linear(neurons)) == KINDS[name]
    assert neuron_type(neurons) is neurons
    assert neurons.spiking == (not name.startswith("rate"))


def test_the_rates_of_a_name_are_its_curve():
    J = np.linspace(-1, 3, 9)[:, None]
    for name in NEURON_TYPES:
        if name.endswith("adaptive"):
            continue  # in test_adaptation.py
        neurons = neuron_type(name)
        lif = name.endswith("lif")
        base = nengo.LIFRate() if lif else nengo.RectifiedLinear()
        args = J, np.array([2.0]), np.array([0.5])
        np.testing.assert_allclose(neurons.rates(*args), base.rates(*args))


@pytest.mark.parametrize("wrong", ["Poisson", "", None, 1, True, nengo.LIF])
def test_unknown_neurons(wrong):
    with pytest.raises(ValidationError, match=r"^neuron_type: .* use one of poisson, "):
        neuron_type(wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (nengo.Direct(), "neuron_type: Direct() has no neurons; use 'rate'"),
        (nengo.LIF(amplitude=0.1), "must be 1; decoders carry the scale"),
        (
            nengo.PoissonSpiking(nengo.RectifiedLinear(amplitude=2)),
            "must be 1; decoders carry the scale",
        ),
    ],
)
def test_neurons_that_cannot_serve(wrong, message):
    with pytest.raises(ValidationError) as error:
        neuron_type(wrong)
    assert message in str(error.value)


# -- how noisy spikes are --------------------------------------------------------------


def driven(neurons, rate, n=400):
    """A model of neurons at a constant rate, and a probe of their output."""
    with nengo.Network(seed=1) as model:
        ensemble = nengo.Ensemble(
            n, 1, neuron_type=neurons, gain=np.ones(n), bias=np.full(n, rate)
        )
        ensemble.encoders, ensemble.eval_points = np.ones((n, 1)), np.zeros((1, 1))
        probe = nengo.Probe(ensemble.neurons)
    return model, probe


@pytest.mark.parametrize("dt", [1e-3, 1e-2])
@pytest.mark.parametrize("rate", [12.0, 300.0, 1250.0])
@pytest.mark.parametrize("name", ["poisson", "stochastic"])
def test_step_variance_is_that_of_simulated_neurons(simulator, name, rate, dt):
    neurons = neuron_type(name)
    model, probe = driven(neurons, rate)
    with simulator(model, dt) as sim:
        sim.run_steps(500)
        out = sim.data[probe]
    wanted = float(step_variance(neurons, np.array([rate]), dt)[0])
    n = out.size
    assert out.mean() == pytest.approx(rate, abs=4 * np.sqrt(wanted / n))
    # of a variance: sqrt((kurtosis - 1) / n), at most 1 / sqrt(rate dt) here
    error = np.sqrt((2 + 1 / (rate * dt)) / n)
    assert out.var() == pytest.approx(wanted, rel=4 * error, abs=1e-9)


@pytest.mark.parametrize("rate", [12.0, 300.0, 1250.0])
def test_step_cumulant_is_that_of_the_distribution(rate):
    dt, rates = 1e-3, np.array([rate])
    counts = {"poisson": poisson(rate * dt), "stochastic": bernoulli(rate * dt % 1)}
    for name, distribution in counts.items():
        variance, excess = map(float, distribution.stats("vk"))
        found = step_cumulant(neuron_type(name), rates, dt)[0]
        assert found == pytest.approx(excess * variance**2 / dt**4)
    assert step_cumulant(neuron_type("lif"), rates, dt)[0] == 0


def test_what_does_not_draw_has_no_noise_in_a_step():
    for name in ("regular", "rate", "if", "lif"):
        assert step_variance(neuron_type(name), np.array([90.0]), 1e-3).tolist() == [0]


@pytest.mark.parametrize("rate", [20.0, 150.0])
@pytest.mark.parametrize(("name", "averaging"), [("poisson", 0.05), ("regular", 0.02)])
def test_averaged_variance_is_that_of_filtered_spikes(simulator, name, averaging, rate):
    neurons = neuron_type(name)
    model, probe = driven(neurons, rate)
    with simulator(model) as sim:
        sim.run_steps(1000)
        smooth = nengo.Lowpass(averaging).filt(sim.data[probe], dt=1e-3)
    wanted = averaged_variance(neurons, np.array([rate]), averaging)[0]
    # regular spikes start at voltages drawn evenly: phases are even over the neurons
    assert smooth[500:].var() == pytest.approx(wanted, rel=0.08)


# -- tuning ----------------------------------------------------------------------------


def test_what_suits_the_neurons():
    pairs = Tuning.of(None, nengo.PoissonSpiking(nengo.RectifiedLinear()), 200)
    assert (pairs.kind, pairs.max_rates) == ("pairs", 200.0)
    drawn = Tuning.of(None, nengo.LIF(), 300)
    assert (drawn.kind, drawn.max_rates) == ("drawn", Uniform(200, 400))
    assert Tuning.of(drawn, nengo.LIF(), 1.0) is drawn


@pytest.mark.parametrize("max_rate", [0, -1.0, np.nan, np.inf, "300", None, [300]])
def test_what_is_no_rate(max_rate):
    with pytest.raises(ValidationError, match=r"^max_rate: .* must be a positive"):
        Tuning.of("pairs", nengo.RectifiedLinear(), max_rate)


@pytest.mark.parametrize("kind", ["pair", "", 1, True])
def test_unknown_tuning(kind):
    with pytest.raises(ValidationError, match=r"^tuning: .* is unknown; use "):
        Tuning.of(kind, nengo.RectifiedLinear(), 300.0)


# -- neurons whose curves do not hold in a loop ----------------------------------------


class Mine(nengo.LIF):
    """A user's own."""


@pytest.mark.parametrize(
    ("neurons", "said"),
    [
        ("adaptive", "AdaptiveLIF in a memory: it adapts within 1 s"),
        ("rate-adaptive", "AdaptiveLIFRate in a memory: it adapts within 1 s"),
        (nengo.AdaptiveLIF(tau_n=0.2), "it adapts within 0.2 s"),
        (nengo.Izhikevich(), "Izhikevich in a memory: it adapts and bursts"),
        (Mine(), "Mine in a memory: its tuning curve is not known to hold"),
        (nengo.PoissonSpiking(nengo.AdaptiveLIFRate()), "it adapts within 1 s"),
    ],
)
def test_warns_of_neurons_whose_curves_do_not_hold_in_a_loop(neurons, said):
    assert said in loop_caution(neuron_type(neurons))
    with nengo.Network(), pytest.warns(ValidityWarning, match=said) as told:
        LegendreMemory(60, 3, 0.5, neuron_type=neurons)
    assert len(told) == 1 and "\n" not in str(told[0].message)


@pytest.mark.parametrize("name", [n for n in NEURON_TYPES if "adaptive" not in n])
def test_says_nothing_of_neurons_that_follow_their_drive(name):
    assert loop_caution(neuron_type(name)) == ""
    assert loop_caution(nengo.AdaptiveLIF(inc_n=0)) == ""


def test_neurons_that_stand_for_many_are_counted_by_the_memory():
    with pytest.raises(ValidationError, match="use aggregated=True"):
        neuron_type(PoissonPopulation(nengo.RectifiedLinear(), 10))
