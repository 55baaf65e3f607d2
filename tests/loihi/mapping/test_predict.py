import dataclasses

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.loihi.chip.integers import spikes_of
from lmu_spiking.loihi.chip.replica import replay
from lmu_spiking.loihi.mapping import predict as module
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.layout import lay_out
from lmu_spiking.loihi.mapping.memory import read_state
from lmu_spiking.loihi.mapping.predict import predict_errors
from lmu_spiking.loihi.mapping.relayed import lay_out_relayed
from lmu_spiking.memory.spec import SignalSpec
from lmu_spiking.signals import white_noise
from lmu_spiking.theory.predict import LEAD, predict

DT = 0.001


def layout(order=2, n=64, theta=0.2, kind="if", tau=0.05, target="emulator", seed=0):
    return lay_out(
        LDN(order, theta),
        n,
        chip_neurons(kind, target),
        target=target,
        tau=tau,
        dt=DT,
        signal=SignalSpec(2.0, 0.5),
        seed=seed,
    )


def with_residual(laid_out, residual):
    """The same layout with other errors of decoding."""
    decoding = dataclasses.replace(laid_out.decoding, residual=residual)
    stage = dataclasses.replace(laid_out.stages[0], decoding=decoding)
    return dataclasses.replace(laid_out, stages=(stage,))


def test_white_errors_go_round_the_loop_as_lyapunov_says():
    laid_out = layout(n=24)
    rng = np.random.RandomState(0)
    white = rng.randn(200_000, 2) * [0.1, 0.3]
    found = with_residual(laid_out, white).errors()
    curves, mapped = laid_out.curves, laid_out.mapped
    a = np.exp(-DT / mapped.synapse.tau)
    Ad, _ = laid_out.ldn.discretize(DT)
    G = (1 - a) * mapped.A @ curves.U
    P = solve_discrete_lyapunov(Ad, G @ np.diag([0.01, 0.09]) @ G.T)
    scale = np.sqrt(np.diag(P))
    gap = (found["noise"] - P) / np.outer(scale, scale)
    assert np.abs(gap).max() < 0.06  # 1,000 windows: a standard error of .02 to .03
    np.testing.assert_allclose(found["sigma"], [0.01, 0.09], rtol=0.02)


def test_a_constant_error_is_carried_with_the_gain_of_the_loop():
    laid_out = layout(n=24)
    constant = np.tile([0.1, -0.2], (4000, 1))
    found = with_residual(laid_out, constant).errors()
    a = np.exp(-DT / laid_out.mapped.synapse.tau)
    Ad, _ = laid_out.ldn.discretize(DT)
    forced = (1 - a) * laid_out.mapped.A @ laid_out.curves.U @ [0.1, -0.2]
    m = np.linalg.solve(np.eye(2) - Ad, forced)
    np.testing.assert_allclose(found["noise"], np.outer(m, m), rtol=0.02, atol=1e-6)


@pytest.mark.parametrize("target", ["core", "simreal", "emulator"])
def test_the_terms_of_a_budget(target):
    found = layout(n=24, target=target).errors()
    assert found["sigma"].shape == (2,) and (found["sigma"] > 0).all()
    assert np.linalg.eigvalsh(found["noise"]).min() > 0
    assert not found["distortion"].any() and found["spikes_per_s"] > 0
    if target == "emulator":
        assert np.linalg.eigvalsh(found["quantisation"]).min() >= -1e-12
        assert np.trace(found["quantisation"]) > 0
    else:
        assert found["quantisation"] is None


def states_of(laid_out, rms=0.5, seconds=4.0, seed=1):
    """Exact states of another signal of the band, and the first that counts."""
    u = white_noise(seconds, DT, 2.0, rms, seed).samples
    return laid_out.ldn.simulate(u, DT), laid_out.ldn.steps(DT)


