"""The delay network benchmark of Voelker's thesis, and the same neurons used better.

A delay network of order 3 holds the last .1 s of white noise of 3 Hz in 384 neurons.
Its error is that of 100 points of the window against the exact network [1]_.  The
thesis ran it on a CPU, on Loihi, on its emulator and on Braindrop.

References
----------
.. [1] Voelker (2019). Dynamical systems in spiking neuromorphic hardware. PhD thesis,
   University of Waterloo; ``code/dn.py``, github.com/arvoelke/phd.
"""

from dataclasses import dataclass

import nengo
import numpy as np
import pandas as pd
from nengo.dists import Choice, Uniform
from scipy.linalg import cholesky, solve_continuous_lyapunov, svd
from scipy.signal import lfilter

from lmu_spiking.ldn import LDN
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.population import radii_from
from lmu_spiking.studies.metrics import nrmse
from lmu_spiking.studies.reproduce.result import (
    Comparison,
    Reproduction,
    Silent,
    bootstrapped,
    in_parallel,
)
from lmu_spiking.studies.trial import simulator
from lmu_spiking.tasks import white_noise

# Settings of [1].
ORDER, THETA, NEURONS, TAU, TAU_PROBE, DT, STEPS = 3, 0.1, 384, 0.01, 0.02, 0.001, 2000
BANDWIDTH, RMS, CASES, TRIALS, POINTS = 3, 1.0, 10, 25, 100
OUR_TAU, CLIPPING = 0.1, 1.25  # radii of curves that clip, over the largest state
# 95 % intervals of the mean NRMSE: table tab:dn-neuromorphic of the thesis.
PUBLISHED = {
    "cpu": (0.055, 0.059),
    "emulator": (0.145, 0.151),
    "loihi": (0.146, 0.153),
    "braindrop": (0.156, 0.163),
}


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


def reproduce(seed: int = 0, *, fast=False, jobs: int = 1, out=None, bar=Silent):
    """Run the benchmark's CPU column as published, and our memories beside it.

    Parameters
    ----------
    seed : int
        Draws the seeds of tuning and spikes; the signals are the thesis's.
    fast : bool
        Two trials of each case in place of 25.
    jobs : int
        Processes.
    out : path-like, optional
        Not used.
    bar : callable
        Makes a progress bar from a name and a total; `Silent` by default.

    Returns
    -------
    Reproduction
    """
    trials = 2 if fast else TRIALS
    columns = _columns()
    seeds = np.random.SeedSequence(seed).generate_state(trials * CASES) >> 1
    runs = [(1 + k % CASES, int(each)) for k, each in enumerate(seeds)]
    frames = []
    with bar("Runs", len(columns) * len(runs)) as progress:
        for name, (run, *settings) in columns.items():
            jobs_of_it = [(*settings, *each) for each in runs]
            found = in_parallel(run, jobs_of_it, jobs, progress.advance)
            frame = pd.DataFrame(found).assign(column=name)
            frames.append(frame.assign(case=[case for case, _ in runs]))
    data = pd.concat(frames, ignore_index=True)
    return Reproduction(
        name="delay-network",
        title=f"NRMSE of a window of {THETA} s in {NEURONS} neurons, order {ORDER}",
        comparisons=tuple(_compare(data, columns)),
        faults=FAULTS,
        notes=(
            f"{len(runs)} runs each: {CASES} cases x {trials} trials with curves of "
            "their own; intervals are bootstrapped over runs, as in the thesis",
            "ours: discrete Principle 3; radii from 60 s of noise that is not among "
            "the cases; read as in the thesis at its tau, else the state it holds",
            "if and regular are one neuron model here, and agree to the spike",
        ),
        data={"runs": data},
        settings={
            "order": ORDER,
            "theta": THETA,
            "neurons": NEURONS,
            "tau": TAU,
            "our_tau": OUR_TAU,
            "trials": trials,
            "cases": CASES,
        },
        seed=seed,
        fast=fast,
    )


FAULTS = (
    "the thesis's exact states are one step (1 ms) late against the estimate, which "
    "adds to the error; 'aligned' compares equal times",
    "its interval takes 250 runs as independent; there are 10 signals",
)


def _columns() -> dict[str, tuple]:
    """What is run: a function and its first arguments; case and seed follow."""
    noise = white_noise(60.0, DT, BANDWIDTH, RMS, 0)
    radii = radii_from(LDN(ORDER, THETA).simulate(noise.samples, DT))
    pairs, drawn = (tuple((f * radii).tolist()) for f in (1.0, CLIPPING))
    return {
        "published": (as_published,),
        "lif, published tau": (ours, "lif", TAU, drawn),
        "lif": (ours, "lif", OUR_TAU, drawn),
        **{kind: (ours, kind, OUR_TAU, pairs) for kind in ("if", "regular", "poisson")},
    }


def _compare(data: pd.DataFrame, columns) -> list[Comparison]:
    def measured(name: str, measure: str) -> tuple[float, float, float]:
        return bootstrapped(data.loc[data.column == name, measure], 0)

    cpu = PUBLISHED["cpu"]
    rows = [
        Comparison("CPU, as published", cpu, *measured("published", "late")),
        Comparison("CPU, aligned", None, *measured("published", "aligned")),
    ]
    for name in list(columns)[1:]:
        tau = TAU if "tau" in name else OUR_TAU
        kind = name.split(",")[0]
        what = f"ours, {kind}, tau {tau:g} s"
        rows.append(Comparison(what, None, *measured(name, "aligned")))
    return [
        *rows,
        Comparison("Loihi emulator", PUBLISHED["emulator"], say="not run here"),
        Comparison("Loihi chip", PUBLISHED["loihi"], say="not run here"),
        Comparison("Braindrop", PUBLISHED["braindrop"], say="not run here"),
    ]
