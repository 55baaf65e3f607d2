"""Deterministic neurons, step for step those of Nengo; spike for spike."""

import itertools

import nengo
import numpy as np
import pytest

from lmu_spiking import Simulator
from lmu_spiking.neurons.types import RampLinear, RampTanh
from lmu_spiking.simulator.opcodes import TILE

TYPES = {
    "rectified": nengo.RectifiedLinear(amplitude=1.5),
    "spiking": nengo.SpikingRectifiedLinear(amplitude=0.7),
    "sigmoid": nengo.Sigmoid(),
    "tanh": nengo.Tanh(),
    "lif_rate": nengo.LIFRate(tau_rc=0.03, amplitude=1.2),
    "lif": nengo.LIF(),
    "low_lif": nengo.LIF(tau_rc=0.01, tau_ref=0.004, min_voltage=-0.5, amplitude=0.3),
    "fast_lif": nengo.LIF(tau_rc=0.002, tau_ref=0),
    "adaptive_rate": nengo.AdaptiveLIFRate(tau_n=0.1, inc_n=0.02),
    "adaptive": nengo.AdaptiveLIF(tau_n=0.05, inc_n=0.05),
    "izhikevich": nengo.Izhikevich(),
    "izhikevich_burst": nengo.Izhikevich(reset_voltage=-55, reset_recovery=4),
    "regular": nengo.RegularSpiking(nengo.LIFRate(), amplitude=2),
    "regular_tanh": nengo.RegularSpiking(nengo.Tanh(tau_ref=0.004)),
    "direct": nengo.Direct(),
}


class Delayed(nengo.LIF):
    """What inherits from a known type may do something else."""

    def step(self, dt, J, output, voltage, refractory_time):
        super().step(dt, J / 2, output, voltage, refractory_time)


def population(n, neuron_type, dimensions=2, seed=3, **keywords):
    """Neurons that hear a signal and themselves, with all that can be probed."""
    if "gain" not in keywords:
        low = 220 if isinstance(neuron_type, nengo.Sigmoid) else 90
        keywords["max_rates"] = nengo.dists.Uniform(low, low + 150)
    with nengo.Network(seed=seed) as net:
        stimulus = nengo.Node(lambda t: np.sin(60 * t + np.arange(dimensions)))
        ens = nengo.Ensemble(
            n,
            dimensions,
            neuron_type=neuron_type,
            eval_points=nengo.dists.UniformHypersphere(),
            n_eval_points=60,
            **keywords,
        )
        nengo.Connection(stimulus, ens)
        nengo.Connection(ens, ens, synapse=0.02)
        nengo.Probe(ens, synapse=0.01)
        nengo.Probe(ens, synapse=None)
        if not isinstance(neuron_type, nengo.Direct):
            for name in ens.neurons.probeable:
                nengo.Probe(ens.neurons, name, synapse=None)
    return net


@pytest.mark.parametrize("name", TYPES)
def test_every_type(name, agree, optimize):
    # In steps of 1 ms the equations of Izhikevich magnify any rounding.
    dt = 0.0002 if name.startswith("izhikevich") else 0.001
    agree(population(40, TYPES[name]), optimize=optimize, dt=dt)


SETTINGS = list(
    itertools.product((0.02, 0.05), (0.2, 0.1), ((-65, 8), (-50, 2)), (1, 2))
)
FEW = [SETTINGS[6], SETTINGS[15]]


@pytest.mark.parametrize(
    "setting",
    [pytest.param(s, marks=() if s in FEW else pytest.mark.slow) for s in SETTINGS],
    ids=str,
)
def test_izhikevich_neurons_magnify_rounding(setting):
    """No spike moves in 0.4 s in steps of 0.2 ms; voltages are not equal to 1e-10."""
    recovery, coupling, (voltage, increment), seed = setting
    neurons = nengo.Izhikevich(
        tau_recovery=recovery,
        coupling=coupling,
        reset_voltage=voltage,
        reset_recovery=increment,
    )
    with nengo.Network(seed=seed) as net:
        white = nengo.processes.WhiteSignal(1.0, high=10, rms=0.7, seed=seed)
        ens = nengo.Ensemble(50, 1, neuron_type=neurons, n_eval_points=200)
        nengo.Connection(nengo.Node(white), ens)
        probes = [nengo.Probe(ens.neurons, k) for k in ("output", "voltage")]
    seen = []
    for make, options in ((nengo.Simulator, {}), (Simulator, {"dtype": "float64"})):
        with make(net, dt=0.0002, progress_bar=False, **options) as sim:
            sim.run_steps(2000)
            seen.append([sim.data[p].copy() for p in probes])
    assert np.array_equal(seen[0][0], seen[1][0]) and np.any(seen[0][0])
    assert np.abs(seen[0][1] - seen[1][1]).max() < 3e-6


LARGE = [n for n in TYPES if n != "direct" and not n.startswith("izhikevich")]


@pytest.mark.parametrize("name", LARGE)
def test_populations_of_several_tiles(name, agree):
    agree(population(TILE + 77, TYPES[name]), steps=30)


@pytest.mark.parametrize("n", [20, TILE + 20])
@pytest.mark.parametrize("ceiling", [300.0, "each"])
def test_ramps(n, ceiling, agree, optimize):
    if ceiling == "each":
        ceiling = np.linspace(20, 200, n)
    agree(population(n, RampLinear(ceiling)), optimize=optimize)


def test_half_a_tanh(agree):
    rng = np.random.default_rng(0)
    for n in (20, TILE + 1):
        gain, bias = rng.uniform(0.5, 2, n), rng.uniform(-1, 1, n)
        agree(population(n, RampTanh(150.0), gain=gain, bias=bias))


@pytest.mark.parametrize("n", [30, TILE + 30])
def test_a_type_of_ones_own(n, agree):
    agree(population(n, Delayed()))


def test_two_types_in_one_network(agree, optimize):
    with nengo.Network(seed=4) as net:
        stimulus = nengo.Node(lambda t: np.cos(40 * t))
        chain = [stimulus]
        for k, name in enumerate(["lif", "rectified", "adaptive", "regular"]):
            ens = nengo.Ensemble(30 + k, 1, neuron_type=TYPES[name])
            nengo.Connection(chain[-1], ens, synapse=0.005)
            nengo.Probe(ens.neurons)
            chain.append(ens)
        nengo.Connection(chain[-1], chain[1], synapse=0.01)
    agree(net, optimize=optimize)


def test_the_time_step_is_known(agree):
    for dt in (0.0005, 0.002):
        for name in ("lif", "adaptive", "spiking"):
            agree(population(25, TYPES[name]), dt=dt, steps=40)


def test_initial_states(agree):
    ones = {"voltage": nengo.dists.Uniform(0, 1)}
    for kind in (nengo.LIF, nengo.SpikingRectifiedLinear, nengo.AdaptiveLIF):
        agree(population(30, kind(initial_state=ones)))
    held = nengo.LIF(initial_state={"refractory_time": nengo.dists.Choice([0.0042])})
    agree(population(30, held))
    agree(population(30, nengo.RegularSpiking(nengo.LIFRate(), initial_state=ones)))
