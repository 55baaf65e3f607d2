"""What neurons fire whose own spikes come back to them at once, by error feedback."""

from dataclasses import replace

import numpy as np
import pytest

from lmu_spiking.dynamics.covariance import ClosedLoop
from lmu_spiking.dynamics.feedback import make_feedback
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.metrics import rms
from lmu_spiking.signals import Signal
from lmu_spiking.studies.trial import run_trials
from lmu_spiking.theory.own_spikes import Crossings, crossings, owns, slow_noise

DT = 1e-3


def fed_back(rate: float, tau: float = 0.02, delay_steps: int = 0):
    """Return a loop of order 3 with error feedback."""
    feedback = make_feedback(rate, tau, DT, delay_steps)
    loop = map_onto(LDN(3, 0.5), 0.1, DT, delay_steps)
    return replace(loop, feedback=feedback)


def simulated(p, b, x, left, right, steps=6000, runs=2000):
    """Return ``E |z| - |x|`` for values ``x``, of neurons that fire on either side."""
    rng = np.random.RandomState(0)
    signs = np.where(np.arange(runs) % 2, 1.0, -1.0)
    X = np.outer(x, signs)
    w, total, counted = np.zeros(X.shape), np.zeros(X.shape), 0
    for k in range(steps):
        z = X + w
        size = np.where(z > 0, right, left)
        y = np.sign(z) * size * rng.poisson(np.abs(z) / size)
        if k > steps // 4:
            total, counted = total + np.abs(z), counted + 1
        w = p * w + b * (X - y)
    return (total / counted).mean(axis=1) - x


@pytest.mark.parametrize(
    ("rate", "left", "right"), [(300.0, 2.0, 2.0), (900.0, 1.0, 1.0), (900.0, 1.1, 0.9)]
)
def test_crossings_of_zero_are_those_of_a_simulation(rate, left, right):
    own = owns(fed_back(rate))[0]._replace(common=0.0)
    unit = own.effect * (left + right) / 2
    x = unit * np.array([0.003, 0.03, 0.3, 1.0, 3.0])
    found = Crossings([own], left, right, [0]).at(x[None])[0]
    wanted = simulated(own.kept, own.jump, x, left, right, steps=1500)
    assert found == pytest.approx(wanted, abs=0.03 * unit)
    assert wanted[1] > 0.2 * unit


def test_spikes_that_do_not_cancel_leave_more_silence():
    own = owns(fed_back(900.0))[0]
    few = slice(1, 60)  # nearly at zero
    alike, unlike = (crossings(own.kept, own.jump, odd) for odd in (0.0, 0.05))
    assert np.all(unlike[few] < alike[few])
    assert unlike[1000:] == pytest.approx(alike[1000:], abs=0.005)


def test_neurons_that_round_fire_less_than_a_poisson_variable_varies():
    own = owns(fed_back(900.0))[0]
    six, many = (crossings(own.kept, own.jump, neurons=n) for n in (6, 2000))
    poisson = crossings(own.kept, own.jump)
    assert many == pytest.approx(poisson, abs=0.01)
    assert np.all(six[200:1000] < 0.97 * poisson[200:1000])


def test_delay_lets_more_spikes_pass_before_they_are_felt():
    at_once, late = owns(fed_back(200.0))[0], owns(fed_back(200.0, delay_steps=3))[0]
    assert late.effect == at_once.effect
    assert late.kept == pytest.approx(at_once.kept**4)
    assert late.spread > at_once.spread
    assert (
        crossings(late.kept, late.jump)[1000]
        > crossings(at_once.kept, at_once.jump)[1000]
    )


def test_without_feedback_neurons_receive_none_of_their_own_spikes():
    assert owns(map_onto(LDN(3, 0.5), 0.1, DT)) == [None] * 3


def test_slow_noise_is_the_state_apart_from_what_it_shares_with_the_feedback():
    eye, own = np.eye(3), np.diag([3.0, 4.0, 5.0])
    state = np.diag([1.0, 2.0, 3.0]) + 0.3**2 * own  # 0.3 w and noise of its own
    P = np.block([[state, 0.3 * own], [0.3 * own, own]])
    loop = ClosedLoop(P, P, np.hstack([eye, 0 * eye]), np.hstack([eye, eye]))
    assert slow_noise(loop, P) == pytest.approx([1, 2, 3])


@pytest.mark.parametrize(
    ("neurons", "order", "dt", "kind"),
    [
        (320, 8, 1e-3, "poisson"),
        (104, 8, 1e-3, "poisson"),
        (165, 7, 5e-4, "poisson"),
        (90, 6, 1e-3, "stochastic"),
    ],
)
def test_predicts_the_error_where_few_spikes_fall_into_a_step(neurons, order, dt, kind):
    """Normal noise in its place would predict 8 to 16 % more."""
    spec = MemorySpec(neurons, order, 1.0, 0.2, dt, error_feedback="auto")
    spec = spec.replace(neuron_type=kind, aggregated=kind == "poisson")
    t = np.arange(round(12 / dt)) * dt
    signal = Signal(0.7 * np.sin(np.pi * t), dt, "sine", "made for this test")
    runs = run_trials([spec.replace(noise_seed=s) for s in range(6)], [signal] * 6)
    rows = [run.row for run in runs]
    error, spikes = (
        rms([row[name] for row in rows]) / rows[0][f"predicted_{name}"]
        for name in ("noise_nrmse", "spikes_per_s")
    )
    assert error == pytest.approx(1, abs=0.05)
    assert spikes == pytest.approx(1, abs=0.015)
