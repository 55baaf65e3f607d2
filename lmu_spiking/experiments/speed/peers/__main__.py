"""``python -m peers MODULE CASE.npz OUT.json``: time one simulator in this process."""

import importlib
import json
import os
import stat
import sys
import threading
import warnings

import numpy as np

from . import timing

PACKAGE = ("core", "compiled")  # these take networks from lmu_spiking itself


def main(module: str, case_file: str, out: str) -> None:
    """Measure, and write the row; what a simulator lacks is a row, too."""
    warnings.simplefilter("ignore")
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    with np.load(case_file) as file:
        case = dict(file)
    if module in PACKAGE:
        cases = importlib.import_module("lmu_spiking.experiments.speed.run")
        asked = cases.Case(
            str(case["kind"]), len(case["A"]), len(case["gain"]), int(case["seed"])
        )
        case["model"] = lambda: cases.model(asked)
    try:
        row = _measured(module, case)
    except ImportError as error:
        row = {"status": "not installed", "reason": _line(error)}
    except NotImplementedError as error:
        row = {"status": "cannot", "reason": _line(error)}
    except Exception as error:
        row = {"status": "failed", "reason": f"{type(error).__name__}: {_line(error)}"}
    with open(out, "w") as file:
        json.dump(row, file)
    sys.stdout.flush()
    os._exit(0)  # some simulators take long, or fail, to take themselves down


def _end_with_parent() -> None:
    """End this process when the process at the other end of its input ends."""
    while os.read(0, 1):
        pass
    os._exit(1)


def _measured(module: str, case: dict) -> dict:
    run = importlib.import_module(f"{__package__}.{module}").build(case)
    seconds, repeats = float(case["seconds"]), int(case["repeats"])
    taken = timing.measured(run, seconds, repeats)
    taken["yardstick"] = timing.yardstick()
    taken |= {"status": "measured", "version": run.version}
    return {
        key: getattr(value, "item", lambda v=value: v)() for key, value in taken.items()
    }


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


if __name__ == "__main__":
    main(*sys.argv[1:])
