import nengo
import numpy as np
import pytest
from scipy import stats

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.forward import activations
from lmu_spiking.networks.hidden import NEURON_TYPES, Hidden, add_units

DT = 1e-3
DRIVES = np.array([-1.4, -0.3, 0.0, 0.2, 1.1])


def activities(hidden, activation, drives, steps, copies=1, seed=0):
    """Decoded activity of units at constant drives: (steps, copies, units)."""
    drives = np.asarray(drives, dtype=float)
    with nengo.Network(seed=seed) as model:
        J, h, _ = add_units(hidden, activation, len(drives), copies)
        nengo.Connection(nengo.Node(np.tile(drives, copies)), J, synapse=None)
        probe = nengo.Probe(h)
    with nengo.Simulator(model, dt=DT, progress_bar=False) as sim:
        sim.run_steps(steps)
        return sim.data[probe].reshape(steps, copies, -1).copy()


def law(hidden, activation, drives):
    """``f(J)``, and what a spike is worth."""
    sides = 1 if activation == "relu" else 2
    top = 1.0 if activation == "tanh" else np.broadcast_to(hidden.top, len(drives))
    worth = top / (hidden.per_unit // sides * hidden.max_rate * DT)
    return activations(activation, np.asarray(drives)), worth


@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
def test_rates_are_the_activation(activation):
    drives = np.array([-1e9, -3.0, -1e-9, 0.0, 1e-9, 0.4, 800.0])
    h = activities(Hidden(), activation, drives, 2)
    np.testing.assert_allclose(
        h[:, 0], np.tile(activations(activation, drives), (2, 1)), rtol=1e-12
    )


@pytest.mark.parametrize("aggregated", [True, False])
@pytest.mark.parametrize("per_unit", [2, 20])
@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
def test_poisson_units_count_as_the_law_says(activation, per_unit, aggregated):
    """Spikes of a step are Poisson, of mean ``|f(J)| / worth``; none at 0.

    z-tests of the mean (4 standard errors) and of the variance (4, whose square is
    ``(1/mean + 2) / N`` relative for a Poisson variable).
    """
    top = 1.0 if activation == "tanh" else np.array([2.0, 1.0, 1.0, 0.5, 3.0])
    hidden = Hidden("poisson", per_unit, 200.0, top, aggregated)
    copies, steps = 10, 400
    h = activities(hidden, activation, DRIVES, steps, copies)
    exact, worth = law(hidden, activation, DRIVES)
    counts = h / worth
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)
    N, mean = copies * steps, np.abs(exact) / worth
    counts = np.abs(counts.reshape(N, -1))
    assert np.all(np.sign(h.reshape(N, -1)) * np.sign(exact) >= 0)
    assert np.all(counts[:, mean == 0] == 0)
    fires = mean > 0
    z = (counts.mean(axis=0) - mean)[fires] / np.sqrt(mean[fires] / N)
    assert np.abs(z).max() < 4
    z = (counts.var(axis=0) / np.where(fires, mean, 1) - 1)[fires]
    assert np.abs(z / np.sqrt((1 / mean[fires] + 2) / N)).max() < 4
    # and the whole distribution, where zeros and more are both common
    zeros = np.exp(-mean[fires])
    seen = (counts[:, fires] == 0).sum(axis=0)
    p = stats.binomtest
    assert min(p(int(k), N, z).pvalue for k, z in zip(seen, zeros, strict=True)) > 1e-4


def test_copies_and_units_have_noise_of_their_own():
    hidden = Hidden("poisson", 20, noise_seed=1)
    h = activities(hidden, "relu", [0.5, 0.5, 0.5], 2000, copies=2).reshape(2000, 6)
    correlation = np.corrcoef(h.T)[np.triu_indices(6, 1)]
    assert np.abs(correlation).max() < 4 / np.sqrt(2000)


@pytest.mark.parametrize("aggregated", [True, False])
def test_stochastic_units_have_the_mean_and_less_noise(aggregated):
    hidden = Hidden("stochastic", 8, 250.0, 1.0, aggregated)
    h = activities(hidden, "relu", [0.8], 4000)[:, 0, 0]
    n, p = 8, 0.25 * 0.8
    assert abs(h.mean() - 0.8) < 4 * 0.8 / np.sqrt(n * p / (1 - p) * 4000)
    variance = n * p * (1 - p) / (n * 0.25) ** 2
    assert abs(h.var() / variance - 1) < 4 * np.sqrt(2 / 4000 + 1 / (4000 * n * p))


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("regular", "tanh"),
        ("regular", "relu"),
        ("regular", "linear"),
        ("if", "relu"),
        ("if", "linear"),
    ],
)
def test_regular_spikes_have_the_mean(name, activation):
    """All neurons of a side in step: off by less than one spike of each."""
    hidden = Hidden(name, 4, 200.0, 1.5, aggregated=False)
    drives, steps = [-0.7, 0.3, 0.9], 1000
    h = activities(hidden, activation, drives, steps)[:, 0]
    exact, _ = law(hidden, activation, drives)
    top = 1.0 if activation == "tanh" else 1.5
    np.testing.assert_allclose(h.mean(axis=0), exact, atol=top / (200.0 * steps * DT))


