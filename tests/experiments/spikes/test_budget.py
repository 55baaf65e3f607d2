import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.experiments.spikes.budget import (
    budget_costs,
    costs,
    mean_rate,
    neuron_trials,
    neurons_for,
    spike_budget_trials,
    suited,
)
from lmu_spiking.experiments.spikes.study import rate_exponents
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.studies.sweep import sweep
from lmu_spiking.theory.predict import predict

BASE = MemorySpec(n_neurons=600, order=3, theta=0.2)


def test_drawn_curves_get_a_radius_that_suits_them():
    assert suited(BASE, "poisson").radii == BASE.radii
    random = BASE.replace(neuron_type="if", initial_phases="random")
    assert suited(BASE, "if") == random
    assert suited(BASE, "lif").radii == 1.5
    drawn = BASE.replace(tuning="drawn")
    assert suited(drawn, "poisson").radii == 1.5


def test_mean_rate_is_the_laws():
    predicted = predict(BASE, duration=30.0).spikes_per_s / BASE.n_neurons
    assert mean_rate(BASE) == pytest.approx(predicted, rel=0.1)


@pytest.mark.parametrize("kind", ["poisson", "lif"])
def test_neurons_spend_the_budget(kind):
    slow, fast = (suited(BASE, kind).replace(max_rate=r) for r in (50.0, 200.0))
    for spec in (slow, fast):
        n = neurons_for(spec, 20_000)
        assert n % 3 == 0
        assert n * mean_rate(spec) == pytest.approx(20_000, rel=0.1)
    if kind == "poisson":  # pairs: half the rate, twice the neurons
        assert neurons_for(slow, 20_000) == pytest.approx(
            4 * neurons_for(fast, 20_000), abs=6
        )


def test_too_small_a_budget_is_refused_with_the_way_out():
    with pytest.raises(ValidationError, match=r"budget: 10.* spikes .* use at least "):
        neurons_for(BASE, 10)
    with pytest.raises(ValidationError, match="budget: -1 must be a positive"):
        neurons_for(BASE, -1)


def test_trials_of_a_budget():
    planned = spike_budget_trials(
        [2000.0, 4000.0], [100.0, 300.0], ["poisson", "if"], 2, BASE, 2.0
    )
    assert list(planned) == [2000, 4000]
    for trials in planned.values():
        assert len(trials) == 8
        assert {t.spec.max_rate for t in trials} == {100, 300}
        assert len({(t.spec.noise_seed, t.signal_seed) for t in trials}) == 8
    again = spike_budget_trials([2000.0], [100.0], ["if"], 1, BASE, 2.0)
    assert again[2000.0][0] in planned[2000.0]
    assert (
        len(spike_budget_trials([2e3], [1e2], ["if"], 1, BASE, 2.0, orders=[2, 3])[2e3])
        == 2
    )


@pytest.fixture(scope="module")
def spent(tmp_path_factory):
    planned = spike_budget_trials(
        [8_000.0], [50.0, 200.0], ["poisson", "if"], 3, BASE, 2.0
    )
    out = tmp_path_factory.mktemp("budget")
    return sweep(planned[8_000.0], out), planned


def test_spikes_are_those_of_the_budget(spent):
    frame, planned = spent
    table = budget_costs(frame, planned)
    assert (table.budget == 8_000).all()
    # a signal of 2 s and 2 Hz has 8 free numbers: its mean spikes deviate by a fifth
    assert table.spikes_per_s.mean() == pytest.approx(8_000, rel=0.35)


def test_poisson_noise_does_not_care_who_spikes(spent):
    frame, planned = spent
    fits = rate_exponents(frame, planned).set_index("neuron_type")
    # 6 errors of 2 s, each known to 22 % (10 % for 10 s), over a factor of 4: to 3
    # standard errors
    assert abs(fits.exponent["poisson"]) < 0.4
    assert fits.exponent["if"] < fits.exponent["poisson"] - 0.15
    regular, poisson = (
        frame[frame.neuron_type == kind].state_rmse for kind in ("if", "poisson")
    )
    assert regular.mean() < 0.4 * poisson.mean()


def test_costs_have_synaptic_operations(spent):
    frame, _ = spent
    table = costs(frame)
    n, s = table.neurons, table.spikes_per_s
    np.testing.assert_allclose(table.synops_per_s_full, n * s)
    np.testing.assert_allclose(table.synops_per_s, s + (9 + 3 + n) / 0.001)


def test_neurons_have_a_radius_that_suits_them():
    trials = neuron_trials([2, 3], [10], ["poisson", "lif"], 1, BASE, 2.0)
    assert [(t.spec.order, t.spec.radii) for t in trials] == [
        *((2, 1.0), (3, 1.0), (2, 1.5), (3, 1.5)),
    ]
