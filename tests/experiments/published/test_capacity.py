import sys

import nengo
import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.experiments.published import capacity as capacity_lstm
from lmu_spiking.experiments.published.capacity import (
    PUBLISHED,
    BlockReadout,
    capacity_sequences,
    mean_squared_errors,
    readouts,
    reproduce,
    untrained,
)
from lmu_spiking.tasks.capacity import delays, whole_sequences


def errors(rows, name):
    return np.array([row["mse"] for row in rows if row["readout"] == name])


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize(("order", "theta"), [(1, 0.3), (6, 0.5), (100, 1.01)])
def test_blocks_equal_the_simulation(order, theta, size):
    rng, ldn, dt = np.random.RandomState(0), LDN(order, theta), 0.005
    u = rng.randn(5 * size, 3)
    weights = ldn.readout(np.array([0, 0.1, theta - dt]), dt)
    y, m = BlockReadout.of(ldn, dt, weights, size).run(np.zeros((order, 3)), u)
    states = ldn.simulate(u, dt)  # (n, c, d)
    np.testing.assert_allclose(y, np.einsum("ncd,qd->nqc", states, weights), atol=1e-10)
    np.testing.assert_allclose(m, states[-1].T, atol=1e-10)


def test_blocks_go_on_where_they_were():
    ldn, u = LDN(6, 0.5), np.random.RandomState(0).randn(64, 2)
    blocks = BlockReadout.of(ldn, 0.01, ldn.readout(np.array([0.2]), 0.01), size=16)
    whole, last = blocks.run(np.zeros((6, 2)), u)
    first, m = blocks.run(np.zeros((6, 2)), u[:32])
    second, m = blocks.run(m, u[32:])
    np.testing.assert_allclose(np.concatenate([first, second]), whole, atol=1e-12)
    np.testing.assert_allclose(m, last, atol=1e-12)


@pytest.mark.parametrize("length", [100, 200, 1000])
def test_harmonics_are_nengos_white_signal(length):
    drawn = capacity_sequences(length, channels=2)
    whole = whole_sequences(length, draws=102)[100:]
    steps = int(2.5 * length)
    np.testing.assert_allclose(drawn.block(0, steps), whole.T, atol=1e-10)
    np.testing.assert_allclose(drawn.block(7, 23), whole.T[7:23], atol=1e-10)


def test_sequences_follow_the_seed():
    first, other = (capacity_sequences(100, 2, seed) for seed in (0, 1))
    assert not np.allclose(first.harmonics, other.harmonics)


def test_lengths_that_harmonics_do_not_fit_are_refused():
    with pytest.raises(
        ValidationError, match=r"capacity.length: 50 must be a multiple"
    ):
        capacity_sequences(50)


def test_errors_are_those_of_the_simulation():
    length = 100
    drawn = capacity_sequences(length, channels=3)
    u = drawn.block(0, 250)
    for ldn, weights in readouts(length).values():
        read = ldn.simulate(u, 1 / length)[length:] @ weights.T  # (n, c, q)
        wanted = np.stack([u[length - s : 250 - s] for s in delays(length)], axis=2)
        direct = np.mean((read - wanted) ** 2, axis=0).T
        found = mean_squared_errors(ldn, weights, drawn, length)
        np.testing.assert_allclose(found, direct, rtol=1e-9)


@pytest.mark.parametrize("length", [100, 1000])
def test_papers_readout_errs_as_published(length):
    """Published in two digits: half a unit of the second is at most 5 %."""
    found = errors(untrained(length), "paper")
    np.testing.assert_allclose(found, PUBLISHED[length], rtol=0.05)


def test_half_sample_readout_is_a_thousand_times_better_inside():
    rows = untrained(1000)
    better = errors(rows, "paper") / errors(rows, "half-sample")
    assert np.all(better[1:-1] > 1e4)
    assert np.all(errors(rows, "half-sample")[1:-1] < 1.2e-9)


@pytest.mark.slow
@pytest.mark.parametrize("length", [10_000, 100_000])
def test_long_delays(length):
    rows = untrained(length)
    if length in PUBLISHED:
        np.testing.assert_allclose(errors(rows, "paper"), PUBLISHED[length], rtol=0.05)
    assert np.all(errors(rows, "half-sample")[1:-1] < 1e-9)


def test_fast_reproduction_trains_nothing():
    found = reproduce(fast=True)
    assert found.fast
    assert {row for row in found.data["untrained"].length} == {100, 1000}
    (last,) = (one for one in found.comparisons if "1,600" in one.what)
    assert (last.published, last.ours, last.say) == (0.13, None, "not run")


def test_without_jax_the_reason_is_said(monkeypatch):
    rooms = ("lmu_spiking.experiments.rivals", "lmu_spiking.training._jax")
    for name in [name for name in sys.modules if name.startswith(rooms)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jax", None)
    assert capacity_lstm.train_all(1.0, 0) == (
        [],
        "not run: install lmu_spiking[train]",
    )


def test_time_for_training_is_all_shared():
    left, spent = 1.0, []
    for length in capacity_lstm.LSTM_LENGTHS:
        spent.append(left * capacity_lstm._share(length))
        left -= spent[-1]
    assert sum(spent) == pytest.approx(1)
    assert np.allclose(np.array(spent) / spent[0], [1, 2, 4, 8])


def test_whole_sequences_have_peak_one():
    x = whole_sequences(25, draws=4)
    assert x.shape == (4, 62)
    np.testing.assert_allclose(np.abs(x).max(axis=1), 1)
    process = nengo.processes.WhiteSignal(2.5, high=10, y0=0)
    first = process.run_steps(62, d=1, dt=1 / 25, rng=np.random.RandomState(0))[:, 0]
    np.testing.assert_allclose(x[0], first / np.abs(first).max())
