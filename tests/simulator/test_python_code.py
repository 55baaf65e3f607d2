"""What Python code sees in a run, and what it changes, is as under `nengo.Simulator`.

Each model keeps what its code shares in ``h``: the simulator, a log of what was seen, a
list, a dict and an array.  Both simulators step the same operators in the same order.
The file is long because the models are many, one after the other.
"""

import random
import time

import nengo
import numpy as np
import pytest
from nengo.builder import Builder, Model, Operator
from nengo.builder.learning_rules import get_post_ens
from nengo.cache import NoDecoderCache
from nengo.processes import PresentInput, WhiteNoise, WhiteSignal

from lmu_spiking import Simulator

STEPS = 24
MODELS = {}


class Shared:
    """Hold what the code of a model shares, begun anew for each simulator."""

    def begin(self, sim):
        self.sim, self.log = sim, []
        self.list, self.dict, self.array = [0.0], {"x": 0.5}, np.zeros(2)
        random.seed(3)
        np.random.seed(3)  # noqa: NPY002 - as a user may
        for begin in self.__dict__.get("begins", []):
            begin()

    def note(self, *seen):
        """Log copies of what was seen."""
        self.log.append(np.concatenate([np.ravel(s) for s in seen]).astype(float))

    def sig(self, thing, key):
        """A live signal of Nengo's."""
        return self.sim.signals[self.sim.model.sig[thing][key]]


def model(build):
    """Register a model."""
    MODELS[build.__name__] = build
    return build


def out(function, size=1, **options):
    """A node whose output is probed; it is not called before the run."""
    node = nengo.Node(function, size_out=None if function is None else size, **options)
    if size:
        nengo.Probe(node)
    return node


def waves():
    """A signal to drive things with."""
    return nengo.Node(lambda t: np.sin(40 * t))


def driven(n=12, **options):
    """An ensemble that hears one."""
    options = {"neuron_type": nengo.LIF(), "n_eval_points": 50} | options
    ens = nengo.Ensemble(n, 1, **options)
    nengo.Connection(waves(), ens, synapse=None)
    nengo.Probe(ens.neurons)
    nengo.Probe(ens, synapse=0.01)
    return ens


def learning(rule, weights=True, n=12):
    """A connection that learns, with its teacher if it has one."""
    pre, post = driven(n), nengo.Ensemble(n, 1, n_eval_points=50)
    function = {"function": lambda x: [0.2]} if weights else {}
    ends = (pre, post) if weights else (pre.neurons, post.neurons)
    more = {} if weights else {"transform": np.full((n, n), 1e-3)}
    link = nengo.Connection(*ends, learning_rule_type=rule, **function, **more)
    if getattr(link.learning_rule, "size_in", 0):
        nengo.Connection(pre, link.learning_rule)
    nengo.Probe(post, synapse=0.01)
    nengo.Probe(post.neurons)
    return pre, link


class Told(nengo.Process):
    """A process of a user's own, which calls a function."""

    def __init__(self, function, size_in=0, size_out=1, **options):
        self.function = function
        super().__init__(size_in, size_out, **options)

    def make_step(self, shape_in, shape_out, dt, rng, state):
        return lambda t, *x: self.function(t, *x)


# The clock


@model
def steps_seen_by_a_function_of_time(h):
    out(lambda t: h.sim.n_steps)


@model
def seconds_seen_by_a_function_of_time(h):
    out(lambda t: [h.sim.time, t], 2)


@model
def steps_seen_by_a_function_of_an_input(h):
    nengo.Connection(waves(), out(lambda t, x: h.sim.n_steps + x, size_in=1))


@model
def steps_seen_by_a_process(h):
    out(Told(lambda t: h.sim.n_steps - t))


@model
def steps_seen_by_a_process_with_an_input(h):
    told = Told(lambda t, x: x * h.sim.n_steps, 1)
    nengo.Connection(waves(), out(told, size_in=1), synapse=None)


@model
def signals_of_the_clock(h):
    def look(t):
        m = h.sim.model
        return [h.sim.signals[m.step].item(), h.sim.signals[m.time].item() - t]

    out(look, 2)


