"""The simulator behaves as Nengo's, whatever stops it, and goes on where it stopped."""

import os
import signal
import threading
import time
import warnings

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError, SimulatorClosed
from nengo.utils.progress import ProgressBar

from lmu_spiking import LegendreMemory, Simulator
from lmu_spiking.errors import NotANumberError, ValidationError, ValidityWarning

POISSON = nengo.PoissonSpiking(nengo.RectifiedLinear())


def compiled(model, **options):
    """Without a bar."""
    return Simulator(model, **{"progress_bar": False, **options})


def loop(n=20, seed=1, neurons=POISSON, python=False):
    """A small network with recurrence, learning off, and what is seen of it."""
    with nengo.Network(seed=seed) as model:
        u = nengo.Node(lambda t: np.sin(20 * t))
        ens = nengo.Ensemble(n, 1, neuron_type=neurons)
        nengo.Connection(u, ens)
        nengo.Connection(ens, ens, synapse=0.05)
        if python:
            out = nengo.Node(lambda t, x: x**2, size_in=1)
            nengo.Connection(ens, out)
        model.probes_ = [
            nengo.Probe(ens, synapse=0.01),
            nengo.Probe(ens.neurons),
            nengo.Probe(ens.neurons[2:9:3], synapse=0.02),
            nengo.Probe(u, sample_every=0.004),
        ]
    return model


def data(sim, model):
    """Copies of all that was probed."""
    return [sim.data[p].copy() for p in model.probes_]


def same(a, b):
    """Whether all arrays are equal."""
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


PYTHON = pytest.mark.parametrize("python", [False, True])


@PYTHON
@pytest.mark.parametrize("trials", [None, 2])
def test_runs_add_up_and_resets_repeat(python, trials):
    model = loop(python=python)
    with compiled(model, trials=trials) as sim:
        sim.run(0.2)
        whole = data(sim, model)
        assert sim.n_steps == 200 and sim.time == pytest.approx(0.2)
        for pieces in ([100, 100], [1] * 20 + [180], [199, 1]):
            sim.reset()
            assert sim.n_steps == 0 and sim.time == 0
            for n in pieces:
                sim.run_steps(n)
            assert same(data(sim, model), whole)
    with compiled(model, trials=trials) as sim:
        for _ in range(200):
            sim.step()
        assert same(data(sim, model), whole)
        assert sim.trange().shape == (200,)
        assert sim.trange(sample_every=0.004).shape == (50,)


@PYTHON
def test_reset_takes_another_seed_for_processes(python):
    with nengo.Network(seed=1) as model:
        u = nengo.Node(nengo.processes.WhiteNoise(scale=False))
        if python:
            nengo.Connection(u, nengo.Node(lambda t, x: x, size_in=1))
        probe = nengo.Probe(u)
    with compiled(model) as sim, nengo.Simulator(model, progress_bar=False) as core:
        for seed in (None, 7, None, 8):
            sim.reset(seed)
            core.reset(seed)
            sim.run_steps(30)
            core.run_steps(30)
            assert sim.data[probe] == pytest.approx(core.data[probe], rel=1e-6)


def test_probe_data_is_read_only_and_has_the_axis_of_trials_first():
    model = loop()
    shapes = [(40, 1), (40, 20), (40, 3), (10, 1)]
    for trials in (None, 1, 3):
        with compiled(model, trials=trials) as sim:
            sim.run_steps(40)
            for probe, shape in zip(model.probes_, shapes, strict=True):
                found = sim.data[probe]
                assert found.shape == (() if trials is None else (trials,)) + shape
                assert found.dtype == np.float32
                with pytest.raises(ValueError, match="read-only"):
                    found[...] = 0
            held = sim.data[model.probes_[0]]
            copy = held.copy()
            sim.run_steps(40)
            assert np.array_equal(held, copy)
            sim.clear_probes()
            empty = sim.data[model.probes_[1]]
            assert empty.shape == (() if trials is None else (trials,)) + (0, 20)
            sim.run_steps(2)
            assert sim.data[model.probes_[1]].shape[-2] == 2
            assert sim.n_steps == 82
        assert sim.data[model.probes_[1]].shape[-2] == 2


