"""``python -m peers MODULE CASE.npz OUT.json``: time one simulator in this process.

A run is timed without what is done once: some simulators compile for a number of steps.
"""

import hashlib
import importlib
import json
import math
import os
import stat
import sys
import threading
import timeit
import warnings

import numpy as np

PACKAGE = ("core", "compiled")  # these take networks from lmu_spiking itself
FIRST = 8  # steps of the first, uncounted run


def main(module: str, case_file: str, out: str) -> None:
    """Measure, and write the row; what a simulator lacks is a row, too."""
    warnings.simplefilter("ignore")
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    with np.load(case_file) as file:
        case = dict(file)
    # our own process may import the package; others rebuild the arrays
    if module in PACKAGE:
        cases = importlib.import_module("lmu_spiking.experiments.speed.run")
        sizes = len(case["A"]), len(case["gain"])
        asked = cases.Case(str(case["kind"]), *sizes, int(case["seed"]))
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
    """Return the row of a simulator that can run the case."""
    run = importlib.import_module(f"{__package__}.{module}").build(case)
    row = measured(run, float(case["seconds"]), int(case["repeats"]))
    row |= {"yardstick": yardstick(), "status": "measured", "version": run.version}
    return {k: getattr(value, "item", lambda v=value: v)() for k, value in row.items()}


def _line(error: Exception) -> str:
    """Return the first line of an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def measured(run, seconds: float, repeats: int) -> dict:
    """Time ``run(steps)`` in repeats that last ``seconds`` or more.

    Each number of steps is run once before it counts: some simulators compile for it.

    Parameters
    ----------
    run : callable
        Runs so many steps.  It may have ``multiple``, what steps must be a multiple of;
        ``first``, of the first run; and ``seconds(steps)``, a clock in place of ours.
    seconds : float
        Least length of a repeat.
    repeats : int

    Returns
    -------
    dict
        ``steps`` of a repeat, and ``best`` and ``median`` seconds of a step.
    """
    multiple = getattr(run, "multiple", 1)
    clock = getattr(run, "seconds", None) or _timed(run)
    steps = _whole(getattr(run, "first", FIRST), multiple)
    clock(steps)
    # more steps, until a repeat is long enough
    while (taken := clock(steps)) < seconds:
        more = min(1.25 * seconds / max(taken, 1e-9), 100.0)
        steps = _whole(max(2 * steps, math.ceil(steps * more)), multiple)
        clock(steps)
    times = np.array([taken, *(clock(steps) for _ in range(repeats - 1))]) / steps
    return {"steps": steps, "best": times.min(), "median": float(np.median(times))}


def yardstick() -> float:
    """Return the seconds to hash 4 MiB now: longer where the machine is busy."""
    data = bytes(2**22)
    return min(timeit.repeat(lambda: hashlib.sha256(data).digest(), number=1))


def _timed(run):
    """Return a clock of runs."""
    return lambda steps: timeit.timeit(lambda: run(steps), number=1)


def _whole(steps: int, multiple: int) -> int:
    """Return the least multiple that is so many steps or more."""
    return multiple * math.ceil(steps / multiple)


if __name__ == "__main__":
    main(*sys.argv[1:])
