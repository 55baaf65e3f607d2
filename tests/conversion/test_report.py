from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lmu_spiking.conversion.conversion import convert
from lmu_spiking.conversion.report import (
    _interval,
    accuracy,
    clocked_per_step,
    metric_of,
    nrmse,
    predict_loss,
    report,
)
from lmu_spiking.conversion.run import present
from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.forward import forward

X = np.random.default_rng(0).standard_normal((40, 15, 1))
OPTIONS = {"n_neurons": 900, "presentation": 0.003, "synapse": 0.03}


@pytest.fixture(scope="module")
def params(lmu):
    return lmu("W_x", size_out=3, header={"classes": 3})


@pytest.fixture(scope="module")
def made(params):
    return convert(params, X, last=True, **OPTIONS)


@pytest.fixture(scope="module")
def labels(params):
    """What the rate model says, wrong for every fifth."""
    y = forward(params, X, last=True).argmax(axis=1)
    y[::5] = (y[::5] + 1) % 3
    return y


def test_classes_are_scored_by_accuracy(made, params, labels):
    found = report(made, X, labels, last=True)
    shown = present(made, X, last=True)
    assert (found.metric, found.rate, found.sequences) == ("accuracy", 0.8, 40)
    assert found.spiking == np.mean(shown.y.argmax(axis=1) == labels)
    assert found.loss == pytest.approx(found.rate - found.spiking)
    assert found.loss_low <= found.loss <= found.loss_high
    assert found.chance == max(np.mean(labels == k) for k in range(3))
    assert (found.neurons, found.memory_neurons) == (900, sum(made.counts))
    assert found.spikes_per_inference == pytest.approx(shown.spikes.mean())
    assert found.memory_spikes_per_inference == shown.memory_spikes.mean()
    steps = 15 * 3 + 1
    assert found.seconds_per_inference == pytest.approx(steps * 1e-3)
    assert found.clocked_per_inference == steps * clocked_per_step(made)
    assert (
        found.synops_per_inference
        == found.spikes_per_inference + found.clocked_per_inference
    )
    rate = found.spikes_per_inference / (steps * 1e-3) / 900
    assert found.mean_rate == pytest.approx(rate)
    lags = [lag for lag, _ in found.latency]
    np.testing.assert_allclose(lags, np.arange(-20, 21) * 1e-3, atol=1e-12)
    assert dict(found.latency)[0.0] == found.spiking


@pytest.mark.parametrize("last", [True, False])
def test_values_are_scored_by_their_error(lmu, last):
    params = lmu("W_x", size_out=2)
    made = convert(params, X, last=last, **OPTIONS)
    exact = forward(params, X, last=last)
    y = exact + 0.1 * np.random.default_rng(1).standard_normal(exact.shape)
    found = report(made, X, y, last=last, around=0.002)
    assert (found.metric, found.chance) == ("nrmse", 1.0)
    spread = np.mean(y.reshape(-1, 2).var(axis=0))
    assert found.rate == pytest.approx(np.sqrt(np.mean((exact - y) ** 2) / spread))
    assert found.loss == pytest.approx(found.spiking - found.rate)
    assert found.loss_low < found.loss < found.loss_high
    assert found.predicted_loss == pytest.approx(found.loss, rel=0.5)
    assert len(found.latency) == 5
    if last:
        assert dict(found.latency)[0.0] == pytest.approx(found.spiking)


def test_products_of_a_step_are_counted_one_by_one(lmu):
    params = lmu("e_h W_x", memory_d=2, size_out=4)
    made = convert(params, X, **OPTIONS)
    loops = 2 * (3 * 3 + 3)  # A' and B' of two memories
    weights = 2 * 1 + 3 * 6 + 2 * 3 + 3 * 1  # e_x, W_m, e_h, W_x
    assert clocked_per_step(made) == 900 + loops + weights + 4 * 3


def test_a_report_becomes_plain_numbers(made, labels):
    found = report(made, X[:4], labels[:4], last=True).to_dict()
    assert {"rate_accuracy", "spiking_accuracy", "predicted_loss"} <= set(found)
    assert not {"rate", "spiking"} & set(found)