@pytest.mark.parametrize("every", [0.001, 0.003, 0.0035, 0.0007, 0.01, 0.1 / 3, 7.0])
def test_sample_every_takes_the_steps_that_nengo_takes(every):
    with nengo.Network() as model:
        u = nengo.Node(lambda t: t)
        probe = nengo.Probe(u, sample_every=every)
    with compiled(model, dtype="float64") as sim:
        for n in (1, 3, 300, 700, 2003):
            sim.run_steps(n)
        found = sim.data[probe][:, 0]
        expected = sim.trange(sample_every=every)
    assert found == pytest.approx(expected)


def test_precisions():
    model = loop(neurons=nengo.LIFRate())
    seen = []
    for dtype in ("float32", "float64", np.float32, np.dtype("float64")):
        with compiled(model, dtype=dtype) as sim:
            sim.run(0.2)
            seen.append(data(sim, model)[0])
            assert seen[-1].dtype == np.dtype(dtype)
    assert seen[0] == pytest.approx(seen[1], abs=1e-4)
    assert np.array_equal(seen[0], seen[2]) and np.array_equal(seen[1], seen[3])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("dtype", "float16"),
        ("dtype", "int32"),
        ("dtype", None),
        ("dtype", "no such"),
        ("dtype", complex),
        ("trials", 0),
        ("trials", -1),
        ("trials", 1.5),
        ("trials", True),
        ("trials", "two"),
        ("threads", 0),
        ("threads", 2.0),
        ("noise_seed", -1),
        ("noise_seed", 0.5),
        ("noise_seed", "a"),
    ],
)
def test_wrong_options_are_refused_in_one_line(option, value):
    with pytest.raises(ValidationError, match=f"Simulator.{option}|^{option}") as e:
        compiled(loop(), **{option: value})
    assert "\n" not in str(e.value) and repr(value) in str(e.value)


@pytest.mark.parametrize("trials", [None, 2])
@pytest.mark.parametrize(
    "values",
    [
        np.zeros((5, 3)),
        np.zeros((3, 5, 2)),
        np.zeros((2, 5, 3)),
        np.zeros(5),
        np.zeros(2),
        0.0,
        np.zeros((0, 2)),
        np.full((5, 2), np.nan),
        np.full((5, 2), np.inf),
        [["a", "b"]],
        [[1.0], [1.0, 2.0]],
        None,
        np.zeros((1, 2, 5, 2)),
    ],
)
def test_wrong_inputs_are_refused_in_one_line(values, trials):
    with nengo.Network() as model:
        u = nengo.Node(lambda t: [t, t])
    with pytest.raises(ValidationError, match=r"Simulator\.inputs") as e:
        compiled(model, trials=trials, inputs={u: values})
    assert "\n" not in str(e.value)


def test_nodes_that_take_no_inputs_are_refused():
    with nengo.Network() as model:
        constant = nengo.Node([1.0])
        relay = nengo.Node(size_in=1)
        ens = nengo.Ensemble(5, 1)
    with nengo.Network():
        foreign = nengo.Node(lambda t: t)
    for wrong in (constant, relay, ens, foreign, "u", None, 3):
        with pytest.raises(ValidationError, match=r"Simulator\.inputs") as e:
            compiled(model, inputs={wrong: np.zeros((5, 1))})
        assert "\n" not in str(e.value)


@PYTHON
def test_inputs_for_all_trials_and_for_each(python):
    with nengo.Network() as model:
        u = nengo.Node(lambda t: [t, -t])
        v = nengo.Node(nengo.processes.WhiteSignal(1.0, high=5), size_out=1)
        if python:
            nengo.Connection(u, nengo.Node(lambda t, x: None, size_in=2))
        p, q = nengo.Probe(u), nengo.Probe(v)
    shared = np.arange(14.0).reshape(7, 2)
    own = np.random.default_rng(0).standard_normal((3, 5, 1))
    with compiled(model, trials=3, inputs={u: shared, v: own}) as sim:
        sim.run_steps(20)
        x, y = sim.data[p], sim.data[q]
    for k in range(20):
        assert np.array_equal(x[:, k], np.broadcast_to(shared[k % 7], (3, 2)))
        assert np.array_equal(y[:, k], own[:, k % 5].astype(np.float32))
    with compiled(model, inputs={v: own[1, :, 0]}) as sim:
        sim.run_steps(20)
        assert np.array_equal(sim.data[q], y[1])
        assert sim.data[p][:, 0] == pytest.approx(0.001 * np.arange(1, 21))


