"""Graphs of others, files, and whatever may be wrong with them."""

import itertools

import nengo
import numpy as np
import pytest

from lmu_spiking import MemorySpec, ParamsFileError, ValidationError, from_nir, to_nir
from lmu_spiking.nir.files import write

nir = pytest.importorskip("nir")
ONE, DT = np.ones(1), 0.001


def chain(*nodes, back=None):
    """Input, the nodes, output; with an edge from the last to the node ``back``."""
    names = [f"n{i}" for i in range(len(nodes))]
    named = dict(zip(names, nodes, strict=True))
    size = nodes[0].input_type["input"]
    named = {"in": nir.Input(np.array(size)), **named}
    named["out"] = nir.Output(np.array(nodes[-1].output_type["output"]))
    order = ["in", *names, "out"]
    edges = list(itertools.pairwise(order))
    if back is not None:
        edges.append((names[-1], names[back]))
    return nir.NIRGraph(named, edges)


def run(graph, value=1.0, steps=1000, **options):
    with nengo.Network() as model:
        network = from_nir(graph, dt=DT, **options)
        size = network.input.size_in
        constant = nengo.Node(np.full(size, value))
        nengo.Connection(constant, network.input, synapse=None)
        probe = nengo.Probe(network.output, synapse=None)
    with nengo.Simulator(model, dt=network.dt, progress_bar=False) as simulator:
        simulator.run_steps(steps)
    return simulator.data[probe]


def lif(**changes):
    values = {"tau": 0.02 * ONE, "r": 2 * ONE, "v_leak": 0 * ONE}
    return nir.LIF(**(values | {"v_threshold": ONE} | changes))


def noted(node, **metadata):
    node.metadata = metadata
    return node


def test_a_leak_follows_its_equation():
    """``v = v_leak + r I (1 - exp(-t / tau))``, one step late as Nengo's are."""
    node = nir.LI(
        tau=np.array([0.1, 0.02]), r=np.array([2.0, 3.0]), v_leak=np.array([1.0, 0.0])
    )
    t = DT * np.arange(1000)[:, None]
    exact = node.v_leak + node.r * 0.5 * (1 - np.exp(-t / node.tau))
    assert np.allclose(run(chain(node), 0.5), exact, atol=1e-9)


def test_integrating_neurons_count_their_input():
    """``dv/dt = r I``: a spike, 1 for a step, at each whole threshold."""
    node = nir.IF(r=80 * ONE, v_threshold=2 * ONE)
    assert abs(run(chain(node), 0.5).sum() - 20) <= 1


@pytest.mark.parametrize("u", [0.75, 3.0])
def test_leaky_neurons_have_their_rate(u):
    """``1 / (tau log(J / (J - 1)))`` at ``J = (r I + v_leak) / v_threshold``.

    To 320 Hz, where what is left of a step after a spike matters.
    """
    for node in (
        lif(v_leak=0.5 * ONE),
        nir.CubaLIF(
            tau_syn=0.005 * ONE,
            tau_mem=0.02 * ONE,
            r=ONE,
            w_in=2 * ONE,
            v_leak=0.5 * ONE,
            v_threshold=ONE,
        ),
    ):
        J = 2 * u + 0.5
        rate = 1 / (0.02 * np.log(J / (J - 1)))
        spikes = run(chain(node), u, steps=2000)
        assert abs(spikes.sum() / 2 - rate) < 1.5
        rates = run(chain(node), u, steps=2000, neurons="rate")
        assert np.isclose(rates[-1, 0] / DT, rate, rtol=1e-6)


def test_simple_nodes():
    affine = nir.Affine(weight=np.array([[1.0, 2.0], [0.0, -1.0]]), bias=np.ones(2))
    scale = nir.Scale(scale=np.array([2.0, 3.0]))
    last = run(chain(affine, scale), 0.5, steps=3)[-1]
    assert np.allclose(last, [2 * 2.5, 3 * 0.5])
    threshold = nir.Threshold(threshold=np.array([0.4, 0.6]))
    assert np.array_equal(run(chain(threshold), 0.5, steps=2)[-1], [1, 0])
    delayed = run(chain(nir.Delay(delay=3 * DT * ONE)), 1.0, steps=6)
    assert np.array_equal(delayed[:, 0], [0, 0, 0, 1, 1, 1])