def test_predicted_loss_is_that_of_many_runs(made, labels):
    """Compare 12 runs with 24 draws of the model, to 4 standard errors and 3 %."""
    predicted, spread = predict_loss(made, X, labels, last=True, runs=24)
    y = present(made, np.tile(X, (12, 1, 1)), last=True, around=0.0).y
    runs = [0.8 - accuracy(each, labels) for each in np.split(y, 12)]
    assert spread > 0
    error = np.hypot(np.std(runs) / np.sqrt(12), spread / np.sqrt(24))
    assert abs(np.mean(runs) - predicted) < 4 * error + 0.03
    again = [predict_loss(made, X, labels, last=True, runs=2) for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.parametrize("name", ["regular", "if"])
def test_without_a_law_no_loss_is_predicted(lmu, name):
    params = lmu("", activation="relu")
    options = OPTIONS | {"n_neurons": 90, "initial_phases": "random"}
    made = convert(params, X, neuron_type=name, **options)
    found = report(made, X, forward(params, X) + 1, last=False)
    assert found.predicted_loss is None and found.predicted_spread is None
    assert found.spikes_per_inference > 0


# -- metrics ---------------------------------------------------------------------------


def test_the_kind_of_target_chooses_the_metric():
    outputs = np.array([[0.1, 0.9], [2.0, 1.0], [0.0, 1.0]])
    assert accuracy(outputs, np.array([1, 0, 0])) == 2 / 3
    assert metric_of([0, 1]) is metric_of(np.array([3], np.uint8)) is accuracy
    assert metric_of([0.0, 1.0]) is metric_of([[0], [1]]) is nrmse


def test_the_interval_of_accuracies_is_students():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 50)
    exact, spiking = rng.standard_normal((2, 50, 2))
    right = [(e.argmax(1) == y).astype(float) for e in (exact, spiking)]
    expected = stats.ttest_rel(*right).confidence_interval(0.95)
    np.testing.assert_allclose(_interval(accuracy, exact, spiking, y), expected)


def test_the_interval_of_errors_covers_their_difference():
    """95 % of 200 data sets, within 4 standard errors of a proportion (6 %)."""
    rng = np.random.default_rng(0)
    n, inside = 400, 0
    truth = np.sqrt(1.25) - 1.0  # y, exact and spiking errors of variance 1, 1, 1.25
    for _ in range(200):
        y, e, more = rng.standard_normal((3, n, 1))
        low, high = _interval(nrmse, y + e, y + e + 0.5 * more, y)
        inside += low < truth < high
    assert abs(inside / 200 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 200)


# -- what a hostile user brings --------------------------------------------------------


def test_one_sequence_has_no_interval(made, labels):
    found = report(made, X[1:2], labels[1:2], last=True)
    assert np.isnan([found.loss_low, found.loss_high]).all()


def test_one_kind_of_class(made):
    found = report(made, X, np.zeros(40, np.uint64), last=True)
    assert found.chance == 1.0


@pytest.mark.parametrize(
    ("y", "last", "message"),
    [
        (np.zeros(39, int), True, "y: 39 must be as many as x, 40"),
        (np.zeros(40, int), False, "last: False does not suit classes; use last=True"),
        (np.full(40, -1), True, "y: -1 is not a class of 3 outputs; use 0 to 2"),
        (np.full(40, 3), True, "y: 3 is not a class of 3 outputs"),
        (np.zeros(40), True, r"y: \(40,\) must be \(40, 3\), or whole-numbered"),
        (np.ones((40, 15, 3)), True, r"y: \(40, 15, 3\) must be \(40, 3\)"),
        (np.ones((40, 3)), False, r"y: \(40, 3\) must be \(40, 15, 3\)"),
        (np.zeros((40, 3)), True, "y: '40 values' do not vary"),
        (np.full((40, 3), 7.1), True, "y: '40 values' do not vary"),
        (np.full((40, 3), np.nan), True, "y: .* must be finite numbers"),
        (["a"] * 40, True, "y: .* must be finite numbers"),
        (iter([0] * 40), True, "y: .* must be finite numbers"),
        (None, True, "y: .* must be finite numbers"),
    ],
)
def test_targets_that_do_not_fit(made, y, last, message):
    for function in (report, predict_loss):
        with pytest.raises(ValidationError, match=f"{function.__name__}.{message}"):
            function(made, X, y, last=last)