def test_a_closed_simulator_says_so_and_keeps_its_data():
    model = loop()
    with compiled(model, trials=2) as sim:
        sim.run_steps(5)
        seen = data(sim, model)
    for call in (sim.step, lambda: sim.run(0.1), lambda: sim.run_steps(1), sim.reset):
        with pytest.raises(SimulatorClosed):
            call()
    with pytest.raises(SimulatorClosed), sim:
        pass
    assert same(data(sim, model), seen)
    sim.close()


def test_one_that_is_forgotten_warns_as_nengo_does():
    sim = compiled(loop())
    with pytest.warns(ResourceWarning, match="deallocated while open"):
        sim.__del__()
    sim.close()


def test_no_steps_and_negative_times():
    model = loop()
    with compiled(model) as sim:
        with pytest.warns(UserWarning, match="0 timesteps"):
            sim.run(0.0)
        with pytest.raises(nengo.exceptions.ValidationError, match="positive"):
            sim.run(-1.0)
        for wrong in (2.5, "3", None):
            with pytest.raises((TypeError, nengo.exceptions.ValidationError)):
                sim.run_steps(wrong)
        assert sim.n_steps == 0 and sim.data[model.probes_[0]].shape == (0, 1)
        sim.run_steps(np.int64(3))
        assert sim.n_steps == 3


def test_nothing_warns(recwarn):
    for python in (False, True):
        model = loop(python=python)
        with compiled(model, trials=2) as sim:
            sim.run(0.05)
            sim.reset()
            sim.step()
    assert not recwarn.list


def test_progress_bars_see_all_steps():
    class Bar(ProgressBar):
        def __init__(self):
            self.seen, self.closed = [], False

        def update(self, progress):
            self.seen.append(
                (progress.name_during, progress.n_steps, progress.max_steps)
            )

        def close(self):
            self.closed = True

    built, bar = Bar(), Bar()
    with Simulator(loop(), progress_bar=built) as sim:
        assert built.closed
        sim.run_steps(50, progress_bar=bar)
        assert bar.closed and bar.seen[-1] == ("Simulating", 50, 50)
        sim.run_steps(20)
        assert built.seen[-1] == ("Simulating", 20, 20)


# Ctrl-C


