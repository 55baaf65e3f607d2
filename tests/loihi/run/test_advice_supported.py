import nengo
import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

from nengo_loihi import LoihiLIF, LoihiSpikingRectifiedLinear, add_params

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear
from lmu_spiking.loihi.run.advice import check_network
from lmu_spiking.neurons.curves import AdaptiveLIF
from lmu_spiking.neurons.types import PoissonPopulation


class MyLIF(nengo.LIF):
    pass


class MyRegular(nengo.RegularSpiking):
    pass


def network_of(neuron_type, on_chip=None):
    with nengo.Network() as network:
        nengo.Ensemble(3, 1, neuron_type=nengo.LIF())
        with nengo.Network():
            ensemble = nengo.Ensemble(3, 1, neuron_type=neuron_type, label="tested")
    if on_chip is not None:
        add_params(network)
        network.config[ensemble].on_chip = on_chip
    return network


@pytest.mark.parametrize(
    "neuron_type",
    [
        nengo.LIF(tau_ref=0.001),
        nengo.SpikingRectifiedLinear(amplitude=0.5),
        nengo.RegularSpiking(nengo.LIFRate()),
        nengo.RegularSpiking(nengo.RectifiedLinear(), amplitude=2),
        LoihiLIF(),
        LoihiSpikingRectifiedLinear(),
        NoisyRectifiedLinear(),
        nengo.Direct(),
    ],
)
def test_what_the_chip_has_passes(neuron_type):
    check_network(network_of(neuron_type))


REFUSED = [
    (nengo.AdaptiveLIF(), "as LIF, without adaptation; use nengo.LIF"),
    (AdaptiveLIF(), "as LIF, without adaptation"),
    (MyLIF(), "would be built as its base LIF; use LIF itself"),
    (MyRegular(nengo.LIFRate()), "as its base RegularSpiking"),
    (nengo.PoissonSpiking(nengo.LIFRate()), 'at random, .*; use neuron_type="if"'),
    (nengo.StochasticSpiking(nengo.LIFRate()), "or NoisyRectifiedLinear"),
    (PoissonPopulation(nengo.RectifiedLinear(), counts=2), "at random"),
    (nengo.RegularSpiking(nengo.Tanh()), r"base type Tanh.*; use nengo.LIFRate"),
    (
        nengo.RegularSpiking(nengo.LIFRate(amplitude=2)),
        "amplitude 2 on its base type.*RegularSpiking itself: amplitude=2",
    ),
    (nengo.LIFRate(), "has rates, and Loihi only spikes; use its spiking counterpart"),
    (nengo.RectifiedLinear(), "has rates"),
    (nengo.Sigmoid(), "has rates"),
    (nengo.Izhikevich(), "does not exist on Loihi; use nengo.LIF"),
]


@pytest.mark.parametrize(("neuron_type", "message"), REFUSED)
def test_what_it_lacks_is_refused_with_a_way_out(neuron_type, message):
    with pytest.raises(ValidationError, match=message) as refusal:
        check_network(network_of(neuron_type))
    assert "\n" not in str(refusal.value)
    assert "tested" in str(refusal.value)
    assert type(neuron_type).__name__ in str(refusal.value)


@pytest.mark.parametrize(("neuron_type", "message"), REFUSED)
def test_on_the_host_all_neurons_may_stay(neuron_type, message):
    check_network(network_of(neuron_type, on_chip=False))


def test_the_refused_subclass_would_have_been_another_neuron():
    """Why: nengo-loihi builds an adaptive neuron, without a word, as LIF."""
    import nengo_loihi

    counts = []
    for neuron_type in (nengo.LIF(), nengo.AdaptiveLIF(inc_n=0.1)):
        neuron_type = type(neuron_type)(
            initial_state={"voltage": nengo.dists.Choice([0])},
            **({"inc_n": 0.1} if type(neuron_type) is nengo.AdaptiveLIF else {}),
        )
        with nengo.Network(seed=0) as network:
            ensemble = nengo.Ensemble(
                5, 1, neuron_type=neuron_type, gain=np.ones(5), bias=np.full(5, 3.0)
            )
            probe = nengo.Probe(ensemble.neurons)
        with nengo_loihi.Simulator(network, target="sim") as sim:
            sim.run_steps(300)
            counts.append(np.count_nonzero(sim.data[probe]))
    assert counts[0] == counts[1] > 0