@model
def a_function_without_time_sees_the_clock_as_it_is(h):
    direct = nengo.Ensemble(1, 1, neuron_type=nengo.Direct())
    nengo.Connection(waves(), direct)
    target = out(None, size_in=1)

    def look(x):
        if hasattr(h, "sim"):  # not while it is built
            m = h.sim.model
            h.note(h.sim.signals[m.step], h.sim.signals[m.time], x)
        return x

    nengo.Connection(direct, target, function=look)


@model
def the_clock_is_set_by_a_node(h):
    def jump(t):
        if h.sim.n_steps == 9:
            h.sim.signals[h.sim.model.step][...] = 100
        return t

    out(jump)
    out(WhiteNoise(seed=1))
    driven()


# What was probed


@model
def samples_so_far(h):
    ens = driven()
    probe = nengo.Probe(ens)
    out(lambda t: len(h.sim.data[probe]))


@model
def the_last_sample_is_fed_back(h):
    ens = driven()
    probe = nengo.Probe(ens, synapse=0.01)

    def last(t):
        seen = h.sim.data[probe]
        return 0.5 - seen[-1] if len(seen) else 0.1

    nengo.Connection(out(last), ens, synapse=None)


@model
def the_sum_of_samples_with_an_input(h):
    ens = driven()
    probe = nengo.Probe(ens.neurons)
    node = out(lambda t, x: x + h.sim.data[probe].sum(), size_in=1)
    nengo.Connection(ens, node, synapse=0.01)


@model
def a_process_sees_samples(h):
    probe = nengo.Probe(driven(), synapse=0.01)
    out(Told(lambda t: h.sim.data[probe][-3:].sum()))


@model
def samples_now_and_then(h):
    probe = nengo.Probe(driven(), sample_every=0.0035)
    out(lambda t: [len(h.sim.data[probe]), h.sim.data[probe].sum()], 2)


@model
def raw_samples(h):
    probe = nengo.Probe(driven(), synapse=0.01)

    def look(t):
        raw = h.sim.data.raw[probe]
        return [len(raw), raw[-1][0] if raw else 0, sum(float(r[0]) for r in raw[2:7])]

    out(look, 3)


@model
def samples_deleted_in_the_run(h):
    probe = nengo.Probe(driven(), synapse=0.01)

    def forget(t):
        raw = h.sim.data.raw[probe]
        if h.sim.n_steps % 5 == 4:
            del raw[:]
        if h.sim.n_steps % 7 == 6:
            del raw[0]
        return len(raw)

    out(forget)


@model
def probes_cleared_in_the_run(h):
    driven()
    out(lambda t: h.sim.clear_probes() if h.sim.n_steps == 11 else None, 0)


# Learning


@model
def weights_of_pes_are_read(h):
    _, link = learning(nengo.PES(1e-2))
    out(lambda t: np.abs(h.sig(link, "weights")).sum())


@model
def weights_of_pes_are_read_with_an_input(h):
    pre, link = learning(nengo.PES(1e-2))
    node = out(lambda t, x: x + h.sig(link, "weights").sum(), size_in=1)
    nengo.Connection(pre, node)


@model
def weights_of_pes_are_written(h):
    _, link = learning(nengo.PES(1e-3))

    def write(t):
        h.sig(link, "weights")[...] = 0.02 * h.sim.n_steps
        return 0

    out(write)


@model
def weights_of_pes_are_scaled_by_a_process(h):
    _, link = learning(nengo.PES(1e-3))

    def scale(t):
        weights = h.sig(link, "weights")
        weights *= 0.9
        return weights.sum()

    out(Told(scale))


@model
def weights_of_pes_are_set_through_the_map_of_signals(h):
    pre, link = learning(nengo.PES(1e-3))

    def write(t, x):
        h.sim.signals[h.sim.model.sig[link]["weights"]] = x[0]

    nengo.Connection(pre, out(write, 0, size_in=1))


