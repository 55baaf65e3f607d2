from functools import cache

import numpy as np
import pytest

from lmu_spiking.errors import MappingError, ValidationError
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.trial import run_trial, run_trials
from lmu_spiking.theory.plan import MARGIN, check_duration, plan

ASKED = {"error": 0.1, "theta": 0.2, "bandwidth": 4.0}
plan_once = cache(plan)


def test_the_error_is_met_in_simulation():
    """Seeds and requests that nothing was tuned on."""
    for k, (error, theta, bandwidth) in enumerate(
        [(0.15, 0.3, 2.0), (0.06, 0.1, 12.0), (0.2, 0.15, 2.0)]
    ):
        spec = plan(error, theta, bandwidth, noise_seed=k).spec
        signal = white_noise(200 * theta, spec.dt, bandwidth, 0.5, 900 + k)
        row = run_trial(spec.replace(aggregated=True), signal).row
        assert error / 1.3 < row["nrmse"] < error


def test_error_feedback_takes_a_tenth_of_the_neurons():
    asked = {"error": 0.02, "theta": 0.5, "bandwidth": 2.0}
    found = plan(**asked, error_feedback="auto")
    rate, tau = found.spec.error_feedback
    assert found.spec.n_neurons < 250
    assert 100 < rate < 1000
    assert tau == 0.02
    signal = white_noise(100.0, found.spec.dt, 2.0, 0.5, 77)
    row = run_trial(found.spec.replace(aggregated=True), signal).row
    assert 0.02 / 1.3 < row["nrmse"] < 0.02
    assert (row["feedback_rate"], row["feedback_tau"]) == (rate, tau)


def test_unstable_feedback_is_named():
    with pytest.raises(MappingError, match="error_feedback: a rate of 1e"):
        plan(**ASKED, error_feedback=(1e6, 0.02))


def test_what_is_predicted_is_what_is_aimed_at():
    found = plan_once(**ASKED)
    assert found.nrmse == pytest.approx(MARGIN * 0.1, rel=0.02)
    assert found.nrmse**2 == pytest.approx(found.truncation**2 + found.noise**2)
    assert sum(found.counts) == found.spec.n_neurons
    assert len(found.counts) == found.spec.order
    assert found.spec.signal.bandwidth == 4.0
    assert found.synops.by_spikes == found.spikes_per_s


def test_no_order_takes_fewer_neurons():
    best = plan_once(**ASKED)
    for order in range(max(1, best.spec.order - 2), best.spec.order + 4):
        try:
            other = plan(**ASKED, order=order)
        except ValidationError as error:
            assert "by truncation alone" in str(error)
        else:
            assert other.spec.n_neurons >= 0.98 * best.spec.n_neurons


def test_neurons_grow_as_the_inverse_square_of_the_error():
    """Where truncation is next to nothing, and neurons are many enough for levels."""
    errors = np.array([0.02, 0.01, 0.005])
    neurons = [plan(e, 0.2, 4.0, order=10).spec.n_neurons for e in errors]
    slope = np.polyfit(np.log(errors), np.log(neurons), 1)[0]
    assert slope == pytest.approx(-2.0, abs=0.05)


def test_spikes_can_be_saved_at_the_cost_of_neurons():
    fewest, thriftiest = (plan_once(**ASKED, **t) for t in ({"tuning": "optimal"}, {}))
    assert thriftiest.spec.tuning == "balanced"  # which serves other signals, too
    assert fewest.spec.n_neurons < thriftiest.spec.n_neurons
    assert fewest.spikes_per_s > thriftiest.spikes_per_s
    between = (fewest.spikes_per_s + thriftiest.spikes_per_s) / 2
    found = plan(**ASKED, max_spikes_per_s=between)
    assert found.spikes_per_s <= between


def test_lower_rates_take_more_neurons_for_the_same_spikes():
    fast, slow = (plan(**ASKED, max_rate=r, tuning="balanced") for r in (400.0, 100.0))
    assert slow.spec.n_neurons == pytest.approx(4 * fast.spec.n_neurons, rel=0.1)
    assert slow.spikes_per_s == pytest.approx(fast.spikes_per_s, rel=0.1)


