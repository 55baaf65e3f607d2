import importlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.forward import (
    activations,
    forward,
    impulse_response,
    memory_states,
    run_cell,
)
from lmu_spiking.lmu.params import LMUParams

CURVES = {"tanh": np.tanh, "relu": lambda J: J * (J > 0), "linear": lambda J: J}
NAMES = ["e_h", "e_m", "W_x", "W_h"]


def by_the_equations(params, x):
    """Outputs (T, q) for one sequence (T, c), as `lmu.params` writes them."""

    def there(array, v):
        return 0.0 if array is None else array @ v

    for c in params.cells:
        A, B = LDN(c.order, c.theta).discretize(params.dt)
        A, B = np.kron(np.eye(c.memory_d), A), np.kron(np.eye(c.memory_d), B[:, None])
        m, h, out = np.zeros(len(A)), np.zeros(c.units), []
        for x_t in x:
            u = c.e_x @ x_t + there(c.e_h, h) + there(c.e_m, m)
            u = u + (0.0 if c.b_u is None else c.b_u)
            m = A @ m + B @ u
            J = there(c.W_x, x_t) + there(c.W_h, h) + c.W_m @ m
            h = CURVES[c.activation](J + (0.0 if c.b is None else c.b))
            out.append(h)
        x = np.array(out)
    return x @ params.D.T + params.c


