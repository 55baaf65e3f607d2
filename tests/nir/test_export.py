"""What NIR cannot say is said, in one line, and refused where it would mislead."""

import sys

import nengo
import numpy as np
import pytest

from lmu_spiking import (
    LegendreMemory,
    LMUNetwork,
    LMUParams,
    MemorySpec,
    MissingPackageError,
    ValidationError,
    convert,
    from_nir,
    to_nir,
)
from lmu_spiking.nir import PromptLIF, tonic
from lmu_spiking.nir.export_neurons import SAYS_NOT

pytest.importorskip("nir")


def memory(neurons="if", **options):
    return LegendreMemory(
        60, 6, 0.5, neuron_type=neurons, add_to_container=False, **options
    )


def refused(match, *arguments, **options):
    with pytest.raises(ValidationError, match=match) as caught:
        to_nir(*arguments, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["poisson", "stochastic", "regular"])
def test_random_spikes_are_refused_and_the_way_out_named(kind):
    refused(f"{kind}.*neurons='tonic'.*noise", MemorySpec(neuron_type=kind))


@pytest.mark.filterwarnings("ignore:AdaptiveLIF in a memory")
@pytest.mark.parametrize("kind", [nengo.AdaptiveLIF(), nengo.Sigmoid()])
def test_other_neurons_are_refused_with_a_way_out_that_works(kind):
    made = memory(kind, tuning="drawn")
    refused(f"{type(kind).__name__}.*or neurons='tonic', which draws", made)
    refused("if.*has not the rates", made, neurons="if")
    assert "neurons" in to_nir(made, neurons="tonic").nodes


def test_a_way_out_that_is_refused_is_not_named():
    for kind, match in (("poisson", r"\(or 'if'\)"), ("poisson-lif", "'tonic': the")):
        refused(f"neurons='tonic'.*{match}|{match}", MemorySpec(neuron_type=kind))


def test_first_voltages_of_their_own_are_refused():
    start = {"voltage": nengo.dists.Choice([0])}
    neurons = nengo.LIF(initial_state=start)
    refused("LIF.*initial_state.*leave", memory(neurons, tuning="drawn"))


@pytest.mark.parametrize("options", [{}, {"neurons": "tonic"}])
def test_tonic_neurons_lose_nothing(options, recwarn):
    to_nir(memory(tuning=tonic(300)), **options)
    to_nir(memory(PromptLIF(), tuning=tonic(300)), **options)
    assert not recwarn.list


def test_tonic_neurons_are_never_driven_below_zero():
    nodes = to_nir(MemorySpec(600, tuning="optimal"), neurons="tonic").nodes
    encode, radii = nodes["encode"], MemorySpec(600, tuning="optimal")
    population = LegendreMemory.from_spec(radii, add_to_container=False).population
    reach = np.abs(encode.weight) @ population.radii
    assert np.all(encode.bias >= reach * (1 - 1e-9))


def test_pairs_lose_their_floor():
    with pytest.warns(UserWarning, match="floor: 60 of 60 neurons.*tonic"):
        to_nir(memory())


def test_rates_and_refractory_times_are_warned_of():
    with pytest.warns(UserWarning, match="rates"):
        to_nir(memory("rate", tuning=tonic()))
    with pytest.warns(UserWarning, match=r"refractory time of 0\.002 s"):
        to_nir(memory("lif"))


def test_the_graph_says_what_it_does_not():
    about = to_nir(memory(tuning=tonic()), steps="euler").metadata
    assert about["dt"] == 0.001
    assert about["theta"] == 0.5
    assert about["order"] == 6
    assert about["steps"] == "euler"
    for word in ("refractory", "Poisson", "step", "theta", "presentation", "reset"):
        assert word in about["says_not"]
    assert about["says_not"] == "; ".join(SAYS_NOT)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"synapse": nengo.Alpha(0.02)}, "synapse.*lowpass"),
        ({"delay_steps": 2, "synapse": 0.02}, "delay"),
    ],
)
def test_other_synapses_are_refused(options, match):
    made = LegendreMemory(
        60, 2, 0.5, neuron_type="if", add_to_container=False, **options
    )
    refused(match, made, neurons="tonic")


def test_recruited_neurons_have_ceilings():
    refused("ceiling|highest rate", MemorySpec(tuning="recruited"), neurons="if")


