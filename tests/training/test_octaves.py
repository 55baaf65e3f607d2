from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.lmu import forward
from lmu_spiking.lmu.forward import run_cell
from lmu_spiking.lmu.params import CellParams
from lmu_spiking.tasks.sequences import Part, Sequences
from lmu_spiking.training import octaves
from lmu_spiking.training.recipes import KERNELS, own_recipe, start

RNG = np.random.default_rng(0)


def task(x, y, classes=None, lengths=None, last=True):
    """A task whose three parts are the same sequences."""
    part = Part(x, y, lengths)
    return Sequences("mine", part, part, part, 0.01, classes, last, "made up")


def bursts(n=40, steps=60, channels=1, seed=0):
    """Noise with a short burst anywhere, which is fast in class 1."""
    rng = np.random.default_rng(seed)
    x, y = 0.1 * rng.normal(size=(n, steps, channels)), np.arange(n) % 2
    for i in range(n):
        at = rng.integers(4, steps - 16)
        x[i, at : at + 12, 0] += np.sin(np.arange(12) * (2.5 if y[i] else 0.5))
    return x, y


@given(n=st.integers(4, 12), p=st.integers(1, 16), seed=st.integers(0, 99))
def test_what_is_left_out_is_left_out(n, p, seed):
    """The outputs of sequences left out are those of fits without them."""
    rng = np.random.default_rng(seed)
    F, Y = rng.normal(size=(n, p)), rng.normal(size=(n, 2))
    fit = octaves.ridge(F, Y)
    # the strength that it chose, from its weights: (A^T A + s) w = A^T B
    A, B = F - F.mean(axis=0), Y - Y.mean(axis=0)
    rest = A.T @ (B - A @ fit.weights)
    strength = np.sum(rest * fit.weights) / np.sum(fit.weights**2)
    np.testing.assert_allclose(rest, strength * fit.weights, atol=1e-6 * n)
    i = seed % n
    others = np.arange(n) != i
    middle, target = F[others].mean(axis=0), Y[others].mean(axis=0)
    A, B = F[others] - middle, Y[others] - target
    w = np.linalg.solve(A.T @ A + strength * np.eye(p), A.T @ B)
    # leaving one out also moves the means, of which the formula knows exactly
    np.testing.assert_allclose(
        fit.left_out[i], target + (F[i] - middle) @ w, rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(fit.error, np.mean((Y - fit.left_out) ** 2), rtol=1e-9)


def test_units_read_the_coefficients_of_shorter_windows_from_one_memory():
    x, dt = np.cumsum(RNG.normal(size=(6, 100, 1)), axis=1), 0.01
    order = octaves.order_for(100)
    front = CellParams(order, 1.0, np.eye(1), np.zeros((1, order)), activation="relu")
    front = octaves.kernels(front, x, dt, None, 600, 0)
    # the whole, and five halvings down to three samples, of at most four coefficients
    assert front.units == 3 * 6 * 4 == octaves.units_for(100, 1)
    J, _ = run_cell(replace(front, W_m=np.eye(order), b=None), x, dt)
    J = J @ front.W_m.T
    for window in range(4):
        states = [LDN(4, 1.0 / 2**window).simulate(u[:, 0], dt) for u in x]
        for i in range(4):
            exact = np.stack(states)[:, :, i]
            read = J[:, :, 3 * (4 * window + i)]
            assert np.corrcoef(exact.ravel(), read.ravel())[0, 1] > 0.995
    # each of three units is active for its quarter, half or three quarters of the time
    assert front.b is not None
    share = np.mean(J + front.b > 0, axis=(0, 1)).reshape(-1, 3)
    np.testing.assert_allclose(share, np.tile([0.75, 0.5, 0.25], (24, 1)), atol=0.01)


@pytest.mark.parametrize("steps", [1, 2, 3, 24, 300, 10_000])
def test_the_order_is_one_that_a_window_can_have(steps):
    assert 1 <= octaves.order_for(steps) <= min(steps, 40)


def test_bursts_are_told_wherever_they_are():
    pytest.importorskip("jax")
    x, y = bursts()
    data = task(x, y, 2)
    recipe = own_recipe(data)
    assert recipe.octaves
    assert recipe.merged
    params = start(recipe, data)
    assert params.header["left_out_accuracy"] > 0.9
    new, labels = bursts(seed=1)
    said = forward(params, new, last=True).argmax(axis=1)
    assert np.mean(said == labels) > 0.9
    # the parameters are no more than what conversion knows: two cells in series
    assert [cell.activation for cell in params.cells] == ["relu", "linear"]
    assert params.is_feedforward
    # what is said at the end tells no more than the sum
    assert params.cells[1].W_x is None


def test_padding_means_nothing_and_lengths_are_kept():
    pytest.importorskip("jax")
    x, y = bursts(30, 40, 2)
    ends = np.arange(30) % 9 + 32
    x[0, ends[0] :] = 1e6
    data = task(x, y, 2, ends)
    params = start(own_recipe(data), data)
    said = forward(params, data.train.x, last=True, lengths=data.train.lengths)
    for i in (0, 7):
        alone = forward(params, data.train.x[i : i + 1, : ends[i]], last=True)
        np.testing.assert_allclose(alone[0], said[i], rtol=1e-6, atol=1e-6)


def test_units_are_shared_out_among_many_channels_and_constant_ones_have_none():
    pytest.importorskip("jax")
    x, y = bursts(20, 30, 80)
    x[:, :, 5] = 3.0
    data = task(x, y, 2)
    params = start(own_recipe(data), data)
    front = params.cells[0]
    assert front.memory_d == 64
    assert KERNELS - 9 <= front.units <= KERNELS
    used = np.abs(front.W_m).reshape(front.units, 64, -1).sum(axis=2) > 0
    assert (used.sum(axis=1) == 1).all()
    # channel 5 shares its memory with channel 69
    assert used.sum(axis=0).min() >= 9
    still = np.full((4, 10, 1), 2.0)
    data = task(still, np.arange(4) % 2, 2)
    assert np.isfinite(forward(start(own_recipe(data), data), still)).all()


def test_the_end_is_read_where_it_tells_much():
    """Values that a sequence ends with are in no sum over time."""
    pytest.importorskip("jax")
    x = RNG.normal(size=(300, 20, 1))
    y = 5 + 100 * x[:, -1]
    data = task(x, y)
    params = start(own_recipe(data), data)
    assert params.cells[1].W_x is not None
    said = forward(params, x, last=True)
    assert np.corrcoef(said[:, 0], y[:, 0])[0, 1] > 0.9


def test_labels_of_steps_have_a_recipe_of_their_own():
    x = RNG.normal(size=(20, 30, 1))
    data = task(x, (x[:, :, 0] > 0).astype(int), 2, last=False)
    recipe = own_recipe(data)
    assert not recipe.octaves
    assert recipe.front is not None


def test_sharpness_is_that_of_least_cross_entropy():
    classes = RNG.integers(3, size=4000)
    logits = RNG.normal(size=(4000, 3))
    p = np.exp(4 * logits)
    p /= p.sum(axis=1, keepdims=True)
    classes = np.array([RNG.choice(3, p=row) for row in p])
    assert octaves.sharpness(logits, classes) == pytest.approx(4, rel=0.2)