def test_two_leaks_in_a_row():
    node = nir.CubaLI(
        tau_syn=0.01 * ONE, tau_mem=0.05 * ONE, r=2 * ONE, w_in=3 * ONE, v_leak=ONE
    )
    assert np.isclose(run(chain(node), 0.5)[-1, 0], 1 + 3, rtol=1e-6)


def test_a_loop_without_a_leak_takes_a_step():
    """``y[k] = I + y[k-1] / 2``, to ``2 I``."""
    graph = chain(nir.Linear(weight=np.eye(1)), nir.Scale(scale=0.5 * ONE), back=0)
    assert np.isclose(run(graph, 1.0, steps=60)[-1, 0], 1.0)
    recurrent = chain(
        nir.IF(r=100 * ONE, v_threshold=ONE), nir.Linear(weight=0.1 * np.eye(1)), back=0
    )
    assert run(recurrent).sum() > 9


@pytest.mark.parametrize("tau", [1e-5, 1e-7, 1e-12])
def test_a_leak_far_shorter_than_a_step_is_gone_after_one(tau):
    """Nengo's own lowpass is not a number there."""
    fast = nir.LI(tau=tau * ONE, r=2 * ONE, v_leak=0 * ONE)
    assert np.array_equal(run(chain(fast), 0.5, steps=4)[:, 0], [0, 1, 1, 1])
    around = run(chain(nir.Scale(scale=0.5 * ONE), fast, back=0), 1.0, steps=5)
    assert np.array_equal(around[:, 0], [0, 1, 2, 3, 4])


def test_networks_are_nengo_networks():
    graph = to_nir(MemorySpec(), neurons="none")
    with nengo.Network() as model:
        inside = from_nir(graph, label="window", seed=4)
        outside = from_nir(graph, add_to_container=False)
    assert model.networks == [inside]
    assert (inside.label, inside.seed) == ("window", 4)
    assert inside.input.size_in == 1
    assert outside.output.size_out == outside.state.size_out == 6


def test_files(tmp_path):
    path = tmp_path / "new folder" / "memory.nir"
    graph = to_nir(MemorySpec(120), path, neurons="tonic")
    back = nir.read(path)
    assert sorted(back.edges) == sorted(graph.edges)
    for name, node in graph.nodes.items():
        for key, value in node.to_dict().items():
            if isinstance(value, np.ndarray):
                assert np.array_equal(value, getattr(back.nodes[name], key, value))
    assert back.metadata["says_not"] == graph.metadata["says_not"]
    assert [p.name for p in path.parent.iterdir()] == ["memory.nir"]
    assert from_nir(str(path)).state.size_out == 6


def test_files_that_cannot_be_written_leave_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "memory.nir"
    to_nir(MemorySpec(), path, neurons="none")
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(ParamsFileError, match="No space left"):
        to_nir(MemorySpec(order=3), path, neurons="none")
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_names_with_a_slash(tmp_path):
    """HDF5 takes them for paths."""
    path = tmp_path / "graph.nir"
    for name in ("a/b", "a/b/c"):
        named = {"in": nir.Input(ONE.astype(int)), name: nir.Scale(scale=ONE)}
        named |= {"out": nir.Output(ONE.astype(int))}
        graph = nir.NIRGraph(named, [("in", name), (name, "out")])
        assert from_nir(graph, dt=DT).input.size_in == 1
        nir.write(path, graph)
        unreadable(path, f"the name '{name}' has a '/'.*rename")
        path.unlink()
        with pytest.raises(ValidationError, match=f"'{name}' has a '/'.*rename"):
            write(graph, path)
        assert not path.exists()


