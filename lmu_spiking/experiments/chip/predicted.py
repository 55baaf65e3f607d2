"""Predicted and measured errors on the emulator, over memories drawn at random.

What is drawn: orders 2 to 12, windows of .1 to 1 s, 40 to 200 neurons a dimension, a
band that the order can hold (``theta f`` up to 2 and to a quarter of the order), a
synapse of a tenth to half the window, IF or LIF neurons, their rate, the signal's rms
and every seed.  Nothing of it was used to make the error model, which has no free
parameter.  None that is drawn is refused: where so few neurons feed their own noise
that the memory hardly holds, the error model has to say so.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import check_seed
from lmu_spiking.experiments.chip.signals import DT
from lmu_spiking.experiments.published.parts import kept
from lmu_spiking.loihi.chip.pulses import PAIRS
from lmu_spiking.loihi.chip.replica import replay
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.layout import lay_out
from lmu_spiking.loihi.mapping.memory import read_state
from lmu_spiking.loihi.run.budget import split
from lmu_spiking.memory.spec import SignalSpec
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.metrics import nrmse
from lmu_spiking.theory.predict import LEAD, predict, window_delays

CORES = 128


@dataclass(frozen=True)
class Draw:
    """A memory for the chip, and the noise that it is to hold."""

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
        """In all."""
        return self.order * self.n_per_dimension


def draw(seed: int) -> Draw:
    """A memory that fits one chip."""
    rng = np.random.RandomState(check_seed("draw.seed", seed))
    while True:
        order = int(rng.randint(2, 13))
        theta = float(np.exp(rng.uniform(np.log(0.1), 0.0)))
        n = int(2 * rng.randint(20, 101))
        band = float(rng.uniform(0.2, min(2.0, order / 4)) / theta)
        found = Draw(
            order=order,
            theta=theta,
            n_per_dimension=n,
            bandwidth=band,
            rms=float(rng.uniform(0.2, 0.6)),
            tau=float(np.clip(theta * rng.uniform(0.1, 0.5), 0.01, 0.2)),
            neuron_type=str(rng.choice(["if", "lif"])),
            max_rate=float(rng.uniform(100.0, 160.0)),
            seed=int(rng.randint(2**31)),
        )
        m = found.n_neurons
        if -(-m // split(m, 2 * PAIRS)) <= CORES:
            return found


def measure_prediction(drawn: Draw) -> dict:
    """Run a memory on the emulator's replica, on a signal of its own."""
    ldn = LDN(drawn.order, drawn.theta)
    layout = lay_out(
        ldn,
        drawn.n_neurons,
        chip_neurons(drawn.neuron_type, "emulator"),
        target="emulator",
        tau=drawn.tau,
        dt=DT,
        signal=SignalSpec(drawn.bandwidth, drawn.rms),
        max_rate=drawn.max_rate,
        seed=drawn.seed,
    )
    seconds = max(6.0, 6 * drawn.theta)
    played = white_noise(seconds, DT, drawn.bandwidth, drawn.rms, drawn.seed)
    lead = LEAD * ldn.steps(DT)
    u = played.led_in(lead)
    budget = predict(layout, u, lead=lead)
    state = read_state(layout, replay(layout, u) / DT, u)[lead:]
    exact = np.vstack([budget.initial, budget.states[:-1]])
    settled = slice(ldn.steps(DT) + 1, None)
    window = ldn.readout(window_delays(layout) - DT, DT)
    noise = nrmse(state[settled] @ window.T, exact[settled] @ window.T)
    ideal = budget.nrmse(window_delays(layout))
    past = np.stack(
        [
            played.samples[settled.start - lag : len(played.samples) - lag]
            for lag in np.round(window_delays(layout) / DT).astype(int)
        ],
        axis=1,
    )
    return drawn.__dict__ | {
        "n_neurons": drawn.n_neurons,
        "cores": -(-drawn.n_neurons // layout.block),
        "window_nrmse": nrmse(state[settled] @ window.T, past),
        "predicted_window_nrmse": ideal,
        "window_noise_nrmse": noise,
        "predicted_window_noise_nrmse": budget.window_noise_nrmse(),
        "quantisation_share": float(
            np.trace(budget.quantisation) / np.trace(budget.error)
        ),
    }


def run_predictions(seeds, out=None, show=None) -> pd.DataFrame:
    """A row for each seed; what the folder ``out`` holds is not run again."""
    rows = []
    for seed in seeds:
        drawn = draw(seed)
        name = f"predicted-{seed}"
        rows.append(
            kept(out, name, drawn.__dict__, lambda d=drawn: measure_prediction(d))
        )
        if show is not None:
            show(rows[-1])
    frame = pd.DataFrame(rows)
    frame["ratio"] = frame.window_noise_nrmse / frame.predicted_window_noise_nrmse
    frame["whole_ratio"] = frame.window_nrmse / frame.predicted_window_nrmse
    return frame
