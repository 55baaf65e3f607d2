"""No input can break the bound of staggered neurons, and it is not much too large."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_spiking import LegendreMemory, MemorySpec, ValidationError, design, predict
from lmu_spiking.memory.design import assemble
from lmu_spiking.simulator import Simulator
from lmu_spiking.theory.bound import has_bound, largest_error

DT = 0.001


def unfriendly(kind: str, steps: int, theta: float, rng) -> np.ndarray:
    """Return an input (T,) that a memory was not made for."""
    t = DT * np.arange(steps)
    if kind == "square":
        return np.sign(np.sin(2 * np.pi * rng.uniform(0.2, 8) / theta * t))
    if kind == "chirp":
        return np.sin(2 * np.pi * (0.2 + 20 * t / t[-1]) * t / theta)
    if kind == "impulses":
        return 50.0 * (rng.random(steps) < 0.01) * rng.choice([-1, 1], steps)
    if kind == "loud":
        return 100 * rng.standard_normal(steps)
    if kind == "silent":
        return np.zeros(steps)
    return np.cumsum(rng.standard_normal(steps)) * 0.05


def errors_of(made, u) -> np.ndarray:
    """Return the state of a memory less that of the exact LDN, (T, d)."""
    with nengo.Network(seed=0) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], made.dt))
        memory = LegendreMemory.from_design(made)
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
    with Simulator(model, dt=made.dt, dtype="float64") as sim:
        sim.run_steps(len(u), progress_bar=False)
    exact = made.ldn.simulate(u, made.dt)
    return sim.data[probe][1:] - exact[:-1]


@settings(max_examples=40, deadline=None)
@given(
    order=st.integers(1, 12),
    per_side=st.integers(1, 200),
    theta=st.sampled_from([0.05, 0.2, 0.5]),
    tuning=st.sampled_from(["pairs", "recruited", "balanced"]),
    delay=st.integers(0, 3),
    feedback=st.sampled_from([None, (200.0, 0.005)]),
    kind=st.sampled_from(["square", "chirp", "impulses", "loud", "silent", "walk"]),
    seed=st.integers(0, 10**6),
)
def test_no_input_exceeds_it(
    order, per_side, theta, tuning, delay, feedback, kind, seed
):
    rng = np.random.default_rng(seed)
    more = {"neuron_type": "if", "aggregated": True, "delay_steps": delay}
    try:
        made = assemble(
            2 * order * per_side,
            order,
            theta,
            synapse=float(rng.uniform(0.05, 0.2)),
            tuning=tuning,
            error_feedback=feedback,
            max_rate=float(rng.uniform(20, 400)),
            **more,
        )
    except ValueError:  # a loop that is not stable, or too few neurons for a basis
        return
    steps = int(4 * theta / DT)
    u = unfriendly(kind, steps, theta, rng)
    c = np.vstack([made.ldn.readout(np.linspace(0, theta - DT, 5), DT), made.T])
    found = np.abs(errors_of(made, u) @ c.T).max(axis=0)
    scale = 1e-9 * (1 + np.abs(u).max())
    assert np.all(found <= largest_error(made, c) * (1 + 1e-6) + scale)


@pytest.mark.parametrize("order", [2, 6])
def test_an_input_made_to_break_it_comes_within_a_factor_of_ten(order):
    made = design(
        MemorySpec(n_neurons=40 * order, order=order, neuron_type="if", aggregated=True)
    )
    c = made.ldn.readout([made.ldn.theta - DT], DT)
    found = max(
        np.abs(
            errors_of(made, unfriendly(kind, 4000, 0.5, np.random.default_rng(k))) @ c.T
        ).max()
        for k, kind in enumerate(["square", "chirp", "walk", "square", "walk"])
    )
    assert 0.1 * largest_error(made, c)[0] < found < largest_error(made, c)[0]


def test_it_is_that_of_the_response_summed_by_hand():
    made = design(MemorySpec(n_neurons=600, order=3, neuron_type="if"))
    loop, a = made.loop, np.exp(-DT / 0.1)
    Ad = a * np.eye(3) + (1 - a) * loop.A
    G, before, total = Ad - a * np.eye(3), np.zeros((3, 3)), 0.0
    for _ in range(20_000):
        total += np.abs((G - before).sum(axis=0)).sum()
        before, G = G, Ad @ G
    spike = 1 / (300 * 100 * DT)  # of the state, in its step
    assert largest_error(made, np.ones(3))[0] == pytest.approx(total * spike, rel=1e-5)


def test_it_falls_with_the_neurons_and_is_relative_to_the_signal():
    few, many = (
        predict(MemorySpec(n_neurons=m, order=4, neuron_type="regular"))
        for m in (400, 4000)
    )
    np.testing.assert_allclose(few.bound([0.1, 0.5]), 10 * many.bound([0.1, 0.5]))
    exact = few.states[500:] @ few.spec.ldn.readout(0.499, DT)
    rms = np.sqrt(np.mean(exact**2))
    assert few.bound_nrmse() == pytest.approx(few.bound()[0] / rms, rel=0.02)
    assert few.noise_nrmse() < few.bound_nrmse()


@pytest.mark.parametrize(
    "fields",
    [
        {"neuron_type": "poisson"},
        {"neuron_type": "lif"},
        {"neuron_type": "if", "initial_phases": "random"},
        {"neuron_type": "if", "tuning": "drawn"},
    ],
)
def test_other_neurons_have_none(fields):
    budget = predict(MemorySpec(n_neurons=600, order=2, **fields))
    assert budget.bound_nrmse() is None
    with pytest.raises(ValidationError, match=r"has no bound.*staggered"):
        budget.bound()


def test_a_ceiling_on_the_last_level_has_none():
    from lmu_spiking.neurons.curves import Tuning

    more = {"neuron_type": "if", "tuning": Tuning("recruited", 300.0, bounded=True)}
    assert not has_bound(assemble(600, 2, 0.5, **more).population)
