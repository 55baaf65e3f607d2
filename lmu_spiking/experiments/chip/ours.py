"""Our memory on a chip: beside its peers, and drawn at random beside its prediction.

On the benchmarks it is tuned to the band that a benchmark names, never to the signal
that is played.  For noise that is scaled to a peak of 1, the band's rms is the mean of
other draws.

At random are drawn: orders 2 to 12, windows of 0.1 to 1 s, 40 to 200 neurons a
dimension, a band that the order can represent (``theta f`` up to 2 and to a quarter of
the order), a synapse of a tenth to half the window, IF or LIF neurons, their rate, the
signal's rms and every seed.  Nothing of it was used to make the error model, which has
no free parameter.  None that is drawn is refused: where so few neurons feed their own
noise that the memory is hardly one, the error model has to say so.
"""

from dataclasses import asdict, dataclass

import nengo
import numpy as np
import pandas as pd

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import check_seed
from lmu_spiking.experiments.chip import measures
from lmu_spiking.experiments.chip.signals import DT, Setting, signal
from lmu_spiking.experiments.runs import lowpass
from lmu_spiking.loihi.chip.limits import split
from lmu_spiking.loihi.chip.pulses import PAIRS
from lmu_spiking.loihi.chip.replica import replay
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.layout import Layout, lay_out
from lmu_spiking.loihi.mapping.memory import ChipMemory, read_state
from lmu_spiking.loihi.run.target import run_on
from lmu_spiking.memory.spec import SignalSpec
from lmu_spiking.studies.metrics import nrmse
from lmu_spiking.theory.budget import window_delays
from lmu_spiking.theory.predict import LEAD, predict

OTHER_DRAWS = range(1000, 1020)
CORES = 128

# -- beside its peers ----------------------------------------------------------------


@dataclass(frozen=True)
class Ours:
    """One run of this memory.

    Attributes
    ----------
    setting : Setting
    n_per_dimension, seed : int
    target : {"core", "simreal", "emulator"}
    neuron_type : {"if", "lif"}
    max_rate : float
        Hz.
    tau : float or None
        Synapse, seconds; the setting's by default.
    replica : bool
        Use the emulator's replica, which gives the same spikes.
    """

    setting: Setting
    n_per_dimension: int
    seed: int
    target: str = "emulator"
    neuron_type: str = "if"
    max_rate: float = 120.0
    tau: float | None = None
    replica: bool = False


def run_ours(cases, out=None) -> pd.DataFrame:
    """Return the rows of cases; those that a folder holds are not run again.

    Parameters
    ----------
    cases : iterable of Ours
    out : path-like, optional
        Folder.

    Returns
    -------
    DataFrame
    """

    def name(case: Ours) -> str:
        s = case.setting
        parts = [f"ours-{s.name}-{s.theta:g}-{s.bandwidth:g}-{s.tau:g}-{case.target}"]
        parts += [case.neuron_type, case.n_per_dimension, case.seed]
        return "-".join(map(str, [*parts, "replica" if case.replica else ""]))

    return pd.DataFrame(measures.run_kept(cases, measure_ours, name, out))


def measure_ours(case: Ours) -> dict:
    """Run a case.

    Parameters
    ----------
    case : Ours

    Returns
    -------
    dict
        ``nrmse`` is the benchmark's own measure; ``state_nrmse`` reads the input theta
        ago from the state behind the synapse, both sides through 20 ms, and
        ``predicted`` is the predicted error of the window (for the table and the
        thesis, too).
    """
    setting, u = case.setting, signal(case.setting, case.seed)
    others = (signal(setting, k).std() for k in OTHER_DRAWS)
    rms = setting.rms or float(np.mean([*others]))
    ldn, white = setting.ldn, SignalSpec(setting.bandwidth, rms)
    layout = _lay_out(case, ldn, case.tau or setting.tau, white, case.target)
    spikes, taken = _run(case, layout, u)
    after, given = read_state(layout, spikes, u)[1:], u[:-1]
    decoded = spikes @ layout.decoding.decoders.T @ layout.curves.U.T
    # the window from theta on, where the run is long enough
    start = ldn.steps(DT) if setting.duration > 2 * ldn.theta else 0
    errors = whole = measures.window_errors(ldn, after, given, max(start, 6))
    if setting.name != "window":
        errors = measures.score(setting, u, decoded, None, None)
    # one delay, as the table has it
    delayed = after @ ldn.basis(1.0), measures.past(given, ldn.theta)[:, 0]
    read, truth = (lowpass(x, measures.TAU_PROBE, DT) for x in delayed)
    counted = slice(measures.DROPPED, None)
    budget = predict(layout, u)
    rate = float(spikes.mean() * layout.n_neurons)
    peer = f"this memory, {case.neuron_type}"
    target = "sim" if case.target == "emulator" else case.target
    about = setting, peer, target, case.n_per_dimension, case.seed
    return measures.row_of(*about, tau=layout.tau) | {
        **errors,
        "window_nrmse": whole["nrmse"],
        "state_nrmse": nrmse(read[counted], truth[counted]),
        "predicted": budget.nrmse(np.linspace(1, ldn.steps(DT), 100) * DT),
        "refused": "",
        "max_rate": case.max_rate,
        "replica": case.replica,
        **taken,
        "spikes_per_s": rate,
        "chip_spikes_per_s": rate,
    }


