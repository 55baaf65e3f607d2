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

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.experiments.runs import run_probed, state_of, streamed
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.studies.metrics import nrmse

# Settings of [1].
ORDER, THETA, NEURONS, TAU, TAU_PROBE, DT, STEPS = 3, 0.1, 384, 0.01, 0.02, 0.001, 2000
BANDWIDTH, RMS, POINTS = 3, 1.0, 100


def signal(case: int) -> np.ndarray:
    """Return the test case 1 to 10, (T,); others may be used for tuning.

    Parameters
    ----------
    case : int

    Returns
    -------
    (T,) ndarray
    """
    options = {"rms": RMS, "high": BANDWIDTH, "y0": 0, "seed": case}
    process = nengo.processes.WhiteSignal(STEPS * DT, **options)
    return process.run_steps(STEPS, dt=DT)[:, 0]


@dataclass(frozen=True, eq=False)
class Realised:
    """A delay network in the basis ``x = T^-1 m``, whose values are of like size.

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
    r"""Return the balanced realisation of the delay by theta, with radii ``1/(i+1)``.

    With controllability and observability Gramians ``P = L L^T`` and ``Q``,
    ``L^T Q L = U S^2 U^T`` gives ``T = L U S^{-1/2}``: then both Gramians are ``S``.
    The delay is that of Pade of orders 2 and 3: the LDN's own.

    Parameters
    ----------
    ldn : LDN

    Returns
    -------
    Realised
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
    """Run the CPU column: NRMSE against the exact network, and against it a step late.

    The thesis compares with states of the exact network that are one step late
    (nengolib's ``sys.X.filt`` puts out the state before an input, its lowpass what
    comes after it): ``late``.  ``aligned`` compares equal times.

    Parameters
    ----------
    case, seed : int

    Returns
    -------
    dict
        ``late, aligned``.
    """
    ldn, u, connect = LDN(ORDER, THETA), signal(case), nengo.Connection
    system = balanced(ldn)
    # Principle 3 for continuous time
    A, B = TAU * system.A + np.eye(ORDER), TAU * system.B[:, None]
    # with silent voltages, and intercepts as Nengo 2.8 has them
    neurons = nengo.LIF(initial_state={"voltage": Choice([0.0])})
    options = {"neuron_type": neurons, "intercepts": Uniform(-1, 1)}
    with nengo.Network(seed=seed) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], DT))
        array = nengo.networks.EnsembleArray(NEURONS // ORDER, ORDER, **options)
        connect(stimulus, array.input, transform=B, synapse=TAU)
        connect(array.output, array.input, transform=A, synapse=TAU)
        probe = nengo.Probe(array.output, synapse=None)
    (decoded,) = run_probed(model, DT, STEPS, probe)
    exact, W = ldn.simulate(u, DT), window(ldn)
    read = remembered(ldn, decoded @ system.transform.T, u) @ W
    late = np.vstack([np.zeros(ORDER), exact[:-1]])
    return {"late": nrmse(read, late @ W), "aligned": nrmse(read, exact @ W)}


def remembered(ldn: LDN, decoded, u) -> np.ndarray:
    r"""Return the state from unfiltered spikes, by discrete Principle 3, offline.

    .. math:: \hat m = h * (A' \tilde m + B' u), \qquad A' = \frac{\bar A - aI}{1 - a},

    with the lowpass ``h`` of ``TAU_PROBE``, which includes its present input.

    Parameters
    ----------
    ldn : LDN
    decoded : (T, d) ndarray
    u : (T,) ndarray

    Returns
    -------
    (T, d) ndarray
    """
    mapped = map_onto(ldn, TAU_PROBE, DT)
    return state_of(decoded, u, mapped.A, mapped.B[:, 0], TAU_PROBE, DT)


def window(ldn: LDN) -> np.ndarray:
    """Return weights (d, POINTS) of equally spaced points of the window, ends included.

    Parameters
    ----------
    ldn : LDN

    Returns
    -------
    (d, POINTS) ndarray
    """
    return ldn.basis(np.linspace(0, 1, POINTS)).T


def ours(neuron_type: str, tau: float, radii: tuple, case: int, seed: int) -> dict:
    """Run the same number of neurons in a `LegendreMemory`: NRMSE of its window.

    With the thesis's tau it is read as in the thesis, by `remembered`; with another,
    the state of the network itself is read.

    Parameters
    ----------
    neuron_type : str
    tau : float
        Synapse, seconds.
    radii : tuple of float
    case, seed : int

    Returns
    -------
    dict
        ``aligned``.
    """
    u, options = signal(case), {"synapse": tau, "neuron_type": neuron_type}
    options |= {"dt": DT, "radii": radii, "tuning_seed": seed, "noise_seed": seed}
    options["initial_phases"] = "random"
    memory = LegendreMemory(NEURONS, ORDER, THETA, add_to_container=False, **options)
    model, state = streamed(memory, u)
    with model:
        decoded = nengo.Probe(memory.output, synapse=None)
    read, spikes = run_probed(model, DT, STEPS, state, decoded)
    ldn, exact, W = memory.ldn, memory.ldn.simulate(u, DT), window(memory.ldn)
    if tau == TAU:
        read = remembered(ldn, spikes, u)
    else:
        exact = np.vstack([np.zeros(ORDER), exact[:-1]])  # as a probe's index counts
    return {"aligned": nrmse(read @ W, exact @ W)}
