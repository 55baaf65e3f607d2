from dataclasses import replace

import numpy as np
import pytest

from lmu_spiking.lmu.calibration import STATES, calibrate
from lmu_spiking.lmu.forward import activations, run_cell


def noise(n=6, T=25, c=1, seed=0):
    return np.random.default_rng(seed).standard_normal((n, T, c))


def outputs(params, m):
    cell = params.cells[-1]
    h = activations(cell.activation, m @ cell.W_m.T + cell.b)
    return h @ params.D.T


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
def test_readouts_weigh_errors_of_the_state_as_the_output_does(
    lmu, activation, last, classes
):
    """``e^T W e`` is the mean square change of the output, by finite differences.

    For classes, of what remains when all outputs rise alike.
    """
    params = lmu("", activation=activation, size_out=3, header={"classes": classes})
    x = noise()
    (use,) = calibrate(params, x, last=last)
    m, _ = run_cell(params.cells[0], x, params.dt)
    m = m[:, -1] if last else m.reshape(-1, 3)
    for e in np.random.default_rng(1).standard_normal((5, 3)):
        change = (outputs(params, m + 1e-7 * e) - outputs(params, m - 1e-7 * e)) / 2e-7
        if classes:
            change = change - change.mean(axis=1, keepdims=True)
        expected = np.mean(np.sum(change**2, axis=1))
        assert np.sum((use.readouts @ e) ** 2) == pytest.approx(expected, rel=1e-5)


def test_blocks_of_several_memories_add_up(lmu):
    params = lmu("", activation="linear", memory_d=2)
    (use,) = calibrate(params, noise())
    full = params.D @ params.cells[0].W_m
    W = full.T @ full
    np.testing.assert_allclose(
        use.readouts.T @ use.readouts, W[:3, :3] + W[3:, 3:], atol=1e-9 * W.max()
    )


def test_states_and_ranges_are_those_of_the_cells(lmu):
    params = lmu("e_h W_x W_h", n_cells=2, memory_d=2, activation="relu")
    x = noise()
    uses = calibrate(params, x)
    for cell, use in zip(params.cells, uses, strict=True):
        m, x = run_cell(cell, x, params.dt)
        np.testing.assert_allclose(use.states[1], m.reshape(-1, 2, 3)[:, 1])
        size = np.abs(x).reshape(-1, 3)
        fires = size.max(axis=0) > 0
        assert np.all(use.top > 0)
        assert np.all((size > use.top).mean(axis=0)[fires] <= 0.01)
        assert use.activity == pytest.approx(np.mean(size / use.top))


def test_many_states_are_thinned_out(lmu):
    (use,) = calibrate(lmu(""), noise(300, 400))
    assert STATES <= use.states.shape[1] < 2 * STATES + 1


def test_silent_units_get_the_range_of_the_others(lmu):
    params = lmu("", activation="relu").updated({"cell0.b": [-1e3, 1.0, 2.0]})
    (use,) = calibrate(params, noise())
    assert use.top[0] == pytest.approx(0.05 * use.top.max())


def test_a_silent_cell_has_ranges_and_all_coefficients_count_alike(lmu):
    params = lmu("", activation="relu").updated({"cell0.b": [-1e3] * 3})
    (use,) = calibrate(params, noise())
    np.testing.assert_array_equal(use.top, 1)
    assert use.activity == 0
    np.testing.assert_array_equal(use.readouts, np.eye(3))


@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (20, 1)])
def test_single_sequences_and_single_samples(lmu, shape):
    (use,) = calibrate(lmu(""), noise(*shape), last=True)
    assert use.states.shape == (1, shape[0] * shape[1], 3)
    assert np.isfinite(use.readouts).all()


@pytest.mark.parametrize("last", [False, True])
def test_what_lies_past_a_length_is_not_used(lmu, last):
    """The statistics of padded sequences are those of the sequences one by one."""
    rng = np.random.default_rng(5)
    params = lmu("W_x W_h", n_cells=2, size_in=2, memory_d=2, activation="relu")
    params = replace(params, mean=[1.0, 0.0], scale=[0.5, 2.0])
    x, lengths = rng.normal(size=(3, 12, 2)), np.array([12, 4, 7])
    louder = np.where((np.arange(12) < lengths[:, None])[:, :, None], x, 1e3)
    uses = calibrate(params, louder, last=last, lengths=lengths)
    alone = [
        calibrate(params, x[i : i + 1, :end], last=last)
        for i, end in enumerate(lengths)
    ]
    for i, use in enumerate(uses):
        expected = np.concatenate([a[i].states for a in alone], axis=1)
        np.testing.assert_allclose(use.states, expected, atol=1e-9)
        W = [a[i].readouts.T @ a[i].readouts for a in alone]
        share = np.ones(3) / 3 if last and i == 1 else lengths / lengths.sum()
        expected = np.tensordot(share, W, 1)
        W = use.readouts.T @ use.readouts
        np.testing.assert_allclose(W, expected, atol=1e-8 * np.abs(W).max())
