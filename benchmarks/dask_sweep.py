"""A sweep on a Dask cluster that loses a worker and its driver, against joblib's.

    python benchmarks/dask_sweep.py [--trials 500] [--runs runs/dask_sweep]

Starts a scheduler and two workers, each a process, and a study as a user would.  After
a third of the trials one worker is killed, after half of them the study itself (both
with SIGKILL).  A new worker comes and the study is resumed; all trials must be there
once, those finished before untouched, and every measured number the same bit for bit as
in a run with joblib.  Writes benchmarks/results/dask_sweep.json.
"""

import argparse
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

from lmu_spiking.studies.records import write_json
from lmu_spiking.studies.trial import versions

ROOT = Path(__file__).resolve().parent.parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
STUDY = [
    *("study", "--orders=2,3", "--neurons-per-dimension=20,30", "--json"),
    *("--duration=1", "--theta=0.2", "--seed=20261121"),
]


class Cluster:
    """A scheduler and workers of one thread, started by hand and without nannies."""

    def __init__(self, runs: Path):
        self.runs, self.processes = runs, []
        file = runs / "scheduler.json"
        self.start(
            *("scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard"),
            f"--scheduler-file={file}",
        )
        until(file.is_file, "a scheduler")
        self.address = json.loads(file.read_text())["address"]

    def start(self, *arguments: str) -> subprocess.Popen:
        log = (self.runs / "cluster.log").open("a")
        command = [sys.executable, "-m", "dask", *arguments]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment())
        self.processes.append(process)
        return process

    def worker(self) -> subprocess.Popen:
        folder = f"--local-directory={self.runs / 'workers'}"
        options = ("--nthreads=1", "--no-nanny", "--no-dashboard", folder)
        return self.start("worker", self.address, *options)

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(30)


def environment() -> dict:
    return {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": str(ROOT)}


def until(true, what: str, process: subprocess.Popen | None = None) -> None:
    """Wait for a condition, a quarter of an hour at most."""
    deadline = time.monotonic() + 900
    while not true():
        if time.monotonic() > deadline or (process and process.poll() is not None):
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.02)


def study(
    trials: int, out: Path, *options: str, told=subprocess.PIPE
) -> subprocess.Popen:
    """Start a study of four combinations; ``told`` takes its standard error."""
    each = f"--trials={trials // 4}"
    command = [sys.executable, "-m", "lmu_spiking", *STUDY, each, f"--out={out}"]
    return subprocess.Popen(
        [*command, *options],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=told,
        text=True,
    )


def finished(process: subprocess.Popen) -> tuple[dict, list[str]]:
    out, error = process.communicate()
    if process.returncode:
        raise SystemExit(f"a study ended with {process.returncode}: {error}")
    return json.loads(out), error.splitlines()


def files(out: Path) -> dict[str, int]:
    """When the file of each finished trial was written."""
    return {p.name: p.stat().st_mtime_ns for p in (out / "trials").glob("*.json")}


def interrupted(trials: int, out: Path, cluster: Cluster) -> dict:
    """Kill one of two workers, and then the driver; files must be whole."""
    workers = [cluster.worker(), cluster.worker()]
    log = cluster.runs / "driver.log"
    with log.open("w") as told:
        driver = study(trials, out, f"--scheduler={cluster.address}", told=told)
    until(lambda: len(files(out)) >= trials // 3, "a third of the trials", driver)
    at_worker = len(files(out))
    workers[0].kill()
    until(lambda: "has gone" in log.read_text(), "a line about the worker", driver)
    until(lambda: len(files(out)) >= trials // 2, "half of the trials", driver)
    driver.kill()
    driver.communicate()
    assert driver.returncode == -signal.SIGKILL
    for name in files(out):
        record = json.loads((out / "trials" / name).read_text())
        assert record["row"] and f"{record['digest']}.json" == name
    return {"finished_at_kill_of_worker": at_worker, "kept": files(out)}


def measured(out: Path) -> pd.DataFrame:
    """All columns that do not depend on the clock."""
    frame = pd.read_parquet(out / "trials.parquet")
    return frame.drop(columns=[name for name in frame if name.startswith("seconds_")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--runs", default=str(ROOT / "runs" / "dask_sweep"))
    options = parser.parse_args()
    Path(options.runs).mkdir(parents=True, exist_ok=True)
    runs, trials = Path(tempfile.mkdtemp(dir=options.runs)), options.trials

    cluster = Cluster(runs)
    try:
        start = time.perf_counter()
        stopped = interrupted(trials, runs / "dask", cluster)
        middle = time.perf_counter()
        kept = stopped["kept"]
        print(f"worker killed at {stopped['finished_at_kill_of_worker']} trials")
        print(f"driver killed at {len(kept)} trials, all of them whole")
        cluster.worker()
        resumed, told = finished(
            study(trials, runs / "dask", f"--scheduler={cluster.address}")
        )
        end = time.perf_counter()
    finally:
        cluster.close()
    now = files(runs / "dask")
    assert resumed["trials"] == len(now) == trials, (resumed["trials"], len(now))
    untouched = sum(now[name] == when for name, when in kept.items())
    assert untouched == len(kept), (untouched, len(kept))
    print(f"resumed: {len(now)} trials, {untouched} of them untouched; told {told}")

    finished(study(trials, runs / "joblib", "--jobs=2"))
    dask, joblib = measured(runs / "dask"), measured(runs / "joblib")
    assert dask.digest.is_unique and len(dask) == trials
    pd.testing.assert_frame_equal(dask, joblib, check_exact=True)
    print(f"{len(dask)} rows of {len(dask.columns)} columns equal joblib's bit for bit")
    packages = ("dask", "distributed", "joblib", "pandas")
    write_json(
        ROOT / "benchmarks" / "results" / "dask_sweep.json",
        {
            "command": "python benchmarks/dask_sweep.py",
            "study": ["lmu-spiking", *STUDY, f"--trials={trials // 4}"],
            "trials": trials,
            "finished_when_a_worker_was_killed": stopped["finished_at_kill_of_worker"],
            "finished_when_the_driver_was_killed": len(kept),
            "untouched_by_the_resumed_study": untouched,
            "run_by_the_resumed_study": trials - untouched,
            "present_once": len(dask),
            "columns_equal_to_joblib": list(dask.columns),
            "seconds_until_killed": middle - start,
            "seconds_resumed": end - middle,
            "versions": versions() | {name: version(name) for name in packages},
        },
    )


if __name__ == "__main__":
    main()