def _lay_out(case, ldn: LDN, tau: float, white: SignalSpec, target="emulator"):
    """Return the memory of a case or a draw, tuned to white noise."""
    neurons = chip_neurons(case.neuron_type, target)
    options = {"tau": tau, "signal": white, "target": target, "dt": DT}
    options |= {"max_rate": case.max_rate, "seed": case.seed}
    return lay_out(ldn, case.n_per_dimension * ldn.order, neurons, **options)


def _run(case: Ours, layout: Layout, u: np.ndarray) -> tuple[np.ndarray, dict]:
    """Return spikes (T, m), and what the run took."""
    if case.replica:
        unknown = ("lost_bits", "overflows", "warnings", "cores")
        unknown += ("seconds_build", "seconds_run")
        return replay(layout, u) / DT, dict.fromkeys(unknown, float("nan"))
    with nengo.Network(seed=case.seed) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], DT))
        memory = ChipMemory(layout)
        nengo.Connection(stimulus, memory.input, synapse=None)
    run = run_on(model, case.target, len(u) * DT, dt=DT, seed=case.seed)
    worst = {each.kind: each for each in run.advice}
    lost = worst["lost bits"].worst if "lost bits" in worst else 0
    return run.data[memory.spikes], {
        "lost_bits": int(lost or 0),
        "overflows": worst["overflow"].count if "overflow" in worst else 0,
        "warnings": sum(each.count for each in run.advice),
        "cores": float(getattr(run.counts, "cores", None) or float("nan")),
        "seconds_build": run.seconds_build,
        "seconds_run": run.seconds_run,
    }


# -- drawn at random -----------------------------------------------------------------


@dataclass(frozen=True)
class Draw:
    """A memory for the chip, and the noise that is its signal.

    Attributes
    ----------
    order : int
    theta, tau : float
        Seconds.
    n_per_dimension : int
    bandwidth, max_rate : float
        Hz.
    rms : float
    neuron_type : {"if", "lif"}
    seed : int
    """

    order: int
    theta: float
    n_per_dimension: int
    bandwidth: float
    rms: float
    tau: float
    neuron_type: str
    max_rate: float
    seed: int

    @property
    def n_neurons(self) -> int:
        """Return the neurons in all."""
        return self.order * self.n_per_dimension


def draw(seed: int) -> Draw:
    """Draw a memory that fits one chip.

    Parameters
    ----------
    seed : int

    Returns
    -------
    Draw
    """
    rng = np.random.RandomState(check_seed("draw.seed", seed))
    while True:
        order = int(rng.randint(2, 13))
        theta = float(np.exp(rng.uniform(np.log(0.1), 0.0)))
        n = int(2 * rng.randint(20, 101))
        band = float(rng.uniform(0.2, min(2.0, order / 4)) / theta)
        rms = float(rng.uniform(0.2, 0.6))
        tau = float(np.clip(theta * rng.uniform(0.1, 0.5), 0.01, 0.2))
        kind, rate = str(rng.choice(["if", "lif"])), float(rng.uniform(100.0, 160.0))
        own = int(rng.randint(2**31))
        drawn = Draw(order, theta, n, band, rms, tau, kind, rate, own)
        # each core takes a block of neurons
        if drawn.n_neurons <= CORES * split(drawn.n_neurons, 2 * PAIRS):
            return drawn


def run_predictions(seeds, out=None) -> pd.DataFrame:
    """Return a row for each seed; those that a folder holds are not run again.

    Parameters
    ----------
    seeds : iterable of int
    out : path-like, optional
        Folder.

    Returns
    -------
    DataFrame
    """
    drawn = [draw(seed) for seed in seeds]
    names = {case: f"predicted-{seed}" for case, seed in zip(drawn, seeds, strict=True)}
    rows = measures.run_kept(drawn, measure_prediction, names.get, out)
    frame = pd.DataFrame(rows)
    frame["ratio"] = frame.window_noise_nrmse / frame.predicted_window_noise_nrmse
    frame["whole_ratio"] = frame.window_nrmse / frame.predicted_window_nrmse
    return frame


def measure_prediction(drawn: Draw) -> dict:
    """Run a memory on the emulator's replica, on a signal of its own.

    Parameters
    ----------
    drawn : Draw

    Returns
    -------
    dict
    """
    ldn, white = LDN(drawn.order, drawn.theta), SignalSpec(drawn.bandwidth, drawn.rms)
    layout, step = _lay_out(drawn, ldn, drawn.tau, white), ldn.steps(DT)
    # a run of six windows, after some that are not measured
    seconds, lead = max(6.0, 6 * drawn.theta), LEAD * step
    played = white.draw(seconds, DT, drawn.seed)
    u, delays = played.led_in(lead), window_delays(layout)
    budget = predict(layout, u, lead=lead)
    state = read_state(layout, replay(layout, u) / DT, u)[lead:]
    exact = np.vstack([budget.initial, budget.states[:-1]])
    counted = slice(step + 1, None)
    window = ldn.readout(delays - DT, DT)
    read, u = state[counted] @ window.T, played.samples
    lags = np.round(delays / DT).astype(int)
    past = np.stack([u[counted.start - lag : len(u) - lag] for lag in lags], axis=1)
    share = np.trace(budget.quantisation) / np.trace(budget.error)
    return asdict(drawn) | {
        "n_neurons": drawn.n_neurons,
        "cores": -(-layout.n_neurons // layout.block),
        "window_nrmse": nrmse(read, past),
        "predicted_window_nrmse": budget.nrmse(delays),
        "window_noise_nrmse": nrmse(read, exact[counted] @ window.T),
        "predicted_window_noise_nrmse": budget.window_noise_nrmse(),
        "quantisation_share": float(share),
    }
