"""Inputs made ahead are what Nengo would have made step by step."""

import nengo
import numpy as np
import pytest
from nengo.processes import (
    BrownNoise,
    FilteredNoise,
    Piecewise,
    PresentInput,
    WhiteNoise,
    WhiteSignal,
)

from lmu_spiking import Simulator, ValidationError


class Counter(nengo.Process):
    """A process of the user's own, with a state and random numbers."""

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {"n": np.zeros(1)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        def step(t):
            state["n"][0] += 1
            return state["n"][0] + t + rng.randint(3, size=shape_out)

        return step


PROCESSES = [
    WhiteSignal(0.05, high=40, rms=0.4),
    WhiteSignal(0.0501, high=40, y0=0.1),
    WhiteNoise(),
    WhiteNoise(nengo.dists.Uniform(-1, 2), scale=False),
    WhiteNoise(nengo.dists.Exponential(0.3), scale=False),
    WhiteNoise(nengo.dists.Gaussian(1, 0.2), scale=True),
    FilteredNoise(nengo.Alpha(0.01)),
    BrownNoise(),
    PresentInput(np.arange(12.0).reshape(4, 3) / 7, 0.0033),
    PresentInput(np.arange(12.0).reshape(4, 3) / 7, 0.001),
    Piecewise({0.0: [0, 0, 1], 0.0101: [1, 2, 3], 0.05: [5, 6, 7]}),
    Counter(),
]


@pytest.mark.parametrize("dt", [0.001, 0.0007])
@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)
def test_processes_are_those_of_nengo(process, seed, dt):
    with nengo.Network(seed=2) as model:
        nodes = [nengo.Node(process, size_out=3) for _ in range(2)]
        if seed is not None:
            nodes[1].output.seed  # noqa: B018 - a process may be shared by nodes
            ens = nengo.Ensemble(
                4, 1, noise=WhiteNoise(seed=seed), neuron_type=nengo.RectifiedLinear()
            )
            nengo.Probe(ens.neurons)
        probes = [nengo.Probe(n) for n in nodes] + list(model.probes)
    seen = []
    for make in (nengo.Simulator, Simulator):
        options = {} if make is nengo.Simulator else {"dtype": "float64"}
        with make(model, dt=dt, seed=9, progress_bar=False, **options) as sim:
            for n in (1, 30, 89):
                sim.run_steps(n)
            seen.append([sim.data[p].copy() for p in probes])
    for a, b in zip(*seen, strict=True):
        assert b == pytest.approx(a, rel=1e-12, abs=1e-14)
    if not isinstance(process, PresentInput | Piecewise):
        assert not np.array_equal(seen[1][0], seen[1][1])


def test_functions_of_time_see_plain_floats():
    kinds = []
    with nengo.Network() as model:
        nengo.Node(lambda t: kinds.append(type(t)) or [t, t])
        empty = nengo.Node(lambda t: kinds.append(type(t)))
    assert empty.size_out == 0
    with Simulator(model, progress_bar=False) as sim:
        kinds.clear()
        sim.run_steps(5)
    assert kinds == [float] * 10


def test_given_values_repeat_and_need_no_steps_of_their_own():
    with nengo.Network() as model:
        u = nengo.Node(lambda t: 1 / 0 if t else 0.0)  # never called
        probe = nengo.Probe(u)
    with Simulator(model, progress_bar=False, inputs={u: [1, 2, 3]}) as sim:
        sim.run_steps(4)
        sim.run_steps(4)
        assert sim.data[probe][:, 0].tolist() == [1, 2, 3, 1, 2, 3, 1, 2]


def test_what_is_given_is_copied():
    with nengo.Network() as model:
        u = nengo.Node(lambda t: t)
        probe = nengo.Probe(u)
    given = np.ones((4, 1))
    with Simulator(model, progress_bar=False, inputs={u: given}) as sim:
        sim.run_steps(4)
        given[:] = 2
        sim.run_steps(4)
        assert np.all(sim.data[probe] == 1)


@pytest.mark.parametrize("wrong", [3, [1], "u"])
def test_inputs_that_are_no_dict_are_refused(wrong):
    with nengo.Network() as model:
        nengo.Node(lambda t: t)
    with pytest.raises(ValidationError, match=r"inputs: .* must be a dict"):
        Simulator(model, inputs=wrong, progress_bar=False)


@pytest.mark.parametrize("wrong", [[[1j]], [[1e300]], [[np.nan]]])
def test_inputs_that_no_signal_can_hold_are_refused(wrong):
    with nengo.Network() as model:
        node = nengo.Node(lambda t: t)
    with pytest.raises(ValidationError, match="must be"):
        Simulator(model, inputs={node: wrong}, progress_bar=False)


@pytest.mark.parametrize("trials", [None, 1, 2])
def test_fed_values_begin_with_the_next_step(trials):
    with nengo.Network() as model:
        u, v = (nengo.Node(lambda t: t, label=name) for name in "uv")
        probes = [nengo.Probe(node) for node in (u, v)]
    own = np.arange(3.0)
    if trials:
        own = np.arange(3.0 * trials).reshape(trials, 3, 1)
    inputs = {u: [7.0], v: own}
    options = {"trials": trials, "threads": 1, "progress_bar": False}
    with Simulator(model, inputs=inputs, **options) as sim:
        sim.run_steps(2)
        sim.feed(u, [1, 2, 3])
        sim.run_steps(2)
        sim.step()
        sim.step()  # repeated
        sim.feed(u, np.full((1, 1), 4.0))
        sim.run_steps(1)
        fed, other = (sim.data[p].reshape(trials or 1, -1) for p in probes)
        assert np.all(fed == [7, 7, 1, 2, 3, 1, 4])
        assert np.array_equal(other[:, :3], own.reshape(trials or 1, 3))
        sim.feed(v, [9.0])  # the same for all trials
        sim.step()
        assert np.all(sim.data[probes[1]].reshape(trials or 1, -1)[:, -1] == 9)
        if trials:  # and of each, where those of the beginning are
            sim.feed(v, -own)
            sim.step()
            assert np.array_equal(sim.data[probes[1]][:, -1], -own[:, 0])
        sim.reset()
        sim.run_steps(2)
        assert np.all(sim.data[probes[0]].reshape(trials or 1, -1) == 7)


def test_wrong_feeds_are_refused():
    with nengo.Network() as model:
        u, v = (nengo.Node(lambda t: t) for _ in range(2))
    with Simulator(model, progress_bar=False, inputs={u: [1.0]}) as sim:
        with pytest.raises(
            ValidationError, match="is not one of inputs; name it in in"
        ):
            sim.feed(v, [1.0])
        for wrong in ([], [np.nan], [[1.0, 2.0]], "u", np.zeros((2, 3, 1))):
            with pytest.raises(ValidationError, match=r"feed\.values: .* must be"):
                sim.feed(u, wrong)
    with pytest.raises(nengo.exceptions.SimulatorClosed):
        sim.feed(u, [1.0])