@model
def weights_of_bcm(h):
    _, link = learning(nengo.BCM(1e-6), weights=False)

    def look(t):
        weights = h.sig(link, "weights")
        if h.sim.n_steps == 10:
            weights[:3] = 0.01
        return weights.sum()

    out(look)


@model
def weights_of_oja(h):
    _, link = learning(nengo.Oja(1e-5), weights=False)

    def look(t):
        weights = h.sig(link, "weights")
        weights[0] += 1e-4
        return np.abs(weights).sum()

    out(look)


@model
def encoders_of_voja(h):
    post, pre = nengo.Ensemble(12, 1), driven()
    rule = nengo.Voja(post_synapse=None, learning_rate=1e-2)
    nengo.Connection(pre, post, learning_rule_type=rule)
    nengo.Probe(post.neurons)

    def look(t):
        encoders = h.sig(post, "encoders")
        if h.sim.n_steps % 8 == 7:
            encoders[...] *= -1
        return encoders.sum()

    out(look)


@model
def weights_of_rls(h):
    _, link = learning(nengo.RLS(1e-3))
    out(lambda t: [h.sig(link, "weights").sum(), h.sim.n_steps], 2)


class Hebb(nengo.learning_rules.LearningRuleType):
    """A rule of a user's own, whose operator asks ``h``."""

    modifies = "decoders"
    probeable = ()
    shared = None

    def __init__(self):
        super().__init__(1e-3, size_in=0)


class SimHebb(Operator):
    def __init__(self, delta, activities, shared):
        super().__init__()
        self.shared = shared
        self.sets, self.incs, self.reads, self.updates = [], [], [activities], [delta]

    def make_step(self, signals, dt, rng):
        delta, activities = signals[self.updates[0]], signals[self.reads[0]]

        def step():
            delta[...] = 1e-6 * activities * self.shared.sim.n_steps
            self.shared.note(delta.sum(), self.shared.sim.time)

        return step


@Builder.register(Hebb)
def build_hebb(model, rule, learning_rule):
    connection = learning_rule.connection
    activities = model.sig[get_pre(connection)]["out"]
    delta = model.sig[learning_rule]["delta"]
    model.add_op(SimHebb(delta, activities, Hebb.shared))


def get_pre(connection):
    assert get_post_ens(connection)
    return connection.pre_obj.neurons


@model
def a_learning_rule_of_the_users_own(h):
    Hebb.shared = h
    _, link = learning(Hebb())
    nengo.Probe(link, "weights")


# Code within neurons and synapses


@model
def neurons_of_the_users_own(h):
    class Mine(nengo.LIF):
        def step(self, dt, J, output, voltage, refractory_time):
            super().step(dt, J + 0.1 * h.sim.n_steps, output, voltage, refractory_time)

    driven(neuron_type=Mine())


@model
def a_synapse_of_the_users_own(h):
    class Mine(nengo.synapses.Synapse):
        def make_state(self, shape_in, shape_out, dt, dtype=None):
            return {}

        def make_step(self, shape_in, shape_out, dt, rng, state):
            return lambda t, x: x * h.sim.n_steps + len(h.log)

    target = out(None, size_in=1)
    nengo.Connection(driven(), target, synapse=Mine())
    out(lambda t: h.note(t), 0)


@model
def noise_with_a_distribution_of_the_users_own(h):
    class Mine(nengo.dists.Distribution):
        def sample(self, n, d=None, rng=np.random):
            steps = h.sim.n_steps if hasattr(h, "sim") else 0
            return np.full((n, 1 if d is None else d), 0.1 * steps)

    out(WhiteNoise(Mine(), scale=False, seed=1))
    driven(noise=WhiteNoise(Mine(), scale=False))


# Objects that code shares


@model
def an_environment_as_a_process(h):
    """A process without input and a node close a loop, as reinforcement learning."""
    ens = nengo.Ensemble(12, 1, neuron_type=nengo.LIFRate(), n_eval_points=50)
    state = out(Told(lambda t: h.list[0]))
    nengo.Connection(state, ens, synapse=None)

    def act(t, x):
        h.list[0] = 0.9 * h.list[0] + 0.3 - 0.2 * x[0]
        return h.list[0]

    action = out(act, size_in=1)
    nengo.Connection(ens, action, synapse=0.005)


