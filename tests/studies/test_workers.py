import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Thread
from types import SimpleNamespace

import pandas as pd
import pytest

from lmu_spiking.errors import (
    LMUSpikingError,
    MissingPackageError,
    StudyFileError,
    StudyWarning,
    ValidationError,
)
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.studies import records, workers
from lmu_spiking.studies import sweep as module
from lmu_spiking.studies.sweep import FailedTrials, collect, grid, sweep
from lmu_spiking.studies.trial import versions
from lmu_spiking.studies.workers import STRIKES, Outcome, in_processes, on_cluster

BASE = MemorySpec(theta=0.1, dt=0.002)


def small(trials=2, kinds=("poisson",), **options):
    return grid([1, 2], [20], kinds, trials, BASE, 1.0, **options)


def measured(frame):
    """What does not depend on the clock."""
    return frame.drop(columns=["seconds_build", "seconds_run"])


@dataclass(frozen=True)
class Number:
    """Stands for a trial."""

    digest: str


def echo(number):
    """Stands for a run."""
    return Outcome(number.digest, line=number.digest)


NUMBERS = [Number(str(k)) for k in range(6)]


def together(numbers, size):
    """Stands for what makes batches."""
    return [numbers[i : i + size] for i in range(0, len(numbers), size)]


# -- processes ---------------------------------------------------------------------


def breaks(monkeypatch, at, times):
    """Let joblib lose a worker whenever it comes to the trial ``at``, some times."""
    left = [None] * times

    def run(_run, batches, _jobs, ordered):
        for (batch,) in batches:
            if left and at in [trial.digest for trial in batch]:
                left.pop()
                raise BrokenProcessPool("a worker has gone")
            yield [echo(trial) for trial in batch]

    monkeypatch.setattr("lmu_spiking.processes.in_processes", run)


def test_killed_process_is_told_and_its_trial_run_again(monkeypatch):
    breaks(monkeypatch, at="2", times=STRIKES - 1)
    with pytest.warns(StudyWarning, match="a worker was killed") as told:
        found = list(in_processes(echo, NUMBERS, 1, together))
    assert len(told) == STRIKES - 1
    assert sorted(outcome.line for outcome in found) == list("012345")
    assert len(found) == 6


def test_trial_that_kills_its_processes_costs_no_other(monkeypatch):
    breaks(monkeypatch, at="2", times=100)
    with pytest.warns(StudyWarning, match="a worker was killed"):
        found = list(in_processes(echo, NUMBERS, 1, together))
    assert sorted(outcome.line for outcome in found if outcome.line) == list("01345")
    (failed,) = (outcome for outcome in found if outcome.failure)
    assert failed.digest == "2"
    assert "killed again and again" in failed.failure


# -- a cluster in this process -----------------------------------------------------


