"""Cases of an experiment: run in parallel or alone, kept on disk, averaged over seeds.

An experiment measures many cases, some for hours.  So each finished case may be kept in
a folder and is not run again (`kept`, `trained`); workers end with their parent
(`in_parallel`, `run_alone`); and a record says what it was made with (`made_with`).
"""

import hashlib
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from lmu_spiking.errors import LMUSpikingError
from lmu_spiking.files import NOT_OURS, read_json, set_aside
from lmu_spiking.metrics import PACKAGES, confidence, versions
from lmu_spiking.processes import follow, in_processes
from lmu_spiking.studies.records import to_json, write_json

# variables that set the threads of a process, on which its times depend
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


# -- running cases -------------------------------------------------------------------


def count_cases(total: int) -> Callable:
    """Return a function that shows on standard error how many cases are finished."""
    done = []

    def count(_=None) -> None:
        done.append(1)
        end = "\n" if len(done) == total else ""
        print(f"\r{len(done)}/{total}", end=end, file=sys.stderr, flush=True)

    return count


def in_parallel(
    run: Callable,
    arguments: Iterable[tuple],
    jobs: int,
    on_done: Callable | None = None,
) -> list:
    """Return ``run(*each)`` for each of the arguments, from ``jobs`` processes.

    Parameters
    ----------
    run : callable
    arguments : iterable of tuple
    jobs : int
        Processes; -1 for one on each core.
    on_done : callable, optional
        Is called with each result; a count on standard error by default.

    Returns
    -------
    list
        In the order of the arguments.

    Raises
    ------
    LMUSpikingError
        If a worker was killed.
    """
    arguments, results = list(arguments), []
    on_done = on_done or count_cases(len(arguments))
    try:
        for value in in_processes(run, arguments, jobs):
            results.append(value)
            on_done(value)
    except BrokenProcessPool:
        raise LMUSpikingError(
            "a worker was killed, perhaps for want of memory: use fewer jobs"
        ) from None
    return results


def run_alone(run: Callable, *arguments, **options):
    """Return ``run(*arguments, **options)`` from a new process.

    Its largest memory, and the time of its imports, are then its own.
    """
    context, parent = multiprocessing.get_context("spawn"), (os.getpid(),)
    with context.Pool(1, follow, parent) as pool:
        return pool.apply(run, arguments, options)


# -- cases on disk -------------------------------------------------------------------


def kept(out, name: str, about: dict, make: Callable[[], dict]) -> dict:
    """Return ``make()``, or its result of an earlier run with the same ``about``.

    Parameters
    ----------
    out : path-like or None
        Folder; its ``parts/NAME.json`` stores both.  None stores nothing.
    name : str
    about : dict
        Everything that the result depends on.
    make : callable

    Returns
    -------
    dict
        Of plain values, as JSON has them.
    """
    if out is None:
        return json.loads(to_json(make()))
    path, about = Path(out) / "parts" / f"{name}.json", json.loads(to_json(about))
    try:
        # a file of an earlier version has no checksum
        was = read_json(path)
        whole = was.get("check") in (None, _checksum(was["value"]))
        if was["about"] == about and whole and isinstance(was["value"], dict):
            return was["value"]
    except FileNotFoundError:
        pass
    except NOT_OURS:
        set_aside(path, "is no part of a reproduction")
    value = json.loads(to_json(make()))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"about": about, "value": value, "check": _checksum(value)})
    return value


def _checksum(value) -> str:
    """Return a checksum of a stored value."""
    return hashlib.sha256(to_json(value).encode()).hexdigest()[:16]


# -- rows ----------------------------------------------------------------------------


def group(rows: Iterable[dict], *keys: str) -> dict:
    """Return rows by the value of a key, or of several, in their order.

    Parameters
    ----------
    rows : iterable of dict
    *keys : str

    Returns
    -------
    dict of list
    """
    groups: dict = {}
    for row in rows:
        value = tuple(row[key] for key in keys)
        groups.setdefault(value if len(keys) > 1 else value[0], []).append(row)
    return groups


def average(
    rows: Iterable[dict],
    keys: Sequence[str],
    means: Sequence[str] = (),
    intervals: Sequence[str] = (),
    largest: Sequence[str] = (),
) -> list[dict]:
    """Return one row for each combination of ``keys``, averaged over the others.

    Parameters
    ----------
    rows : iterable of dict
    keys : sequence of str
        Columns that tell the combinations apart, which keep their order.
    means, largest : sequence of str
        Columns whose mean, and whose largest value, is taken.
    intervals : sequence of str
        Columns whose mean is taken, with half the width of its 95 % interval (Student's
        t over the rows) in ``NAME_ci95``.

    Returns
    -------
    list of dict
    """
    table = []
    for same in group(rows, *keys).values():
        entry = {key: same[0][key] for key in keys}
        entry |= {name: float(np.mean([row[name] for row in same])) for name in means}
        for name in intervals:
            mean, half = confidence([row[name] for row in same])
            entry |= {name: mean, f"{name}_ci95": half}
        entry |= {name: max(row[name] for row in same) for name in largest}
        table.append(entry)
    return table


def pick(value, *names: str) -> dict:
    """Return attributes of a value by their names.

    Parameters
    ----------
    value : object
    *names : str

    Returns
    -------
    dict
    """
    return {name: getattr(value, name) for name in names}


def made_with() -> dict:
    """Return the versions, and the threads and cores that times depend on."""
    found = versions((*PACKAGES, "jax", "optax", "scikit-learn"))
    threads = {name: os.environ.get(name) for name in THREADS}
    return {"versions": found, "threads": threads, "cores": os.cpu_count()}