def test_paths_that_no_file_has():
    for path in ("a\0b", "", b"a"):
        with pytest.raises(ValidationError, match="path of a file"):
            to_nir(MemorySpec(), path, neurons="none")
    with pytest.raises(ValidationError, match="path of a file"):
        from_nir("a\0b")


def unreadable(path, match):
    with pytest.raises(ParamsFileError, match=match) as caught:
        from_nir(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_and_damaged_files(tmp_path):
    unreadable(tmp_path / "none.nir", "no such file")
    unreadable(tmp_path, "directory")
    path = tmp_path / "memory.nir"
    to_nir(MemorySpec(), path, neurons="none")
    whole = path.read_bytes()
    for damaged in (b"", b"not HDF5", whole[:2000], whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        unreadable(path, "damaged")
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("weights", data=np.ones(3))
    unreadable(path, "damaged")
    nir.write(path, lif())
    unreadable(path, "not a graph of NIR")


CONV = nir.Conv1d(
    input_shape=8,
    weight=np.ones((1, 1, 3)),
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    bias=np.zeros(1),
)


@pytest.mark.parametrize(
    ("nodes", "match"),
    [
        ([CONV], "'n0' is a Conv1d, which is not built; supported: Input"),
        ([nir.I(r=ONE)], "'n0' is a I, which is not built"),
        ([chain(nir.Scale(scale=ONE))], "'n0' is a NIRGraph"),
        ([lif(tau=-ONE)], "n0: 'LIF'.*positive seconds"),
        ([lif(v_threshold=0 * ONE)], "n0.*v_threshold.*positive"),
        ([lif(v_reset=0.5 * ONE)], "n0.*v_reset.*must be 0"),
        ([nir.Scale(scale=np.ones((2, 2)))], "must have one axis"),
        ([lif(v_reset=0.5 * ONE)], "n0.*; count v_threshold and v_leak from v_reset"),
        ([lif(tau=0 * ONE)], r"n0.*tau: 0\.0 must.*; use a Scale"),
        ([nir.Scale(scale=np.nan * ONE)], r"n0.*scale: nan must be finite \(at 0\); "),
        ([nir.Delay(delay=0.0015 * ONE)], "n0.*whole number of steps.*; round it"),
        ([nir.Delay(delay=-0.002 * ONE)], "n0.*must not be negative; use 0"),
        ([nir.Delay(delay=5000 * ONE)], "n0.*at most 1000 steps.*; use several"),
        ([nir.Delay(delay=DT * np.arange(2))], "n0.*one for all.*; use several nodes"),
        ([nir.Linear(weight=np.ones((1, 2, 2)))], "must have one axis"),
        ([nir.Linear(weight=np.array([[1, np.nan]]))], r"weight: nan .*\(at 0, 1\)"),
        ([nir.Linear(weight=1j * np.eye(1))], r"weight.*are complex numbers"),
        ([nir.Scale(scale=(1 + 0j) * ONE)], r"scale.*are complex numbers"),
        ([noted(lif(), seed=-1)], "seed: -1 must be a whole number from 0"),
        ([noted(lif(), seed=2**40)], "seed.*must be a whole number from 0"),
        ([noted(lif(), seed="a")], "seed.*must be a whole number"),
        ([noted(lif(), tau_ref=np.nan)], "tau_ref: nan must be a number from 0"),
        ([noted(lif(), tau_ref=-1)], "tau_ref: -1 must be a number from 0"),
        (
            [noted(lif(), min_voltage=1)],
            "min_voltage: 1 must be a number from -inf to 0",
        ),
        ([noted(nir.IF(ONE, ONE), min_voltage=-1)], r"min_voltage: -1.*0 or -inf"),
    ],
)
def test_nodes_that_are_not_built(nodes, match):
    inner = nodes[0]
    size = inner.input_type.get("input", ONE.astype(int))
    named = {"in": nir.Input(size), "n0": inner, "out": nir.Output(size)}
    edges = [("in", "n0"), ("n0", "out")]
    graph = nir.NIRGraph(named, edges, type_check=False)
    with pytest.raises(ValidationError, match=match) as caught:
        from_nir(graph, dt=DT)
    assert "\n" not in str(caught.value)


def test_nodes_that_are_not_complete():
    graph = chain(lif())
    graph.nodes["n0"].tau = "fast"
    with pytest.raises(ValidationError, match=r"n0.*'fast' are no numbers"):
        from_nir(graph, dt=DT)
    del graph.nodes["n0"].tau
    with pytest.raises(ValidationError, match=r"n0.*not complete"):
        from_nir(graph, dt=DT)


def test_time_constants_of_one_node_differ():
    many = {name: np.ones(2) for name in ("r", "v_leak", "v_threshold")}
    graph = chain(nir.LIF(tau=np.array([0.02, 0.03]), **many))
    with pytest.raises(ValidationError, match=r"n0.*one for all neurons"):
        from_nir(graph, dt=DT)


def test_sizes_that_do_not_fit():
    named = {"in": nir.Input(np.array([2])), "n0": nir.Scale(scale=np.ones(3))}
    named["out"] = nir.Output(np.array([3]))
    graph = nir.NIRGraph(named, [("in", "n0"), ("n0", "out")], type_check=False)
    with pytest.raises(
        ValidationError, match=r"'in', 'n0'.*takes 2 values to a node of 3"
    ):
        from_nir(graph, dt=DT)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"dt": 0.002}, r"not the step.*0\.001 s; draw it"),
        ({"dt": -1}, "positive"),
        ({"dt": "1"}, "positive"),
        ({"neurons": "lif"}, "rate, spikes"),
        ({"neurons": 3}, "rate, spikes"),
        ({"seed": "x"}, "seed: 'x' must be a whole number"),
        ({"seed": 1.5}, "seed: 1.5 must be a whole number"),
        ({"seed": -1}, "seed: -1 must be a whole number from 0"),
        ({"label": 5}, "label: 5 must be a text"),
        ({"add_to_container": 5}, "add_to_container: 5 must be True, False or None"),
        ({"add_to_container": True}, "needs a network to add to"),
    ],
)
def test_arguments(options, match):
    with pytest.raises(ValidationError, match=match):
        from_nir(to_nir(MemorySpec(), neurons="none"), **options)


