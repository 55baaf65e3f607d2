import nengo
import numpy as np
import pytest

from lmu_spiking import LegendreMemory, MemorySpec, Simulator, ValidationError
from lmu_spiking.conversion import convert, present
from lmu_spiking.memory.design import assemble, design
from lmu_spiking.networks.readout import delay_weights
from lmu_spiking.studies.stream import MemoryStream, ModelStream
from lmu_spiking.studies.trial import spikes_of

SPEC = MemorySpec(n_neurons=120, order=4, theta=0.1, tau=0.05, noise_seed=3)
U = np.random.default_rng(0).uniform(-1, 1, (400, 1))
DELAYS = [0.02, 0.1]
CUTS = {
    "whole": [400],
    "ones": [1] * 400,
    "uneven": [0, 1, 3, 150, 0, 46, 200],
    "tens": [10] * 40,
}


def cut(samples, sizes):
    return np.split(samples, np.cumsum(sizes)[:-1])


def in_one_run(memory, u):
    """Delays and spikes of each step, of one run of an ordinary network."""
    with nengo.Network() as model:
        source = nengo.Node(nengo.processes.PresentInput(u, memory.dt))
        made = LegendreMemory.from_design(memory.design, noise_seed=memory.noise_seed)
        nengo.Connection(source, made.input, synapse=None)
        decoded = nengo.Probe(made.add_output(delay=DELAYS), synapse=None)
        spikes = spikes_of(made)
    with Simulator(model, dt=memory.dt, progress_bar=False) as sim:
        sim.run_steps(len(u))
        return sim.data[decoded].copy(), memory.dt * sim.data[spikes].sum(dtype=float)


def memory_of(spec=SPEC, **more):
    with nengo.Network():
        return LegendreMemory.from_spec(spec, **more)


@pytest.fixture(scope="module")
def alone():
    return in_one_run(memory_of(), U)


@pytest.mark.parametrize("sizes", CUTS.values(), ids=CUTS)
def test_blocks_are_one_long_run_however_they_are_cut(alone, sizes):
    with MemoryStream(SPEC, DELAYS) as stream:
        parts = list(stream.run(cut(U, sizes)))
        assert [len(part.times) for part in parts] == sizes
        values = np.concatenate([part.values for part in parts])
        times = np.concatenate([part.times for part in parts])
    np.testing.assert_array_equal(values, alone[0])
    np.testing.assert_allclose(times, 0.001 * np.arange(400), atol=1e-12)
    assert stream.spikes == pytest.approx(alone[1], abs=1e-6)
    assert stream.spikes > 100


def test_samples_of_probes_are_forgotten(alone, monkeypatch):
    """Results are the same when parts are short and buffers are emptied often."""
    monkeypatch.setattr("lmu_spiking.studies.stream.MOST", 7)
    with MemoryStream(SPEC, DELAYS) as stream:
        found = [part.values for part in stream.run(cut(U, CUTS["uneven"]))]
        assert len(stream._sim.data[stream._output]) < 14
    np.testing.assert_array_equal(np.concatenate(found), alone[0])


@pytest.mark.parametrize("form", ["network", "design"])
def test_a_memory_of_several_channels(form):
    u = np.random.default_rng(1).uniform(-1, 1, (300, 3))
    asked = {"tau": 0.05, "size_in": 3, "noise_seed": 5}
    with nengo.Network():
        memory = LegendreMemory(360, 4, 0.1, **asked)
    expected, _ = in_one_run(memory, u)
    given = memory if form == "network" else memory.design
    with MemoryStream(given, DELAYS) as stream:
        found = np.concatenate([part.values for part in stream.run(np.split(u, 30))])
    assert (stream.channels, found.shape) == (3, (300, 6))
    if form == "network":
        np.testing.assert_array_equal(found, expected)
    else:  # a design has no seed: the same memory with other spikes
        assert np.std(found - expected) < 0.6