def test_the_fewest_neurons_fire_less_where_they_are_too_many():
    found = plan(0.25, 5.0, 0.06)
    assert found.spec.n_neurons == 2 * found.spec.order
    assert found.spec.max_rate < 300.0
    assert found.nrmse == pytest.approx(MARGIN * 0.25, rel=0.05)


def test_what_is_fixed_stays():
    found = plan(**ASKED, tau=0.05, dt=0.0005, tuning="balanced", noise_seed=3)
    spec = found.spec
    assert (spec.tau, spec.dt, spec.tuning, spec.noise_seed) == (
        0.05,
        0.0005,
        "balanced",
        3,
    )


def test_a_plan_goes_through_a_file(tmp_path):
    spec = plan_once(**ASKED).spec
    spec.to_toml(tmp_path / "spec.toml")
    assert MemorySpec.from_toml(tmp_path / "spec.toml") == spec


def test_many_neurons_are_simulated_as_their_sums():
    assert plan(0.01, 0.05, 60.0).spec.aggregated
    assert not plan_once(**ASKED).spec.aggregated


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"error": np.nan}, "plan.error: nan must be a positive number"),
        ({"error": 1.5}, "plan.error: 1.5 is no memory at all"),
        ({"theta": -1}, "plan.theta: -1 must be"),
        ({"bandwidth": 0}, "plan.bandwidth: 0 must be"),
        ({"bandwidth": 2000.0}, "plan.bandwidth: 2000.0 times theta is beyond order"),
        ({"dt": 0.5}, "plan.dt: 0.5 is too long"),
        ({"order": 101}, "plan.order: 101 must be at most 100"),
        ({"noise_seed": -1}, "plan.noise_seed: -1"),
        ({"order": 2}, "plan.order: 2 leaves an error of .* by truncation alone"),
        ({"max_neurons": 20}, "plan.max_neurons: 20 is too few for an error of 0.1"),
        ({"max_neurons": 1}, "plan.max_neurons: 1 must be"),
        ({"max_spikes_per_s": 50.0}, "plan.max_spikes_per_s: 50.0 is too few"),
        (
            {"minimise": "cost"},
            "plan.minimise: 'cost' is unknown; use one of neurons, spikes",
        ),
        ({"neuron_type": "rate"}, "plan.neuron_type: 'rate' is unknown"),
        ({"tuning": "pairs"}, "plan.tuning: 'pairs' is unknown"),
    ],
)
def test_refusals_name_the_limit(change, message):
    with pytest.raises(ValidationError, match=message):
        plan(**(ASKED | change))


def test_steps_are_shortened_where_the_window_needs_it():
    """At 1 ms, the edge of a window of 50 ms of 60 Hz is out by 3 in 1,000."""
    with pytest.raises(ValidationError, match="beyond order 100"):
        plan(0.002, 0.05, 60.0, dt=0.001, max_rate=1e6)
    assert plan(0.002, 0.05, 60.0, max_rate=1e6).spec.dt < 0.001


def test_the_error_that_a_refusal_offers_can_be_had():
    with pytest.raises(ValidationError) as refused:
        plan(0.01, 0.2, 4.0, max_neurons=1000)
    offered = float(str(refused.value).rsplit(" ", 1)[1])
    assert plan(offered * 1.1, 0.2, 4.0, max_neurons=1000).spec.n_neurons <= 1000


def test_runs_of_the_duration_that_checks_a_plan_are_near_its_prediction():
    planned = plan(error=0.15, theta=0.05, bandwidth=20.0)
    (seconds, near), spec = (
        check_duration(planned.spec),
        planned.spec.replace(aggregated=True),
    )
    specs = [spec.replace(noise_seed=k) for k in range(60)]
    signals = [white_noise(seconds, spec.dt, 20.0, 0.5, k) for k in range(60)]
    apart = [r.row["nrmse"] / planned.nrmse - 1 for r in run_trials(specs, signals)]
    # to four standard errors, and a per cent for the error model
    assert np.mean(np.abs(apart) < near + 0.01) > 0.95 - 4 * 0.03
    assert np.std(apart) == pytest.approx(near / 1.96, rel=4 / np.sqrt(120))
    # a signal that is a tenth as fast takes ten times as long
    slow = plan(error=0.15, theta=0.5, bandwidth=2.0).spec
    assert check_duration(slow)[0] == pytest.approx(10 * seconds, rel=0.25)


