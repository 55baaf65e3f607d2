r"""The membrane's lead: what integrating neurons do to a state that changes.

A LIF neuron that is driven harder and harder fires ahead of its curve, which holds for
constant drives alone: its membrane weighs the latest drive most.  A population of them
decodes ``x + l dx/dt`` with a *lead* ``l`` of about a millisecond, which no number of
neurons averages out.  In the loop it is an error

.. math:: e[k+1] = \bar A e[k] + (\bar A - aI)\, L\, \dot m[k], \qquad L = diag(l),

the floor that LIF neurons stop at.  The way out is to map it out, as a synapse is: with

.. math:: A'' = A' (I + L A / \theta)^{-1}, \qquad B'' = B' - A'' L B / \theta

the loop has ``A' m + B' u`` again.
"""

from dataclasses import dataclass

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.ldn import LDN
from lmu_spiking.population import Population
from lmu_spiking.simulator.targets import simulator
from lmu_spiking.spec import MemorySpec
from lmu_spiking.synapse import Mapped


@dataclass(frozen=True, eq=False)
class Lead:
    """How far a population's decoded state runs ahead of a changing state.

    Attributes
    ----------
    seconds : (d,) ndarray
        Of each dimension; negative for a lag.
    explained : float
        Share of the decoding error's power that the lead explains.
    """

    seconds: np.ndarray
    explained: float

    __repr__ = brief


def measure_lead(population: Population, states, dt: float, tau: float) -> Lead:
    r"""The lead of neurons that are driven with states (T, d), outside any loop.

    Least squares of ``h * (decoded - m)`` on ``h * dm/dt``, with ``h`` the lowpass of
    the loop: ``l = <e, m'> / <m', m'>``.
    """
    decoded = _driven(population, states, dt)
    speed = np.gradient(states, dt, axis=0)
    lowpass = nengo.Lowpass(tau)
    settled = slice(int(5 * tau / dt), None)
    e = lowpass.filt(decoded - states, dt=dt, y0=0)[settled]
    v = lowpass.filt(speed, dt=dt, y0=0)[settled]
    lead = np.sum(e * v, axis=0) / np.sum(v**2, axis=0)
    return Lead(lead, 1 - float(np.sum((e - lead * v) ** 2) / np.sum(e**2)))


def map_lead(mapped: Mapped, ldn: LDN, lead) -> tuple[np.ndarray, np.ndarray]:
    """``A''`` (d, d) and ``B''`` (d, 1) of a lowpass loop that undo a lead (d,)."""
    L = np.diag(np.broadcast_to(lead, ldn.order))
    A, B = ldn.A / ldn.theta, ldn.B.reshape(-1, 1) / ldn.theta
    undone = mapped.A @ np.linalg.inv(np.eye(ldn.order) + L @ A)
    return undone, mapped.B - undone @ L @ B


def lead_floor(spec: MemorySpec, states, lead) -> float:
    """State RMSE that a lead (d,) leads to, without any spikes."""
    Ad, _ = spec.ldn.discretize(spec.dt)
    G = (Ad - np.exp(-spec.dt / spec.tau) * np.eye(spec.order)) * np.asarray(lead)
    pushed = np.gradient(states, spec.dt, axis=0) @ G.T
    e, total = np.zeros(spec.order), 0.0
    for push in pushed:
        e = Ad @ e + push
        total += e @ e
    return float(np.sqrt(total / states.size))


def _driven(population: Population, states, dt: float) -> np.ndarray:
    """What neurons decode that are driven with states, unfiltered: (T, d)."""
    of, x = population.dimension, np.asarray(states)
    weights = population.encoders / population.radii[of]
    m, d = len(of), population.order
    every = np.arange(m)
    encode = nengo.Sparse((m, d), np.column_stack([every, of]), init=weights)
    decode = nengo.Sparse(
        (d, m), np.column_stack([of, every]), init=population.decoders
    )
    with nengo.Network() as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(x, dt))
        ensemble = nengo.Ensemble(
            m,
            1,
            neuron_type=population.neurons,
            encoders=np.ones((m, 1)),
            gain=population.gain,
            bias=population.bias,
            eval_points=np.zeros((1, 1)),
            seed=0,
        )
        decoded = nengo.Node(size_in=d)
        nengo.Connection(stimulus, ensemble.neurons, transform=encode, synapse=None)
        nengo.Connection(ensemble.neurons, decoded, transform=decode, synapse=None)
        probe = nengo.Probe(decoded, synapse=None)
    with simulator(model, dt) as sim:
        sim.run_steps(len(x), progress_bar=False)
        return sim.data[probe].copy()
