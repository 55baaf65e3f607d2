"""Run an experiment and write its record: ``python benchmarks NAME [options]``.

Without a name, the experiments are listed.  Experiment ``NAME`` of the table below is
the function ``NAME`` of its module in this folder: it takes the options and returns a
record, or yields one after each part that takes long.  ``draw_NAME``, where there is
one, takes the record and returns a figure, or figures by name.  The record is printed
as tables and written to ``benchmarks/results/NAME.json`` with the command, versions and
threads; figures are written to ``docs/figures``.
"""

import argparse
import importlib
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS, FIGURES = ROOT / "benchmarks" / "results", ROOT / "docs" / "figures"

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
THREADS += ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@dataclass(frozen=True)
class Experiment:
    """What an experiment measures, and what it needs.

    Attributes
    ----------
    measures : str
    minutes : str
        At full size, on two idle cores.
    module : str
        The file of this folder that has its function; its own name by default.
    options : dict of str to tuple
        Options of its own: a default, whose type is that of the values, and a help
        text.
    one_thread : bool
        Times are compared, so that this process has one thread.
    records : bool
        Whether a record is written; else the tables are the result.
    """

    measures: str
    minutes: str
    module: str = ""
    options: dict = field(default_factory=dict)
    one_thread: bool = False
    records: bool = True


PEER = {"--python": ([], "PEER=PATH of an interpreter that has a simulator")}
TABLE = {
    "noise": Experiment("spike noise of a memory beside plain Nengo's", "3"),
    "law": Experiment("error over orders and neurons against the prediction", "3"),
    "spikes": Experiment("neuron types against neurons, spikes and operations", "15"),
    "optimal": Experiment("noise-optimal memories beside the plain one", "3"),
    "off_signal": Experiment(
        *("such memories on signals that they were not tuned to", "5", "optimal"),
        {"--speech": ("", "file with speech at 8 kHz in its array 'audio' (.npz)")},
    ),
    "plan": Experiment(
        *("random requests to plan, and the networks that it returns", "3"),
        options={"--requests": (20, "number of requests")},
    ),
    "billion": Experiment("time and memory of a billion neurons", "1", "scaling"),
    "scaling": Experiment(
        *("build time, memory and run time against neurons", "10"),
        options={"--steps": (300, "least number of timed steps")},
    ),
    "dask_sweep": Experiment(
        *("a sweep that loses a worker and its driver", "10"),
        options={"--trials": (500, "number of trials")},
    ),
    "conversion": Experiment(
        *("accuracy drop of stacked and recurrent models", "20"),
        options={
            "--only": ("", "models whose name has this"),
            "--task": ("", "noise or digits"),
        },
    ),
    "learning_digits": Experiment(
        "digits in spikes of several sizes", "30", "learning"
    ),
    "learning_invariance": Experiment("digits at other time steps", "30", "learning"),
    "learning_length": Experiment(
        "training on 1,000 to 100,000 steps", "5", "learning", one_thread=True
    ),
    "learning_theta": Experiment("a window that is learned", "10", "learning"),
    "learning_cost": Experiment(
        *("training and inference of LMU and LSTM by the clock", "15", "learning"),
        options={"--seconds": (120.0, "seconds of training of each model")},
        one_thread=True,
    ),
    "training": Experiment(
        *("all times at once against step by step", "30"),
        options={
            "--batches": (3, "timed batches of the ways step by step"),
            "--epochs": (5, "timed epochs of all times at once"),
        },
        one_thread=True,
    ),
    "chip_reading": Experiment("errors that a model for a chip tolerates", "10"),
    "loihi": Experiment(
        *("memories on Loihi's emulator, peers and predictions", "120"),
        options={"--emulator": (False, "ours on the emulator, not on its replica")},
    ),
    "loihi_digits": Experiment(
        *("permuted digits on Loihi's emulator", "50", "loihi"),
        {
            "--seeds": ([0, 1, 2, 3, 4], "splits of the data"),
            "--items": (0, "digits of the test part; 0 for all"),
            "--emulated": (1, "digits of the first split on NengoLoihi itself"),
        },
    ),
    "loihi_noise": Experiment(
        *("Poisson-like neurons on Loihi's emulator", "7", "loihi"),
        {"--seeds": (10, "number of seeds")},
    ),
    "nir_peer": Experiment(
        *("a memory in other simulators that read NIR", "10"),
        options={"--seeds": (5, "number of seeds")},
    ),
    "simulator": Experiment(
        *("speed of simulators: Nengo, ours, NengoDL, NengoOCL, Brian2, C", "60"),
        options=PEER
        | {
            "--neurons": ([600, 6_000, 60_000, 600_000], "sizes of the memories"),
            "--seconds": (0.3, "least length of a repeat"),
        },
    ),
    "simulator_start": Experiment(
        *("time before the first step, and memory", "1", "simulator"),
        {"--neurons": (10_000_000, "neurons whose memory is measured")},
        records=False,
    ),
    "simulator_steps": Experiment(
        "single steps and runs, ours over Nengo's", "2", "simulator", {}, True, False
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
    for record in [made] if isinstance(made, dict) else made:
        show(record)
        if experiment.records and options.out:
            given = [f"python benchmarks {name}", *arguments[1:]]
            draw = getattr(module, f"draw_{name}", None)
            write(name, options, {"command": " ".join(given)} | record, draw)
    return 0


def list_experiments() -> str:
    """Return the table of experiments as text."""
    lines = [f"{'name':20}{'minutes':>7}  {'measures':60} record"]
    for name, one in TABLE.items():
        record = f"results/{name}.json" if one.records else "-"
        lines.append(f"{name:20}{one.minutes:>7}  {one.measures:60} {record}")
    return "\n".join(lines)


def parse(name: str, experiment: Experiment, arguments) -> argparse.Namespace:
    """Return the options of an experiment; ``out`` is empty if nothing is written."""
    parser = argparse.ArgumentParser(f"benchmarks {name}", None, experiment.measures)
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument(
        "--fast", action="store_true", help="small, to see that it runs"
    )
    folder = "folder of the record and figures; nothing is written with --fast"
    parser.add_argument("--out", type=Path, help=folder)
    folder = "folder of finished parts, which are not run again"
    parser.add_argument("--parts", "--runs", type=Path, help=folder)
    for option, (default, text) in experiment.options.items():
        how: dict = {"default": default, "help": f"{text} [{default}]"}
        if isinstance(default, bool):
            how["action"] = "store_true"
        elif default == []:
            how["action"] = "append"
        elif isinstance(default, list):
            how |= {"nargs": "+", "type": type(default[0])}
        else:
            how["type"] = type(default)
        parser.add_argument(option, **how)
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
        drawn = draw(record)
        figures = drawn if isinstance(drawn, dict) else {name: drawn}
        for title, figure in figures.items():
            save_figure(figure, options.figures / f"{title}.png")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
