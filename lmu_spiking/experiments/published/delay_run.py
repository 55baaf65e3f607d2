"""One run of the delay network benchmark: as in Voelker's thesis, and ours.

References
----------
.. [1] Voelker (2019). Dynamical systems in spiking neuromorphic hardware. PhD thesis,
   University of Waterloo; ``code/dn.py``, github.com/arvoelke/phd.
"""

from dataclasses import dataclass

import nengo
import numpy as np
from nengo.dists import Choice, Uniform
from scipy.linalg import cholesky, solve_continuous_lyapunov, svd
from scipy.signal import lfilter

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.simulator.targets import simulator
from lmu_spiking.studies.metrics import nrmse

# Settings of [1].
ORDER, THETA, NEURONS, TAU, TAU_PROBE, DT, STEPS = 3, 0.1, 384, 0.01, 0.02, 0.001, 2000
BANDWIDTH, RMS, POINTS = 3, 1.0, 100


def signal(case: int) -> np.ndarray:
    """Test case 1 to 10, (T,); others may be used for tuning."""
    process = nengo.processes.WhiteSignal(
        period=STEPS * DT, rms=RMS, high=BANDWIDTH, y0=0, seed=case
    )
    return process.run_steps(STEPS, dt=DT)[:, 0]


@dataclass(frozen=True, eq=False)
class Realised:
    """A delay network in coordinates ``x = T^-1 m`` that neurons hold well.

    Attributes
    ----------
    A, B : (d, d), (d,) ndarray
        ``x' = A x + B u``, per second.
    transform : (d, d) ndarray
        ``T``: the LDN's state is ``m = T x``.
    """

    A: np.ndarray
    B: np.ndarray
    transform: np.ndarray

    __repr__ = brief


def balanced(ldn: LDN) -> Realised:
    r"""Balanced realisation of the delay by theta, axis ``i`` with radius ``1/(i+1)``.

    With controllability and observability Gramians ``P = L L^T`` and ``Q``,
    ``L^T Q L = U S^2 U^T`` gives ``T = L U S^{-1/2}``: then both Gramians are ``S``.
    The delay is that of Pade of orders 2 and 3: the LDN's own.
    """
    A, B = ldn.A / ldn.theta, ldn.B / ldn.theta
    C = ldn.readout(ldn.theta)
    P = solve_continuous_lyapunov(A, -np.outer(B, B))
    Q = solve_continuous_lyapunov(A.T, -np.outer(C, C))
    L = cholesky(P, lower=True)
    U, squared, _ = svd(L.T @ Q @ L)
    T = L @ U * squared**-0.25 / (np.arange(ldn.order) + 1)
    return Realised(np.linalg.solve(T, A @ T), np.linalg.solve(T, B), T)


def as_published(case: int, seed: int) -> dict:
    """The CPU column: NRMSE against the exact network, and against it a step late.

    The thesis compares with states of the exact network that are one step late
    (nengolib's ``sys.X.filt`` puts out the state before an input, its lowpass what
    comes after it): ``late``.  ``aligned`` compares equal times.
    """
    ldn, u = LDN(ORDER, THETA), signal(case)
    system, eye = balanced(ldn), np.eye(ORDER)
    with nengo.Network(seed=seed) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], DT))
        neurons = nengo.networks.EnsembleArray(
            NEURONS // ORDER,
            ORDER,
            neuron_type=nengo.LIF(initial_state={"voltage": Choice([0.0])}),
            intercepts=Uniform(-1, 1),  # with silent voltages, as Nengo 2.8 has it
        )
        nengo.Connection(
            stimulus, neurons.input, transform=TAU * system.B[:, None], synapse=TAU
        )
        nengo.Connection(
            neurons.output, neurons.input, transform=TAU * system.A + eye, synapse=TAU
        )
        probe = nengo.Probe(neurons.output, synapse=None)
    with simulator(model, DT) as sim:
        sim.run_steps(STEPS, progress_bar=False)
        decoded = sim.data[probe].copy()
    exact = ldn.simulate(u, DT)
    found = remembered(ldn, decoded @ system.transform.T, u) @ window(ldn)
    late = np.vstack([np.zeros(ORDER), exact[:-1]])
    return {
        "late": nrmse(found, late @ window(ldn)),
        "aligned": nrmse(found, exact @ window(ldn)),
    }


def remembered(ldn: LDN, decoded, u) -> np.ndarray:
    r"""State (T, d) from unfiltered spikes (T, d), by discrete Principle 3, offline.

    .. math:: \hat m = h * (A' \tilde m + B' u), \qquad A' = \frac{\bar A - aI}{1 - a},

    with the lowpass ``h`` of ``TAU_PROBE``, which includes its present input.
    """
    a = np.exp(-DT / TAU_PROBE)
    Ad, Bd = ldn.discretize(DT)
    drive = decoded @ (Ad - a * np.eye(ldn.order)).T + np.outer(u, Bd)
    return lfilter([1.0], [1.0, -a], drive, axis=0)


def window(ldn: LDN) -> np.ndarray:
    """Weights (d, POINTS) of equally spaced points of the window, ends included."""
    return ldn.basis(np.linspace(0, 1, POINTS)).T


def ours(neuron_type: str, tau: float, radii: tuple, case: int, seed: int) -> dict:
    """The same number of neurons in a `LegendreMemory`: NRMSE of its window.

    With the thesis's tau it is read as in the thesis, by `remembered`; with another,
    the state that the network itself holds is read.
    """
    u = signal(case)
    with nengo.Network() as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], DT))
        memory = LegendreMemory(
            NEURONS,
            ORDER,
            THETA,
            synapse=tau,
            dt=DT,
            neuron_type=neuron_type,
            radii=radii,
            tuning_seed=seed,
            noise_seed=seed,
        )
        nengo.Connection(stimulus, memory.input, synapse=None)
        state = nengo.Probe(memory.state, synapse=None)
        decoded = nengo.Probe(memory.output, synapse=None)
    with simulator(model, DT) as sim:
        sim.run_steps(STEPS, progress_bar=False)
        held, spikes = sim.data[state].copy(), sim.data[decoded].copy()
    ldn, exact = memory.ldn, memory.ldn.simulate(u, DT)
    if tau == TAU:
        held = remembered(ldn, spikes, u)
    else:
        exact = np.vstack([np.zeros(ORDER), exact[:-1]])  # as a probe's index counts
    return {"aligned": nrmse(held @ window(ldn), exact @ window(ldn))}