@pytest.mark.parametrize("node", [lif(), nir.IF(ONE, ONE), nir.Scale(scale=ONE)])
def test_a_graph_without_a_step_needs_one(node, tmp_path):
    """A file of another program, in which nothing says what it counts in."""
    graph = chain(node)
    nir.write(tmp_path / "theirs.nir", graph)
    for source in (graph, tmp_path / "theirs.nir"):
        with pytest.raises(
            ValidationError,
            match=r"from_nir\.dt: None is no step.*0\.1 ms or 1 ms; give.*dt=0\.001",
        ) as caught:
            from_nir(source)
        assert "\n" not in str(caught.value)
        assert from_nir(source, dt=0.0001).dt == 0.0001
    for said in (0.0001, np.float32(0.0001), np.array(0.0001)):
        graph.metadata["dt"] = said
        assert from_nir(graph).dt == from_nir(graph, dt=0.0001).dt == 0.0001
    with pytest.raises(ValidationError, match=r"drawn for, 0\.0001 s; leave dt out"):
        from_nir(graph, dt=0.001)


def test_rates_of_a_membrane_far_faster_than_a_step():
    """The spikes' own, once in each step above the threshold, not 1 / tau."""
    for tau in (1e-5, 1e-9):
        rates = run(chain(lif(tau=tau * ONE)), 1.0, 5, neurons="rate")
        np.testing.assert_allclose(rates[:, 0], 1, rtol=0.02)