@model
def a_dict_that_two_functions_of_time_share(h):
    def write(t):
        h.dict["x"] = 4 * h.dict["x"] * (1 - h.dict["x"])

    out(write, 0)
    out(lambda t: h.dict["x"])


@model
def an_array_that_a_process_returns_and_a_node_changes(h):
    out(Told(lambda t: h.array, size_out=2), 2)

    def change(t, x):
        h.array += x
        return h.array

    nengo.Connection(driven(), out(change, 2, size_in=2)[0], synapse=None)


@model
def attributes_of_a_process_are_changed(h):
    process = Told(lambda t: getattr(process, "level", 0.0))
    h.begins = [lambda: process.__dict__.__setitem__("level", 0.0)]
    out(process)

    def change(t, x):
        process.__dict__["level"] = x.item() + t

    nengo.Connection(waves(), out(change, 0, size_in=1), synapse=None)


@model
def two_processes_in_their_order(h):
    def count(k):
        def step(t):
            h.list[0] = 2 * h.list[0] % 97 + k
            return h.list[0]

        return step

    out(Told(count(1)))
    out(Told(count(5)))
    out(count(7))


@model
def the_same_random_numbers_for_all(h):
    out(lambda t: np.random.rand())  # noqa: NPY002
    out(Told(lambda t: random.random()))
    nengo.Connection(driven(), out(lambda t, x: x * random.gauss(0, 1), size_in=1))


@model
def processes_of_nengo_beside_code(h):
    for process in (WhiteSignal(0.03, 60, seed=2), WhiteNoise(seed=3)):
        out(process)
    out(nengo.processes.FilteredNoise(nengo.Lowpass(0.01)))
    out(nengo.processes.Piecewise({0: 0, 0.004: 1, 0.017: -1}))
    out(lambda t: h.sim.n_steps)
    driven(noise=WhiteNoise())


@model
def an_array_that_is_presented_is_changed(h):
    array = np.arange(12.0)[:, None]
    h.begins = [lambda: np.copyto(array, np.arange(12.0)[:, None])]
    out(PresentInput(array, 0.002))

    def change(t):
        array[:] = -1

    out(change, 0)


@model
def a_process_whose_steps_are_replaced(h):
    process = WhiteSignal(0.03, 60, seed=2)
    process.make_step = lambda *_, **__: lambda t: h.sim.n_steps
    out(process)


@model
def pieces_that_are_functions(h):
    from nengo.processes import Piecewise

    look = lambda t: [h.sim.n_steps if hasattr(h, "sim") else 0.0]  # noqa: E731
    out(Piecewise({0: [0.0], 0.005: look, 0.015: np.sin}))


# State that is read and written


@model
def voltages_are_read(h):
    ens = driven()
    out(lambda t: h.sig(ens.neurons, "voltage").sum())


@model
def voltages_are_written(h):
    ens = driven()

    def write(t):
        h.sig(ens.neurons, "voltage")[:4] = 0.99

    out(write, 0)


@model
def refractory_times_are_written_with_an_input(h):
    ens = driven()

    def write(t, x):
        h.sig(ens.neurons, "refractory_time")[...] = 0.002 * (x > 0.3)

    nengo.Connection(ens, out(write, 0, size_in=1), synapse=0.005)


@model
def everything_is_read_in_the_middle_of_a_step(h):
    ens, target = driven(), nengo.Node(size_in=1)
    nengo.Connection(ens, target, synapse=0.01)
    nengo.Connection(ens, ens, synapse=nengo.Alpha(0.01), transform=0.3)
    nengo.Connection(ens.neurons, ens.neurons, transform=-1e-3)

    def look(t, *x):
        for signal in h.all:
            h.note(h.sim.signals[signal])

    def begin():
        ops = h.sim.model.operators
        every = {id(s): s for op in ops for s in op.all_signals if not s.sparse}
        h.all = list(every.values())

    h.begins = [begin]
    out(look, 0)
    node = out(look, 0, size_in=1)
    nengo.Connection(ens, node, synapse=None)
    nengo.Connection(target, out(look, 0, size_in=1))


