"""Our memory on Loihi's emulator, its peers beside it, and its error predicted.

    python benchmarks/loihi.py [--parts DIR] [--emulator]

Window (theta 1 s, order 6, 1 Hz, tau .1 s; seeds 0 to 9), the thesis's delay network
(cases 1 to 10), the eleven rows of theta, band and synapse (seeds 0 to 9; peers, 0 to
2), and 30 memories drawn at random.  On the window ours runs with as many neurons as
its peers, and with as many spikes.  Ours runs on the emulator's replica, which gives
the same spikes as NengoLoihi's emulator (tests/loihi/test_replica.py); --emulator runs
ours on the emulator itself, hours more.  Needs NengoLoihi; about two hours on one idle
core, most of it the peers.  What DIR holds is not run again.  Writes
benchmarks/results/loihi.json and docs/figures/loihi.png.
"""

import argparse
from pathlib import Path

import pandas as pd

from lmu_spiking.experiments.chip import peer_networks as peers
from lmu_spiking.experiments.chip.ours import Ours, run_ours
from lmu_spiking.experiments.chip.peers import (
    Case,
    run_cases,
    summarise,
    table_cases,
    thesis_cases,
    window_cases,
)
from lmu_spiking.experiments.chip.predicted import run_predictions
from lmu_spiking.experiments.chip.signals import TABLE, THESIS, WINDOW
from lmu_spiking.experiments.figures import loihi_figure
from lmu_spiking.experiments.published.delay_network import OUR_RATE, OUR_TAU
from lmu_spiking.plots import save_figure
from lmu_spiking.studies.metrics import confidence
from lmu_spiking.studies.records import write_json
from lmu_spiking.studies.trial import versions

ROOT = Path(__file__).resolve().parent.parent
EQUAL_SPIKES = (20, 41, 83)  # a dimension: the spikes of the notebook's 50, 100, 200
ROW = ["theta", "bandwidth", "tau"]


def ours(parts, emulator: bool) -> pd.DataFrame:
    quick = {"replica": not emulator}
    cases = [
        Ours(WINDOW, n, seed, "emulator", **quick)
        for seed in range(10)
        for n in (*WINDOW.neurons, *EQUAL_SPIKES)
    ]
    for target in ("emulator", "core"):
        some = {"replica": target != "core" and not emulator}
        cases += [
            Ours(THESIS, 128, case, target, "lif", OUR_RATE, OUR_TAU, **some)
            for case in range(1, 11)
        ]
        cases += [
            Ours(row, 100, seed, target, **some) for seed in range(10) for row in TABLE
        ]
    return run_ours(cases, parts)


def theirs(parts) -> pd.DataFrame:
    recipes = (peers.best_known(), peers.official(), peers.best_known("lif"))
    cases = [*thesis_cases(10), *window_cases(10, (50, 100), recipes)]
    cases += window_cases(10, (50,), [peers.weights_relay()])
    cases += [*table_cases(3), *window_cases(10, (200,), [peers.official()])]
    cases += [Case(peers.best_known(), WINDOW, 200, seed) for seed in range(10)]
    return run_cases(cases, parts)


def side_by_side(mine: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """A line for each row of the table: means over seeds."""
    own = mine[mine.benchmark == "table"].pivot_table(
        index=ROW, columns="target", values=["nrmse", "state_nrmse"], sort=False
    )
    other = known[(known.benchmark == "table") & (known.peer == "weights and relay")]
    other = other.pivot_table(index=ROW, columns="target", values="nrmse", sort=False)
    table = pd.DataFrame(
        {
            "core": own["nrmse"]["core"],
            "emulator": own["nrmse"]["sim"],
            "state_core": own["state_nrmse"]["core"],
            "state_emulator": own["state_nrmse"]["sim"],
            "peer_core": other["core"],
            "peer_emulator": other["sim"],
        }
    ).reset_index()
    table["ratio"] = table.emulator / table.core
    table["label"] = [
        f"{r.theta:g} s, {r.bandwidth:g} Hz, {r.tau:g}" for r in table.itertuples()
    ]
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default=ROOT / "out/loihi")
    parser.add_argument("--emulator", action="store_true", help="ours on it, too")
    options = parser.parse_args()
    mine, known = ours(options.parts, options.emulator), theirs(options.parts)
    found = run_predictions(range(30), options.parts)
    table, summary = side_by_side(mine, known), summarise(pd.concat([mine, known]))
    shown = ["benchmark", "peer", "target", "n_per_dimension", "seeds", "refused"]
    shown += ["nrmse", "low", "high", "best", "lost_bits", "overflows"]
    print(summary[summary.benchmark != "table"][shown].round(4).to_string(index=False))
    print(table.drop(columns="label").round(4).to_string(index=False))
    mean, half = confidence(found.ratio)
    within = int((abs(found.ratio - 1) <= 0.25).sum())
    print(f"measured / predicted: {mean:.3f} +- {half:.3f}, {within} of 30 within 25 %")
    window = summary[(summary.benchmark == "window") & (summary.target == "sim")]
    figure = loihi_figure(window, table, found)
    save_figure(figure, ROOT / "docs/figures/loihi.png")
    result = {
        "summary": summary.to_dict("records"),
        "table": table.to_dict("records"),
        "predictions": found.to_dict("records"),
        "versions": versions(),
    }
    write_json(ROOT / "benchmarks/results/loihi.json", result)


if __name__ == "__main__":
    main()