def test_data_that_do_not_fit(made, labels):
    for function in (report, predict_loss):
        with pytest.raises(ValidationError, match=f"{function.__name__}.x: "):
            function(made, iter(X), labels, last=True)
    with pytest.raises(ValidationError, match=r"predict_loss.runs: 1 must be a whole"):
        predict_loss(made, X, labels, last=True, runs=1)


@pytest.mark.parametrize("read", [None, 0.0005, 0.001])
def test_the_loss_of_staggered_neurons_is_predicted(params, read):
    """Units fire the nearest whole numbers of spikes; memories round, too."""
    x = np.random.default_rng(3).standard_normal((60, 15, 1))
    y = forward(params, x, last=True)
    y = y + 0.2 * y.std() * np.random.default_rng(4).standard_normal(y.shape)
    options = OPTIONS | {"neuron_type": "regular", "readout_synapse": read}
    made = convert(params, x, last=True, **options)
    found = report(made, x, y, last=True)
    assert made.predictable and made.settings.simulates_sums
    spread = 3 * found.predicted_spread + (found.loss_high - found.loss_low) / 2
    assert abs(found.loss - found.predicted_loss) < spread
    random = convert(params, x, last=True, **options, initial_phases="random")
    assert predict_loss(random, x, y, last=True) == (None, None)


def test_units_of_a_chip_are_not_staggered(lmu):
    params = lmu("", size_out=3, activation="loihi-relu")
    for kind, summed in (("if", False), ("regular", False), ("poisson", True)):
        made = convert(params, X, n_neurons=900, presentation=0.003, neuron_type=kind)
        assert made.hidden[0].aggregated is summed
        assert made.predictable is summed
        made.network()


def test_padded_sequences_are_scored_within_their_lengths(params):
    """Classes at each end, and classes and values of each step."""
    rng = np.random.default_rng(7)
    normal = replace(params, mean=[0.3], scale=[2.0])
    lengths = rng.integers(1, 16, size=40)
    alive = np.arange(15) < lengths[:, None]
    x = np.where(alive[:, :, None], X, 50.0)
    made = convert(normal, x, last=True, lengths=lengths, **OPTIONS)
    exact = forward(normal, x, lengths=lengths)
    classes = exact.argmax(axis=2)
    at = np.arange(40), lengths - 1
    y = classes[at]
    y[:8] = (y[:8] + 1) % 3
    found = report(made, x, y, last=True, lengths=lengths, around=0)
    assert found.rate == 0.8
    for kind, score in (("rate", found.rate), ("spiking", found.spiking)):
        counts = np.array(found.confusion[kind])
        np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(y, minlength=3))
        assert np.trace(counts) / 40 == pytest.approx(score)
    seconds = 0.003 * lengths.mean() + 0.001
    assert found.seconds_per_inference == pytest.approx(seconds)
    assert "confusion" in found.to_dict()
    # classes of steps: those past a length are wrong, and do not count
    wrong = np.where(alive, classes, (classes + 1) % 3)
    found = report(made, x, wrong, last=False, lengths=lengths, around=0)
    assert (found.rate, found.metric) == (1.0, "accuracy")
    assert found.loss_low < found.loss < found.loss_high
    assert np.sum(found.confusion["rate"]) == lengths.sum()
    # values of steps
    values = np.where(alive[:, :, None], exact, 1e3)
    found = report(made, x, values, last=False, lengths=lengths, around=0)
    assert found.rate < 1e-9
    assert found.predicted_loss == pytest.approx(found.loss, rel=0.1)
    assert found.confusion is None
