"""Processes end with the one that started them, however that ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lmu_spiking
from lmu_spiking.processes import in_processes

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals")
ROOT = str(Path(lmu_spiking.__file__).parents[1])
PATIENCE = 60  # seconds in which anything must happen, on the busiest of machines

# The driver of two workers that compute for ever, each in its own way.
DRIVER = """
import os, sys, threading, time
from pathlib import Path
sys.path.insert(0, {root!r})
from lmu_spiking.processes import in_processes

def work(folder, kind):
    Path(folder, f"{{os.getpid()}}.pid").touch()
    while True:
        if kind == "sums":
            sum(range(10**6))
        elif kind == "sleeps":
            time.sleep(1)

def drive():
    list(in_processes(work, [(sys.argv[1], kind) for kind in sys.argv[2:]], 2))

if {threaded}:
    thread = threading.Thread(target=drive)
    thread.start()
    thread.join()
else:
    drive()
"""


def environment():
    paths = os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def until(true):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid):
    """Whether a process computes: one that nobody has asked about is a zombie."""
    try:
        os.kill(pid, 0)
        text = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except OSError:  # no /proc here, or gone meanwhile
        return Path("/proc/self/stat").exists() is False
    return text.rpartition(")")[2].split()[0] != "Z"


def children(pid):
    """All descendants of a process, from /proc."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(text.rpartition(")")[2].split()[1])
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("threaded", [False, True])
def test_workers_end_when_their_driver_is_killed(tmp_path, number, threaded):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(root=ROOT, threaded=threaded))
    line = [sys.executable, str(script), str(tmp_path), "sums", "sleeps"]
    driver = subprocess.Popen(line, env=environment())
    until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    assert all(map(alive, workers)) and driver.pid not in workers
    driver.send_signal(number)
    driver.wait(PATIENCE)
    until(lambda: not any(map(alive, workers)))


def square(x):
    return x * x


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("ordered", [True, False])
def test_results_of_processes(jobs, ordered):
    found = list(in_processes(square, [(x,) for x in range(5)], jobs, ordered))
    assert sorted(found) == [0, 1, 4, 9, 16]
    assert not ordered or found == sorted(found)


STUDY = (
    *("study", "--orders=1,2", "--neurons-per-dimension=20,40", "--trials=500"),
    *("--duration=1", "--theta=0.2", "--jobs=2", "--json"),
)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_study_that_is_ended_leaves_finished_trials_and_no_process(tmp_path, number):
    driver = subprocess.Popen(
        [sys.executable, "-m", "lmu_spiking", *STUDY],
        **{"cwd": tmp_path, "env": environment(), "text": True},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    trials = tmp_path / "out" / "study" / "trials"
    until(lambda: len(list(trials.glob("*.json"))) > 3)
    started = children(driver.pid)
    assert len(started) >= 2
    driver.send_signal(number)
    out, error = driver.communicate(timeout=PATIENCE)
    until(lambda: not any(map(alive, started)))
    assert out == ""
    if number != signal.SIGKILL:
        assert driver.returncode == 128 + number
        assert error.splitlines()[-1].endswith(
            "interrupted; the same command goes on where it was"
        )
    assert all(json.loads(path.read_text())["row"] for path in trials.glob("*.json"))