def test_it_decodes_the_past():
    """Exact neurons: what is decoded is the exact window's, at each delay."""
    spec = SPEC.replace(neuron_type="rate", order=6)
    t = 0.001 * np.arange(500)
    u = np.sin(2 * np.pi * 2 * t)
    with MemoryStream(spec, DELAYS) as stream:
        times, values = stream.push(u)
    late = np.stack([np.interp(t - d, t, u) for d in DELAYS], axis=1)
    np.testing.assert_allclose(values[200:], late[200:], atol=0.01)
    memory = memory_of(spec)
    rows = delay_weights(memory, DELAYS)
    exact = spec.ldn.simulate(u, 0.001)[:-1] @ np.asarray(rows).T
    np.testing.assert_allclose(values[1:], exact, atol=1e-9)
    np.testing.assert_allclose(times, t, atol=1e-12)


def test_numbers_of_a_stream():
    with MemoryStream(SPEC, DELAYS) as stream:
        assert np.isnan(stream.real_time_factor)
        assert stream.latency.total == 0.02
        for size in (3, 20, 7):
            stream.push(U[:size])
        latency = stream.latency
        assert (latency.readout, latency.block) == (0.02, 0.02)
        assert 0 < latency.computation <= stream.seconds
        assert stream.real_time_factor == pytest.approx(0.03 / stream.seconds)
        assert stream.time == pytest.approx(0.03)
    assert stream.samples == 30  # after it is closed, too


def test_a_reset_begins_anew(alone):
    with MemoryStream(SPEC, DELAYS) as stream:
        stream.push(U[:50])
        spikes, factor = stream.spikes, stream.real_time_factor
        stream.reset()
        assert (stream.samples, stream.time) == (0, 0.0)
        assert (stream.spikes, stream.real_time_factor) == (spikes, factor)
        times, values = stream.push(U)
    assert times[0] == 0.0
    np.testing.assert_array_equal(values, alone[0])


BAD = [
    ([0.1, np.nan], "nan in sample 6 .from 0. is not finite, or above 1e[+]30"),
    ([np.inf], "inf in sample 5 .from 0. is not finite"),
    ([1e40], "1e[+]40 in sample 5"),
    ([[0.1, 0.2]], r"\(1, 2\) must be real numbers of shape \(n, 1\) or \(n,\); one r"),
    (0.1, r"\(\) must be real numbers of shape"),
    ([[[0.1]]], r"\(1, 1, 1\) must be real numbers of shape"),
    (np.zeros((5, 0)), r"\(5, 0\) must be real numbers of shape"),
    (["a"], r"\['a'\] must be real numbers"),
    ([[1.0], [1.0, 2.0]], "must be real numbers"),
    (None, "None must be real numbers"),
    ([1j], "must be real numbers"),
]


@pytest.mark.parametrize(("block", "message"), BAD)
def test_wrong_blocks_are_refused_and_the_stream_goes_on(alone, block, message):
    with MemoryStream(SPEC, DELAYS) as stream:
        stream.push(U[:5])
        with pytest.raises(ValidationError, match=message) as error:
            stream.push(block)
        assert str(error.value).startswith("Stream.push.samples: ")
        assert "\n" not in str(error.value)
        _, values = stream.push(U[5:])
    np.testing.assert_array_equal(values, alone[0][5:])


def test_one_channel_of_several_is_refused():
    with MemoryStream(assemble(240, 4, 0.1, size_in=2)) as stream:
        wanted = r"\(n, 2\); one row a sample"
        with pytest.raises(ValidationError, match=rf"\(2,\) must .* {wanted}"):
            stream.push([0.1, 0.2])
        assert stream.push([]).values.shape == (0, 2)
        assert stream.push(np.zeros((0, 2))).values.shape == (0, 2)
        assert stream.push([[0.1, 0.2]]).values.shape == (1, 2)


def test_a_closed_stream_is_refused():
    stream = MemoryStream(SPEC)
    stream.push([0.1])
    stream.close()
    stream.close()
    for call in (lambda: stream.push([0.1]), stream.reset):
        with pytest.raises(ValidationError, match="is closed; open another"):
            call()


