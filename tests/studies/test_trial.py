import numpy as np
import pytest

from lmu_spiking.errors import ValidationError, ValidityWarning
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.signals import Signal, white_noise
from lmu_spiking.studies.trial import run_trial, run_trials, versions

SPEC = MemorySpec(n_neurons=60, order=3)
SIGNAL = white_noise(2.0, 0.001, 2.0, 0.5, 0)
CONTRACT = {
    *("nrmse", "noise_nrmse", "window_noise_nrmse", "predicted_noise_nrmse"),
    *("state_rmse", "predicted_state_rmse", "spikes", "spikes_per_s", "mean_rate"),
    *("neurons", "order", "theta", "tau", "dt", "neuron_type", "target", "seed"),
    *("seconds_build", "seconds_run", "versions"),
}


@pytest.fixture(scope="module")
def result():
    return run_trial(SPEC, SIGNAL)


def test_row_keeps_the_contract(result):
    assert CONTRACT <= result.row.keys()
    assert result.row["versions"] == versions()
    assert result.row["spec"] == SPEC.digest


def test_arrays_are_aligned(result):
    steps = len(SIGNAL.samples)
    assert result.state.shape == result.exact.shape == (steps, 3)
    np.testing.assert_array_equal(result.signal, SIGNAL.samples)
    np.testing.assert_allclose(result.time, 0.001 * np.arange(1, steps + 1))
    lead = round(2 * SPEC.theta / 0.001)
    exact = SPEC.ldn.simulate(SIGNAL.led_in(lead), 0.001)
    np.testing.assert_array_equal(result.exact, exact[lead - 1 : -1])


def test_no_onset_rings_in_what_is_measured():
    """A constant that starts with a jump is a constant to the exact system."""
    constant = Signal(np.ones(2000), 0.001, "constant", "made here")
    row = run_trial(SPEC.replace(neuron_type="rate"), constant).row
    assert row["nrmse"] < 1e-3
    assert row["predicted_nrmse"] < 1e-3


def test_rates_follow_from_the_spikes(result):
    row = result.row
    assert row["spikes"] > 0
    assert row["spikes_per_s"] == pytest.approx(row["spikes"] / 2)
    assert row["mean_rate"] == pytest.approx(row["spikes_per_s"] / 60)


def test_errors_are_what_their_names_say(result):
    row, settled = result.row, slice(501, None)
    c = SPEC.ldn.readout(0.5 - 0.001, 0.001)
    read, ideal = result.state @ c, result.exact @ c
    true = result.signal[1:-500]
    gap = np.sqrt(np.mean((read[settled] - true) ** 2) / np.mean(true**2))
    assert row["nrmse"] == pytest.approx(gap)
    gap = np.mean((read - ideal)[settled] ** 2) / np.mean(ideal[settled] ** 2)
    assert row["noise_nrmse"] == pytest.approx(np.sqrt(gap))
    gap = np.mean((result.state - result.exact) ** 2)
    assert row["state_rmse"] == pytest.approx(np.sqrt(gap))


def test_rate_neurons_are_the_exact_network():
    result = run_trial(SPEC.replace(neuron_type="rate"), SIGNAL)
    assert result.row["state_rmse"] < 1e-12
    assert result.row["spikes"] == 0


def test_noise_is_that_of_the_law():
    # the mean of 10 trials of 2 s / 0.5 s x 3 about independent squares, to 3 sigma
    trials = [
        run_trial(SPEC.replace(noise_seed=seed, aggregated=True), SIGNAL).row
        for seed in range(10)
    ]
    measured = np.mean([row["state_rmse"] ** 2 for row in trials])
    assert measured == pytest.approx(trials[0]["predicted_state_rmse"] ** 2, rel=0.4)


def test_spikes_are_those_of_the_law(result):
    predicted = 2 * result.row["predicted_spikes_per_s"]
    assert abs(result.row["spikes"] - predicted) < 0.1 * predicted


def test_regular_spikes_are_predicted():
    row = run_trial(SPEC.replace(neuron_type="lif", radii=2.0), SIGNAL).row
    assert row["state_rmse"] == pytest.approx(row["predicted_state_rmse"], rel=0.5)
    assert row["tuning"] == "drawn"


def test_noise_seed_draws_the_spikes(result):
    again = run_trial(SPEC, SIGNAL)
    np.testing.assert_array_equal(again.state, result.state)
    other = run_trial(SPEC.replace(noise_seed=1), SIGNAL)
    assert not np.array_equal(other.state, result.state)


def test_refuses_a_signal_of_another_step():
    with pytest.raises(ValidationError, match="dt"):
        run_trial(SPEC, white_noise(2.0, 0.002, 2.0, 0.5, 0))


def test_refuses_less_than_two_windows():
    with pytest.raises(ValidationError, match=r"at least 1000 steps of 0\.001 s"):
        run_trial(SPEC, white_noise(0.9, 0.001, 2.0, 0.5, 0))


# -- where it runs ---------------------------------------------------------------------