@model
def large_populations_are_read(h):
    """The populations would run tile by tile, and keep nothing."""
    ens = driven(1100, neuron_type=nengo.RectifiedLinear())
    keys = ("in", "out", "bias")

    def look(t, *x):
        h.note(*(h.sig(ens.neurons, k)[::50] for k in keys), h.sig(ens, "in"))

    out(look, 0)
    nengo.Connection(ens, out(look, 0, size_in=1))


@model
def what_an_ensemble_hears_is_changed(h):
    """By whatever comes in between."""
    ens = driven()
    node = nengo.Node(lambda t, x: x, size_in=1)
    nengo.Connection(node, ens)

    def write(t):
        h.sig(ens, "in")[...] += 0.5
        h.note(h.sig(ens, "in"))

    out(write, 0)


@model
def weighted_sums_are_read(h):
    ens = driven()
    link = nengo.Connection(ens, ens, synapse=0.01)
    out(lambda t: h.sig(link, "weighted"))


@model
def the_state_of_a_synapse_is_written(h):
    ens = driven()
    target = out(None, size_in=1)
    link = nengo.Connection(ens, target, synapse=0.05)

    def write(t):
        if h.sim.n_steps == 8:
            h.sim.signals[h.sim.model.sig[link.synapse]["_state_X"]][...] = 3.0

    out(write, 0)


# Constants


@model
def a_constant_node_is_changed(h):
    constant = nengo.Node([0.3, 0.0])
    target = out(None, 2, size_in=2)
    nengo.Connection(constant, target, synapse=0.003)
    nengo.Connection(constant[1], driven(), synapse=None)
    nengo.Probe(constant)

    def write(t):
        h.sig(constant, "out")[...] = [t, h.sim.n_steps % 3]

    out(write, 0)


@model
def gains_are_changed(h):
    ens = driven()
    link = nengo.Connection(waves(), ens.neurons, transform=np.ones((12, 1)))
    gains = []

    def begin():
        gains[:] = [
            s
            for op in h.sim.model.operators
            for s in op.reads
            if s.name == f"{link}.gains"
        ]

    h.begins = [begin]

    def write(t):
        h.sim.signals[gains[0]][...] = 5 + h.sim.n_steps
        return len(gains)

    out(write)


# How functions come into a network


@model
def functions_of_connections_from_nodes(h):
    target = out(None, size_in=1)

    def look(x):
        return x + (h.sim.n_steps if hasattr(h, "sim") else 0)

    nengo.Connection(waves(), target, function=look, synapse=None)
    nengo.Connection(waves(), target, function=look, synapse=0.01)


@model
def nodes_in_subnetworks(h):
    with nengo.Network():
        with nengo.Network():
            inner = out(lambda t: h.sim.n_steps + h.sim.time)
        node = out(lambda t, x: x + len(h.log), size_in=1)
        nengo.Connection(inner, node, synapse=None)
    out(lambda t: h.note(t), 0)


@model
def nodes_that_return_nothing(h):
    node = out(lambda t, x: h.note(t, x, h.sim.n_steps), 0, size_in=2)
    nengo.Connection(driven(), node[1])
    nengo.Connection(waves(), node[0], synapse=0.01)


@model
def synapses_behind_nodes(h):
    target = out(None, size_in=1)
    node = out(lambda t: h.sim.n_steps)
    for synapse in (None, 0.004, nengo.Alpha(0.01)):
        nengo.Connection(node, target, synapse=synapse)
    nengo.Probe(node, synapse=0.02, sample_every=0.002)


@model
def a_loop_of_nodes(h):
    a = out(lambda t, x: 0.9 * x + h.sim.n_steps % 2, size_in=1)
    b = out(lambda t, x: x - h.dict["x"], size_in=1)
    nengo.Connection(a, b, synapse=None)
    nengo.Connection(b, a, synapse=0)


