"""A sweep on a Dask cluster that loses a worker and its driver, against joblib's.

Starts a scheduler and two workers, each a process, and a study as a user would.  After
a third of the trials one worker is killed, after half of them the study itself (both
with SIGKILL).  A new worker comes and the study is resumed; all trials must be there
once, those finished before untouched, and every measured number the same bit for bit as
in a run with joblib.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from lmu_spiking.experiments import BLAS_THREADS

ROOT = Path(__file__).resolve().parent.parent
STUDY = [
    *("study", "--orders=2,3", "--neurons-per-dimension=20,30", "--json"),
    *("--duration=1", "--theta=0.2", "--seed=20261121"),
]


class Cluster:
    """A scheduler and workers of one thread, started by hand and without nannies."""

    def __init__(self, runs: Path):
        self.runs, self.processes = runs, []
        file = runs / "scheduler.json"
        options = ("--host=127.0.0.1", "--port=0", "--no-dashboard")
        self.start("scheduler", *options, f"--scheduler-file={file}")
        wait_until(file.is_file, "a scheduler")
        self.address = json.loads(file.read_text())["address"]

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start a process of Dask."""
        log = (self.runs / "cluster.log").open("a")
        command = [sys.executable, "-m", "dask", *arguments]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment())
        self.processes.append(process)
        return process

    def worker(self) -> subprocess.Popen:
        """Start a worker."""
        folder = f"--local-directory={self.runs / 'workers'}"
        options = ("--nthreads=1", "--no-nanny", "--no-dashboard", folder)
        return self.start("worker", self.address, *options)

    def close(self) -> None:
        """End all processes, workers first."""
        for process in reversed(self.processes):
            process.terminate()
            process.wait(30)


def environment() -> dict:
    """Return variables that give a process one thread and this version."""
    return {**os.environ, **dict.fromkeys(BLAS_THREADS, "1"), "PYTHONPATH": str(ROOT)}


def wait_until(true, what: str, process: subprocess.Popen | None = None) -> None:
    """Wait for a condition, a quarter of an hour at most."""
    deadline = time.monotonic() + 900
    while not true():
        if time.monotonic() > deadline or (process and process.poll() is not None):
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.02)


def start(trials: int, out: Path, *options: str, log=subprocess.PIPE):
    """Start a study of four combinations; ``log`` takes its standard error."""
    each = f"--trials={trials // 4}"
    command = [sys.executable, "-m", "lmu_spiking", *STUDY, each, f"--out={out}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": log, "text": True}
    return subprocess.Popen([*command, *options], env=environment(), **pipes)


def wait_for(process: subprocess.Popen) -> dict:
    """Return the JSON that a study prints when it ends."""
    out, error = process.communicate()
    if process.returncode:
        raise SystemExit(f"a study ended with {process.returncode}: {error}")
    return json.loads(out)


def files(out: Path) -> dict[str, int]:
    """Return when the file of each finished trial was written."""
    return {p.name: p.stat().st_mtime_ns for p in (out / "trials").glob("*.json")}


def interrupt(trials: int, out: Path, cluster: Cluster) -> tuple[int, dict]:
    """Kill one of two workers, and then the driver; return what was finished."""
    workers = [cluster.worker(), cluster.worker()]
    log = cluster.runs / "driver.log"
    with log.open("w") as file:
        driver = start(trials, out, f"--scheduler={cluster.address}", log=file)
    wait_until(lambda: len(files(out)) >= trials // 3, "a third of the trials", driver)
    at_worker = len(files(out))
    workers[0].kill()
    wait_until(lambda: "has gone" in log.read_text(), "a line of the worker", driver)
    wait_until(lambda: len(files(out)) >= trials // 2, "half of the trials", driver)
    driver.kill()
    driver.communicate()
    assert driver.returncode == -signal.SIGKILL
    for name in files(out):  # each is whole
        record = json.loads((out / "trials" / name).read_text())
        assert record["row"] and f"{record['digest']}.json" == name
    return at_worker, files(out)


def measurements(out: Path) -> pd.DataFrame:
    """Return all columns that do not depend on the clock."""
    frame = pd.read_parquet(out / "trials.parquet")
    return frame.drop(columns=[name for name in frame if name.startswith("seconds_")])


def dask_sweep(options) -> dict:
    """Return how many trials were finished, untouched and equal to joblib's."""
    trials = 24 if options.fast else options.trials
    options.parts.mkdir(parents=True, exist_ok=True)
    runs = Path(tempfile.mkdtemp(dir=options.parts))
    # interrupt a study twice, and resume it with another worker
    cluster = Cluster(runs)
    try:
        begun = time.perf_counter()
        at_worker, before = interrupt(trials, runs / "dask", cluster)
        killed = time.perf_counter()
        cluster.worker()
        scheduler = f"--scheduler={cluster.address}"
        resumed = wait_for(start(trials, runs / "dask", scheduler))
        end = time.perf_counter()
    finally:
        cluster.close()
    # every trial is there once, and those finished before are untouched
    now = files(runs / "dask")
    assert resumed["trials"] == len(now) == trials, (resumed["trials"], len(now))
    untouched = sum(now[name] == when for name, when in before.items())
    assert untouched == len(before), (untouched, len(before))
    # every measured number is that of joblib
    wait_for(start(trials, runs / "joblib", "--jobs=2"))
    dask, joblib = measurements(runs / "dask"), measurements(runs / "joblib")
    assert dask.digest.is_unique and len(dask) == trials
    pd.testing.assert_frame_equal(dask, joblib, check_exact=True)
    return {
        "study": ["lmu-spiking", *STUDY, f"--trials={trials // 4}"],
        "trials": trials,
        "finished_when_a_worker_was_killed": at_worker,
        "finished_when_the_driver_was_killed": len(before),
        "untouched_by_the_resumed_study": untouched,
        "run_by_the_resumed_study": trials - untouched,
        "present_once": len(dask),
        "columns_equal_to_joblib": list(dask.columns),
        "seconds_until_killed": killed - begun,
        "seconds_resumed": end - killed,
        "packages": {n: version(n) for n in ("dask", "distributed", "joblib")},
    }