def test_a_run_that_fails_closes_the_stream(monkeypatch):
    stream = MemoryStream(SPEC)

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(stream._sim, "run_steps", fail)
    with pytest.raises(KeyboardInterrupt):
        stream.push(U)
    assert stream.closed


@pytest.mark.parametrize("wrong", [None, 3, "spec.toml"])
def test_what_is_no_memory_is_refused(wrong):
    with pytest.raises(
        ValidationError, match="must be a MemorySpec, a Design or a Leg"
    ):
        MemoryStream(wrong)


@pytest.mark.parametrize("delays", [0.0, 0.2, [0.05, 0.11]])
def test_delays_outside_of_the_window_are_refused(delays):
    with pytest.raises(ValidationError, match="delay"):
        MemoryStream(SPEC, delays)


def test_it_can_be_made_beside_a_network():
    """Nothing is added to a network that is being built, whose seeds do not matter."""
    with nengo.Network() as model:
        LegendreMemory.from_spec(SPEC)
        before = len(model.all_objects)
        with MemoryStream(design(SPEC)) as one, MemoryStream(SPEC) as other:
            pair = [stream.push(U[:50]).values for stream in (one, other)]
        assert len(model.all_objects) == before
    np.testing.assert_array_equal(*pair)


# -- models ---------------------------------------------------------------------

X = np.random.default_rng(0).standard_normal((5, 12, 1))
OPTIONS = {"n_neurons": 3000, "presentation": 0.003, "synapse": 0.03}


@pytest.mark.parametrize("aggregated", [True, False])
@pytest.mark.parametrize("n_cells", [1, 2])
@pytest.mark.parametrize("readout", [None, 0.0009])
def test_outputs_are_those_that_present_returns(lmu, n_cells, aggregated, readout):
    options = OPTIONS | {"aggregated": aggregated, "readout_synapse": readout}
    made = convert(lmu("W_x e_h", n_cells=n_cells), X, **options)
    expected = present(made, X[:1])
    for sizes in ([12], [1] * 12, [5, 0, 7]):
        with ModelStream(made) as stream:
            parts = [*stream.run(cut(X[0], sizes)), stream.finish()]
        outputs = np.concatenate([part.outputs for part in parts])
        np.testing.assert_array_equal(outputs, expected.y[0])
        times = np.concatenate([part.times for part in parts])
        np.testing.assert_allclose(times, 0.003 * np.arange(12), atol=1e-12)
        classes = np.concatenate([part.classes for part in parts])
        np.testing.assert_array_equal(classes, expected.y[0].argmax(axis=1))
        # an output comes as many samples late as there are cells, and a read synapse
        late = n_cells + (readout is not None)
        assert stream.late == late
        assert len(parts[-1].times) == late
        assert stream.latency.readout == pytest.approx(0.003 * late + 0.001)


def test_a_sequence_after_another_is_as_the_first(lmu):
    made = convert(lmu("W_x"), X, **OPTIONS)
    with ModelStream(made) as stream:
        first = [stream.push(X[0]).outputs, stream.finish().outputs]
        spikes = stream.spikes
        assert stream.samples == 0
        assert len(stream.push(X[0][:1]).outputs) == 0  # its output is to come
        second = [stream.push(X[0][1:]).outputs, stream.finish().outputs]
        assert stream.spikes == 2 * spikes > 0
        assert len(stream.finish().outputs) == 0
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(second))


def test_models_of_values_decide_nothing(lmu):
    values = lmu("W_x", header={"results": {"test_nrmse": 0.1}})
    with ModelStream(convert(values, X, **OPTIONS)) as stream:
        assert not stream.decides
        assert stream.push(X[0]).classes is None
    one = lmu("W_x", size_out=1)
    with ModelStream(convert(one, X, **OPTIONS)) as stream:
        assert stream.push(X[0]).classes is None


def test_seeds_draw_other_spikes(lmu):
    made = convert(lmu("W_x"), X, **OPTIONS)
    found = []
    for seed in (None, 0, 1):
        with ModelStream(made, noise_seed=seed) as stream:
            found.append(stream.push(X[0]).outputs)
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