@model
def callable_objects_and_methods(h):
    class Counter:
        def __init__(self):
            self.n = 0

        def __call__(self, t):
            self.n += 1
            return self.n

        def double(self, t):
            return 2 * self.n

    counter = Counter()
    h.begins = [lambda: counter.__dict__.__setitem__("n", 0)]
    out(counter)
    out(counter.double)


@model
def generators_and_iterators(h):
    def begin():
        h.values = iter(range(100, 0, -1))

    h.begins = [begin]
    out(lambda t: next(h.values))


def seen_by(sim, h, splits):
    """Return what was probed and logged."""
    h.begin(sim)
    for n in splits:
        if n:
            sim.run_steps(n, progress_bar=False)
        else:
            sim.step()
    data = [np.array(sim.data[p]) for p in sim.model.probes]
    return data, list(h.log), sim.n_steps, sim.time


def both(build, splits=(STEPS,)):
    """Return what both simulators saw, with the operators in one order."""
    h = Shared()
    with nengo.Network(seed=1) as net:
        build(h)
    built = Model(dt=0.001, decoder_cache=NoDecoderCache())
    known = {"model": built, "seed": 5, "progress_bar": False, "optimize": False}
    with nengo.Simulator(net, **known) as sim:
        order = sim.step_order
        theirs = seen_by(sim, h, splits)
    with Simulator(None, dtype="float64", **known) as sim:
        assert sim.step_order == order
        ours = seen_by(sim, h, splits)
        sim.reset()
        again = seen_by(sim, h, splits)
    return theirs, ours, again


def assert_same(theirs, ours):
    """Equal to the rounding of sums."""
    for a, b in zip(theirs[:2], ours[:2], strict=True):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(y, x, rtol=1e-9, atol=1e-11)
    assert theirs[2:] == ours[2:]


SPLITS = [(STEPS,), (0,) * STEPS, (7, 0, 13, 1, 0, 1)]


@pytest.mark.parametrize("splits", SPLITS, ids=["run", "step", "split"])
@pytest.mark.parametrize("name", MODELS)
def test_code_sees_and_changes_what_it_would_in_nengo(name, splits):
    theirs, ours, again = both(MODELS[name], splits)
    assert any(len(x) for x in theirs[0]) or theirs[1]
    assert_same(theirs, ours)
    assert_same(theirs, again)


@pytest.mark.parametrize(
    "name",
    [
        "steps_seen_by_a_process",
        "samples_so_far",
        "the_last_sample_is_fed_back",
        "raw_samples",
        "weights_of_pes_are_read",
        "weights_of_pes_are_written",
        "encoders_of_voja",
        "an_environment_as_a_process",
        "processes_of_nengo_beside_code",
        "a_constant_node_is_changed",
    ],
)
def test_as_built_by_each_simulator_itself(name):
    """The order may differ where it is free; these models do not see it."""
    h = Shared()
    with nengo.Network(seed=1) as net:
        MODELS[name](h)
    seen = []
    for make, options in ((nengo.Simulator, {}), (Simulator, {"dtype": "float64"})):
        with make(net, seed=5, progress_bar=False, **options) as sim:
            seen.append(seen_by(sim, h, (STEPS,)))
    assert_same(*seen)


@pytest.mark.parametrize(
    "name", ["an_environment_as_a_process", "a_dict_that_two_functions_of_time_share"]
)
def test_the_clock_on_the_wall_has_no_say(name, monkeypatch):
    """Equal runs are equal, however long the code takes, and however blocks are cut."""
    seen = []
    for k in range(3):

        def build(h, k=k):
            MODELS[name](h)
            pauses = random.Random(k)
            nengo.Node(lambda t: time.sleep(pauses.choice([0, 0, 2e-3])), size_out=0)

        theirs, ours, _ = both(build, (STEPS,) if k else (9, STEPS - 9))
        assert_same(theirs, ours)
        seen.append(ours)
    assert_same(seen[0], seen[1])
    assert_same(seen[0], seen[2])