@pytest.mark.parametrize("neurons", ["rate", "lif", "if"])
def test_targets_agree_where_nothing_is_drawn(neurons):
    """Rates to rounding; spikes from voltages drawn anew have the same error."""
    spec = SPEC.replace(neuron_type=neurons, n_neurons=600)
    if neurons == "lif":
        spec = spec.replace(radii=2.0)
    core, ours = (run_trial(spec, SIGNAL, target=t).row for t in ("core", "compiled"))
    assert core["target"] == "core"
    if neurons == "rate":
        assert ours["state_rmse"] < 1e-12
        assert ours["nrmse"] == pytest.approx(core["nrmse"], rel=1e-9)
    assert ours["spikes"] == pytest.approx(core["spikes"], rel=0.01)
    assert ours["nrmse"] == pytest.approx(core["nrmse"], rel=0.2)


def test_targets_agree_in_distribution():
    """Errors of Poisson neurons: 16 trials and Nengo's 6, to four standard errors."""
    spec = SPEC.replace(n_neurons=300)
    signals = [white_noise(2.0, 0.001, 2.0, 0.5, k) for k in range(16)]
    specs = [spec.replace(noise_seed=k) for k in range(16)]
    ours = [r.row for r in run_trials(specs, signals)]
    pairs = list(zip(specs, signals, strict=True))[:6]
    core = [run_trial(s, x, target="core").row for s, x in pairs]
    for name in ("state_rmse", "spikes_per_s"):
        a, b = (
            np.array([row[name] / row[f"predicted_{name}"] for row in rows])
            for rows in (ours, core)
        )
        spread = np.sqrt(a.var(ddof=1) / 16 + b.var(ddof=1) / 6)
        assert abs(a.mean() - b.mean()) < 4 * spread, name


@pytest.mark.parametrize("kind", ["poisson", "lif"])
def test_a_trial_of_many_is_the_trial_by_itself(kind):
    spec = SPEC.replace(neuron_type=kind, radii=2.0)
    specs = [spec.replace(noise_seed=seed) for seed in (7, 0, 5)]
    signals = [white_noise(2.0, 0.001, 2.0, 0.5, k) for k in range(3)]
    alone = run_trial(specs[2], signals[2])
    for threads in (1, 2):
        many = run_trials(specs, signals, threads=threads)
        np.testing.assert_array_equal(many[2].state, alone.state)
        assert many[2].row["spikes"] == alone.row["spikes"]
    assert not np.array_equal(many[0].state, many[1].state)


def test_refuses_trials_of_two_memories():
    with pytest.raises(ValidationError, match="noise_seed alone"):
        run_trials([SPEC, SPEC.replace(order=2)], [SIGNAL, SIGNAL])
    with pytest.raises(ValidationError, match="one length"):
        longer = white_noise(3.0, 0.001, 2.0, 0.5, 0)
        run_trials([SPEC, SPEC], [SIGNAL, longer])
    with pytest.raises(ValidationError, match="use one of compiled, core"):
        run_trial(SPEC, SIGNAL, target="board")


# -- what it warns of ------------------------------------------------------------------


def test_a_trial_warns_of_a_signal_that_is_not_what_the_memory_is_made_for():
    spec = SPEC.replace(tuning="optimal", tau=0.4, n_neurons=3000)
    loud = white_noise(2.0, 0.001, 2.0, 2.0, 0)
    with pytest.warns(ValidityWarning, match="'optimal' was made for: .* beyond"):
        row = run_trial(spec, loud).row
    assert row["caution"].startswith("the signal is not what")
    assert 0.1 < row["beyond_radii"] < 1
    assert row["predicted_noise_nrmse"] == pytest.approx(row["noise_nrmse"], rel=0.3)
    assert run_trial(SPEC, SIGNAL).row["caution"] == ""


def test_the_parts_of_a_row_are_of_one_denominator(result):
    row = result.row
    parts = [row[f"predicted_{p}_nrmse"] for p in ("truncation", "spikes", "curves")]
    assert np.hypot(*parts[:2]) == pytest.approx(row["predicted_nrmse"])
    assert parts[2] == 0


def test_silence_is_undefined_and_said_so():
    silent = Signal(np.zeros(2000), 0.001, "silence", "made here")
    with pytest.warns(ValidityWarning, match="silent"):
        row = run_trial(SPEC, silent).row
    assert row["spikes"] == row["predicted_spikes_per_s"] == row["state_rmse"] == 0
    assert np.isnan([row["nrmse"], row["predicted_nrmse"]]).all()


def test_a_row_has_the_feedback_that_was_asked_for():
    spec = MemorySpec(60, 3, 0.1, error_feedback="auto")
    signal = white_noise(1.0, 0.001, 4.0, 0.5, 0)
    row = run_trial(spec, signal).row
    assert row["feedback_rate"] > 0
    assert row["feedback_tau"] == 0.02
    rates = run_trial(spec.replace(neuron_type="rate"), signal).row
    assert rates["feedback_rate"] == 0.0  # no noise: left out
    assert (
        "feedback_rate" not in run_trial(spec.replace(error_feedback=None), signal).row
    )
