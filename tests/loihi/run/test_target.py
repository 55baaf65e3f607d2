import gc
import json
import sys
import warnings
from types import SimpleNamespace

import nengo
import numpy as np
import pytest

from lmu_spiking.errors import MissingPackageError, ValidationError
from lmu_spiking.loihi.run import target as module
from lmu_spiking.loihi.run.target import Run, Target, run_on
from lmu_spiking.studies.records import to_json

CHIP = ("simreal", "emulator")


@pytest.fixture
def loihi():
    pytest.importorskip("nengo_loihi")
    return module.nengo_loihi()


def network(seed=0, feedback=False, noise=None):
    """A loop of 30 chip neurons, driven from the host and read there."""
    with nengo.Network(seed=seed) as net:
        noise = nengo.processes.WhiteSignal(1.0, 5, seed=1) if noise is None else noise
        u = nengo.Node(noise)
        a = nengo.Ensemble(30, 1, label="a")
        nengo.Connection(u, a)
        nengo.Connection(
            a.neurons, a.neurons, transform=1e-4 * np.eye(30), synapse=0.01
        )
        y = nengo.Node(lambda t, x: x, size_in=30)
        nengo.Connection(a.neurons, y, synapse=0.02)
        net.spikes, net.read = nengo.Probe(a.neurons), nengo.Probe(y)
        net.u, net.a, net.y = nengo.Probe(u), a, y
        if feedback:
            back = nengo.Node(lambda t, x: x, size_in=1)
            nengo.Connection(y[:1], back, transform=1e-4)
            nengo.Connection(back, a)
    return net


# -- the ladder ----------------------------------------------------------------------


def test_targets_have_names():
    assert [str(target) for target in Target] == [
        "core",
        "simreal",
        "emulator",
        "board",
    ]
    assert Target("emulator") is Target.EMULATOR == "emulator"
    with pytest.raises(ValidationError, match="'chip' is not a target; use one of 'co"):
        Target("chip")
    with pytest.raises(ValidationError, match=r"^target: None is not"):
        run_on(network(), None, 0.1)


def test_core_is_nengo(simulator):
    net = network()
    run = run_on(net, "core", 0.2, seed=3)
    with simulator(net, seed=3) as sim:
        sim.run_steps(200)
        for probe in net.all_probes:
            np.testing.assert_array_equal(run.data[probe], sim.data[probe])
        np.testing.assert_array_equal(run.trange, sim.trange())
    assert run.target is Target.CORE and run.advice == ()
    assert run.counts.spikes_of[net.a] == run.counts.spikes > 100
    assert run.counts.spikes == round(run.data[net.spikes].sum() * run.dt)
    assert run.counts.synops is None is run.counts.messages is run.counts.cores
    assert set(run.versions) == {"python", "lmu_spiking", "nengo", "numpy"}
    assert run.row["target"] == "core" and run.row["synops"] is None


@pytest.mark.parametrize("feedback", [False, True])
@pytest.mark.parametrize("target", CHIP)
def test_chip_is_nengo_loihi_whatever_the_chunks(loihi, monkeypatch, target, feedback):
    net = network(feedback=feedback)
    monkeypatch.setattr(module, "CHUNK", 7)
    run = run_on(net, target, 0.1, seed=3)
    name = {"simreal": "simreal", "emulator": "sim"}[target]
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with loihi.Simulator(net, seed=3, target=name) as sim:
            assert sim.precompute is not feedback
            sim.run_steps(100)
    for probe in net.all_probes:
        np.testing.assert_array_equal(run.data[probe], sim.data[probe])
    assert run.data[net.spikes].shape == (100, 30) and run.data[net.spikes].any()
    np.testing.assert_allclose(run.trange, sim.trange(), rtol=1e-12)
    assert run.versions["nengo-loihi"] == "1.1.0"
    assert run.seconds_build > 0 < run.seconds_run
    row = json.loads(to_json(run.row))
    assert row["target"] == target and row["duration"] == pytest.approx(0.1)
    assert row["synops"] == run.counts.synops > 0 and row["cores"] == 1
    assert [one["kind"] for one in row["advice"]] == [one.kind for one in run.advice]