@pytest.fixture(autouse=True)
def keyboard():
    """Python's own answer to Ctrl-C, which jobs in the background are born without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(sim, steps, after=0.3):
    """Steps that were simulated until the keyboard stopped them."""
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            sim.run_steps(steps)
    finally:
        timer.join()
    assert signal.getsignal(signal.SIGINT) is before
    return sim.n_steps


@pytest.mark.parametrize("trials", [None, 3])
@pytest.mark.parametrize("kind", ["compiled", "python", "slow function of time"])
def test_the_keyboard_stops_a_run_that_can_go_on(kind, trials):
    model = loop(python=kind == "python")
    if kind.startswith("slow"):
        with model:
            nengo.Node(lambda t: time.sleep(0.02) or t)
    with compiled(model, trials=trials, threads=2) as sim:
        sim.run_steps(2)
        n = interrupted(sim, 10**8)
        assert 2 < n < 10**8
        seen = data(sim, model)
        assert seen[1].shape[-2] == n and seen[3].shape[-2] == n // 4
        if kind == "slow function of time":
            assert n < 60
        if n < 20_000 and not kind.startswith("slow"):
            sim.run_steps(10)
            seen = data(sim, model)
            sim.reset()
            sim.run_steps(n + 10)
            assert same(data(sim, model), seen)
    assert nengo.__version__  # still here


def test_functions_of_time_miss_no_step_where_the_keyboard_stops_them():
    called = []
    with nengo.Network() as model:
        u = nengo.Node(
            lambda t: called.append(round(t / 0.001)) or time.sleep(1e-4) or t
        )
        probe = nengo.Probe(u)
    with compiled(model) as sim:
        called.clear()
        n = interrupted(sim, 10**8, 0.2)
        sim.run_steps(5)
        assert called == list(range(1, n + 6))
        assert sim.data[probe][:, 0] == pytest.approx(0.001 * np.arange(1, n + 6))


def test_a_handler_of_the_users_own_stays():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        with compiled(loop(python=True)) as sim:
            timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            sim.run_steps(1500)
            timer.join()
            assert sim.n_steps == 1500
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [1]


# What goes wrong in a network


def bursting(python=False):
    """Infinity less infinity in step 37 is no number."""
    with nengo.Network(seed=1) as model:
        u = nengo.Node(lambda t: 0.0 if t < 0.0365 else 1e38)
        large = nengo.Node(size_in=1)
        a = nengo.Node(size_in=1, label="a")
        b = nengo.Ensemble(3, 1, neuron_type=nengo.RectifiedLinear(), label="b")
        nengo.Connection(u, large, transform=1e38, synapse=None)
        nengo.Connection(large, a, synapse=None)
        nengo.Connection(large, a, transform=-1, synapse=None)
        nengo.Connection(a, b, synapse=None)
        if python:
            nengo.Connection(b, nengo.Node(lambda t, x: None, size_in=1))
        model.probe = nengo.Probe(a)
        model.other = nengo.Probe(b.neurons)
    return model


@PYTHON
@pytest.mark.parametrize("trials", [None, 3])
def test_no_number_stops_the_run_and_is_named(python, trials):
    model = bursting(python)
    with compiled(model, trials=trials) as sim:
        with pytest.raises(NotANumberError, match="step 37") as e:
            sim.run_steps(300)
        assert isinstance(e.value, FloatingPointError) and "\n" not in str(e.value)
        assert str(e.value).startswith("signal <Node 'a'>.in: became NaN")
        assert "0.037 s" in str(e.value)
        assert sim.n_steps == 36
        for probe in (model.probe, model.other):
            assert sim.data[probe].shape[-2] == 36
            assert np.isfinite(sim.data[probe]).all()
        sim.reset()
        sim.run_steps(36)
        with pytest.raises(NotANumberError, match="step 37"):
            sim.step()


def test_no_number_in_one_trial_alone():
    with nengo.Network(seed=1) as model:
        u = nengo.Node(lambda t: 0.0)
        a, b = nengo.Node(size_in=1), nengo.Node(size_in=1)
        nengo.Connection(u, a, transform=1e38, synapse=None)
        nengo.Connection(a, b, synapse=None)
        nengo.Connection(a, b, transform=-1, synapse=None)
        probe = nengo.Probe(b)
    own = np.zeros((3, 100, 1))
    own[1, 60] = 1e38
    with compiled(model, trials=3, inputs={u: own}) as sim:
        with pytest.raises(NotANumberError, match="step 61"):
            sim.run_steps(100)
        assert sim.data[probe].shape == (3, 60, 1)


class OwnError(Exception):
    """The user's."""


@pytest.mark.parametrize("inputs", [0, 1])
@pytest.mark.parametrize("trials", [None, 2])
@pytest.mark.parametrize("step", [1, 5, 23])
def test_an_error_of_a_node_is_the_users_own(inputs, trials, step):
    def wrong(t, x=0.0):
        if t > (step - 0.5) * 0.001:
            raise OwnError("mine")
        return t

    model = loop()
    with model:
        node = nengo.Node(wrong, size_in=inputs, size_out=1)
        probe = nengo.Probe(node)
    with compiled(model, trials=trials) as sim:
        with pytest.raises(OwnError, match=r"^mine$"):
            sim.run_steps(100)
        assert sim.n_steps == step - 1
        assert sim.data[probe].shape[-2] == step - 1
        assert data(sim, model)[1].shape[-2] == step - 1


