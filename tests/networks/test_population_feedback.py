"""Error feedback in any Nengo model: its connections, its law, what is refused."""

import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.builder.signal import Signal

from lmu_spiking import Simulator, add_error_feedback
from lmu_spiking.dynamics.feedback import averaged_noise, make_feedback, noise_gain
from lmu_spiking.errors import MappingError, ValidationError, ValidityWarning
from lmu_spiking.experiments.runs import lowpass
from lmu_spiking.networks.population_feedback import _Received
from lmu_spiking.neurons.curves import unmerged

DT, TAU = 1e-3, 0.1
POISSON = nengo.PoissonSpiking(nengo.RectifiedLinear())
BOTH = pytest.mark.parametrize("compiled", [False, True])


def linear(neuron_type, n: int = 100):
    """Return the arguments of an ensemble that decodes its input exactly."""
    return {
        "n_neurons": n,
        "dimensions": 1,
        "neuron_type": unmerged(neuron_type),
        "encoders": np.tile([[1.0], [-1.0]], (n // 2, 1)),
        "intercepts": np.zeros(n),
        "max_rates": np.full(n, 200.0),
    }


def exactly(model) -> None:
    """Let the decoders of a model be those of least error, without shrinking them."""
    model.config[nengo.Connection].solver = nengo.solvers.LstsqL2(reg=1e-6)


def data(model, probes, seconds, simulator, compiled=True) -> list:
    """Return what probes see."""
    kwargs = {"progress_bar": False}
    with Simulator(model, **kwargs) if compiled else simulator(model) as sim:
        sim.run(seconds, **kwargs)
        return [np.array(sim.data[probe], dtype=float) for probe in probes]


def remembering(neuron_type=None, **feedback):
    """Return an integrator with two inputs, its feedback and probes of all signals."""
    with nengo.Network(seed=1) as model:
        u = nengo.Node(lambda t: np.sin(6 * t))
        v = nengo.Node([0.1, 0.2])
        ens = nengo.Ensemble(60, 2, neuron_type=neuron_type or nengo.LIF())
        nengo.Connection(u, ens[1], transform=TAU, synapse=TAU)
        nengo.Connection(ens, ens, synapse=TAU, transform=[[0, 1], [-1, 0]])
        made = add_error_feedback(ens, **feedback) if feedback else None
        nengo.Connection(v, ens, synapse=None)  # after the call
        seen = [u, ens, *made.states, *made.errors] if made else [u, ens]
        probes = [nengo.Probe(each, synapse=None) for each in seen]
        probes += [nengo.Probe(ens, "input")]
    return model, ens, made, probes


@BOTH
def test_the_feedback_is_the_equation(simulator, compiled):
    """``x`` is all that other connections bring, and ``w`` a lowpass of ``x - y``."""
    model, _, made, probes = remembering(rate=300.0, tau=0.02)
    seen = data(model, probes, 0.5, simulator, compiled)
    u, decoded, x, error, received = seen
    around = decoded @ np.array([[0, 1], [-1, 0]]).T + np.outer(TAU * u, [0, 1])
    late = np.vstack([np.zeros(2), lowpass(around, TAU, DT)[:-1]])
    np.testing.assert_allclose(x, late + np.array([0.1, 0.2]), atol=2e-6)
    np.testing.assert_allclose(error, x - decoded, atol=2e-6)
    w = 300 * 0.02 * lowpass(error, 0.02, DT)
    np.testing.assert_allclose(received[1:], (x[1:] + w[:-1]), atol=2e-6)
    assert np.abs(w).max() > 0.05
    assert made.connections[0].synapse == nengo.Lowpass(0.02)


def test_both_simulators_agree(simulator):
    model, _, _, probes = remembering(rate=200.0)
    a, b = (data(model, probes, 0.25, simulator, c)[1] for c in (False, True))
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_model_itself_stays_as_it_was(simulator):
    """Connections, tuning curves and decoders are those without the feedback."""
    plain, ens, _, _ = remembering()
    fed_back, other, _, _ = remembering(rate=200.0)
    kept = [c for c in fed_back.connections if c.pre_obj is other]
    assert len(fed_back.connections) == len(plain.connections)
    assert len(fed_back.nodes) == len(plain.nodes)
    was = next(c for c in plain.connections if c.pre_obj is ens)
    with simulator(plain) as one, simulator(fed_back) as two:
        for name in ("encoders", "gain", "bias", "eval_points"):
            pair = getattr(one.data[ens], name), getattr(two.data[other], name)
            np.testing.assert_array_equal(*pair)
        pair = one.data[was].weights, two.data[kept[0]].weights
        np.testing.assert_array_equal(*pair)


@BOTH
def test_nothing_changes_where_neurons_make_no_error(simulator, compiled):
    outputs = []
    for asked in (False, True):
        with nengo.Network(seed=2) as model:
            exactly(model)
            u = nengo.Node(lambda t: np.sin(20 * t))
            ens = nengo.Ensemble(**linear(nengo.RectifiedLinear()))
            nengo.Connection(u, ens)
            if asked:
                add_error_feedback(ens, 900)
            probe = nengo.Probe(ens, synapse=None)
        outputs += data(model, [probe], 0.4, simulator, compiled)
    np.testing.assert_allclose(*outputs, atol=1e-5)


@pytest.mark.parametrize("readout", [0.02, 0.2])
def test_poisson_noise_falls_as_predicted(simulator, readout):
    """The noise of 40 populations over 40 s; six seeds are within 1 % of the law."""
    noise = {}
    for asked in (False, True):
        with nengo.Network(seed=3) as model:
            exactly(model)
            u, y = nengo.Node([0.5]), nengo.Node(size_in=40)
            for k in range(40):
                ens = nengo.Ensemble(**linear(POISSON))
                nengo.Connection(u, ens, synapse=None)
                nengo.Connection(ens, y[k], synapse=None)
            if asked:
                made = add_error_feedback(model, 400)
            probe = nengo.Probe(y, synapse=None)
        (seen,) = data(model, [probe], 40.0, simulator)
        y = lowpass(seen, readout, DT)[1000:]
        noise[asked] = np.sqrt(np.mean(np.var(y, 0)))
    assert noise[True] / noise[False] == pytest.approx(
        made.noise_ratio(readout), rel=0.02
    )


def test_the_distortion_of_tuning_curves_falls_by_the_gain(simulator):
    """``y - x`` of few LIF rate neurons, whose decoders are shrunk, at a constant."""
    errors = []
    for rate in (None, 200):
        with nengo.Network(seed=5) as model:
            ens = nengo.Ensemble(80, 1, neuron_type=nengo.LIFRate())
            nengo.Connection(nengo.Node(0.6), ens, synapse=None)
            made = add_error_feedback(ens, rate) if rate else None
            probe = nengo.Probe(ens, synapse=None)
        errors.append(data(model, [probe], 0.3, simulator)[0][-1, 0] - 0.6)
    # the slope of the decoded value is 1 within a tenth
    assert errors[1] / errors[0] == pytest.approx(made.noise_ratio(0), rel=0.1)


def test_the_gain_of_noise_is_that_of_the_averages():
    feedback = make_feedback(300, 0.02, DT)
    assert noise_gain(feedback, 0, DT)[0] == pytest.approx(1 / 7)
    f = (np.arange(200_000) + 0.5) / 200_000 * 500
    for tau in (0.005, 0.1):
        z, a = np.exp(2j * np.pi * f * DT), np.exp(-DT / tau)
        reads = np.abs((1 - a) / (z - a)) ** 2
        ratio = np.mean(reads * noise_gain(feedback, f, DT) ** 2) / np.mean(reads)
        found = averaged_noise(feedback, tau, DT)
        assert found == pytest.approx(np.sqrt(ratio), rel=1e-6)


def test_an_input_beyond_the_radius_does_not_wind_up(simulator):
    """A second of twice the radius is forgotten within 40 ms."""
    with nengo.Network(seed=1) as model:
        stimulus = nengo.Node(lambda t: 2.0 if t < 1 else 0.0)
        ens = nengo.Ensemble(200, 1)
        nengo.Connection(stimulus, ens, synapse=None)
        add_error_feedback(ens)
        probe = nengo.Probe(ens, synapse=0.005)
    (y,) = data(model, [probe], 1.2, simulator)
    assert y[900] > 1.2
    assert np.abs(y[1040:]).max() < 0.2


def test_a_network_has_it_in_all_ensembles_that_can_have_it(simulator):
    with nengo.Network(seed=1) as model:
        with nengo.Network() as part:
            array = nengo.networks.EnsembleArray(40, 3)
            gated = nengo.Ensemble(30, 1, label="gated")
            stop = nengo.Node([0])
            nengo.Connection(stop, gated.neurons, transform=-np.ones((30, 1)))
            direct = nengo.Ensemble(1, 1, neuron_type=nengo.Direct())
        made = add_error_feedback(part)
        with pytest.raises(ValidationError, match="has error feedback already"):
            add_error_feedback(direct)
    assert set(made.ensembles) == {direct, *array.ensembles}
    ((left, why),) = made.left_out
    assert left is gated
    assert "driven through its neurons" in why
    assert "rate=200" in repr(made)
    with simulator(model) as sim:
        sim.run_steps(3)


def ensemble(**kwargs):
    return nengo.Ensemble(50, 1, **kwargs)


def weighted():
    ens = ensemble()
    solver = nengo.solvers.LstsqL2(weights=True)
    nengo.Connection(ensemble(), ens, solver=solver)
    return ens


def learned():
    ens = ensemble()
    nengo.Connection(ensemble(), ens, learning_rule_type=nengo.Voja())
    return ens


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (ensemble, {"rate": 0}, r"add_error_feedback\.rate: 0 must be a positive"),
        (ensemble, {"tau": -1}, r"add_error_feedback\.tau: -1 must be a positive"),
        (lambda: 3, {}, "is no ensemble and no network"),
        (lambda: ensemble().neurons, {}, "is no ensemble and no network"),
        (nengo.Network, {}, "has no ensemble that can have error feedback"),
        (weighted, {}, "is driven through its neurons"),
        (learned, {}, "has encoders that are learned"),
    ],
)
def test_what_cannot_be_served_is_refused(make, options, message):
    with nengo.Network(), pytest.raises(ValidationError, match=message):
        add_error_feedback(make(), **options)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"rate": 2100}, "a rate of 2100 per second is unstable"),
        (
            {"encoders": [[1]] * 50, "intercepts": [0.1] * 50},
            {},
            "decodes to its input with an error of",
        ),
    ],
)
def test_what_does_not_work_is_refused_when_it_is_built(
    simulator, changes, options, message
):
    with nengo.Network(seed=1) as model:
        add_error_feedback(ensemble(**changes), **options)
    with pytest.raises((MappingError, ValidationError), match=message):
        simulator(model)


