import nengo
import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import MappingError, ValidationError
from lmu_spiking.loihi.chip.limits import (
    CORE,
    CoreLimits,
    axon_bits,
    fits,
    weights_cores,
)
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.layout import lay_out
from lmu_spiking.loihi.mapping.memory import ChipMemory, read_state
from lmu_spiking.loihi.mapping.relayed import (
    block_of_relays,
    lay_out_relayed,
    map_onto_two,
    memory_block,
)
from lmu_spiking.loihi.run.deploy import deploy
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.signals import white_noise
from lmu_spiking.theory.predict import predict

DT = 0.001
SHORT = LDN(3, 0.2)
NOISE = white_noise(2.0, DT, 2.0, 0.3, 7).samples
BAND = white_noise(4.0, DT, 2.0, 0.3, 8).samples  # to lay out for


def decays(*taus):
    return tuple(np.exp(-DT / np.array(taus)))


@pytest.mark.parametrize(
    "order, theta, tau", [(1, 0.1, 0.02), (3, 0.2, 0.05), (6, 1.0, 0.1)]
)
def test_the_two_synapses_together_make_the_delay_network(order, theta, tau):
    ldn = LDN(order, theta)
    loop = map_onto_two(ldn, *decays(tau, 0.01), DT)
    a, b = loop.a, loop.b
    x, z, states, relays = np.zeros(order), np.zeros(order), [], []
    for u in NOISE:
        x, z = (
            a * x + (1 - a) * (loop.A @ z + loop.B * u),
            b * z + (1 - b) * (x + loop.B2 * u),
        )
        states.append(x)
        relays.append(z)
    exact = ldn.simulate(NOISE, DT)
    np.testing.assert_allclose(states, exact, atol=1e-10)
    np.testing.assert_allclose(relays, exact @ loop.F.T, atol=1e-10)


def test_the_loop_has_the_modes_of_the_ldn_and_those_that_are_refused_if_they_grow():
    ldn = LDN(4, 0.3)
    loop = map_onto_two(ldn, *decays(0.05, 0.01), DT)
    a, b, eye = loop.a, loop.b, np.eye(4)
    both = np.block([[a * eye, (1 - a) * loop.A], [(1 - b) * eye, b * eye]])
    own = np.linalg.eigvals(ldn.discretize(DT)[0])
    expected = np.concatenate([own, a + b - own])
    # det is 0 at an eigenvalue, and a mode of 4 of them may be matched in any order
    found = np.linalg.eigvals(both)
    gaps = np.abs(found[:, None] - expected)
    assert gaps.min(axis=0).max() < 1e-9
    assert gaps.min(axis=1).max() < 1e-9
    assert np.abs(found).max() < 1
    with pytest.raises(
        MappingError, match="shorter tau or tau_relay, or a longer theta"
    ):
        map_onto_two(LDN(6, 0.1), *decays(0.1, 0.02), DT)


def run(layout, u):
    with nengo.Network(seed=0) as model:
        source = nengo.Node(nengo.processes.PresentInput(u[:, None], DT))
        built = ChipMemory(layout)
        nengo.Connection(source, built.input, synapse=None)
    with nengo.Simulator(model, dt=DT, progress_bar=False) as sim:
        sim.run_steps(len(u))
    return sim.data, built


def window_error(layout, state, u):
    """Of all readouts of the window, relative."""
    exact = np.vstack([np.zeros(3), layout.ldn.simulate(u, DT)[:-1]])
    window = layout.ldn.steps(DT)
    readout = layout.ldn.readout(np.linspace(0, (window - 1) * DT, 50), DT)
    ideal = exact[2 * window :] @ readout.T
    error = (state - exact)[2 * window :] @ readout.T
    return np.sqrt(np.mean(error**2) / np.mean(ideal**2))


@pytest.fixture(scope="module")
def relayed():
    """240 neurons, 60 relays, on core."""
    neurons = chip_neurons("if")
    return lay_out_relayed(
        SHORT, 240, neurons, n_relays=60, target="core", tau=0.05, dt=DT, signal=BAND
    )


def test_on_core_its_error_is_the_predicted_one_and_about_that_of_as_many_neurons(
    relayed,
):
    data, memory = run(relayed, NOISE)
    error = window_error(relayed, relayed.read(memory, data, NOISE), NOISE)
    assert error == pytest.approx(predict(relayed, NOISE).window_noise_nrmse(), rel=0.4)
    few = lay_out(
        SHORT, 60, chip_neurons("if"), target="core", tau=0.05, dt=DT, signal=BAND
    )
    data, memory = run(few, NOISE)
    alike = window_error(few, read_state(few, data[memory.spikes], NOISE), NOISE)
    assert alike / 2 < error < 2 * alike


def test_the_network_stays_as_built(relayed):
    memory = ChipMemory(relayed)
    with pytest.raises(ValidationError, match=r"^ChipMemory\.relays: 3 cannot be set"):
        memory.relays = 3


def test_relays_hear_only_neurons_of_their_own_coordinate(relayed):
    relays = relayed.stages[1]
    heard = relays.weights != 0
    same = relays.curves.dimension[:, None] == relayed.curves.dimension
    assert not heard[~same].any()
    assert relayed.n_neurons == 300
    assert relayed.n_relays == 60
    blocks = relays.curves.dimension.reshape(-1, relays.block)
    assert (blocks == blocks[:, :1]).all()


def test_six_thousand_neurons_need_fewer_cores_than_all_to_all():
    with pytest.raises(ValidationError, match="structure='decode'"):
        weights_cores(6000, 32)
    m, n_relays, order = 6000, 600, 6
    block = memory_block(m, n_relays, order)
    relay_block = block_of_relays(n_relays, np.full(order, m // order), m)
    cores = -(-m // block)
    all_axons, own_axons = n_relays + 32, m // order + 32
    assert fits(CoreLimits(block, all_axons, block, all_axons * axon_bits(block)))
    assert fits(
        CoreLimits(
            relay_block,
            own_axons,
            relay_block * cores,
            own_axons * axon_bits(relay_block),
        )
    )
    assert cores + n_relays // relay_block < weights_cores(CORE.in_axons - 32, 32) / 2


def test_relays_need_axons_and_neurons():
    neurons = chip_neurons("if")
    for n_relays in (12, 60.5, CORE.in_axons):
        with pytest.raises(ValidationError, match="n_relays"):
            lay_out_relayed(
                SHORT,
                240,
                neurons,
                n_relays=n_relays,
                target="core",
                tau=0.05,
                dt=DT,
                signal=BAND,
            )
    with pytest.raises(ValidationError, match="on one coordinate"):
        block_of_relays(600, [5000, 100], 5100)


@pytest.mark.slow
def test_on_the_emulator_it_fits_and_loses_no_bits():
    pytest.importorskip("nengo_loihi")
    spec = MemorySpec(n_neurons=96, order=2, theta=0.2, tau=0.05)
    found = deploy(
        spec,
        "emulator",
        signal=white_noise(1.0, DT, 2.0, 0.3, 7),
        structure="decode",
        n_relays=32,
    )
    assert found.budget.cores == 4 + 2
    assert not [one for one in found.run.advice if one.kind == "overflow"]
    lost = [one for one in found.run.advice if one.kind == "lost bits"]
    assert all(one.worst < 2 for one in lost)
    predicted = found.row["predicted_window_noise_nrmse"]
    assert found.row["window_noise_nrmse"] == pytest.approx(predicted, rel=0.5)