@pytest.mark.parametrize("kind, target", [("if", "emulator"), ("lif", "simreal")])
def test_without_feedback_it_is_what_neurons_decode_of_the_signal(
    kind, target, monkeypatch
):
    laid_out = layout(n=24, kind=kind, target=target)
    states, start = states_of(laid_out)
    monkeypatch.setattr(module, "ROUNDS", 1)
    found = predict_errors(laid_out, states, start)
    x, curves = states @ laid_out.curves.T.T, laid_out.curves
    spikes = spikes_of(curves.neurons, curves.currents(x), DT, target, None)
    error = spikes @ laid_out.decoding.decoders.T / DT - x
    np.testing.assert_allclose(found["sigma"], error[start:].var(axis=0), rtol=1e-3)
    same = with_residual(laid_out, error).errors()
    np.testing.assert_allclose(found["noise"], same["noise"], rtol=1e-3, atol=1e-9)


def test_noise_is_carried_until_it_settles(monkeypatch):
    laid_out = layout(order=6, n=60, theta=0.1, tau=0.03, kind="lif")
    states, start = states_of(laid_out)
    said = []
    for rounds in (1, 4, 6):
        monkeypatch.setattr(module, "ROUNDS", rounds)
        said.append(np.trace(predict_errors(laid_out, states, start)["noise"]))
    first, settled, further = np.sqrt(said)
    assert settled > 1.15 * first
    assert further == pytest.approx(settled, rel=0.1)


@pytest.mark.parametrize("kind", ["if", "lif"])
def test_a_signal_beyond_the_curves_is_told_to_be_decoded_worse(kind):
    laid_out = layout(n=64, kind=kind)
    said = []
    for rms in (0.5, 1.5):
        states, start = states_of(laid_out, rms)
        noise = predict_errors(laid_out, states, start)["noise"]
        said.append(np.trace(noise) / np.mean(states[start:] ** 2))
    assert said[1] > 2 * said[0]


def test_of_a_long_signal_some_is_enough(monkeypatch):
    laid_out = layout(n=24)
    states, start = states_of(laid_out)
    monkeypatch.setattr(module, "LONGEST", 2)
    some = predict_errors(laid_out, states, start)
    least = predict_errors(laid_out, states[: start + 2000], start)
    np.testing.assert_array_equal(some["noise"], least["noise"])


def test_relays_bring_their_own_errors():
    laid_out = lay_out_relayed(
        LDN(2, 0.2),
        48,
        chip_neurons("if", "emulator"),
        n_relays=16,
        target="emulator",
        tau=0.05,
        dt=DT,
        signal=SignalSpec(2.0, 0.5),
    )
    states, start = states_of(laid_out)
    found, before = laid_out.errors(states, start), laid_out.errors()
    assert found.keys() == before.keys()
    ratio = np.trace(found["noise"]) / np.trace(before["noise"])
    assert 0.25 < ratio < 4
    np.testing.assert_array_equal(found["quantisation"], before["quantisation"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        {"order": 2, "n": 100, "theta": 0.2, "tau": 0.05},
        {"order": 3, "n": 150, "theta": 0.3, "tau": 0.1, "kind": "lif"},
        {"order": 6, "n": 60, "theta": 0.1, "tau": 0.03, "kind": "lif"},
    ],
    ids=str,
)
def test_predicted_errors_are_those_of_the_chip(case):
    ratios = []
    for seed in (101, 102, 103):
        laid_out = layout(**case, seed=seed)
        window = laid_out.ldn.steps(DT)
        signal = white_noise(8.0, DT, 2.0, 0.5, seed)
        u, lead = signal.led_in(LEAD * window), LEAD * window
        budget = predict(laid_out, u, lead=lead)
        state = read_state(laid_out, replay(laid_out, u) / DT, u)[lead:]
        exact = np.vstack([budget.initial, budget.states[:-1]])
        ratios.append(np.sqrt(np.mean((state - exact) ** 2)) / budget.state_rmse)
    np.testing.assert_allclose(ratios, 1.0, atol=0.25)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.15)