def test_core_runs_what_was_laid_out_for_the_chip(loihi):
    net = network()
    loihi.add_params(net)
    net.config[net.a].on_chip = True
    net.a.neuron_type = loihi.LoihiLIF()
    assert run_on(net, "core", 0.1).counts.spikes > 0


@pytest.mark.parametrize("target", ["core", *CHIP])
def test_a_run_is_a_function_of_its_seeds(target, request):
    """Also the host's noise, and a network that has no seed of its own."""
    if target != "core":
        request.getfixturevalue("loihi")
    net = network(seed=None, noise=nengo.processes.WhiteNoise())
    with net:
        host = nengo.Ensemble(20, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()))
        if target != "core":
            module.nengo_loihi().add_params(net)
            net.config[host].on_chip = False
        nengo.Connection(host, net.a)
        poisson = nengo.Probe(host.neurons)
    first, again, other = (run_on(net, target, 0.05, seed=s) for s in (5, 5, 6))
    for probe in (net.u, net.spikes, net.read, poisson):
        np.testing.assert_array_equal(first.data[probe], again.data[probe])
        assert not np.array_equal(first.data[probe], other.data[probe])
    assert net.seed is None


def test_a_run_is_frozen():
    run = run_on(network(), "core", 0.01)
    assert isinstance(run, Run)
    with pytest.raises(AttributeError):
        run.dt = 1.0
    with pytest.raises(ValueError, match="read-only"):
        next(iter(run.data.values()))[0] = 1
    with pytest.raises(TypeError):
        run.data[0] = 1


@pytest.mark.parametrize("target", ["core", "emulator"])
def test_progress_and_other_steps(target, request):
    if target != "core":
        request.getfixturevalue("loihi")
    seen = []
    run = run_on(
        network(), target, 0.5, dt=0.002, progress=lambda *done: seen.append(done)
    )
    assert seen == [(100, 250), (200, 250), (250, 250)]
    assert run.trange[-1] == pytest.approx(0.5) and len(run.trange) == 250


def test_nothing_global_is_changed(loihi):
    before = list(warnings.filters), warnings.showwarning, np.geterr()
    rates = nengo.Ensemble.max_rates.default
    run_on(network(), "emulator", 0.01)
    assert (list(warnings.filters), warnings.showwarning, np.geterr()) == before
    assert nengo.Ensemble.max_rates.default is rates
    with nengo.Network() as net:
        assert nengo.Ensemble(10, 1).max_rates is rates
        assert "on_chip" not in net.config[nengo.Ensemble].extra_params


def test_a_model_of_its_own(loihi):
    """A decode_tau of 50 ms makes what a chip neuron hears smoother."""
    net = network()
    with net:
        heard = nengo.Probe(net.a.neurons, "input")
    default = run_on(net, "simreal", 0.2).data[heard]
    model = loihi.builder.Model(dt=0.001)
    model.decode_tau = 0.05
    slow = run_on(net, "simreal", 0.2, model=model).data[heard]
    assert (
        np.abs(np.diff(slow, axis=0)).mean() < np.abs(np.diff(default, axis=0)).mean()
    )
    with pytest.raises(ValidationError, match="built already; make one for each run"):
        run_on(net, "simreal", 0.2, model=model)
    model = loihi.builder.Model(dt=0.002)
    with pytest.raises(
        ValidationError, match=r"model.dt: 0.002 is not the run's dt of 0"
    ):
        run_on(net, "simreal", 0.2, model=model)
    with pytest.raises(ValidationError, match="must be a nengo_loihi"):
        run_on(net, "simreal", 0.2, model=nengo.builder.Model())