def test_seeds():
    def spikes(noise, network=0):
        hidden = Hidden("poisson", 8, noise_seed=noise)
        return activities(hidden, "tanh", DRIVES, 100, seed=network)

    np.testing.assert_array_equal(spikes(2**31 - 1), spikes(2**31 - 1, network=5))
    assert np.any(spikes(1) != spikes(2))
    np.testing.assert_array_equal(spikes(None, 1), spikes(None, 1))
    assert np.any(spikes(None, 1) != spikes(None, 2))


@pytest.mark.parametrize(
    ("name", "activation"), [("if", "relu"), ("regular", "relu"), ("regular", "tanh")]
)
def test_staggered_units_are_off_by_half_a_spike(name, activation):
    drives, found = [-0.7, 0.3, 0.9], []
    for aggregated in (True, False):
        hidden = Hidden(name, 6, 200.0, 1.5, aggregated=aggregated)
        found.append(activities(hidden, activation, drives, 300)[:, 0])
    exact, _ = law(Hidden(name, 6, 200.0, 1.5), activation, drives)
    top, sides = (1.0, 2) if activation == "tanh" else (1.5, 1)
    spike = top * sides / (6 * 200.0 * DT)
    off = np.cumsum(found[0] - exact, axis=0)
    assert np.abs(off).max() <= spike / 2 * (1 + 1e-9)
    np.testing.assert_allclose(*(np.cumsum(h, axis=0) for h in found), atol=1e-6)


@pytest.mark.parametrize(("aggregated", "entries"), [(True, 6), (False, 30)])
def test_entries(aggregated, entries):
    with nengo.Network():
        J, h, neurons = add_units(
            Hidden("poisson", 10, aggregated=aggregated), "tanh", 3, 4
        )
    assert (J.size_in, h.size_in, neurons.n_neurons) == (12, 12, 4 * entries)


@pytest.mark.parametrize(
    ("options", "activation", "message"),
    [
        (
            {"neuron_type": "lif"},
            "relu",
            "'lif' cannot be a hidden unit; use one of po",
        ),
        ({"neuron_type": nengo.LIF()}, "relu", "cannot be a hidden unit"),
        ({"per_unit": 0}, "relu", "per_unit: 0 must be a whole number of at least 1"),
        ({"per_unit": 2.0}, "relu", "per_unit: 2.0 must be a whole number"),
        ({"per_unit": 1}, "tanh", "1 is not as many for each of the 2 sides .* use 2"),
        ({"per_unit": 7}, "linear", "7 is not as many for each of the 2 .* use 6"),
        ({"max_rate": np.nan}, "relu", "max_rate: nan must be a positive number"),
        ({"top": 0.0}, "relu", "top: 0.0 must be positive, one number or 3 of them"),
        ({"top": [1.0, 2.0]}, "relu", "Hidden.top: .* one number or 3 of them"),
        ({"top": "x"}, "linear", "Hidden.top: 'x' must be positive"),
        ({"top": np.inf}, "relu", "Hidden.top: inf must be positive"),
        ({"noise_seed": -1}, "relu", "Hidden.noise_seed: -1 must be a whole number"),
        ({"noise_seed": 2**31}, "relu", "Hidden.noise_seed: 2147483648 must be"),
        ({"neuron_type": "if", "aggregated": False}, "tanh", "'if' has no tanh rates"),
        (
            {"neuron_type": "regular", "initial_phases": "random"},
            "relu",
            "is not known for regular .* aggregated=F",
        ),
    ],
)
def test_refusals(options, activation, message):
    with nengo.Network(), pytest.raises(ValidationError, match=message):
        add_units(
            Hidden(**({"neuron_type": "poisson", "per_unit": 2} | options)),
            activation,
            3,
            1,
        )


def test_spikes():
    assert [name for name in NEURON_TYPES if not Hidden(name).spikes] == ["rate"]
