"""Our memory on the benchmarks of its peers: the same signals, the same yardsticks.

It is tuned to the band that a benchmark names, never to the signal that is played.  For
noise that is scaled to a peak of 1, the band's rms is the mean of other draws.
"""

from dataclasses import dataclass

import nengo
import numpy as np
import pandas as pd

from lmu_spiking.experiments.chip.measures import (
    DROPPED,
    delay_errors,
    lowpass,
    past,
    thesis_errors,
    window_errors,
)
from lmu_spiking.experiments.chip.signals import DT, Setting, signal
from lmu_spiking.experiments.published.parts import kept
from lmu_spiking.loihi.chip.replica import replay
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.layout import Layout, lay_out
from lmu_spiking.loihi.mapping.memory import ChipMemory, read_state
from lmu_spiking.loihi.run.target import run_on
from lmu_spiking.memory.spec import SignalSpec
from lmu_spiking.studies.metrics import nrmse
from lmu_spiking.theory.predict import predict

OTHER_DRAWS = range(1000, 1020)
NAME = "this memory"


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


def band(setting: Setting) -> SignalSpec:
    """What a memory for this benchmark is told of its signal."""
    rms = setting.rms
    if rms is None:
        rms = float(np.mean([signal(setting, k).std() for k in OTHER_DRAWS]))
    return SignalSpec(setting.bandwidth, rms)


def laid_out(case: Ours) -> Layout:
    """The memory of a case."""
    setting = case.setting
    return lay_out(
        setting.ldn,
        case.n_per_dimension * setting.order,
        chip_neurons(case.neuron_type, case.target),
        target=case.target,
        tau=case.tau or setting.tau,
        dt=DT,
        signal=band(setting),
        max_rate=case.max_rate,
        seed=case.seed,
    )


def measure_ours(case: Ours) -> dict:
    """Run a case: its row.

    ``nrmse`` is the benchmark's own measure; ``state_nrmse`` reads the input theta ago
    from the state behind the synapse, both sides through 20 ms, and ``predicted`` is
    the layout's word on the window (for the table and the thesis, too).
    """
    setting, u = case.setting, signal(case.setting, case.seed)
    layout, ldn = laid_out(case), case.setting.ldn
    spikes, took = _run(case, layout, u)
    state = read_state(layout, spikes, u)
    decoded = spikes @ layout.decoding.decoders.T @ layout.curves.U.T
    after, heard = state[1:], u[:-1]
    start = ldn.steps(DT) if setting.duration > 2 * ldn.theta else 0
    whole = window_errors(ldn, after, heard, max(start, 6))
    scores = {
        "window": lambda: whole,
        "table": lambda: delay_errors(ldn, decoded, u, round(DROPPED / DT)),
        "thesis": lambda: thesis_errors(ldn, decoded, u),
    }[setting.name]()
    from_ = round(DROPPED / DT)
    read = lowpass(after @ ldn.basis(1.0), 0.02)[from_:]
    truth = lowpass(past(heard, ldn.theta)[:, 0], 0.02)[from_:]
    budget = predict(layout, u)
    return {
        "benchmark": setting.name,
        "theta": setting.theta,
        "bandwidth": setting.bandwidth,
        "tau": layout.tau,
        "peer": f"{NAME}, {case.neuron_type}",
        "target": {"emulator": "sim"}.get(case.target, case.target),
        "n_per_dimension": case.n_per_dimension,
        "seed": case.seed,
        "nrmse": float("nan"),
        "nrmse_best": float("nan"),
        "nrmse_late": float("nan"),
        **scores,
        "window_nrmse": whole["nrmse"],
        "state_nrmse": nrmse(read, truth),
        "predicted": budget.nrmse(np.linspace(1, ldn.steps(DT), 100) * DT),
        "refused": "",
        "max_rate": case.max_rate,
        "replica": case.replica,
        **took,
        "spikes_per_s": float(spikes.mean() * layout.n_neurons),
        "chip_spikes_per_s": float(spikes.mean() * layout.n_neurons),
    }


def _run(case: Ours, layout: Layout, u):
    """Spikes (T, m), and what the run took."""
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
    overflows = worst["overflow"].count if "overflow" in worst else 0
    return run.data[memory.spikes], {
        "lost_bits": int(lost or 0),
        "overflows": overflows,
        "warnings": sum(each.count for each in run.advice),
        "cores": float(getattr(run.counts, "cores", None) or float("nan")),
        "seconds_build": run.seconds_build,
        "seconds_run": run.seconds_run,
    }


def run_ours(cases, out=None, bar=None) -> pd.DataFrame:
    """Rows of cases; what the folder ``out`` holds is not run again."""
    rows = []
    for case in cases:
        setting = case.setting
        name = "-".join(
            f"{part}"
            for part in (
                "ours",
                setting.name,
                f"{setting.theta:g}",
                f"{setting.bandwidth:g}",
                f"{setting.tau:g}",
                case.target,
                case.neuron_type,
                case.n_per_dimension,
                case.seed,
                "replica" if case.replica else "",
            )
        )
        key = {k: v for k, v in case.__dict__.items() if k != "setting"}
        key |= {"setting": setting.__dict__}
        rows.append(kept(out, name, key, lambda case=case: measure_ours(case)))
        if bar is not None:
            bar(rows[-1])
    return pd.DataFrame(rows)