# -- arguments -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, said",
    [
        (
            {"duration": 0.0004},
            "0.0004 is not a whole number of steps of 0.001 s; use 0",
        ),
        ({"duration": 0.0123456}, "is not a whole number .* use 0.012$"),
        ({"duration": -1}, "duration: -1 must be a positive number"),
        ({"duration": float("nan")}, "duration: nan must be"),
        ({"duration": 1e300, "dt": 1e-300}, "is not a whole number"),
        ({"dt": 0}, "run_on.dt: 0 must be a positive number"),
        ({"dt": float("nan")}, "run_on.dt: nan must be"),
        ({"seed": -1}, "run_on.seed: -1 must be"),
        (
            {"options": {"chips": 8}},
            "'chips' is no option of a board; use one of n_chips",
        ),
        ({"options": 3}, "run_on.options: 3 must be a mapping"),
        ({"precompute": "yes"}, "run_on.precompute: 'yes' must be True or False"),
        ({"network": 3}, "run_on.network: 3 must be a nengo.Network"),
    ],
)
def test_refused_arguments(arguments, said):
    given = {"network": network(), "target": "core", "duration": 0.1} | arguments
    with pytest.raises(ValidationError, match=said):
        run_on(**given)


def test_durations_that_are_whole_but_for_rounding():
    for duration in (0.3, 0.07, 1.1):
        run = run_on(network(), "core", duration, dt=0.01)
        assert len(run.trange) == round(duration * 100)


@pytest.mark.parametrize("target", ["simreal", "emulator", "board"])
def test_without_nengo_loihi(monkeypatch, target):
    monkeypatch.setitem(sys.modules, "nengo_loihi", None)
    with pytest.raises(MissingPackageError, match=r"'lmu_spiking\[loihi\]'"):
        run_on(network(), target, 0.1)
    assert run_on(network(), "core", 0.1).counts.spikes > 0


# -- the board -----------------------------------------------------------------------


def test_a_board_needs_nxsdk(loihi, monkeypatch):
    from nengo_loihi import simulator

    monkeypatch.setattr(simulator, "HAS_NXSDK", False)
    monkeypatch.setattr(loihi, "Simulator", None)  # nothing is built
    with pytest.raises(ValidationError) as error:
        run_on(network(), "board", 0.1)
    said = str(error.value)
    assert "needs NxSDK" in said and "INRC" in said and "target='emulator'" in said
    assert "\n" not in said


class StandIn:
    """What nengo-loihi asks of an NxSDK board: probes see one spike in every step."""

    def __init__(self, board, use_snips, seed):
        from nengo_loihi.hardware.nxsdk_objects import LoihiSpikeInput

        self.use_snips, self.seed, self.did, self.sent = use_snips, seed, [], []
        self.executor, self.global_spike_generator = self, self
        self.addPop16Spike = self.addPop32Spike = None
        cores = [SimpleNamespace(id=i) for i in range(128)]
        self.n2Chips = [SimpleNamespace(id=i, n2Cores=cores) for i in range(8)]
        self.spike_inputs, self.seen = {}, []
        for source in board.inputs:
            self.spike_inputs[source] = LoihiSpikeInput()
            self.spike_inputs[source].set_axons(board, self, source)
        for probe in board.probes:
            board.probe_map[probe] = [self.probe(block) for block in probe.target]

    def probe(self, block):
        parts = [SimpleNamespace(data=[]) for _ in range(block.n_neurons)]
        self.seen += parts
        return [SimpleNamespace(timeSeries=part) for part in parts]

    def hasStarted(self):
        return "start" in self.did

    def start(self):
        self.did.append("start")

    def run(self, steps, aSync):
        self.did.append(("run", steps, aSync))
        for part in self.seen:
            part.data.extend([1] * steps)

    def disconnect(self):
        self.did.append("disconnect")

    def addSpike(self, time, **where):
        self.sent.append(time)


