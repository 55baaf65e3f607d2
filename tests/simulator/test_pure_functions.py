"""Functions that provably see nothing but their arguments, and those that may not."""

import builtins
import math
import time
from math import sin

import nengo
import numpy as np
import pytest
from numpy import sin as renamed

from lmu_spiking import Simulator
from lmu_spiking.simulator.pure_functions import names_in

NUMBER, ARRAY, LIST = 2.0, np.arange(5.0), [1, 2]


def closed(a, b):
    return lambda t: a * np.sin(b * t)


def looked_up(values):
    return lambda t: values[int(10 * t) % len(values)]


def comprehended(t):
    return [np.sin(k * t) for k in range(3)]


def generated(t):
    return sum(np.sin(k * t) for k in range(3))


def pieces(t):
    return 1.0 if 0.1 < t < 0.5 else (0.5 if t > 0.7 else 0)


def own_array(t):
    y = np.zeros(3)
    y[0] = math.sin(t)
    y += 1
    for k in range(2):
        y[k] *= 2
    return y


HARMLESS = {
    "a ufunc": np.sin,
    "one of math": math.sin,
    "a sine": lambda t: np.sin(2 * np.pi * t),
    "numbers in cells": closed(1.0, 2),
    "an array in a cell": looked_up(ARRAY),
    "a global number": lambda t: NUMBER * t,
    "a global array": lambda t: ARRAY[int(t)],
    "a comprehension": comprehended,
    "a generator within": generated,
    "pieces": pieces,
    "an array of its own": own_array,
    "an input": lambda t, x: x[::-1] ** 2 + x.sum(),
    "functions by name": lambda t: sin(t) + math.exp(t) + renamed(t),
    "interpolation": lambda t: np.interp(t, ARRAY, ARRAY),
    "several values": lambda t: [np.cos(t), -np.sin(t)],
    "waves": lambda t: np.sin(50 * t + np.arange(3)),
    "a default": lambda t, f=3.0: t * f,
    "nothing": lambda t: None,
    "a rounded time": lambda t: float(round(t / 0.001) > 3),
}


def writes(values):
    def function(t):
        values[0] = t
        return values

    return function


def adds_in_place(values):
    def function(t):
        mine = values
        mine += 1
        return mine

    return function


def rebinds():
    count = 0

    def function(t):
        nonlocal count
        count += 1
        return count

    return function


def declares(t):
    global NUMBER
    NUMBER = t


def tries(t):
    try:
        return 1 / t
    except ZeroDivisionError:
        return 0


ANYTHING = {
    "a list": lambda t: LIST[0],
    "an array that is written": writes(ARRAY.copy()),
    "an array that is added to": adds_in_place(ARRAY.copy()),
    "a cell that is bound anew": rebinds(),
    "a global that is": declares,
    "random numbers": lambda t: np.random.rand(),  # noqa: NPY002
    "the clock on the wall": lambda t: time.time(),
    "print": lambda t: print(t),
    "append": lambda t: LIST.append(t),
    "a ufunc's output": lambda t: np.sin(t, ARRAY),
    "that of a renamed one": lambda t: renamed(t, ARRAY),
    "by keyword": lambda t: np.sin(t, out=ARRAY),
    "that of a method": lambda t: ARRAY.sum(0, None, ARRAY),
    "that of a function": lambda t: np.clip(ARRAY, 0, 1, ARRAY),
    "that of another": lambda t: np.concatenate([[t] * 5], 0, ARRAY),
    "that of a conjugate": lambda t: np.ones(5).conj(ARRAY),
    "that of another one": lambda t: np.ones(5).conjugate(ARRAY),
    "a module": lambda t: nengo.e,
    "fill": lambda t: ARRAY.fill(t),
    "sort": lambda t: ARRAY.sort(),
    "at": lambda t: np.add.at(ARRAY, 0, 1),
    "globals": lambda t: globals(),
    "eval": lambda t: eval("1"),
    "an import": lambda t: __import__("os"),
    "no such name": lambda t: undefined_name,  # noqa: F821
    "a mutable default": lambda t, a=[]: a,
    "frompyfunc": np.frompyfunc(lambda x: x, 1, 1),
    "vectorize": np.vectorize(lambda x: x),
    "a class": lambda t: np.sin.__class__,
    "many arguments": lambda t: np.hypot(*ARRAY[:2]),
    "settings of numpy": lambda t: np.seterr(all="raise"),
    "setattr": lambda t: setattr(np, "x", 1),
    "an exception": tries,
    "a helper": lambda t: closed(1, 2)(t),
    "a generator": (lambda t: (yield t)),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_functions_that_see_their_arguments_alone(what):
    assert names_in(HARMLESS[what]) is not None


@pytest.mark.parametrize("what", ANYTHING)
def test_what_is_not_proved_may_do_anything(what):
    assert names_in(ANYTHING[what]) is None


@pytest.mark.parametrize("place", [np, math, builtins])
def test_what_is_put_in_the_place_of_a_known_function_may_do_anything(place):
    function = {np: lambda t: np.sin(t), math: lambda t: math.sin(t)}.get(
        place, lambda t: abs(t)
    )
    assert names_in(function) is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "abs" if place is builtins else "sin", lambda x: x)
        assert names_in(function) is None
    space = {"__builtins__": {"abs": lambda x: LIST[0]}}
    exec("def function(t): return abs(t)", space)
    assert names_in(space["function"]) is None


