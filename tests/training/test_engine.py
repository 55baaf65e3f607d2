import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

pytest.importorskip("jax")

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu import forward
from lmu_spiking.training import TrainSettings, engine, model
from lmu_spiking.training._jax import jax, precision_of
from lmu_spiking.training.engine import JaxEngine

OPTIONAL = ("e_h", "e_m", "W_x", "W_h")
SUBSETS = [
    " ".join(names)
    for size in range(len(OPTIONAL) + 1)
    for names in itertools.combinations(OPTIONAL, size)
]


@pytest.fixture
def of():
    """``of(params, x, last, **settings)`` -> engine, weights and features."""
    contexts = []

    def make(params, x, last, classes=None, **settings):
        settings = TrainSettings(**settings)
        contexts.append(precision_of(settings.precision))
        contexts[-1].__enter__()
        made = JaxEngine(params, settings, classes, last)
        cells = params.cells
        windows = {n: np.log(cells[int(n[4])].theta) for n in made.thetas}
        return made, params.arrays() | windows, made.features(x)

    yield make
    for context in reversed(contexts):
        context.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("precision", "within"), [("float32", 1e-5), ("float64", 1e-12)]
)
@pytest.mark.parametrize(
    ("cells", "connections", "memory_d", "last", "steps"),
    [
        (["relu"], "W_x", 1, True, 150),
        (["tanh"], "W_x", 2, False, 150),  # blocks, the last one not full
        (["relu", "tanh"], "W_x", 2, True, 150),
        (["tanh", "linear"], "W_x", 1, False, 40),  # less than a block
        (["relu"], "W_x", 2, False, 700),  # parts of rows, the last one not full
        (["relu", "tanh"], "W_x W_h", 2, True, 70),
        (["tanh", "relu"], "e_h e_m W_x W_h", 2, False, 70),
    ],
)
def test_outputs_are_those_of_the_reference(
    lmu, of, precision, within, cells, connections, memory_d, last, steps
):
    params = lmu(cells, connections, memory_d)
    x = np.random.default_rng(2).normal(size=(5, steps, 2))
    expected = forward(params, x, last=last)
    for theta in (False, True):  # with states that are kept, and without
        made, weights, features = of(
            params, x, last, precision=precision, trainable_theta=theta
        )
        kept = not theta and params.cells[0].memory_is_feedforward
        assert ("states" in features) is kept
        error = made.outputs(weights, features, batch=2) - expected
        assert np.abs(error).max() < within * np.abs(expected).max()


def _complex_outputs(params, weights, x):
    """The equations of `lmu.params`, step by step, for complex weights and windows.

    An analytic function of a complex step ``i s`` has the imaginary part ``s f'``,
    without the rounding of differences.
    """
    h_in = x.astype(complex)
    for i, cell in enumerate(params.cells):
        own = {name: weights[f"cell{i}.{name}"] for name in cell.arrays()}
        theta = np.exp(weights[f"cell{i}.theta"])
        n, (k, d) = len(x), (cell.memory_d, cell.order)
        both = np.zeros((d + 1, d + 1), complex)
        both[:d, :d], both[:d, d] = cell.ldn.A, cell.ldn.B
        step = expm(params.dt / theta * both)
        zero = [np.zeros(size) for size in ((k, cell.units), (k, k * d))]
        e_h, e_m = own.get("e_h", zero[0]), own.get("e_m", zero[1])
        W_x, W_h = (own.get(name, np.zeros((1, 1))) for name in ("W_x", "W_h"))
        m, h, found = np.zeros((n, k, d)), np.zeros((n, cell.units)), []
        for t in range(x.shape[1]):
            u = h_in[:, t] @ own["e_x"].T + own["b_u"] + h @ e_h.T
            u = u + m.reshape(n, -1) @ e_m.T
            m = m @ step[:d, :d].T + u[:, :, None] * step[:d, d]
            J = m.reshape(n, -1) @ own["W_m"].T + own["b"]
            J = J + (h_in[:, t] @ W_x.T if "W_x" in own else 0)
            J = J + (h @ W_h.T if "W_h" in own else 0)
            h = np.tanh(J) if cell.activation == "tanh" else J
            found.append(h)
        h_in = np.stack(found, axis=1)
    return h_in @ weights["readout.D"].T + weights["readout.c"]


@pytest.mark.parametrize("connections", SUBSETS)
@pytest.mark.parametrize("cells", [["tanh"], ["tanh", "linear"]])
def test_gradients_are_those_of_the_equations(lmu, of, cells, connections):
    """A direction in each array has the slope of the equations, for every subset.

    Windows have it as well, by their logarithms.
    """
    last = len(cells) == 1
    params = lmu(cells, connections, 2)
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3, 30, 2))
    made, weights, features = of(
        params, x, last, precision="float64", trainable_theta=True
    )
    expected = forward(params, x, last=last)
    y = rng.normal(size=expected.shape)
    found = made.outputs(weights, features)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    loss, gradients = made.gradients(weights, features, y)
    assert float(loss) == pytest.approx(np.mean((expected - y) ** 2), rel=1e-12)
    assert set(gradients) == {*params.arrays(), *made.thetas}
    for name, g in gradients.items():
        toward = rng.normal(size=np.shape(weights[name]))
        moved = weights | {name: weights[name] + 1e-30j * toward}
        outputs = _complex_outputs(params, moved, x)
        outputs = outputs[:, -1] if last else outputs
        slope = np.mean((outputs - y) ** 2).imag / 1e-30
        assert np.sum(g * toward) == pytest.approx(slope, rel=1e-10, abs=1e-15), name


