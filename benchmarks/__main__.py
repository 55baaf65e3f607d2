"""Run an experiment and write its record: ``python benchmarks NAME [options]``.

Without a name, the experiments are listed.  Experiment ``NAME`` of the table below is
the function ``NAME`` of its module in this folder: it takes the options and returns a
record, or yields one after each part that takes long.  ``draw_NAME``, where there is
one, takes the record and returns a figure, or figures by name.  The record is printed
as tables and written to ``benchmarks/results/NAME.json`` with the command, versions and
threads; figures are written to ``docs/figures``.
"""

import argparse
import ast
import importlib
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RESULTS, FIGURES = ROOT / "benchmarks" / "results", ROOT / "docs" / "figures"

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
THREADS += ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class Experiment(NamedTuple):
    """An experiment of the table: its measurements, and what it needs.

    Attributes
    ----------
    minutes : int
        At full size, on two idle cores.
    measures : str
    options : dict
        Options of its own with their defaults, whose type is that of the values.
    module : str
        The file of this folder that has its function; its own name by default.
    one_thread : bool
        Times are compared, so that this process has one thread.
    records : bool
        Whether a record is written; else the tables are the result.
    """

    minutes: int
    measures: str
    options: dict = {}  # noqa: RUF012 (read alone)
    module: str = ""
    one_thread: bool = False
    records: bool = True


SIZES, SEEDS = [600, 6_000, 60_000, 600_000], [0, 1, 2, 3, 4]
SPEED = {"python": [], "neurons": SIZES, "seconds": 0.3}
DIGITS = {"seeds": SEEDS, "items": 0, "emulated": 1}
MNIST = {"python": [], "mnist": ""}
RIVAL = {"data": "", "model": "lstm", "hours": 6.0, "params": 235_000, "seed": 0}
RIVAL |= {"rate": 0.002, "epochs": 20.0, "batch": 100}
TABLE = {
    "noise": Experiment(3, "spike noise of a memory beside plain Nengo's"),
    "feedback": Experiment(
        20, "memories with and without error feedback", {"signals": 200}
    ),
    "optimal_feedback": Experiment(5, "what an optimal feedback would leave"),
    "membranes": Experiment(12, "IF, LIF and adaptive memories, and predicted"),
    "staggered": Experiment(10, "staggered neurons, measured and predicted"),
    "bounds": Experiment(
        10, "largest errors over their bound", {"memories": 250}, "staggered"
    ),
    "mismatch": Experiment(10, "what breaks staggered neurons", {}, "staggered"),
    "distortion": Experiment(5, "what curves distort, with and without feedback"),
    "lead": Experiment(2, "LIF memories whose lead is mapped out"),
    "intervals": Experiment(
        10, "runs within their predicted intervals", {"memories": 200}
    ),
    "populations": Experiment(2, "error feedback in ordinary Nengo models"),
    "law": Experiment(3, "error over orders and neurons against the prediction"),
    "spikes": Experiment(15, "neuron types against neurons, spikes and operations"),
    "optimal": Experiment(3, "noise-optimal memories beside the plain one"),
    "off_signal": Experiment(
        5, "such memories on signals of another kind", {"speech": ""}, "optimal"
    ),
    "plan": Experiment(
        20,
        "random requests to plan",
        {"requests": 20, "draw": 20261122, "in_turn": False},
    ),
    "recordings": Experiment(10, "memories planned for recordings", {"data": ""}),
    "channels": Experiment(
        10, "time, memory and prediction of channels", {}, "recordings", True
    ),
    "billion": Experiment(1, "time and memory of a billion neurons", {}, "scaling"),
    "scaling": Experiment(10, "build, memory and run against neurons", {"steps": 300}),
    "exponents": Experiment(10, "time and memory against m, d and T", {}, "scaling"),
    "dask_sweep": Experiment(10, "a sweep that loses its workers", {"trials": 500}),
    "conversion": Experiment(
        20, "accuracy drop of stacked and recurrent models", {"only": "", "task": ""}
    ),
    "learning_digits": Experiment(30, "digits in spikes", {}, "learning"),
    "learning_feedback": Experiment(8, "digits in few neurons", {}, "learning"),
    "learning_spikes": Experiment(8, "training on through spikes", {}, "learning"),
    "learning_psmnist": Experiment(
        45, "psMNIST with and without error feedback", {"data": ""}, "learning"
    ),
    "psmnist": Experiment(
        150, "all of psMNIST, rate-based and in spikes", {"data": "", "seeds": SEEDS}
    ),
    "learning_invariance": Experiment(30, "digits at other steps", {}, "learning"),
    "learning_length": Experiment(
        5, "training on long sequences", {}, "learning", True
    ),
    "learning_theta": Experiment(10, "a window that is learned", {}, "learning"),
    "learning_nonlinear": Experiment(
        25, "nonlinear functions of 100,000 steps", {}, "learning"
    ),
    "learning_rates": Experiment(
        15, "smooth signals at other sampling rates", {"data": ""}, "learning"
    ),
    "learning_theta_layers": Experiment(8, "two windows, learned", {}, "learning"),
    "learning_cost": Experiment(
        15,
        "LMU and LSTM by the clock",
        {"seconds": 120.0, "data": ""},
        *("learning", True),
    ),
    "spoken_digits": Experiment(
        30, "spoken digits in spikes, as a stream and of new speakers", {"data": ""}
    ),
    "training": Experiment(10, "an epoch beside other trainings", MNIST),
    "recipes": Experiment(
        5,
        "every recipe, beside the engine before JAX",
        {"seeds": SEEDS[:3], "only": []},
    ),
    "rivals_psmnist": Experiment(
        110, "one rival on all of MNIST", RIVAL, "rivals", True
    ),
    "rivals_mackey_glass": Experiment(
        40,
        "five seeds of each model on Mackey-Glass",
        {"only": [], "epochs": 60},
        "rivals",
        True,
    ),
    "rivals_capacity": Experiment(
        30, "the longest delay at a fixed error", {"epochs": 60}, "rivals", True
    ),
    "chip_reading": Experiment(10, "errors that a model for a chip tolerates"),
    "loihi": Experiment(
        120, "memories on the emulator, and peers", {"emulator": False}
    ),
    "loihi_digits": Experiment(50, "permuted digits on the emulator", DIGITS, "loihi"),
    "loihi_noise": Experiment(
        7, "Poisson-like neurons on the emulator", {"seeds": 10}, "loihi"
    ),
    "nir_peer": Experiment(10, "other simulators that read NIR", {"seeds": 5}),
    "simulator": Experiment(60, "speed of simulators, of which ours", SPEED),
    "simulator_start": Experiment(
        *(1, "time before the first step, and memory", {"neurons": 10_000_000}),
        *("simulator", False, False),
    ),
    "simulator_steps": Experiment(
        2, "single steps and runs, ours over Nengo's", {}, "simulator", True, False
    ),
}