def test_what_is_no_graph():
    for other in (None, 3, {}, lif()):
        with pytest.raises(ValidationError, match=r"must be a nir\.NIRGraph"):
            from_nir(other)
    named = {"in": nir.Input(np.array([1])), "also": nir.Input(np.array([1]))}
    named |= {"n": nir.Scale(scale=ONE), "out": nir.Output(np.array([1]))}
    edges = [("in", "n"), ("also", "n"), ("n", "out")]
    with pytest.raises(ValidationError, match="are its Input nodes"):
        from_nir(nir.NIRGraph(named, edges))


def test_nodes_that_nothing_reaches():
    """nir gives them an Input of their own, which is not what is wrong."""
    named = {"in": nir.Input(ONE.astype(int)), "n": nir.Scale(scale=ONE)}
    named["out"] = nir.Output(ONE.astype(int))
    for edges, match in (
        ([("in", "n")], "'out' is an Output to which no edge goes; draw an edge"),
        ([("in", "out"), ("n", "out")], "'n' is a Scale to which no edge goes"),
    ):
        for check in (True, False):
            graph = nir.NIRGraph(dict(named), list(edges), type_check=check)
            if check or match.startswith("'out'"):
                with pytest.raises(ValidationError, match=match):
                    from_nir(graph)


@pytest.mark.parametrize("steps", ["leapfrog", 3, ["exact"], np.array([1, 2])])
def test_steps_that_are_unknown(steps):
    graph = to_nir(MemorySpec(), neurons="none")
    graph.metadata["steps"] = steps
    with pytest.raises(ValidationError, match=r"from_nir\.steps.*is unknown; use one"):
        from_nir(graph)


@pytest.mark.parametrize(
    ("node", "match"),
    [
        (nir.LI(tau=DT / 2 * ONE, r=ONE, v_leak=0 * ONE), r"tau: 0\.0005 must be long"),
        (lif(tau=DT * ONE), r"tau: 0\.001 must be longer than the step"),
        (
            nir.CubaLIF(
                tau_syn=DT / 2 * ONE,
                tau_mem=0.02 * ONE,
                r=ONE,
                v_leak=0 * ONE,
                v_threshold=ONE,
            ),
            r"tau_syn: 0\.0005 must be longer",
        ),
    ],
)
def test_leaks_too_fast_for_euler(node, match):
    graph = chain(node)
    graph.metadata["steps"] = "euler"
    with pytest.raises(ValidationError, match=f"n0.*{match}.*; draw the graph"):
        from_nir(graph, dt=DT)


@pytest.mark.parametrize("via", ["object", "file"])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"tau": "abc"}, r"recurrent\.metadata\.tau: 'abc' must be a positive number"),
        ({"tau": np.nan}, r"tau: nan must be a positive number"),
        ({"role": "recurrent", "on": "state"}, "'state' is a loop that needs two Lin"),
        ({"into": nir.Scale(scale=np.ones(6))}, "needs two Linear nodes"),
        ({"into": nir.Linear(weight=np.ones((5, 1)))}, r"\(6, 6\) must be square"),
    ],
)
def test_continuous_loops_that_are_wrong(change, match, via, tmp_path):
    graph = to_nir(MemorySpec(), neurons="none", steps="continuous")
    if "into" in change:
        graph.nodes["input_weights"] = change["into"]
    else:
        change = dict(change)
        graph.nodes[change.pop("on", "recurrent")].metadata.update(change)
    if via == "file":
        nir.write(tmp_path / "a.nir", graph)
        graph = nir.read(tmp_path / "a.nir", type_check=False)
    with pytest.raises(ValidationError, match=match) as caught:
        from_nir(graph)
    assert "\n" not in str(caught.value)


def test_metadata_that_is_wrong():
    graph = to_nir(MemorySpec(), neurons="none", steps="continuous")
    del graph.nodes["recurrent"].metadata["tau"]
    with pytest.raises(ValidationError, match=r"recurrent.*draw the graph anew"):
        from_nir(graph)
