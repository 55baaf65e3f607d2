"""Where trials run: in processes of this machine, or on a Dask cluster.

Both call a function for each trial and yield its `Outcome` as soon as it ends; both run
again what a killed worker was running, and give up a trial whose workers keep dying.
"""

import asyncio
import pickle
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

import joblib

from lmu_spiking import processes
from lmu_spiking.errors import (
    LMUSpikingError,
    MissingPackageError,
    StudyWarning,
    ValidationError,
)
from lmu_spiking.files import one_line
from lmu_spiking.studies.trial import versions

STRIKES = 3  # killed workers without a finished trial between them
PATIENCE = 5.0  # seconds in which a scheduler must answer
TOGETHER = 16  # trials of one memory in one pass
POLL = 0.05  # seconds between looks at what has ended
LOOK = 1.0  # seconds between looks at which workers there are
KILLED = "its worker was killed again and again, perhaps for want of memory"


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: a line of JSON or why there is none, and of what version."""

    digest: str
    line: str = ""
    failure: str = ""
    version: str = ""


def in_processes(
    run: Callable[..., list[Outcome]], trials: list, n_jobs: int, batches: Callable
) -> Iterator[Outcome]:
    """Outcomes of ``run(batch)`` in processes with one BLAS thread each.

    Parameters
    ----------
    run : callable
        Takes a list of trials.
    trials : list of Trial
    n_jobs : int
        Processes; -1 for one on each core.
    batches : callable
        ``batches(trials, size)``: lists of at most ``size``, each for one call.
    """
    left = {trial.digest: trial for trial in trials}
    strikes = 0
    together = joblib.effective_n_jobs(n_jobs)
    while left and strikes < STRIKES:
        # some for each process, and one by one where a worker was killed
        size = 1 if strikes else max(1, min(TOGETHER, len(left) // (2 * together)))
        try:
            parts = ((batch,) for batch in batches(list(left.values()), size))
            for outcomes in processes.in_processes(run, parts, n_jobs, ordered=False):
                strikes = 0
                for outcome in outcomes:
                    del left[outcome.digest]
                    yield outcome
        except BrokenProcessPool:
            strikes += 1
            _tell("a worker was killed; what it ran is run again")
            # what was running goes last, so that it cannot keep others from their turn
            for digest in list(left)[:together]:
                left[digest] = left.pop(digest)
    for digest, trial in left.items():
        yield Outcome(digest, failure=f"{trial}: {KILLED}; use fewer jobs")


def on_cluster(
    run: Callable[..., Outcome], trials: list, address: str
) -> Iterator[Outcome]:
    """Outcomes of ``run(trial)`` on the workers of a Dask scheduler.

    Dask itself runs again what a lost worker was running, on the others or on workers
    that come later; a trial that has lost more workers than the scheduler allows
    (``distributed.scheduler.allowed-failures``) fails alone.  Keys are named after
    digests, so that drivers with the same trials share them.

    Parameters
    ----------
    run : callable
        Of a module that the workers can import; the scheduler need not.
    trials : list of Trial
    address : str
        Of the scheduler: ``"tcp://host:8786"``.
    """
    try:
        from distributed import KilledWorker, as_completed
    except ImportError:
        raise MissingPackageError("distributed", "dask") from None

    ours = versions()["lmu_spiking"]
    named = {f"trial-{ours}-{trial.digest}": trial for trial in trials}
    with _connected(address) as client:
        look = _Watch(client, address)
        look.now()
        calls = [_Call(run, trial).pickled for trial in trials]
        futures = client.map(pickle.loads, calls, key=[*named])
        ended = as_completed(futures, loop=client.loop)
        del futures  # so that the cluster forgets what has been yielded
        while not ended.is_empty():
            look()
            batch = ended.next_batch(block=False)
            if not batch:
                time.sleep(POLL)
            for future in batch:
                try:
                    outcome = future.result(timeout=LOOK)
                except TimeoutError:  # lost with its worker, and run again
                    ended.add(future)
                    continue
                except KilledWorker:
                    trial = named[future.key]
                    outcome = Outcome(trial.digest, "", f"{trial}: {KILLED}", ours)
                except ImportError as error:
                    raise _unfit(f"a worker of {address}", error) from None
                if outcome.version != ours:  # of a worker that came later
                    found = f"has lmu_spiking {outcome.version}"
                    raise _unfit(f"a worker of {address}", found)
                yield outcome
        look.now()


@contextmanager
def _connected(address: str):
    """A client of the scheduler; whatever ends the connection is told in a line."""
    from distributed import CancelledError, Client

    try:
        with ThreadPoolExecutor(1) as thread:  # where no other loop runs
            thread.submit(asyncio.run, _greet(address)).result()
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except Exception as error:  # of any class: each kind of address has its own
        reason = one_line(error) if str(error) else f"no greeting within {PATIENCE:g} s"
        raise ValidationError(
            "scheduler",
            address,
            f"does not answer as a Dask scheduler ({reason})",
            "use the address that dask scheduler shows, such as tcp://host:8786",
        ) from None
    with client:
        try:
            yield client
        except (OSError, CancelledError) as error:
            raise LMUSpikingError(
                f"the scheduler at {address} has gone ({type(error).__name__}); "
                "finished trials are kept: start it and run this again to go on"
            ) from None


async def _greet(address: str) -> None:
    """Shake hands in time: a client waits for ever when a stranger has the address."""
    from distributed import Security
    from distributed.comm import connect

    options = Security().get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, PATIENCE, **options), PATIENCE + 1)
    await comm.close()


class _Call:
    """Pickles as a call: to load it is to make it, and to get what it returns.

    A worker that lacks the package then fails in the task and says so.  If it were sent
    the function itself, it would break its connection, and lose what it runs.
    """

    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call

    @property
    def pickled(self) -> bytes:
        return pickle.dumps(self)


def _check_versions(client, names: list[str]) -> None:
    """Workers must have this version of the package."""
    call = _Call(versions).pickled
    answers = client.run(pickle.loads, call, workers=names, on_error="return")
    ours = versions()["lmu_spiking"]
    for name, answer in answers.items():
        if isinstance(answer, ImportError):
            raise _unfit(f"the worker {name}", answer)
        if isinstance(answer, dict) and answer["lmu_spiking"] != ours:
            found = f"has lmu_spiking {answer['lmu_spiking']}"
            raise _unfit(f"the worker {name}", found)


def _unfit(name: str, reason) -> LMUSpikingError:
    ours = versions()["lmu_spiking"]
    return LMUSpikingError(
        f"{name} cannot run these trials ({reason}); install lmu_spiking {ours} there"
    )


class _Watch:
    """Checks workers that come and tells of those that go, once in `LOOK` seconds."""

    def __init__(self, client, address: str):
        self._client, self._address = client, address
        self._known: set[str] | None = None
        self._next = 0.0

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            self.now()

    def now(self) -> None:
        there, known = set(self._client.nthreads()), self._known or set()
        for worker in sorted(known - there):
            _tell(f"worker {worker} has gone; what it ran is run again")
        if not there and self._known != there:
            address = self._address
            _tell(f"no workers at {address}; waiting for: dask worker {address}")
        if there - known:
            _check_versions(self._client, sorted(there - known))
        self._known = there
        self._next = time.monotonic() + LOOK


def _tell(line: str) -> None:
    warnings.warn(line, StudyWarning, stacklevel=3)