@pytest.mark.filterwarnings("ignore:AdaptiveLIF in a memory")
@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        ((3,), {}, "source.*cannot be drawn"),
        ((MemorySpec(),), {"neurons": "relu"}, "neurons.*use one of if, tonic, none"),
        ((MemorySpec(),), {"neurons": ["if"]}, "neurons.*unknown"),
        ((MemorySpec(),), {"steps": "rk4"}, "steps.*exact, euler"),
        ((MemorySpec(),), {"drawing": 1}, "drawing.*state, neurons"),
        ((MemorySpec(),), {"neurons": "none", "drawing": "neurons"}, "needs neurons"),
        ((MemorySpec(neuron_type="poisson-lif"),), {"neurons": "if"}, "tonic"),
        ((MemorySpec(neuron_type="adaptive"),), {}, "cannot be said"),
        ((MemorySpec(10**9),), {"neurons": "tonic"}, "no sparse ones.*at most"),
        ((MemorySpec(10**9, aggregated=True),), {"neurons": "if"}, "at most"),
    ],
)
def test_arguments(arguments, options, match):
    refused(match, *arguments, **options)


def cell(**changes):
    base = {"units": 4, "order": 2, "theta": 0.02, "connections": ""}
    return base | {"activation": "relu"} | changes


@pytest.mark.filterwarnings("ignore:to_nir")
@pytest.mark.parametrize(
    ("cells", "options", "match"),
    [
        ([cell(connections="W_h")], {}, "W_h.*held"),
        ([cell(connections="e_h")], {}, "e_h.*held"),
        ([cell(connections="e_m")], {"presentation": 0.002}, "e_m.*held"),
        ([cell(), cell()], {"presentation": 0.002}, "cells.*held"),
        ([cell(activation="tanh")], {}, "tanh.*relu"),
        ([cell()], {"copies": 2}, "copies"),
    ],
)
def test_cells_that_nir_cannot_say(cells, options, match):
    params = LMUParams.draw(1, 2, cells)
    made = LMUNetwork(params, dt=0.001, add_to_container=False, **options)
    refused(match, made)
    if match == "copies":
        return
    refused("drawing", made.cells[0], drawing="neurons")


def test_conversions_of_poisson_neurons_are_refused():
    params = LMUParams.draw(1, 2, [cell()])
    x = np.random.default_rng(0).standard_normal((5, 20, 1))
    refused("poisson.*tonic", convert(params, x, n_neurons=100))


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    for call in (lambda: to_nir(MemorySpec()), lambda: from_nir("a.nir")):
        with pytest.raises(MissingPackageError, match=r"lmu_spiking\[nir\]"):
            call()


def test_error_feedback_is_refused_where_it_has_no_place_or_does_harm():
    spec = MemorySpec(60, 3, 0.2, error_feedback="auto")
    refused("error_feedback.*raises the error of tonic", spec, neurons="tonic")
    own = memory(error_feedback=(200.0, 0.02))
    refused("error_feedback.*drawing='state'", own, drawing="neurons")


@pytest.mark.filterwarnings("ignore:to_nir")
def test_error_feedback_is_in_the_graph():
    """Neurons are needed: what is exact has no error to feed back."""
    made = memory(error_feedback=(200.0, 0.02))
    nodes, edges = (g := to_nir(made)).nodes, g.edges
    assert nodes["error"].weight == pytest.approx(4.0 * np.eye(6))
    assert nodes["feedback"].tau == pytest.approx(np.full(6, 0.02))
    assert {("state", "error"), ("minus", "error"), ("feedback", "encode")} <= {*edges}
    assert "feedback" not in to_nir(made, neurons="none").nodes


def test_error_feedback_does_harm_to_tonic_neurons():
    """By a fifth and more on four signals: to_nir refuses it for them."""
    u = nengo.processes.WhiteSignal(4.0, high=2.0, rms=0.5, seed=1).run_steps(4000)
    errors = []
    for asked in (None, (900.0, 0.02)):
        options = {"tuning": tonic(), "radii": 2.0, "error_feedback": asked}
        with nengo.Network(seed=1) as model:
            made = LegendreMemory(600, 6, 0.5, neuron_type="if", **options)
            signal = nengo.Node(nengo.processes.PresentInput(u, 0.001))
            nengo.Connection(signal, made.input, synapse=None)
            probe = nengo.Probe(made.state, synapse=None)
        with nengo.Simulator(model, progress_bar=False) as simulator:
            simulator.run_steps(len(u))
        error = simulator.data[probe][1:] - made.ldn.simulate(u[:, 0], 0.001)[:-1]
        errors.append(np.sqrt(np.mean(error[1000:] ** 2)))
    assert errors[1] > 1.1 * errors[0]
