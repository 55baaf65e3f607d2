import itertools
from functools import partial

import numpy as np
import pytest

pytest.importorskip("jax")

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.experiments.rivals import (
    dense_model,
    hybrid_model,
    lmu_model,
    recurrent_model,
    s5_model,
    units_for,
)
from lmu_spiking.lmu.forward import forward
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.training._jax import jax, precision_of


def logistic(z):
    return 1 / (1 + np.exp(-z))


def lstm_by_steps(arrays, x, depth, last=False):
    """Return outputs of LSTM layers, a step and a gate at a time."""
    for k in range(depth):
        W, U, b = (np.asarray(arrays[f"lstm{k}.{name}"], float) for name in "WUb")
        h = s = np.zeros((len(x), len(U)))
        every = []
        for t in range(x.shape[1]):
            i, f, g, o = np.split(x[:, t] @ W + h @ U + b, 4, axis=1)
            s = logistic(f) * s + logistic(i) * np.tanh(g)
            h = logistic(o) * np.tanh(s)
            every.append(h)
        x = np.stack(every, axis=1)
    return (x[:, -1] if last else x) @ arrays["readout.W"] + arrays["readout.b"]


def gru_by_steps(arrays, x, depth, last=False):
    """Return outputs of GRU layers, a step and a gate at a time."""
    for k in range(depth):
        W, U, b, c = (np.asarray(arrays[f"gru{k}.{n}"], float) for n in "WUbc")
        h, every = np.zeros((len(x), len(U))), []
        for t in range(x.shape[1]):
            p, q = np.split(x[:, t] @ W + b, 3, 1), np.split(h @ U + c, 3, 1)
            z, r = logistic(p[0] + q[0]), logistic(p[1] + q[1])
            h = z * h + (1 - z) * np.tanh(p[2] + r * q[2])
            every.append(h)
        x = np.stack(every, axis=1)
    return (x[:, -1] if last else x) @ arrays["readout.W"] + arrays["readout.b"]


def s5_by_steps(arrays, x, depth, last=False):
    """Return outputs of diagonal state spaces in complex numbers, a step at a time."""
    h = x @ arrays["encoder.W"] + arrays["encoder.b"]
    for k in range(depth):
        own = {n.partition(".")[2]: a for n, a in arrays.items() if f"s5{k}." in n}
        z = h - h.mean(axis=2, keepdims=True)
        z = z / np.sqrt(z.var(axis=2, keepdims=True) + 1e-6)
        z = z * own["gain"] + own["shift"]
        pole = -np.exp(own["damping"]) + 1j * own["frequency"]
        after = np.exp(pole * np.exp(own["step"]))
        P = len(pole)
        B = own["B"][:, :P] + 1j * own["B"][:, P:]
        C = own["C"][:P] - 1j * own["C"][P:]
        s, every = 0, []
        for t in range(x.shape[1]):
            s = after * s + (after - 1) / pole * (z[:, t] @ B)
            every.append((s @ C).real)
        y = np.stack(every, axis=1) + own["D"] * z
        a = np.asarray(jax.nn.gelu(y))
        h = h + a * logistic(a @ own["W"] + own["b"])
    return (h.mean(axis=1) if last else h) @ arrays["readout.W"] + arrays["readout.b"]


def layers_of(make, by_steps):
    """Return a function of ``last`` to a model of two layers, and its steps."""
    return lambda last: (make(2, 3, (6, 5), last=last, seed=1), by_steps)


MODELS = {
    "lstm": layers_of(partial(recurrent_model, "lstm"), lstm_by_steps),
    "gru": layers_of(partial(recurrent_model, "gru"), gru_by_steps),
    "s5": lambda last: (
        s5_model(2, 3, 6, poles=4, depth=2, last=last, seed=1),
        s5_by_steps,
    ),
}
CASES = list(itertools.product(MODELS, [False, True]))


def moved(arrays, rng, size=0.1):
    """Return arrays in double precision with noise, so that none of them is 0."""
    return {n: a + size * rng.standard_normal(a.shape) for n, a in arrays.items()}


@pytest.mark.parametrize(("name", "last"), CASES)
def test_a_model_is_that_of_its_equations(name, last):
    rng = np.random.default_rng(0)
    model, by_steps = MODELS[name](last)
    arrays, x = moved(model.arrays, rng), rng.standard_normal((3, 20, 2))
    with precision_of("float64"):
        found = model.outputs(arrays, x)
        np.testing.assert_allclose(found, by_steps(arrays, x, 2, last), atol=1e-6)