def test_several_neuron_types_are_planned_and_the_cheapest_is_taken():
    asked = {"error": 0.1, "theta": 0.1, "bandwidth": 5.0, "order": 3}
    poisson, both = plan(**asked), plan(**asked, neuron_types=["poisson", "if"])
    assert both.spec.neuron_type == "if"
    assert both.spec.n_neurons < poisson.spec.n_neurons / 5
    # over 20 windows of noise runs of so few neurons differ by a third
    signals = [white_noise(10.0, both.spec.dt, 5.0, 0.5, 30 + k) for k in range(6)]
    specs = [both.spec.replace(noise_seed=k) for k in range(6)]
    rows = [x.row for x in run_trials(specs, signals)]
    assert np.sqrt(np.mean([row["nrmse"] ** 2 for row in rows])) < 1.2 * 0.1


def test_neurons_that_never_meet_an_error_are_refused():
    asked = {"error": 0.02, "theta": 0.1, "bandwidth": 5.0, "order": 4}
    with pytest.raises(ValidationError, match="is not met by adaptive neurons"):
        plan(**asked, neuron_type="adaptive")
    with pytest.raises(ValidationError, match=r"plan\.neuron_types: \[\] is empty"):
        plan(**asked, neuron_types=[])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neuron_types": "lif"}, "plan.neuron_types: 'lif' must be several names"),
        ({"neuron_types": ["if", "rate"]}, "plan.neuron_types: 'rate' is unknown"),
        (
            {"neuron_types": ["poisson", "lif"], "error_feedback": (300.0, 0.02)},
            "plan.error_feedback: .* is chosen for lif neurons; use 'auto'",
        ),
        (
            {"neuron_types": ["poisson"], "neuron_type": "lif"},
            "plan.neuron_type: 'lif' is given beside neuron_types",
        ),
    ],
)
def test_wrong_choices_of_neuron_types_are_named(change, message):
    with pytest.raises(ValidationError, match=message):
        plan(**(ASKED | change))


def test_a_repeated_type_is_planned_once_and_order_is_of_no_account():
    once, twice = (
        plan(**ASKED, neuron_types=names)
        for names in (["poisson", "stochastic"], ["stochastic", "poisson", "poisson"])
    )
    assert once == twice


def test_feedback_is_left_out_where_fewer_neurons_do_without():
    """Integrate-and-fire neurons with feedback must be many, and without need not."""
    asked = {"error": 0.1, "theta": 0.1, "bandwidth": 5.0, "order": 3}
    plain, either = (
        plan(**asked, neuron_type="if", error_feedback=f) for f in (None, "auto")
    )
    assert either.spec.error_feedback is None
    assert either == plain


def test_neurons_that_are_more_than_enough_fire_less():
    """Few LIF neurons cannot be predicted, so that there are 40 of them a dimension."""
    found = plan(
        0.2, 0.1, 5.0, neuron_type="lif", error_feedback="auto", order=3, tau=0.08
    )
    assert found.spec.n_neurons == 40 * 3
    assert found.spec.max_rate < 300.0
    assert found.nrmse < MARGIN * 0.2


def test_a_limit_is_kept_by_measured_neurons():
    asked = {"error": 0.1, "theta": 0.1, "bandwidth": 5.0, "order": 3}
    free = plan(**asked, neuron_type="if")
    most = free.spec.n_neurons
    assert plan(**asked, neuron_type="if", max_neurons=most).spec.n_neurons <= most
    with pytest.raises(ValidationError, match=r"is not met by if .* max_neurons 6"):
        plan(**asked, neuron_type="if", max_neurons=6)
