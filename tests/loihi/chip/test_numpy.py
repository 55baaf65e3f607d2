"""NengoLoihi under numpy 2: integers and spikes as under numpy 1, bit for bit.

Twenty random networks, for which nothing is solved, so that they are the same with any
library of linear algebra.  `GOLDEN` was written with numpy 1.26.4, which NengoLoihi was
made for, by ``python tests/loihi/chip/test_numpy.py``.
"""

import hashlib
import json
import warnings
from pathlib import Path

import nengo
import numpy as np
import pytest
from nengo.dists import Choice
from nengo.processes import PresentInput
from nengo.solvers import NoSolver

from lmu_spiking.loihi.chip.upstream import nengo_loihi, place
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear, anchor, register

GOLDEN = Path(__file__).parents[2] / "data" / "nengo_loihi_numpy_1.json"
KINDS = nengo.LIF, nengo.SpikingRectifiedLinear, NoisyRectifiedLinear
DT, STEPS, NETWORKS = 0.001, 150, 20
COMPARTMENTS = "vth", "bias", "decay_u", "decay_v", "vmin", "vmax", "refract_delay"
COMPARTMENTS += "noise_exp", "noise_offset"
STATE = "spiked", "current", "voltage"


def random_network(number):
    """All that is put on the chip: weights, decode neurons, noise, cut populations."""
    rng = np.random.RandomState(number)
    n, d = 2 * rng.randint(8, 25), rng.randint(1, 4)
    tau, rate = rng.choice([0.005, 0.02, 0.05, 0.1]), rng.uniform(60, 200)
    kind = KINDS[number % 3](initial_state={"voltage": Choice([0])})
    scale = rate if number % 3 else 3.0  # of a drive: Hz, or units of the threshold
    gain, bias = scale * rng.uniform(0.3, 1, n), scale * rng.uniform(0, 1, n)
    encoders = np.eye(d)[rng.randint(d, size=n)] * rng.choice([-1.0, 1.0], (n, 1))
    curves = {"gain": gain, "bias": bias, "encoders": encoders, "neuron_type": kind}
    with nengo.Network(seed=number) as network:
        signal = nengo.Node(PresentInput(rng.uniform(-1, 1, (15, d)), 10 * DT))
        memory = nengo.Ensemble(n, d, **curves)
        nengo.Connection(signal, memory, synapse=None)
        if number % 2:
            weights = rng.uniform(-0.5, 0.5, (n, n)) * 10.0 ** rng.uniform(-2, 0) / n
            nengo.Connection(
                memory.neurons, memory.neurons, transform=weights, synapse=tau
            )
        else:
            solver = NoSolver(rng.uniform(-1, 1, (n, d)) / n / rate)
            nengo.Connection(memory, memory, solver=solver, synapse=tau)
        if number % 3 == 2:
            anchor(memory, tau, largest=1.0)
        if number % 4 > 1:
            place(memory, block=n // 2)
        # without weights the scale is made of biases, without those of thresholds
        rest = {"encoders": np.ones((n, 1)), "gain": gain, "neuron_type": kind}
        nengo.Ensemble(n, 1, bias=bias, **rest)
        nengo.Ensemble(n, 1, bias=np.zeros(n), **rest)
        nengo.Probe(memory, solver=NoSolver(rng.uniform(-1, 1, (n, d)) / n))
    return network


def emulated(number):
    """Hashes of the integers and of all states in all steps; the blocks' scales."""
    package, network = nengo_loihi(), random_network(number)
    register()
    whole, states = hashlib.sha256(), hashlib.sha256()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of lost bits and overflows, which are drawn, too
        with package.Simulator(network, target="sim", seed=number) as sim:
            blocks = list(sim.model.blocks)
            for block in blocks:
                for name in COMPARTMENTS:
                    put(whole, getattr(block.compartment, name))
                for synapse in block.synapses:
                    for weights, indices in zip(
                        synapse.weights, synapse.indices, strict=True
                    ):
                        put(whole, weights)
                        put(whole, indices)
            compartment = sim.sims["emulator"].compartment
            for _ in range(STEPS):
                sim.run_steps(1)
                for name in STATE:
                    put(states, getattr(compartment, name))
            spikes = int(compartment.spike_count.sum())
    scales = [float(block.compartment.discretize_info["v_scale"]) for block in blocks]
    hashes = {"integers": whole.hexdigest(), "states": states.hexdigest()}
    return hashes | {"spikes": spikes, "scales": scales}


def put(digest, integers):
    """Add whole numbers of any type to a hash."""
    exact = np.asarray(integers).astype(np.int64)
    assert np.array_equal(exact, integers)
    digest.update(exact.tobytes())


@pytest.mark.parametrize("number", range(NETWORKS))
def test_emulator_is_the_one_under_numpy_1(number):
    pytest.importorskip("nengo_loihi")
    found, golden = emulated(number), json.loads(GOLDEN.read_text())[number]
    # of float64: in float32 they would be wrong by 1e-8
    np.testing.assert_allclose(found.pop("scales"), golden.pop("scales"), rtol=1e-13)
    assert found == golden


def test_nothing_else_sees_the_replacements():
    pytest.importorskip("nengo_loihi")
    package = nengo_loihi()
    before = dict(vars(package.builder.discretize)), package.block.np
    assert nengo_loihi() is package  # the second time replaces nothing
    assert (dict(vars(package.builder.discretize)), package.block.np) == before
    assert package.emulator.interface.np is package.probe.np is np
    if np.__version__ >= "2":
        with pytest.raises(ValueError, match="Unable to avoid copy"):
            np.array([1.0], copy=False)


if __name__ == "__main__":
    assert np.__version__ == "1.26.4", np.__version__
    rows = [json.dumps(emulated(number)) for number in range(NETWORKS)]
    GOLDEN.write_text("[\n" + ",\n".join(rows) + "\n]\n")