@pytest.mark.parametrize(("name", "last"), CASES)
def test_slopes_are_those_of_small_differences(name, last):
    rng, (model, _) = np.random.default_rng(0), MODELS[name](last)
    arrays, away = moved(model.arrays, rng), moved(model.arrays, rng, 1.0)
    x = rng.standard_normal((3, 15, 2))

    def loss(arrays, x):
        return (model.outputs(arrays, x) ** 2).sum()

    def beside(sign):
        near = {name: a + sign * 1e-5 * away[name] for name, a in arrays.items()}
        return float(loss(near, x + sign * 1e-5))

    # in double precision: along one direction in all arrays and inputs
    with precision_of("float64"):
        slopes, by_x = jax.grad(loss, (0, 1))(arrays, x)
        along = sum(np.sum(slopes[name] * away[name]) for name in arrays)
        along += np.sum(by_x)
        assert along == pytest.approx((beside(1) - beside(-1)) / 2e-5, rel=1e-6)


def test_units_without_state_read_the_last_step():
    model, x = dense_model(2, 5, 3, seed=1), np.ones((4, 7, 2), "f")
    x[:, -1] = np.random.default_rng(0).standard_normal((4, 2))
    h = np.maximum(x[:, -1] @ model.arrays["units.W"], 0)
    wanted = h @ model.arrays["readout.W"]
    np.testing.assert_allclose(model.outputs(model.arrays, x), wanted, atol=1e-6)


def test_hybrid_has_the_memory_of_the_delay_network():
    ldn, x = LDN(5, 12.0), np.random.default_rng(0).standard_normal((2, 30, 1))
    options = {"order": 5, "theta": 12, "units": 8, "layers": (6,), "scale": 0.7}
    model = hybrid_model(1, 2, **options)
    m = np.stack([ldn.simulate(0.7 * one[:, 0], 1.0) for one in x])
    h = np.maximum(0, m @ model.arrays["cell.W"] + model.arrays["cell.b"])
    found = model.outputs(model.arrays, x.astype("f"))
    np.testing.assert_allclose(found, lstm_by_steps(model.arrays, h, 1), atol=1e-5)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("connections", ["", "W_h W_x", "e_h e_m W_h W_x"])
def test_an_lmu_is_that_of_its_parameters(connections, last):
    cell = {"units": 5, "order": 4, "theta": 0.01, "connections": connections}
    params = LMUParams.draw(2, 3, [cell | {"bias": True}], seed=1)
    x = np.random.default_rng(0).standard_normal((3, 30, 2))
    model = lmu_model(params, last=last)
    found = model.outputs(model.arrays, x.astype("f"))
    np.testing.assert_allclose(found, forward(params, x, last=last), atol=1e-5)
    assert model.n_params == params.n_params


def test_poles_begin_in_the_left_half_plane_in_the_normal_part_of_hippo():
    order = 16
    p = np.sqrt(2 * np.arange(order) + 1)
    full = -np.tril(np.outer(p, p), -1) - np.diag(np.arange(order) + 1.0)
    normal = full + np.outer(p, p) / 2
    arrays = s5_model(1, 1, 3, poles=order // 2, depth=1).arrays
    found = -np.exp(arrays["s50.damping"]) + 1j * arrays["s50.frequency"]
    wanted = np.linalg.eigvals(normal)
    wanted = wanted[wanted.imag > 0]
    np.testing.assert_allclose(
        np.sort(found.imag), np.sort(wanted.imag), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(found.real, -0.5, rtol=1e-5)


def test_weights_are_drawn_as_keras_draws_them():
    arrays = recurrent_model("lstm", 3, 2, (50,)).arrays
    W, U, b = (arrays[f"lstm0.{name}"] for name in "WUb")
    limit = np.sqrt(6 / (3 + 200))
    assert 0.95 * limit < np.abs(W).max() <= limit
    np.testing.assert_allclose(U @ U.T, np.eye(50), atol=1e-5)
    np.testing.assert_array_equal(b.reshape(4, 50), np.outer([0, 1, 0, 0], np.ones(50)))
    assert not arrays["readout.b"].any()


def test_sizes_are_as_published():
    assert recurrent_model("lstm", 1, 1).n_params == 18_026
    assert recurrent_model("lstm", 1, 10, (160,), last=True).n_params == 105_290
    # Keras: 3 (u^2 + u c + 2 u), and the readout
    assert recurrent_model("gru", 2, 3, (7,)).n_params == 3 * (49 + 14 + 14) + 3 * 7 + 3


def test_units_are_the_most_that_fit():
    def of(units):
        return recurrent_model("gru", 1, 1, (units,))

    for params in (50, 1_000, 18_000):
        units = units_for(params, of)
        assert of(units).n_params <= params < of(units + 1).n_params
