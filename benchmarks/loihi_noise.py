"""Noisy neurons on the Loihi emulator: their spikes, and a memory's error.

    python benchmarks/loihi_noise.py [--jobs 1] [--seeds 10]

Neurons at constant drives: rate, coefficient of variation of the intervals between
spikes and Fano factor of counts in 100 ms, 20 neurons for 20 s a seed, in a block with
synapses of .1 s.  Memories: theta .5 s, tau .1 s, dt 1 ms, white noise of 2 Hz and rms
.5, 6 s a seed, 150 Hz at radius 1; the state from the spikes against the exact delay
network, from t = theta on.  `law` is the error predicted for Poisson spikes at the
neurons' rates; `law_measured` has the measured rates and Fano factors.  Intervals are
Student's over seeds.  About seven minutes on one idle core.  Writes
benchmarks/results/loihi_noise.json and docs/figures/loihi_noise.png.
"""

import argparse
from pathlib import Path

import numpy as np

from lmu_spiking import LDN, MemorySpec, predict, white_noise
from lmu_spiking.experiments.chip.poisson_spikes import SpikeStatistics, measure_tuning
from lmu_spiking.experiments.figures.loihi_noise import loihi_noise_figure
from lmu_spiking.loihi.poisson.memory import (
    build_noisy_memory,
    noise_covariance,
    run_noisy_memory,
)
from lmu_spiking.loihi.poisson.neuron import KEPT, drive_at, rate_of
from lmu_spiking.plots import save_figure
from lmu_spiking.processes import in_processes
from lmu_spiking.studies.metrics import confidence, rms
from lmu_spiking.studies.records import write_json
from lmu_spiking.studies.trial import versions

ROOT = Path(__file__).resolve().parent.parent
SEED, DURATION, MAX_RATE = 5100, 6.0, 150.0
THETA, TAU, DT = 0.5, 0.1, 1e-3
DRIVES = np.concatenate(
    [
        [-50.0, -30.0, -15.0, 0.0],
        drive_at([20.0, 35.0, 50.0, 75.0, 100.0, 125.0, 150.0]),
        [200.0, 300.0],
    ]
)
MEMORIES = [
    *((3, m, KEPT) for m in (72, 156, 300)),
    *((6, m, KEPT) for m in (156, 300, 600)),
    (6, 600, 1 / 64),
]


def tuning(target: str, seed: int) -> SpikeStatistics:
    return measure_tuning(DRIVES, target=target, n_neurons=20, seed=seed)


def tuning_rows(target: str, runs: list[SpikeStatistics]) -> list[dict]:
    rows = []
    for k, drive in enumerate(DRIVES):
        row = {"target": target, "drive": drive, "lawful_rate": rate_of(drive).item()}
        for name, of in (("rate", "rates"), ("cv", "cv"), ("fano", "fano")):
            row[name], row[f"{name}_ci95"] = confidence(
                [getattr(run, of)[k] for run in runs]
            )
        rows.append(row)
        print(
            "{target:8} drive {drive:6.1f} Hz  rate {rate:6.2f} +- {rate_ci95:.2f} "
            "(curve {lawful_rate:6.2f})  CV {cv:.3f} +- {cv_ci95:.3f}  "
            "Fano {fano:.3f} +- {fano_ci95:.3f}".format(**row)
        )
    return rows


def memory(
    order: int, neurons: int, kept: float, seed: int, measured: SpikeStatistics
) -> dict:
    u = white_noise(DURATION, DT, 2.0, 0.5, seed).samples
    ldn = LDN(order, THETA)
    built = build_noisy_memory(
        u,
        order=order,
        theta=THETA,
        n_neurons=neurons,
        tau=TAU,
        max_rate=MAX_RATE,
        kept=kept,
        dt=DT,
        seed=seed,
    )
    state, spikes = run_noisy_memory(built, len(u), seed)
    exact = np.zeros_like(state)
    exact[1:] = ldn.simulate(u, DT)[:-1]
    window = ldn.steps(DT)
    readout = ldn.readout(THETA - DT, DT)
    scale = rms(exact[window:] @ readout)
    error = (state - exact)[window:]
    row = {
        "state_rmse": rms(error),
        "noise_nrmse": rms(error @ readout) / scale,
        "rate": spikes / neurons,
    }
    curves = {"law": None} | ({"law_measured": measured} if kept == KEPT else {})
    for name, curve in curves.items():
        P = noise_covariance(built, exact, curve)
        row[f"{name}_state_rmse"] = np.sqrt(np.trace(P) / order)
        row[f"{name}_noise_nrmse"] = np.sqrt(readout @ P @ readout) / scale
        row[f"over_{name}"] = row["state_rmse"] / row[f"{name}_state_rmse"]
    return row


def memory_row(order: int, neurons: int, kept: float, runs: list[dict]) -> dict:
    row: dict = {"order": order, "neurons": neurons, "kept": kept}
    for name in runs[0]:
        row[name], row[f"{name}_ci95"] = confidence([run[name] for run in runs])
    spec = MemorySpec(
        n_neurons=neurons, order=order, theta=THETA, tau=TAU, max_rate=MAX_RATE
    )
    row["poisson_pairs_noise_nrmse"] = predict(spec).noise_nrmse()
    print(
        "d={order} m={neurons:4} kept {kept:.3f}  state {state_rmse:.4f} +- "
        "{state_rmse_ci95:.4f} (predicted {law_state_rmse:.4f}, over it "
        "{over_law:.3f} +- {over_law_ci95:.3f})  readout {noise_nrmse:.4f} +- "
        "{noise_nrmse_ci95:.4f} (predicted {law_noise_nrmse:.4f})  "
        "{rate:.1f} Hz".format(**row)
    )
    if "over_law_measured" in row:
        print(
            "    over the error predicted with measured tuning "
            "{over_law_measured:.3f} +- {over_law_measured_ci95:.3f}".format(**row)
        )
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    seeds = [SEED + k for k in range(options.seeds)]
    rows: list[dict] = []
    for target in ("core", "emulator"):
        cells = ((target, seed) for seed in seeds)
        found = list(in_processes(tuning, cells, options.jobs))
        rows += tuning_rows(target, found)
    measured = mean_of(found)
    memories = []
    for which in MEMORIES:
        cells = ((*which, seed, measured) for seed in seeds)
        found = list(in_processes(memory, cells, options.jobs))
        memories.append(memory_row(*which, found))
    record = {
        "command": "python benchmarks/loihi_noise.py",
        "seeds": [seeds[0], seeds[-1]],
        "tuning": rows,
        "memories": memories,
        "versions": versions(),
    }
    write_json(ROOT / "benchmarks" / "results" / "loihi_noise.json", record)
    draw(record)


def draw(record: dict) -> None:
    drives = np.linspace(DRIVES[0], 160, 221)
    curve = [
        {"drive": x, "rate": y} for x, y in zip(drives, rate_of(drives), strict=True)
    ]
    shown = [row for row in record["tuning"] if row["drive"] <= 160]
    figure = loihi_noise_figure(record | {"curve": curve, "tuning": shown})
    save_figure(figure, ROOT / "docs" / "figures" / "loihi_noise.png")


def mean_of(runs: list[SpikeStatistics]) -> SpikeStatistics:
    """The same statistics from all seeds; intervals are left to `tuning_rows`."""
    names = SpikeStatistics.__dataclass_fields__
    return SpikeStatistics(
        **{
            name: np.mean([getattr(run, name) for run in runs], axis=0)
            for name in names
        }
    )


if __name__ == "__main__":
    main()