@pytest.fixture
def nxsdk(loihi, monkeypatch):
    """nengo-loihi's own hardware interface, on a stand-in for NxSDK."""
    from nengo_loihi import simulator
    from nengo_loihi.hardware import interface

    made = SimpleNamespace(boards=[], interfaces=[])

    class Interface(interface.HardwareInterface):
        def __init__(self, model, **given):
            made.interfaces.append((model, given))
            super().__init__(model, **given)

    def build_board(*arguments, **named):
        made.boards.append(StandIn(*arguments, **named))
        return made.boards[-1]

    monkeypatch.setattr(simulator, "HAS_NXSDK", True)
    monkeypatch.setattr(simulator, "HardwareInterface", Interface)
    monkeypatch.setattr(interface, "build_board", build_board)
    monkeypatch.setattr(interface, "assert_nxsdk", lambda: None)
    monkeypatch.setattr(interface, "nxsdk", SimpleNamespace(__version__="1.0.0"))
    monkeypatch.setattr(interface, "SpikeProbe", SimpleNamespace(probeDict={}))
    return made


def test_a_board_is_reached(loihi, nxsdk):
    net = network()
    model = loihi.builder.Model(dt=0.001)
    options = {"n_chips": 8}
    run = run_on(net, "board", 0.25, seed=7, options=options, model=model)
    ((given, settings),) = nxsdk.interfaces
    assert given is model
    assert settings == {"use_snips": False, "seed": 7, "n_chips": 8}
    (board,) = nxsdk.boards
    assert board.seed == 7 and not board.use_snips
    assert board.did == ["start", ("run", 250, False), "disconnect"]
    assert len(board.sent) > 10 and 1 <= min(board.sent) <= max(board.sent) <= 250
    np.testing.assert_array_equal(run.data[net.spikes], np.full((250, 30), 1000.0))
    assert run.data[net.read][-1].min() > 900  # the host hears of the spikes
    assert run.counts is None is run.row["spikes"] and run.target is Target.BOARD
    assert set(run.versions) >= {"nengo-loihi", "nxsdk"}


def test_a_board_that_is_too_small(loihi, nxsdk):
    net = network()
    loihi.add_params(net)
    net.config[net.a].block_shape = loihi.BlockShape((1,), (30,))
    from nengo_loihi.hardware.allocators import Greedy

    options = {"n_chips": 1, "allocator": Greedy(cores_per_chip=16)}
    with pytest.raises(
        ValidationError, match=r"more chips .* give options=\{'n_chips'"
    ):
        run_on(net, "board", 0.1, options=options)


def test_a_board_with_an_old_nxsdk(nxsdk, monkeypatch):
    from nengo_loihi.hardware import interface

    monkeypatch.setattr(interface, "nxsdk", SimpleNamespace(__version__="0.5"))
    with pytest.raises(
        ValidationError, match=r"requires nxsdk>=0.9.0.* upgrade NxSDK$"
    ):
        run_on(network(), "board", 0.1)


# -- interrupted ---------------------------------------------------------------------


@pytest.mark.parametrize("target", ["core", *CHIP])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_run_is_closed(target, error, request, recwarn):
    """A user's own error comes as it is; nothing stays open."""
    if target != "core":
        request.getfixturevalue("loihi")
    net = network()

    def stop(t):
        if t > 0.15:
            raise error

    with net:
        nengo.Node(stop)
    with pytest.raises(error):
        run_on(net, target, 10.0)
    gc.collect()
    assert not [w for w in recwarn if w.category is ResourceWarning]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_build_is_closed(loihi, monkeypatch, recwarn, error):
    """The host's simulators are there before the emulator is."""
    from nengo_loihi import simulator

    def fail(*arguments, **named):
        raise error

    monkeypatch.setattr(simulator, "EmulatorInterface", fail)
    with pytest.raises(error):
        run_on(network(), "emulator", 0.1)
    gc.collect()
    assert not [w for w in recwarn if w.category is ResourceWarning]