@pytest.mark.parametrize("connections", ["W_x", "e_h e_m W_x W_h"])
def test_single_precision_has_the_same_gradients(lmu, of, connections):
    params = lmu(["relu", "tanh"], connections, 2)
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(6, 40, 2)), rng.normal(size=(6, 40, 3))
    found = []
    for precision in ("float32", "float64"):
        made, weights, features = of(
            params, x, False, precision=precision, trainable_theta=True
        )
        found.append(made.gradients(weights, features, y)[1])
    for name, g in found[0].items():
        expected = np.asarray(found[1][name])
        assert np.abs(g - expected).max() < 1e-4 * np.abs(expected).max(), name


@pytest.mark.parametrize("last", [True, False])
def test_kept_states_change_nothing(lmu, of, monkeypatch, last):
    params = lmu(["relu", "tanh"] if not last else ["tanh"], "W_x")
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(5, 70, 2)), rng.normal(size=(5, 3) if last else (5, 70, 3))
    made, weights, features = of(params, x, last, precision="float64")
    kept = made.gradients(weights, features, y)
    monkeypatch.setattr(engine, "ROOM", 0)
    made, weights, features = of(params, x, last, precision="float64")
    assert "states" not in features
    loss, gradients = made.gradients(weights, features, y)
    assert float(loss) == pytest.approx(float(kept[0]), rel=1e-13)
    for name, g in gradients.items():
        np.testing.assert_allclose(g, kept[1][name], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("lengths", [None, [31, 20, 7]])
def test_parts_of_rows_change_nothing(lmu, of, monkeypatch, lengths):
    params = lmu(["relu"], "W_x", 2)
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(3, 31, 2)), rng.normal(size=(3, 31, params.size_out))
    found = []
    for size in (10**6, 7):
        monkeypatch.setattr(model, "PART", size)
        jax.clear_caches()  # sizes are compiled
        how = {"precision": "float64", "rate_penalty": 0.5, "noise": 0.1}
        made, weights, _ = of(params, x, False, **how)
        features = made.features(x, lengths)
        rng = np.random.default_rng(0)
        found.append(made.gradients(weights, features, y, rng=rng))
    (loss, slopes), (again, others) = found
    assert float(loss) == pytest.approx(float(again), rel=1e-12)
    for name, slope in slopes.items():
        np.testing.assert_allclose(others[name], slope, rtol=1e-9, atol=1e-12)


def test_a_memory_at_rest_lets_gradients_pass(lmu, of):
    """Encoders of 0: as many states are 0."""
    params = lmu(["linear"])
    params = params.updated({"cell0.e_x": np.zeros((1, 2)), "cell0.b_u": np.zeros(1)})
    x, y = np.ones((2, 8, 2)), np.ones((2, 3))
    made, weights, features = of(params, x, True, precision="float64")
    assert np.abs(made.gradients(weights, features, y)[1]["cell0.e_x"]).min() > 0


def test_noise_is_drawn_in_units_of_the_states(lmu, of):
    """It adds to a linear cell's loss the variance that it has, within 5 s.e."""
    params = lmu(["linear"])
    x = np.random.default_rng(5).normal(size=(4000, 30, 2))
    y = forward(params, x, last=True)
    made, weights, features = of(params, x, True, noise=0.3, precision="float64")
    loss, _ = made.gradients(weights, features, y, rng=np.random.default_rng(6))
    to_y = params.D @ params.cells[0].W_m
    m = np.einsum("kc,ncd->nkd", params.cells[0].e_x, features["states"][:, :2])
    m += params.cells[0].b_u[:, None] * features["states"][:, 2:]
    covariance = np.diag(0.3**2 * np.mean(m**2, axis=(0, 1)))
    expected = np.trace(to_y @ covariance @ to_y.T) / 3
    assert loss == pytest.approx(expected, rel=5 * np.sqrt(2 / 4000))
    settings = {"noise_covariance": covariance, "precision": "float64"}
    made, weights, features = of(params, x, True, **settings)
    loss, _ = made.gradients(weights, features, y, rng=np.random.default_rng(7))
    assert loss == pytest.approx(expected, rel=5 * np.sqrt(2 / 4000))
    assert made.gradients(weights, features, y)[0] < 1e-20  # no rng, no noise


