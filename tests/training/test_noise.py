from dataclasses import replace

import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu import ChipUnits
from lmu_spiking.lmu.forward import memory_states
from lmu_spiking.tasks.sequences import Part, Sequences
from lmu_spiking.training import TrainSettings
from lmu_spiking.training.noise import covariance, with_chip_errors
from lmu_spiking.training.recipes import own_recipe, recipe_for, start

FINE = 50  # parts of a sample
LAST = pytest.mark.parametrize("last", [True, False])


def inputs(params, x):
    return x @ params.cells[0].e_x.T + params.cells[0].b_u


def second(e):
    e = e.reshape(-1, e.shape[-1])
    return e.T @ e / len(e)


@LAST
def test_noise_is_relative_to_each_coefficient(lmu, task, last):
    params, x = lmu(["relu"], memory_d=2), task(last=last).train.x.astype(float)
    m = memory_states(params.cells[0], inputs(params, x), params.dt, last=last)
    found = covariance(params, x, 0.3, 0.0, 0.0, last=last)
    np.testing.assert_allclose(found, 0.09 * np.diag(np.diag(second(m))), rtol=1e-9)


@LAST
def test_a_late_state_errs_by_its_slope(lmu, task, last):
    """States a fiftieth of a sample before and after, by a memory of fine steps."""
    params, x = lmu(["relu"], memory_d=2), task(last=last).train.x.astype(float)
    u = inputs(params, x)
    u = np.concatenate([u, np.zeros_like(u[:, :1])], axis=1)
    u = np.repeat(u, FINE, axis=1)
    m = memory_states(params.cells[0], u, params.dt / FINE)
    ends = FINE * np.arange(1, x.shape[1] + 1) - 1
    slope = (m[:, ends + 1] - m[:, ends - 1]) * FINE / 2
    expected = 0.01 * second(slope[:, -1] if last else slope)
    found = covariance(params, x, 0.0, 0.1, 0.0, last=last)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.02 * np.ptp(expected))


@LAST
def test_another_window_errs_by_its_logarithm(lmu, task, last):
    params, x = lmu(["relu"], memory_d=2), task(last=last).train.x.astype(float)
    u, cell = inputs(params, x), params.cells[0]
    longer, shorter = (replace(cell, theta=cell.theta * s) for s in (1.01, 0.99))
    change = memory_states(longer, u, params.dt, last=last)
    change = change - memory_states(shorter, u, params.dt, last=last)
    found = covariance(params, x, 0.0, 0.0, 0.01, last=last)
    expected = second(change / 2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3 * np.ptp(expected))


def test_all_three_add_up_and_become_one_covariance(lmu, task):
    params, data = lmu(["relu"]), task()
    settings = TrainSettings(noise=0.2, late=0.1, stretch=0.01, epochs=3)
    x, last = data.train.x, data.last
    parts = [(0.2, 0, 0), (0, 0.1, 0), (0, 0, 0.01)]
    expected = sum(covariance(params, x, *part, last=last) for part in parts)
    found = with_chip_errors(params, settings, data)
    np.testing.assert_allclose(found.noise_covariance, expected)
    assert (found.noise, found.late, found.stretch, found.epochs) == (0, 0, 0, 3)
    plain = TrainSettings(noise=0.2)
    assert with_chip_errors(params, plain, data) is plain


def test_a_memory_that_hears_itself_is_refused(lmu, task):
    params = lmu(["relu"], "e_m")
    with pytest.raises(ValidationError, match=r"late: 0\.1 needs cells without e_h"):
        with_chip_errors(params, TrainSettings(late=0.1), task())


def test_the_digits_recipe_for_a_chip(task):
    """Its units, its file and what is trained; other tasks have none."""
    recipe = recipe_for("digits", chip=True)
    assert recipe is recipe_for("digits-chip")
    data = task(classes=3)
    params = start(replace(recipe, order=5, units=6), data)
    (cell,) = params.cells
    assert cell.activation == "loihi-relu"
    assert cell.chip == recipe.chip == ChipUnits(200.0)
    assert cell.is_feedforward
    assert set(cell.arrays()) == {"e_x", "W_m", "b"}
    names = recipe.settings.names(params)
    assert set(names) == set(params.arrays()) - {"cell0.e_x"}
    assert start(replace(recipe, chip=None), data).cells[0].activation == "relu"
    with pytest.raises(ValidationError, match="'ecg-chip' has none; use one of digits"):
        recipe_for("ecg", chip=True)


def test_the_recipe_of_own_sequences_for_a_chip(task):
    """One cell with a memory for each channel; of many channels a learned mixture."""
    few = task(classes=3)
    recipe = own_recipe(few, chip=True)
    params = start(replace(recipe, units=6), few)
    (cell,) = params.cells
    assert cell.chip == ChipUnits()
    assert (cell.memory_d, cell.theta) == (2, pytest.approx(few.steps * few.dt))
    assert "cell0.e_x" not in recipe.settings.names(params)
    assert recipe.settings.late > 0
    many = [
        Part(np.tile(part.x, (1, 1, 20)), part.y)
        for part in (few.train, few.valid, few.test)
    ]
    many = Sequences("many", *many, few.dt, 3, True, "repeated")
    recipe = own_recipe(many, chip=True)
    params = start(replace(recipe, units=6), many)
    assert params.cells[0].memory_d == 32
    assert "cell0.e_x" in recipe.settings.names(params)
    assert with_chip_errors(params, recipe.settings, many) is recipe.settings
    each = [(part.x, np.zeros(part.x.shape[:2], int)) for part in (few.train,) * 3]
    steps = Sequences("steps", *(Part(*one) for one in each), 0.001, 3, False, "drawn")
    for other, kind in ((task(), "values"), (steps, "labels of each step")):
        with pytest.raises(
            ValidationError, match=f"chip: True has no recipe for {kind}"
        ):
            own_recipe(other, chip=True)
