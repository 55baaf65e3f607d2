"""Memories of noisy neurons, deployed like any other."""

import nengo
import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear
from lmu_spiking.loihi.run.deploy import deploy
from lmu_spiking.loihi.run.target import run_on
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.networks.memory import LegendreMemory

pytest.importorskip("nengo_loihi")

from lmu_spiking.loihi.poisson.memory import (
    LARGEST,
    PoissonStage,
    fitting,
    lay_out_noisy,
)
from lmu_spiking.loihi.run.budget import budget

SPEC = MemorySpec(n_neurons=60, order=2, theta=0.2, tau=0.05)
U = 0.5 * np.sin(0.006 * np.arange(900)) + 0.3 * np.sin(0.011 * np.arange(900))
SMALL = {"tau": 0.05, "dt": 0.001}


@pytest.mark.parametrize("target", ["core", "simreal", "emulator"])
def test_what_is_measured_is_what_the_law_predicts(target):
    """6 s hold some 30 windows of two dimensions: 10 % of standard error."""
    found = deploy(SPEC, target, neuron_type="noisy", duration=6.0)
    row = found.row
    assert row["neuron_type"] == "NoisyRectifiedLinear" and row["neurons"] == 60
    for key in ("state_rmse", "window_noise_nrmse"):
        assert 0.7 < row[key] / row[f"predicted_{key}"] < 1.45, key
    assert row["spikes_per_s"] == pytest.approx(found.predicted.spikes_per_s, rel=0.2)
    if target == "core":
        assert found.budget is None
    else:
        assert row["cores"] == found.budget.cores == 1
        assert not [one for one in found.run.advice if one.serious]


def test_a_legendre_memory_and_a_layout_may_be_given():
    kind = NoisyRectifiedLinear(kept=0.0625)
    with nengo.Network():
        memory = LegendreMemory(60, 2, 0.2, synapse=0.05, neuron_type=kind)
    found = deploy(memory, "core", signal=U)
    assert found.layout.curves.neurons is kind
    assert isinstance(found.layout.stages[0], PoissonStage)
    again = deploy(found.layout, "core", signal=U)
    np.testing.assert_array_equal(again.state, found.state)
    assert again.row["predicted_nrmse"] == found.row["predicted_nrmse"]


def test_radii_cover_the_signal_and_the_noise():
    laid_out = lay_out_noisy(
        LDN(2, 0.2), 60, NoisyRectifiedLinear(), target="core", signal=U, **SMALL
    )
    states = np.abs(LDN(2, 0.2).simulate(U, 0.001)).max(axis=0)
    assert np.all(laid_out.curves.radii > states)
    more = lay_out_noisy(
        LDN(2, 0.2), 600, NoisyRectifiedLinear(), target="core", signal=U, **SMALL
    )
    # ten times the neurons: a tenth of the noise, and less again in smaller radii
    ratio = np.trace(laid_out.stages[0].noise) / np.trace(more.stages[0].noise)
    assert 10 < ratio < 20
    np.testing.assert_array_equal(more.curves.currents(np.zeros((1, 2))), 0.0)


def test_radii_are_raised_no_more_than_weights_need():
    steps = np.array([[60.0, 20.0], [63.0, 50.0]])
    np.testing.assert_array_equal(fitting(np.array([1.0, 0.6]), steps), [1.0, 0.6])
    raised = fitting(np.array([1.0, 0.1]), steps)
    np.testing.assert_allclose(raised, [1.0, 0.5])
    assert (steps * raised / raised[:, None]).max() <= LARGEST - 1 + 1e-9


def test_many_neurons_are_shared_out_over_cores():
    laid_out = lay_out_noisy(
        LDN(6, 0.5), 600, NoisyRectifiedLinear(), target="emulator", tau=0.1, dt=0.001
    )
    with nengo.Network() as model:
        laid_out.network(U)
    held = budget(model)
    assert held.check().cores > 2


def test_inputs_beyond_the_range_are_clipped():
    laid_out = lay_out_noisy(
        LDN(2, 0.2),
        60,
        NoisyRectifiedLinear(),
        target="core",
        signal=U,
        input_range=0.1,
        **SMALL,
    )
    loud, clipped = (
        deploy(laid_out, "core", signal=u).state for u in (U, np.clip(U, -0.1, 0.1))
    )
    np.testing.assert_array_equal(loud[400:], clipped[400:])


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"target": "board"},
            "target: 'board' is not for noisy neurons.*use one of core, ",
        ),
        (
            {"target": "core", "structure": "decode"},
            "deploy.neuron_type: .*has no decode neurons, and 60 .* use structure=",
        ),
        ({"memory": MemorySpec(n_neurons=62, order=2)}, "not a multiple of 4.*use 64"),
        ({"memory": MemorySpec(n_neurons=24, order=6)}, "weights of .*use at least"),
        ({"max_rate": -1.0}, "max_rate: -1.0 must be a positive"),
    ],
)
def test_what_is_refused(changes, message):
    keywords = {"memory": SPEC, "target": "emulator", "signal": U[:600]} | changes
    with pytest.raises(ValidationError, match=message) as refusal:
        deploy(**keywords, neuron_type="noisy")
    assert "\n" not in str(refusal.value)


def test_noise_that_a_network_of_ones_own_gets_wrong_is_refused():
    """No anchor: NengoLoihi would make the noise a power of two of another scale."""
    kind = NoisyRectifiedLinear()
    gain, bias = kind.gain_bias([100.0] * 20, [0.0] * 20)
    with nengo.Network() as network:
        ensemble = nengo.Ensemble(20, 1, neuron_type=kind, gain=gain, bias=bias)
        nengo.Connection(nengo.Node(0.5), ensemble.neurons, transform=np.ones((20, 1)))
        nengo.Probe(ensemble.neurons)
    with pytest.raises(ValidationError, match=r"times the noise .*; call anchor\("):
        run_on(network, "emulator", 0.01)
