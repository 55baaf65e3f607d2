"""The networks that simulators are compared on: a memory in many sizes and kinds."""

from dataclasses import dataclass

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError, check_seed, check_whole
from lmu_spiking.experiments.speed.peers import network as rebuilt
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.tasks.white import white_noise

THETA, TAU, DT = 0.5, 0.1, 0.001  # seconds, the general defaults
PERIOD = 4.0  # seconds of white noise of 2 Hz and rms .5, repeated
KINDS = {  # neuron type, tuning, structure
    "poisson": ("poisson", None, "memory"),
    "lif": ("lif", None, "memory"),
    "regular": ("regular", None, "memory"),
    "rate": ("rate", None, "memory"),
    "poisson-drawn": ("poisson", "drawn", "memory"),
    "poisson-array": ("poisson", "drawn", "array"),
    "lif-array": ("lif", "drawn", "array"),
}


@dataclass(frozen=True)
class Case:
    """A network to be timed.

    Attributes
    ----------
    kind : str
        One of `KINDS`: the neuron type, ``rate`` being rectified-linear rates; with
        ``-drawn``, curves drawn as Nengo does in place of pairs; with ``-array``, also
        an ensemble for each dimension with decoders of its own, as `EnsembleArray`
        has them.
    order, n_neurons : int
    seed : int
        Draws curves, signal and spikes.
    """

    kind: str
    order: int
    n_neurons: int
    seed: int = 0

    def __post_init__(self):
        if self.kind not in KINDS:
            known = ", ".join(KINDS)
            raise ValidationError(
                "--types", self.kind, "is unknown", f"use some of {known}"
            )
        order = check_whole("--orders", self.order, 1)
        if check_whole("--neurons", self.n_neurons) < 2 * order:
            problem = f"is less than 2 per dimension for order {order}"
            raise ValidationError(
                "--neurons", self.n_neurons, problem, f"use at least {2 * order}"
            )
        check_seed("--seed", self.seed)


def stimulus(case: Case) -> np.ndarray:
    """The input (T,), which is repeated."""
    return white_noise(PERIOD, DT, 2.0, 0.5, case.seed).samples


def memory(case: Case) -> LegendreMemory:
    """The memory of a case, outside any network."""
    neurons, tuning, _ = KINDS[case.kind]
    return LegendreMemory(
        case.n_neurons,
        case.order,
        THETA,
        synapse=TAU,
        dt=DT,
        neuron_type=neurons,
        tuning=tuning,
        tuning_seed=case.seed,
        noise_seed=case.seed,
        add_to_container=False,
    )


def model(case: Case) -> tuple[nengo.Network, nengo.Probe]:
    """The network that Nengo builds, and the probe of its state."""
    if KINDS[case.kind][2] == "array":
        return rebuilt.model(arrays(case))
    with nengo.Network(seed=case.seed) as network:
        process = nengo.processes.PresentInput(stimulus(case)[:, None], DT)
        node = nengo.Node(process)
        held = memory(case)
        network.add(held)
        nengo.Connection(node, held.input, synapse=None)
        probe = nengo.Probe(held.state, synapse=None)
    return network, probe


def arrays(case: Case) -> dict[str, np.ndarray]:
    """All that a simulator needs to rebuild a case, as arrays.

    Returns
    -------
    dict
        ``gain, bias, encoders, decoders, dimension`` (m,), encoders over their radius;
        ``A`` (d, d) and ``B`` (d,), mapped onto the synapse; ``u`` (T,); ``tau, dt,
        seed``; ``spikes``, the neuron type; ``structure``, ``memory`` or ``array``.
    """
    held = memory(case)
    population, loop = held.population, held.assembly.loop
    spikes, _, structure = KINDS[case.kind]
    return {
        "gain": population.gain,
        "bias": population.bias,
        "encoders": population.encoders / population.radii[population.dimension],
        "decoders": population.decoders,
        "dimension": population.dimension,
        "A": loop.A,
        "B": loop.B[:, 0],
        "u": stimulus(case),
        "tau": np.array(TAU),
        "dt": np.array(DT),
        "seed": np.array(case.seed),
        "spikes": np.array(spikes),
        "structure": np.array(structure),
    }
