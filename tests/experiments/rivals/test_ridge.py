import numpy as np
import pytest

pytest.importorskip("jax")

from lmu_spiking.experiments.rivals import recurrent_model
from lmu_spiking.experiments.rivals.reservoir import (
    RANGES,
    drawn,
    fit_readout,
    reservoir,
)
from lmu_spiking.experiments.rivals.ridge import RIDGES, refitted, ridge
from lmu_spiking.metrics import nrmse
from lmu_spiking.tasks.sequences import Part, Sequences

HOW = {"radius": 0.9, "leak": 0.7, "scale": 0.3, "shift": 0.1}


def parts_of(target, sizes=(12, 6, 5), steps=40):
    """Return parts of noise, with what a function makes of each for a target."""
    rng = np.random.default_rng(0)
    drawn = [rng.uniform(-1, 1, (n, steps, 1)).astype("f") for n in sizes]
    return [Part(x, target(x)) for x in drawn]


def test_a_readout_is_the_ridge_solution_that_validates_best():
    rng = np.random.default_rng(0)
    features, valid = rng.standard_normal((2, 30, 4))
    true = rng.standard_normal((4, 2))
    y, wanted = (
        x @ true + 0.5 * rng.standard_normal((30, 2)) for x in (features, valid)
    )
    found, error = ridge(
        [(features[:10], y[:10]), (features[10:], y[10:])], valid, wanted, None
    )
    G = features.T @ features
    power = np.trace(G) / 4
    each = [np.linalg.solve(G + r * power * np.eye(4), features.T @ y) for r in RIDGES]
    errors = [nrmse(valid @ readout, wanted) for readout in each]
    np.testing.assert_allclose(found, each[int(np.argmin(errors))], rtol=1e-6)
    assert error == pytest.approx(min(errors))


def test_a_readout_is_fitted_anew_on_the_activities_of_a_model():
    model = recurrent_model("lstm", 1, 2, (6,), seed=3)
    wanted = model.arrays | {"readout.W": np.arange(12.0, dtype="f").reshape(6, 2)}
    parts = parts_of(lambda x: np.asarray(model.outputs(wanted, x)))
    data = Sequences("activities", *parts, 0.001, None, False, "drawn")
    outputs, error = refitted(model, model.arrays, data)
    assert error < 1e-3
    assert nrmse(outputs, parts[2].y) < 1e-3
    assert nrmse(model.outputs(model.arrays, parts[2].x), parts[2].y) > 0.5


def test_a_reservoir_is_that_of_its_equation():
    made = reservoir(2, 30, 1, **HOW)
    assert np.abs(np.linalg.eigvals(made.U.toarray())).max() == pytest.approx(0.9)
    x = np.random.default_rng(0).standard_normal((3, 8, 2))
    h, every = np.zeros((3, 30)), list(made.states(x, last=False))
    for t, state in enumerate(every):
        J = x[:, t] @ made.W + h @ made.U + made.b
        h = 0.3 * h + 0.7 * np.tanh(J)
        np.testing.assert_allclose(state[:, :30], h)
        np.testing.assert_array_equal(state[:, 30:], np.c_[x[:, t], np.ones(3)])
    (end,) = made.states(x, last=True)
    np.testing.assert_array_equal(end, every[-1])
    many = np.tile(x, (100, 1, 1))  # more than run at a time
    np.testing.assert_allclose(
        made.ends(many)[:, 0], np.tile(end, (100, 1)), atol=1e-12
    )


def test_a_reservoir_echoes():
    made = reservoir(1, 60, 0, **HOW)
    train, valid, test = parts_of(lambda x: np.roll(x, 2, axis=1) * 1.0)
    fitted, error = fit_readout(made, train, valid)
    assert error < 0.3  # the first two steps echo what has not been
    found = fitted.outputs(test.x)
    assert nrmse(found[:, 2:], test.y[:, 2:]) < 0.1


def test_a_reservoir_tells_classes_apart():
    made = reservoir(1, 40, 0, **HOW)
    parts = parts_of(lambda x: (x[:, -3, 0] > 0).astype(int), (60, 30, 30))
    fitted, error = fit_readout(made, *parts[:2], classes=2)
    right = fitted.outputs(parts[2].x, last=True).argmax(axis=1) == parts[2].y
    assert error < 0.2
    assert np.mean(right) > 0.8


def test_what_is_searched_is_drawn_within_its_ranges():
    rng = np.random.default_rng(0)
    every = [drawn(rng) for _ in range(200)]
    for name, (low, high) in RANGES.items():
        values = [each[name] for each in every]
        assert low <= min(values) < max(values) <= high
        middle = np.sqrt(low * high)
        assert 70 < sum(value < middle for value in values) < 130