def main(arguments: list[str]) -> int:
    """Run the experiment that is asked for; return the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"{__doc__.splitlines()[0]}\n\n{list_experiments()}")
        return 0
    name = re.sub(r"\W", "_", arguments[0])
    if name not in TABLE:
        print(f"{name} is no experiment; use one of:\n{list_experiments()}")
        return 2
    experiment = TABLE[name]
    if experiment.one_thread:  # before numpy and TensorFlow are imported
        os.environ |= dict.fromkeys(THREADS, "1")
    options = parse(name, experiment, arguments[1:])
    module = importlib.import_module(experiment.module or name)
    made = getattr(module, name)(options)
    # records are written as they come, so that an interrupted run leaves one
    for record in [made] if isinstance(made, dict) else made:
        show(record)
        if experiment.records and options.out:
            given = [f"python benchmarks {name}", *arguments[1:]]
            draw = getattr(module, f"draw_{name}", None)
            write(name, options, {"command": " ".join(given)} | record, draw)
    return 0


def list_experiments() -> str:
    """Return the table of experiments as text."""
    lines = [f"{'name':20}{'minutes':>7}  {'measures':52} record"]
    for name, one in TABLE.items():
        record = f"results/{name}.json" if one.records else "-"
        lines.append(f"{name:20}{one.minutes:7}  {one.measures:52} {record}")
    return "\n".join(lines)


def parse(name: str, experiment: Experiment, arguments) -> argparse.Namespace:
    """Return the options of an experiment; ``out`` is empty if nothing is written."""
    text = (ROOT / "benchmarks" / f"{experiment.module or name}.py").read_text()
    text, form = ast.get_docstring(ast.parse(text)), argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(name, None, text, formatter_class=form)
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--fast", action="store_true", help="small, to try it")
    folder = "folder of the record and figures; nothing is written with --fast"
    parser.add_argument("--out", type=Path, help=folder)
    folder = "folder of finished parts, which are not run again"
    parser.add_argument("--parts", "--runs", type=Path, help=folder)
    # options of its own: a list takes several values, or is repeated
    for option, default in experiment.options.items():
        how = {"type": type(default), "help": f"{default or 'none'} by default"}
        if isinstance(default, bool):
            how = {"action": "store_true"}
        elif isinstance(default, list):
            kind = type(default[0]) if default else str
            how |= {"type": kind, "nargs": "+" if default else None}
            how |= {} if default else {"action": "append"}
        parser.add_argument(f"--{option}", default=default, **how)
    options = parser.parse_args(arguments)
    options.figures = options.out or FIGURES
    options.out = options.out or (None if options.fast else RESULTS)
    size = "fast" if options.fast else "full"
    options.parts = options.parts or ROOT / "out" / "benchmarks" / size / name
    return options


def show(record: dict) -> None:
    """Print the numbers of a record, and its rows as tables without their lists."""
    import pandas as pd

    for key, value in record.items():
        if isinstance(value, dict) and key not in ("versions", "threads", "settings"):
            show(value)
        elif isinstance(value, (int, float)):
            print(f"{key}: {value:,.5g}" if value % 1 else f"{key}: {value:,.0f}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            table = pd.DataFrame(value)
            # lists within rows are for the record alone
            plain = [n for n in table if not isinstance(table[n][0], (list, dict))]
            text = table[plain[:16]].to_string(
                index=False, max_rows=60, line_width=120, float_format="{:.4g}".format
            )
            print(f"\n{key}\n{text}", flush=True)


def write(name: str, options, record: dict, draw) -> None:
    """Write the record of an experiment, and the figures that are drawn of it."""
    from lmu_spiking.experiments.records import made_with
    from lmu_spiking.plots import save_figure
    from lmu_spiking.studies.records import write_json

    write_json(options.out / f"{name}.json", record | made_with())
    if draw is not None:
        # one figure has the name of the experiment
        drawn = draw(record)
        figures = drawn if isinstance(drawn, dict) else {name: drawn}
        for title, figure in figures.items():
            save_figure(figure, options.figures / f"{title}.png")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