@pytest.mark.parametrize("inputs", [0, 1])
@pytest.mark.parametrize("value", [None, np.nan, np.inf, "x", [1.0, 2.0]])
def test_wrong_values_of_nodes_are_as_in_nengo(inputs, value):
    def wrong(t, x=0.0):
        return value if t > 0.0045 else 1.0

    with nengo.Network() as model:
        node = nengo.Node(wrong, size_in=inputs, size_out=1)
        probe = nengo.Probe(node)
    found = []
    for make in (nengo.Simulator, Simulator):
        with make(model, progress_bar=False) as sim:
            with pytest.raises(SimulationError) as e:
                sim.run_steps(20)
            found.append(str(e.value))
            assert len(sim.data[probe]) == 4
    assert found[0] == found[1]


@pytest.mark.parametrize("inputs", [False, True])
def test_functions_are_called_in_the_order_of_nengo_once_a_step(inputs):
    """Those of time run ahead only where no other Python could notice."""
    log = []

    def note(name):
        return lambda t, *x: log.append((name, round(t * 1000))) or 0.5

    with nengo.Network(seed=2) as model:
        a, b = nengo.Node(note("a")), nengo.Node(note("b"))
        if inputs:
            c = nengo.Node(note("c"), size_in=1)
            d = nengo.Node(note("d"), size_in=1)
            nengo.Connection(a, c, synapse=None)
            nengo.Connection(c, d, synapse=None)
            nengo.Connection(b, d)
            nengo.Connection(d, nengo.Ensemble(5, 1))
    logs = []
    for make in (nengo.Simulator, Simulator):
        with make(model, progress_bar=False, seed=1) as sim:
            log.clear()
            sim.run_steps(30)
            sim.step()
            logs.append(log.copy())
    assert logs[0] == logs[1] and len(logs[0]) == 31 * (4 if inputs else 2)


def test_two_simulators_at_once():
    models = [loop(seed=1), loop(seed=2, python=True)]
    alone, at_once = [], [None, None]
    for model in models:
        with compiled(model, trials=2) as sim:
            sim.run_steps(400)
            alone.append(data(sim, model))

    def work(k):
        with compiled(models[k], trials=2, threads=2) as sim:
            for _ in range(4):
                sim.run_steps(100)
            at_once[k] = data(sim, models[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same(at_once[0], alone[0]) and same(at_once[1], alone[1])


def test_writing_signals_between_runs():
    with nengo.Network(seed=1) as model:
        u = nengo.Node([1.0])
        a = nengo.Node(size_in=1)
        nengo.Connection(u, a, synapse=0.1)
        probe = nengo.Probe(a)
    found = []
    for make in (nengo.Simulator, Simulator):
        with make(model, progress_bar=False) as sim:
            sim.run_steps(10)
            for s in list(sim.signals):
                if s.shape == (1, 1):  # the state of the synapse
                    sim.signals[s][...] = 5.0
            sim.run_steps(10)
            found.append(sim.data[probe].copy())
    assert found[0].max() > 3
    assert found[1] == pytest.approx(found[0], rel=1e-5)


@pytest.mark.parametrize("trials", [None, 2])
def test_empty_networks_run(trials):
    with nengo.Network() as model:
        pass
    with compiled(model, trials=trials) as sim:
        sim.run(0.1)
        assert sim.n_steps == 100
    with model:
        nengo.Ensemble(1, 1)
        nengo.Node(size_in=2)
    with compiled(model, trials=trials) as sim:
        sim.run(0.1)
        assert sim.n_steps == 100


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
@pytest.mark.parametrize("trials", [None, 2])
def test_extreme_seeds(seed, trials):
    model = loop(seed=seed)
    with model:
        model.ensembles[0].seed = seed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in ({}, {"seed": seed}, {"noise_seed": seed}):
            with compiled(model, trials=trials, **options) as sim:
                sim.run_steps(20)
                sim.reset(seed)
                sim.run_steps(20)
                assert np.isfinite(data(sim, model)[0]).all()


def test_sums_that_single_precision_does_not_hold_are_warned_of():
    with nengo.Network() as model:
        LegendreMemory(300_000, 3, 0.2, neuron_type="if", aggregated=True)
    with pytest.warns(ValidityWarning, match="staggered neurons lose spikes"):
        Simulator(model).close()
    Simulator(model, dtype="float64").close()
