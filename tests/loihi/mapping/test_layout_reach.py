import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.loihi.mapping import layout as layouts
from lmu_spiking.loihi.mapping.curves import REACH, chip_neurons
from lmu_spiking.loihi.mapping.layout import (
    carried_noise,
    lay_out,
    noise_gain,
    with_reach,
)
from lmu_spiking.memory.spec import SignalSpec

DT = 0.001


def layout(order=2, n=64, theta=0.2, tau=0.05, kind="if"):
    return lay_out(
        LDN(order, theta),
        n,
        chip_neurons(kind, "simreal"),
        target="simreal",
        tau=tau,
        dt=DT,
        signal=SignalSpec(2.0, 0.5),
    )


@pytest.fixture(scope="module")
def made():
    return layout()


def test_gain_and_noise_of_white_errors_are_lyapunovs(made):
    white = 0.1 * np.random.RandomState(0).randn(100_000, 2)
    curves, mapped = made.curves, made.mapped
    Ad, _ = made.ldn.discretize(DT)
    again = curves.T @ Ad @ curves.U
    into = (1 - np.exp(-DT / mapped.synapse.tau)) * curves.T @ mapped.A @ curves.U
    parts = [
        solve_discrete_lyapunov(again, 0.01 * np.outer(into[:, j], into[:, j]))
        for j in range(2)
    ]
    G = np.stack([np.diag(P) for P in parts], axis=1) / curves.radii[:, None] ** 2
    largest = REACH**2 * np.abs(np.linalg.eigvals(G)).max()
    assert noise_gain(made, made.curves, white) == pytest.approx(largest, rel=0.15)
    power = np.trace(curves.U @ sum(parts) @ curves.U.T)
    assert carried_noise(made, made.curves, white) == pytest.approx(power, rel=0.15)


def test_gain_is_of_second_order_in_the_errors(made):
    error = made.decoding.residual
    once, thrice = (noise_gain(made, made.curves, k * error) for k in (1, 3))
    assert thrice == pytest.approx(9 * once)


def test_loud_memories_take_the_radii_of_least_noise(monkeypatch):
    case = {"order": 6, "n": 60, "theta": 0.1, "tau": 0.05, "kind": "lif"}
    near = layout(**case)
    monkeypatch.setattr(layouts, "LOUD", np.inf)
    far = layout(**case)
    assert noise_gain(far, far.curves, far.decoding.residual) > 0.7
    assert (near.curves.radii < 0.9 * far.curves.radii).any()
    states = near.ldn.simulate(np.random.RandomState(1).randn(6000) / 2, DT)
    errors = [np.trace(each.errors(states, 100)["noise"]) for each in (near, far)]
    assert errors[0] < errors[1]


def test_radii_cover_what_they_are_told_to(made):
    least = made.curves.radii * [0.5, 0.9]
    near = with_reach(made.curves, 0.7 * REACH, least)
    np.testing.assert_allclose(near.radii, made.curves.radii * [0.7, 0.9])
