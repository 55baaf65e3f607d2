import numpy as np
import pytest

pytest.importorskip("jax")

from lmu_spiking.experiments.learning import lengths
from lmu_spiking.experiments.records import run_alone
from lmu_spiking.tasks import load_task


def test_both_ways_learn_alike_and_no_length_is_harder():
    options = {"epochs": 40, "seed": 3, "sequences": 40}
    rows = [
        lengths.train_at(steps, projected=way, **options)
        for steps, way in ((200, "every batch"), (200, "once"), (800, "every batch"))
    ]
    errors = [row["nrmse"] for row in rows]
    assert max(errors) < 0.9 * rows[0]["chance"]
    # noise of 1 % on the inputs; and the task is the same in units of its length
    assert errors[0] == pytest.approx(errors[1], rel=0.1)
    assert errors[0] == pytest.approx(errors[2], rel=0.1)


def test_sensor_noise_is_fresh_and_of_its_size():
    data = lengths.with_sensor_noise(load_task("recall", steps=500, n=10))
    rng = np.random.default_rng(0)
    first, second = (data.augment(rng, data.train.x) for _ in range(2))
    size = np.std(first - data.train.x)
    # 2,000 numbers: the standard deviation is known to 1.6 %
    assert size == pytest.approx(lengths.SENSOR, rel=0.08)
    assert not np.array_equal(first, second)


def test_growth_is_the_exponent_of_long_sequences():
    rows = [
        {"steps": n, "seconds_per_epoch": 3 + n, "bytes": 5.0 * n**2}
        for n in (10, 10**6, 10**7, 10**8)
    ]
    found = lengths.growth(rows, least=10**6)
    assert found["seconds_per_epoch"] == pytest.approx(1, abs=1e-5)
    assert found["bytes"] == pytest.approx(2)


@pytest.mark.slow
def test_runs_in_a_process_of_its_own():
    options = {"epochs": 1, "seed": 0, "sequences": 20, "lstm": True}
    row = run_alone(lengths.train_at, 100, **options)
    assert row["lstm_params"] == pytest.approx(row["params"], rel=0.1)
    assert row["peak_bytes"] > row["bytes"] >= 0


def test_events_are_alike_or_not_whatever_the_sign_of_all():
    data = lengths.events(400, 60, seed=2)
    for part in (data.train, data.valid, data.test):
        for x, y in zip(part.x[:, :, 0], part.y, strict=True):
            high, low = (x > 0.5).sum(), (x < -0.5).sum()
            # what is left of two pulses that overlap still has the sign of both
            assert y == (max(high, low) > 0 and min(high, low) == 0)
            assert max(high, low) <= 2 * lengths.PULSE
    # about the noise of 99 % of the steps
    quiet = np.abs(data.train.x) < 0.1
    size = np.std(data.train.x[quiet])
    assert size == pytest.approx(lengths.SENSOR, rel=0.05)


def test_no_sample_tells_of_a_product():
    data = lengths.product(40, 4000, seed=5)
    x, y = data.train.x[:, :, 0], data.train.y[:, 0]
    np.testing.assert_allclose(y, x[:, 0] * x[:, 19], rtol=1e-6)
    # 40 correlations of 2,800 pairs: 5 standard errors
    found = [np.corrcoef(each, y)[0, 1] for each in x.T]
    assert np.abs(found).max() < 5 / np.sqrt(len(y))


def test_units_learn_a_product_and_a_linear_readout_does_not():
    row = lengths.nonlinear_row("product", 40, 3, n=1500, epochs=40)
    assert row["value"] < 0.6
    assert row["linear"] > 0.95 * row["chance"]


def test_an_lstm_of_as_many_parameters_is_trained_on_the_same():
    row = lengths.lstm_row("events", 20, 3, epochs=1, rate=0.003)
    recipe = lengths.nonlinear_recipe("events")
    assert row["params"] == pytest.approx(recipe.units * (recipe.order + 3), rel=0.1)
    assert 0 <= row["value"] <= 1
    assert row["valid_loss"] == min(row["path"])