def test_names_that_are_read():
    assert [n.name for n in names_in(HARMLESS["a global array"])] == ["ARRAY"]
    assert sorted(n.value for n in names_in(HARMLESS["numbers in cells"])) == [1, 2]
    assert names_in(HARMLESS["a sine"]) == []


def test_harmless_functions_leave_a_network_compiled():
    values = np.sin(np.arange(100.0))
    with nengo.Network() as model:
        nodes = [
            nengo.Node(f)
            for f in (lambda t: values[int(t / 0.001) - 1], np.cos, closed(1.0, 9.0))
        ]
        probes = [nengo.Probe(node) for node in nodes]
    with Simulator(model, progress_bar=False, dtype="float64") as sim:
        assert not sim.program.python
        sim.run_steps(40)
        assert np.array_equal(sim.data[probes[0]][:, 0], values[:40])
        values[:] = 3.0  # between runs a user may change it
        sim.run_steps(5)
        assert np.all(sim.data[probes[0]][40:] == 3.0)
    with model:
        nengo.Node(lambda t: LIST.append(t))
    with Simulator(model, progress_bar=False) as sim:
        assert sim.program.python and sim.program.watched


def test_a_name_that_becomes_something_else():
    gain = 2.0
    with nengo.Network() as model:
        node = nengo.Node(lambda t: gain * 1.0)
        ens = nengo.Ensemble(5, 1)
        probe = nengo.Probe(node)
        nengo.Probe(ens)
    with Simulator(model, progress_bar=False) as sim:
        sim.run_steps(2)
        gain = 3.0
        sim.run_steps(2)
        assert sim.data[probe][:, 0].tolist() == [2, 2, 3, 3]
        for gain in (5.0, np.array([6.0]), np.float64(7.0), np.array(8)):
            sim.step()
            assert sim.data[probe][-1, 0] == gain
        voltage = sim.signals[sim.model.sig[ens.neurons]["voltage"]]
        for value in (voltage[:1], [voltage], LIST.append, sim):
            gain = value
            with pytest.raises(ValueError, match=r"gain: .*make a new Simulator"):
                sim.step()
        gain = 4.0
        sim.step()
        assert sim.data[probe][-1] == 4


def test_a_function_that_becomes_another():
    wave, noted = np.sin, []
    with nengo.Network() as model:
        node = nengo.Node(lambda t: wave(t))
        probe = nengo.Probe(node)
    with Simulator(model, progress_bar=False, dtype="float64") as sim:
        sim.run_steps(2)

        def wave(t):
            noted.append(sim.n_steps)
            return 0.0

        with pytest.raises(ValueError, match=r"wave: .*make a new Simulator"):
            sim.run_steps(2)
        assert not noted and len(sim.data[probe]) == 2
    with Simulator(model, progress_bar=False) as sim:
        sim.run_steps(3)
    assert noted == [0, 1, 2]


def test_the_clock_as_an_array():
    clock = 0.0
    with nengo.Network() as model:
        nengo.Node(lambda t: clock * 1.0)
    with Simulator(model, progress_bar=False) as sim:
        sim.step()
        for signal in (sim.model.time, sim.model.step):
            clock = sim.signals[signal]
            with pytest.raises(ValueError, match=r"clock: .*make a new Simulator"):
                sim.step()
        clock = ([],)
        sim._check()
        clock[0].append(sim.signals[sim.model.time])
        with pytest.raises(ValueError, match=r"clock: .*make a new Simulator"):
            sim.step()


def test_an_observation_that_is_bound_anew_before_each_step():
    """A loop of reinforcement learning does the same."""
    seen = None
    with nengo.Network() as model:
        node = nengo.Node(lambda t: 0.0 if seen is None else seen[0], size_out=1)
        probe = nengo.Probe(node)
    with Simulator(model, progress_bar=False) as sim:
        for k in range(9):
            seen = [None, [k], (k, 1), np.array([k]), {0: k}][k % 5]
            sim.step()
            if k == 6:
                seen[:] = [8.0] if isinstance(seen, list) else seen
                sim.step()
        expected = [0, 1, 2, 3, 4, 0, 6, 8, 7, 8]
        assert sim.data[probe][:, 0].tolist() == expected


def test_processes_of_nengo_with_the_parts_of_a_user():
    from nengo.builder.processes import SimProcess
    from nengo.processes import FilteredNoise, Piecewise, WhiteNoise, WhiteSignal

    from lmu_spiking.simulator.pure_functions import names_read_by

    class Mine(nengo.dists.Uniform):
        pass

    class Late(WhiteSignal):
        pass

    with nengo.Network() as model:
        known = [
            WhiteSignal(1.0, 5),
            WhiteNoise(nengo.dists.Exponential(1.0)),
            FilteredNoise(nengo.Alpha(0.1)),
            Piecewise({0: np.sin, 1: lambda t: 2 * t}),
        ]
        mine = [
            WhiteNoise(Mine(0, 1)),
            Late(1.0, 5),
            Piecewise({0: lambda t: LIST[0]}),
        ]
        nodes = {nengo.Node(p, size_out=1): p for p in (*known, *mine)}
    with nengo.Simulator(model, progress_bar=False, optimize=False) as sim:
        ops = {id(o.process): o for o in sim.step_order if isinstance(o, SimProcess)}
    assert len(nodes) == 7
    assert all(names_read_by(ops[id(p)]) == [] for p in known)
    assert all(names_read_by(ops[id(p)]) is None for p in mine)
