"""The memory as a Nengo network, from arrays, for any version of Nengo."""

import nengo
import numpy as np


def neuron_type(spikes: str):
    """Return Nengo's own neuron type of a case."""
    rates = nengo.RectifiedLinear()
    types = {"lif": nengo.LIF(), "rate": rates, "poisson": nengo.PoissonSpiking(rates)}
    return (types | {"regular": nengo.RegularSpiking(rates)})[spikes]


def model(case: dict) -> tuple[nengo.Network, nengo.Probe]:
    """Return the network of a case, and the probe of its state.

    A memory is one ensemble with sparse weights; an array has an ensemble for each
    dimension, with decoders that are given.
    """
    make = _array if case["structure"] == "array" else _memory
    A, B = np.asarray(case["A"]), np.asarray(case["B"])[:, None]
    tau = float(case["tau"])
    with nengo.Network(seed=int(case["seed"])) as network:
        u = np.asarray(case["u"])[:, None]
        node = nengo.Node(nengo.processes.PresentInput(u, float(case["dt"])))
        state = nengo.Node(size_in=len(A))
        nengo.Connection(node, state, transform=B, synapse=tau)
        decoded = make(case, state)
        nengo.Connection(decoded, state, transform=A, synapse=tau)
        probe = nengo.Probe(state, synapse=None)
    return network, probe


def _ensemble(case: dict, at, gain_of_one) -> nengo.Ensemble:
    """Return neurons with their curves, and nothing that is drawn."""
    encoders = np.asarray(case["encoders"])[at]
    return nengo.Ensemble(
        len(encoders),
        1,
        neuron_type=neuron_type(str(case["spikes"])),
        encoders=np.sign(encoders)[:, None],
        gain=np.asarray(case["gain"])[at] * gain_of_one(encoders),
        bias=np.asarray(case["bias"])[at],
        eval_points=np.zeros((1, 1)),
        seed=int(case["seed"]),
    )


def _memory(case: dict, state: nengo.Node) -> nengo.Node:
    m, d = len(case["gain"]), len(case["A"])
    decoded = nengo.Node(size_in=d)
    pairs = np.column_stack([np.arange(m), case["dimension"]])
    encode = nengo.Sparse((m, d), indices=pairs, init=case["encoders"])
    decode = nengo.Sparse((d, m), indices=pairs[:, ::-1], init=case["decoders"])
    neurons = _ensemble(case, slice(None), np.ones_like).neurons
    nengo.Connection(state, neurons, transform=encode, synapse=None)
    nengo.Connection(neurons, decoded, transform=decode, synapse=None)
    return decoded


def _array(case: dict, state: nengo.Node) -> nengo.Node:
    d = len(case["A"])
    decoded = nengo.Node(size_in=d)
    starts = np.searchsorted(case["dimension"], np.arange(d + 1))
    for i in range(d):
        at = slice(starts[i], starts[i + 1])
        ensemble = _ensemble(case, at, np.abs)
        solver = nengo.solvers.NoSolver(np.asarray(case["decoders"])[at, None])
        nengo.Connection(state[i], ensemble, synapse=None)
        nengo.Connection(ensemble, decoded[i], solver=solver, synapse=None)
    return decoded