def test_noise_reaches_all_that_reads_a_recurrent_memory(lmu, of):
    """Units and the memory itself receive it in units of the rms, as in numpy."""
    params = lmu(["tanh"], "e_h e_m W_x W_h", 2)
    cell, k, d = params.cells[0], 2, 6
    x = np.random.default_rng(6).normal(size=(40, 12, 2))
    scale, z = 0.3, np.random.default_rng(7).standard_normal((40, 12, k * d))
    Ad, Bd = cell.ldn.discretize(params.dt)

    def states_and_outputs(noise):
        m = read = np.zeros((40, k * d))
        h, states, outputs = np.zeros((40, cell.units)), [], []
        for t in range(12):
            u = x[:, t] @ cell.e_x.T + cell.b_u + h @ cell.e_h.T + read @ cell.e_m.T
            m = (m.reshape(40, k, d) @ Ad.T + u[:, :, None] * Bd).reshape(40, -1)
            read = m + noise[:, t]
            J = read @ cell.W_m.T + x[:, t] @ cell.W_x.T + h @ cell.W_h.T + cell.b
            h = np.tanh(J)
            states.append(m)
            outputs.append(h @ params.D.T + params.c)
        return np.stack(states, axis=1), np.stack(outputs, axis=1)

    clean, _ = states_and_outputs(np.zeros_like(z))
    noise = scale * np.sqrt(np.mean(clean**2, axis=(0, 1))) * z
    _, y = states_and_outputs(noise)
    made, weights, features = of(params, x, False, noise=scale, precision="float64")
    loss, _ = made.gradients(weights, features, y, rng=np.random.default_rng(7))
    assert loss < 1e-20


def test_a_window_that_diverges_is_one_line(lmu, of):
    x = np.ones((3, 10, 2))
    made, weights, features = of(lmu(["linear"]), x, True, trainable_theta=True)
    for far in (30.0, np.inf, np.nan):
        with pytest.raises(ValidationError, match=r"learning_rate.*let a window"):
            made.outputs(weights | {"cell0.theta": far}, features)


def test_a_penalty_is_the_mean_activity(lmu, of):
    params = lmu(["linear"]).updated({"cell0.W_m": np.zeros((7, 6))})
    x = np.ones((3, 10, 2))
    y = forward(params, x, last=True)
    made, weights, features = of(params, x, True, rate_penalty=2.0)
    expected = 2 * np.mean(np.abs(params.cells[0].b))
    found = made.gradients(weights, features, y)[0]
    assert found == pytest.approx(expected, rel=1e-6)


def test_classes_have_cross_entropy_and_steps_have_weights(lmu, of):
    params = lmu(["tanh"])
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(4, 9, 2)), rng.integers(3, size=(4, 9))
    step_weights = rng.random((4, 9))
    made, weights, features = of(params, x, False, 3, precision="float64")
    outputs = forward(params, x)
    likely = outputs - np.log(np.exp(outputs).sum(axis=-1, keepdims=True))
    each = -np.take_along_axis(likely, y[..., None], axis=-1)[..., 0]
    found = made.gradients(weights, features, y)[0]
    assert found == pytest.approx(each.mean(), rel=1e-12)
    found = made.gradients(weights, features, y, step_weights)[0]
    expected = np.average(each, weights=step_weights)
    assert found == pytest.approx(expected, rel=1e-12)


LENGTHS = np.array([70, 3, 31, 1, 12])


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("cells", "connections", "settings"),
    [
        (["relu"], "W_x", {}),
        (["tanh", "relu"], "W_x", {}),
        (["tanh"], "W_x", {"trainable_theta": True}),  # states that are not kept
        (["relu", "tanh"], "W_x W_h", {}),
        (["tanh", "relu"], "e_h e_m W_x W_h", {}),
    ],
)
def test_what_lies_past_a_length_has_no_part(
    lmu, of, cells, connections, settings, last
):
    """In outputs, losses, activities and gradients, in none of the ways they go."""
    params = lmu(cells, connections, 2)
    params = replace(params, mean=[0.4, 1.0], scale=[2.0, 0.5])
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(5, 70, 2)), rng.normal(size=(5, 70, 3))
    y = y[:, 0] if last else y
    alive = np.arange(70) < LENGTHS[:, None]
    how = settings | {"precision": "float64", "rate_penalty": 0.3}
    how |= {"noise": 0.5} if "e_h" not in connections else {}
    made, weights, _ = of(params, x, last, **how)
    found = []
    for past in (0.0, 1e3):
        given = made.features(np.where(alive[:, :, None], x, past), LENGTHS)
        more = {"rng": np.random.default_rng(4)}
        more["step_weights"] = None if last else alive * 1.0
        y_past = y if last else np.where(alive[:, :, None], y, past)
        found.append(made.gradients(weights, given, y_past, **more))
        outputs = made.outputs(weights, given)
        expected = forward(params, x, last=last, lengths=LENGTHS)
        where = slice(None) if last else alive
        np.testing.assert_allclose(outputs[where], expected[where], atol=1e-10)
    (loss, slopes), (other, others) = found
    assert float(loss) == pytest.approx(float(other), rel=1e-10)
    for name, slope in slopes.items():
        np.testing.assert_allclose(others[name], slope, rtol=1e-8, atol=1e-10)