@contextmanager
def started(n_workers):
    """A scheduler, and workers of one thread each."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=False,
        dashboard_address=":0",
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cluster():
    with started(1) as cluster:
        yield cluster


def test_cluster_gives_the_same(tmp_path, cluster):
    trials, seen = small(), []
    address = cluster.scheduler_address
    there = sweep(trials, tmp_path / "a", on_done=seen.append, scheduler=address)
    here = sweep(trials, tmp_path / "b")
    pd.testing.assert_frame_equal(measured(there), measured(here), check_exact=True)
    assert {row["digest"] for row in seen} == set(here.digest)
    names = [{p.name for p in (tmp_path / k / "trials").iterdir()} for k in "ab"]
    assert names[0] == names[1]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_cluster_with_tls_takes_the_certificates_of_dask(tmp_path):
    dask = pytest.importorskip("dask")
    distributed = pytest.importorskip("distributed")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    tls = "distributed.comm.tls"
    told = {f"{tls}.ca-file": str(cert), "distributed.comm.require-encryption": True}
    for who in ("scheduler", "worker", "client"):
        told |= {f"{tls}.{who}.cert": str(cert), f"{tls}.{who}.key": str(key)}
    with (
        dask.config.set(told),
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            protocol="tls://",
            security=distributed.Security(),
            dashboard_address=":0",
        ) as cluster,
    ):
        assert cluster.scheduler_address.startswith("tls://")
        frame = sweep(small(1), tmp_path / "a", scheduler=cluster.scheduler_address)
    assert len(frame) == len(small(1))


def test_cluster_goes_on_where_processes_were(tmp_path, cluster, monkeypatch):
    first = sweep(small(1), tmp_path)
    ran = []

    def counted(specs, signals, target):
        ran.extend(specs)
        return real(specs, signals, target=target)

    real = module.run_trials
    monkeypatch.setattr(module, "run_trials", counted)
    address, seen = cluster.scheduler_address, []
    again = sweep(small(3), tmp_path, on_done=seen.append, scheduler=address)
    assert len(ran) == 4
    assert len(seen) == 6
    kept = again[again.digest.isin(first.digest)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first)
    sweep(small(3), tmp_path, scheduler="nowhere:1")  # with nothing left to run


def test_failed_combination_costs_no_other_on_a_cluster(tmp_path, cluster):
    trials = small(1, kinds=["lif", "poisson"], max_rates=[600.0])
    with pytest.raises(FailedTrials, match="lif neurons, order 1: max_rate") as failed:
        sweep(trials, tmp_path, scheduler=cluster.scheduler_address)
    assert list(failed.value.frame.digest) == [t.digest for t in trials[2:]]
    assert set(collect(tmp_path).digest) == set(failed.value.frame.digest)


def test_full_disk_of_the_driver_loses_no_finished_trial(
    tmp_path, cluster, monkeypatch
):
    real, written = records.write_atomically, []

    def write(path, data):
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(path)
        real(path, data)

    address = cluster.scheduler_address
    with monkeypatch.context() as patched:
        patched.setattr(records, "write_atomically", write)
        with pytest.raises(StudyFileError, match=r"No space left on device.*are kept"):
            sweep(small(), tmp_path, scheduler=address)
    assert set(collect(tmp_path).digest) == {path.stem for path in written}
    assert len(sweep(small(), tmp_path, scheduler=address)) == 4


def test_lost_worker_is_told_and_its_trials_run_again(tmp_path):
    def lose(_row):
        if len(cluster.scheduler.workers) == 2:
            cluster.sync(cluster.workers[0].close)
            wait(lambda: len(cluster.scheduler.workers) == 1)

    with (
        started(2) as cluster,
        pytest.warns(StudyWarning, match="has gone; what it ran is run again"),
    ):
        address = cluster.scheduler_address
        assert len(sweep(small(), tmp_path, on_done=lose, scheduler=address)) == 4


def test_cluster_without_workers_is_waited_for():
    def late():
        wait(lambda: len(told))
        cluster.scale(1)

    with started(0) as cluster, pytest.warns(StudyWarning, match="waiting for") as told:
        thread = Thread(target=late)
        thread.start()
        assert len(list(on_cluster(ours, NUMBERS, cluster.scheduler_address))) == 6
        thread.join()


def test_scheduler_that_goes_is_told_in_a_line(tmp_path):
    with started(1) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(
            LMUSpikingError, match=r"has gone .*finished trials are kept"
        ):
            sweep(
                small(), tmp_path, on_done=lambda _: cluster.close(), scheduler=address
            )
    assert len(collect(tmp_path)) >= 1


def test_trial_that_kills_its_workers_fails_alone(cluster):
    found = list(on_cluster(deadly, NUMBERS, cluster.scheduler_address))
    assert sum(not outcome.failure for outcome in found) == 5
    (failed,) = (outcome for outcome in found if outcome.failure)
    assert failed.digest == "2"
    assert "killed again and again" in failed.failure


def deadly(number):
    """Stands for what Dask makes of a trial that kills its workers."""
    from distributed import KilledWorker

    if number.digest == "2":
        raise KilledWorker("trial", SimpleNamespace(address="somewhere"), 3)
    return ours(number)


def ours(number):
    return replace(echo(number), version=versions()["lmu_spiking"])


def test_fault_of_ours_is_not_hidden(cluster):
    with pytest.raises(AttributeError, match="digits"):
        list(on_cluster(faulty, NUMBERS, cluster.scheduler_address))


def faulty(number):
    return number.digits


def test_worker_of_another_version_is_refused_when_it_comes(cluster):
    with pytest.raises(LMUSpikingError, match=r"has lmu_spiking .*; install"):
        list(on_cluster(echo, NUMBERS, cluster.scheduler_address))


class Client:
    """What workers answer when they are asked for their versions."""

    def __init__(self, answer):
        self.answer = answer

    def run(self, function, call, workers, on_error):
        assert function(call) == versions()
        assert on_error == "return"
        return dict.fromkeys(workers, self.answer)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"lmu_spiking": "0.0.1"}, r"has lmu_spiking 0\.0\.1.*; install"),
        (ImportError("No module"), r"No module.*; install"),
    ],
)
def test_workers_of_other_versions_are_refused(answer, told):
    workers._check_versions(Client(versions()), ["tcp://there:1"])
    workers._check_versions(Client(OSError("has gone")), ["tcp://there:1"])
    with pytest.raises(LMUSpikingError, match="the worker tcp://there:1 .*" + told):
        workers._check_versions(Client(answer), ["tcp://there:1"])


def test_worker_without_the_package_says_so(cluster):
    with pytest.raises(LMUSpikingError, match=r"No module.*; install lmu_spiking"):
        list(on_cluster(bare, NUMBERS, cluster.scheduler_address))


def bare(_number):
    raise ModuleNotFoundError("No module named 'lmu_spiking'")


@pytest.mark.parametrize("listening", [True, False])
def test_stranger_or_nobody_at_the_address(tmp_path, monkeypatch, listening):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        if not listening:
            server.close()
        with pytest.raises(ValidationError, match="does not answer as a Dask") as told:
            sweep(small(), tmp_path, scheduler=address)
    assert address in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("address", ["", "host", "host:x", "http://host:1"])
def test_what_is_no_address(tmp_path, address):
    pytest.importorskip("distributed")
    with pytest.raises(ValidationError, match="use the address that dask scheduler"):
        sweep(small(), tmp_path, scheduler=address)


def test_missing_dask_is_told_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingPackageError, match=r"lmu_spiking\[dask\]"):
        sweep(small(), tmp_path, scheduler="host:1")


def wait(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