def test_what_is_connected_to_neurons_later_is_refused_when_it_is_built(simulator):
    with nengo.Network() as model:
        ens = ensemble()
        add_error_feedback(ens)
        nengo.Connection(nengo.Node([0]), ens.neurons, transform=np.ones((50, 1)))
    with pytest.raises(ValidationError, match="driven through its neurons"):
        simulator(model)


def test_an_ensemble_that_is_built_later_is_refused(simulator):
    with nengo.Network() as model:
        first = nengo.Network()
        with nengo.Network():
            ens = ensemble()
        with first:
            add_error_feedback(ens)
    with pytest.raises(ValidationError, match="is built after its error feedback"):
        simulator(model)
    assert len(model.all_ensembles) == 1


def test_a_backend_that_builds_ensembles_in_its_own_way_is_refused():
    """NengoLoihi's host has no signal of what a chip's neurons receive."""
    with nengo.Network():
        part = _Received(ensemble())
    signal = Signal(shape=(1,), name="w")
    with pytest.raises(ValidationError, match="has no input in this simulator"):
        Model().build(part, signal)


def test_a_feedback_that_would_remember_is_warned_of():
    with nengo.Network():
        ens = ensemble()
        nengo.Connection(ens, ens, synapse=TAU)
        with pytest.warns(ValidityWarning, match=r"use at most 0\.05 s"):
            add_error_feedback(ens, tau=0.1)