@given(
    connections=st.sets(st.sampled_from(NAMES)),
    activation=st.sampled_from(sorted(CURVES)),
    n_cells=st.integers(1, 3),
    memory_d=st.integers(1, 3),
    size_in=st.integers(1, 2),
    order=st.integers(1, 5),
    steps=st.integers(1, 20),
    dt=st.sampled_from([1e-3, 0.01, 2.0]),
    bias=st.booleans(),
)
@settings(max_examples=40)
def test_every_model_computes_its_equations(
    lmu, connections, activation, n_cells, memory_d, size_in, order, steps, dt, bias
):
    params = lmu(
        connections,
        activation=activation,
        n_cells=n_cells,
        memory_d=memory_d,
        size_in=size_in,
        order=order,
        theta=10 * dt,
        dt=dt,
        bias=bias,
    )
    x = np.random.default_rng(steps).standard_normal((2, steps, size_in))
    y = forward(params, x)
    expected = np.stack([by_the_equations(params, one) for one in x])
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-11 * scale)
    last = forward(params, x, last=True)
    np.testing.assert_allclose(last, y[:, -1], rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("last", [False, True])
def test_all_times_at_once_are_step_by_step(lmu, last):
    """A ``W_h`` of zeros takes the long way round."""
    quick = lmu("W_x", activation="relu", memory_d=2, order=6, theta=0.05)
    with_h = lmu("W_x W_h", activation="relu", memory_d=2, order=6, theta=0.05)
    arrays = quick.arrays() | {"cell0.W_h": np.zeros((3, 3))}
    slow = with_h.updated(arrays)
    assert quick.is_feedforward and not slow.is_feedforward
    x = np.random.default_rng(0).standard_normal((4, 150, 1))
    for one, other in zip(
        run_cell(quick.cells[0], x, 1e-3, last=last),
        run_cell(slow.cells[0], x, 1e-3, last=last),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_the_memory_is_the_delay_networks():
    u = np.random.default_rng(1).standard_normal((2, 300, 3))
    from lmu_spiking.lmu.params import CellParams

    cell = CellParams.draw(3, 2, 8, 0.1, memory_d=3)
    m = memory_states(cell, u, 1e-3)
    for n in range(2):
        exact = LDN(8, 0.1).simulate(u[n], 1e-3)
        np.testing.assert_allclose(m[n].reshape(300, 3, 8), exact, atol=1e-12)
    np.testing.assert_allclose(memory_states(cell, u, 1e-3, last=True), m[:, -1])
    H = impulse_response(cell, 50, 1e-3)
    np.testing.assert_array_equal(H[0], LDN(8, 0.1).discretize(1e-3)[1])


def test_sequences_do_not_touch_each_other(lmu):
    for connections in ("W_x", "e_h e_m W_x W_h"):
        params = lmu(connections)
        x = np.random.default_rng(2).standard_normal((5, 30, 1))
        one_by_one = np.concatenate([forward(params, x[i : i + 1]) for i in range(5)])
        np.testing.assert_allclose(forward(params, x), one_by_one, atol=1e-12)


def test_later_samples_change_nothing_before(lmu):
    for connections in ("W_x", "e_h e_m W_x W_h"):
        params = lmu(connections)
        x = np.random.default_rng(3).standard_normal((1, 40, 1))
        whole, part = forward(params, x), forward(params, x[:, :15])
        np.testing.assert_allclose(whole[:, :15], part, atol=1e-12)


def test_activations_are_their_formulas():
    J = np.array([-2.0, 0.0, 3.0])
    for name, curve in CURVES.items():
        np.testing.assert_array_equal(activations(name, J), curve(J))


@pytest.mark.parametrize(
    "x",
    [
        np.ones((3, 4)),
        np.ones((3, 4, 2)),
        np.ones((0, 4, 1)),
        np.ones((3, 0, 1)),
        np.full((1, 4, 1), np.nan),
        np.full((1, 4, 1), np.inf),
        "text",
        [[[1.0], [2.0]], [[1.0]]],
        (n for n in range(3)),
        None,
    ],
    ids=lambda x: getattr(x, "shape", type(x).__name__).__str__(),
)
def test_other_input_is_refused(lmu, x):
    with pytest.raises(ValidationError, match=r"forward.x: "):
        forward(lmu(""), x)


def test_read_only_input_and_lists_serve(lmu):
    x = np.ones((1, 5, 1))
    x.flags.writeable = False
    np.testing.assert_array_equal(
        forward(lmu("W_h"), x), forward(lmu("W_h"), x.tolist())
    )


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("connections", ["", "W_x", "W_h", "e_h e_m W_x W_h"])
def test_a_padded_sequence_gives_what_it_gives_alone(lmu, connections, last):
    """Whatever the padding is; and what normalises the input may go into the cell."""
    rng = np.random.default_rng(3)
    params = lmu(connections, n_cells=2, memory_d=2, size_in=2, order=4, bias=True)
    params = replace(params, mean=[0.5, -2.0], scale=[2.0, 0.3])
    x, lengths = rng.normal(size=(4, 15, 2)), np.array([3, 15, 1, 9])
    found = forward(params, x, last=last, lengths=lengths)
    folded = forward(params.folded(), x, last=last, lengths=lengths)
    for i, end in enumerate(lengths):
        alone = forward(params, x[i : i + 1, :end], last=last)[0]
        by_hand = by_the_equations(params, (x[i, :end] - params.mean) / params.scale)
        np.testing.assert_allclose(alone, by_hand[-1] if last else by_hand, atol=1e-9)
        for each in (found[i], folded[i]):
            each = each if last else each[:end]
            np.testing.assert_allclose(each, alone, rtol=0, atol=1e-12)


def test_lengths_are_checked(lmu):
    x = np.ones((2, 5, 1))
    for lengths in ([5], [0, 5], [5, 6], [1.5, 2.0]):
        with pytest.raises(ValidationError, match=r"forward\.lengths"):
            forward(lmu(""), x, lengths=lengths)


@pytest.mark.parametrize("last", [True, False])
def test_many_sequences_are_computed_a_few_at_a_time(monkeypatch, last):
    cells = [{"units": 4, "order": 3, "theta": 0.02, "memory_d": 2}] * 2
    params = LMUParams.draw(2, 3, cells, dt=0.001, seed=1)
    rng = np.random.default_rng(0)
    x, ends = rng.standard_normal((7, 9, 2)), rng.integers(1, 10, 7)
    whole = forward(params, x, last=last, lengths=ends)
    module = importlib.import_module("lmu_spiking.lmu.forward")
    monkeypatch.setattr(module, "ROOM", 2 * 9 * 10)
    few = forward(params, x, last=last, lengths=ends)
    np.testing.assert_allclose(few, whole, atol=1e-12)
