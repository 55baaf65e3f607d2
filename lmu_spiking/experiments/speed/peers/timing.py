"""The time of a run, without what is done once."""

import hashlib
import math
import time

import numpy as np

FIRST = 8  # steps of the first, uncounted run


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
    while (taken := clock(steps)) < seconds:
        more = min(1.25 * seconds / max(taken, 1e-9), 100.0)
        steps = _whole(max(2 * steps, math.ceil(steps * more)), multiple)
        clock(steps)
    times = np.array([taken, *(clock(steps) for _ in range(repeats - 1))]) / steps
    return {"steps": steps, "best": times.min(), "median": float(np.median(times))}


def yardstick() -> float:
    """Seconds to hash 4 MiB now: longer where the machine is busy."""
    data, times = bytes(2**22), []
    for _ in range(5):
        start = time.perf_counter()
        hashlib.sha256(data).digest()
        times.append(time.perf_counter() - start)
    return min(times)


def _timed(run):
    def clock(steps: int) -> float:
        start = time.perf_counter()
        run(steps)
        return time.perf_counter() - start

    return clock


def _whole(steps: int, multiple: int) -> int:
    return multiple * math.ceil(steps / multiple)
