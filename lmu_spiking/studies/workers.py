"""Processes of this machine, or workers of a Dask cluster, that run trials.

Both call a function for each trial and yield its `Outcome` as soon as it ends; both run
again what a killed worker was running, and give up a trial whose workers keep dying.
(`studies.sweep` alone uses them; they stand apart because they know nothing of trials.)
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
from lmu_spiking.errors import LMUSpikingError, StudyWarning, ValidationError, needs
from lmu_spiking.files import one_line
from lmu_spiking.metrics import versions

STRIKES = 3  # killed workers without a finished trial between them
PATIENCE = 5.0  # seconds in which a scheduler must answer
TOGETHER = 16  # trials of one memory in one pass
POLL = 0.05  # seconds between looks at what has ended
LOOK = 1.0  # seconds between looks at which workers there are
KILLED = "its worker was killed again and again, perhaps for want of memory"


@dataclass(frozen=True)
class Outcome:
    """The end of a trial.

    Attributes
    ----------
    digest : str
        The trial.
    line : str
        What it measured, as JSON.
    failure : str
        The reason, if there is no line.
    version : str
        The version of this package that ran it.
    """

    digest: str
    line: str = ""
    failure: str = ""
    version: str = ""


def in_processes(
    run: Callable[..., list[Outcome]], trials: list, n_jobs: int, batches: Callable
) -> Iterator[Outcome]:
    """Yield outcomes of ``run(batch)`` from processes with one BLAS thread each.

    Parameters
    ----------
    run : callable
        Takes a list of trials.
    trials : list of Trial
    n_jobs : int
        Processes; -1 for one on each core.
    batches : callable
        ``batches(trials, size)`` returns lists of at most ``size``, each for one call.

    Yields
    ------
    Outcome
        In the order in which trials end.
    """
    # run all that is left, again and again, until none or too many workers die
    left = {trial.digest: trial for trial in trials}
    strikes = 0
    together = joblib.effective_n_jobs(n_jobs)
    while left and strikes < STRIKES:
        # several for each process, but one by one after a worker was killed
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
            _warn("a worker was killed; what it ran is run again")
            # what was running goes last, so that it cannot keep others from their turn
            for digest in list(left)[:together]:
                left[digest] = left.pop(digest)
    for digest, trial in left.items():
        yield Outcome(digest, failure=f"{trial}: {KILLED}; use fewer jobs")


def on_cluster(
    run: Callable[..., Outcome], trials: list, address: str
) -> Iterator[Outcome]:
    """Yield outcomes of ``run(trial)`` from the workers of a Dask scheduler.

    Dask itself runs again what a lost worker was running, on the others or on workers
    that come later; a trial that has lost more workers than the scheduler allows
    (``distributed.scheduler.allowed-failures``) fails alone.  Keys are named after
    digests, so that drivers with the same trials share them.

    Parameters
    ----------
    run : callable
        Defined in a module that the workers can import; the scheduler need not.
    trials : list of Trial
    address : str
        The scheduler's, such as ``"tcp://host:8786"``.

    Yields
    ------
    Outcome
        In the order in which trials end.

    Raises
    ------
    MissingPackageError, ValidationError, LMUSpikingError
        If Dask is not installed, the scheduler does not answer or goes away, or workers
        cannot run trials.
    """
    with needs("distributed", "dask"):
        from distributed import KilledWorker, as_completed

    ours = versions()["lmu_spiking"]
    named = {f"trial-{ours}-{trial.digest}": trial for trial in trials}
    with _connected(address) as client:
        watch = _Watch(client, address)
        watch.look()
        # submit all trials, and yield what has ended
        calls = [_Call(run, trial).pickled for trial in trials]
        futures = client.map(pickle.loads, calls, key=[*named])
        ended = as_completed(futures, loop=client.loop)
        del futures  # so that the cluster forgets what has been yielded
        while not ended.is_empty():
            watch.look_now_and_then()
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
                    reason = f"has lmu_spiking {outcome.version}"
                    raise _unfit(f"a worker of {address}", reason)
                yield outcome
        watch.look()


@contextmanager
def _connected(address: str) -> Iterator:
    """Open a client of the scheduler; whatever ends the connection becomes one line."""
    from distributed import CancelledError, Client

    try:
        with ThreadPoolExecutor(1) as thread:  # where no other loop runs
            thread.submit(asyncio.run, _greet(address)).result()
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except Exception as error:  # of any class: each kind of address has its own
        reason = one_line(error) if str(error) else f"no greeting within {PATIENCE:g} s"
        problem = f"does not answer as a Dask scheduler ({reason})"
        remedy = "use the address that dask scheduler shows, such as tcp://host:8786"
        raise ValidationError("scheduler", address, problem, remedy) from None
    # what fails from here on is the connection, not the address
    with client:
        try:
            yield client
        except (OSError, CancelledError) as error:
            raise LMUSpikingError(
                f"the scheduler at {address} has gone ({type(error).__name__}); "
                "finished trials are kept: start it and run this again to go on"
            ) from None


async def _greet(address: str) -> None:
    """Check the address in time: a client waits for ever if it is not a scheduler's."""
    from distributed import Security
    from distributed.comm.core import connect

    options = Security().get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, PATIENCE, **options), PATIENCE + 1)
    await comm.close()


class _Call:
    """A call in a pickle: to load it is to make the call, and to get what it returns.

    A worker that lacks the package then fails in the task and says so.  If it were sent
    the function itself, it would break its connection, and lose what it runs.
    """

    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call

    @property
    def pickled(self) -> bytes:
        """Return the call as bytes."""
        return pickle.dumps(self)


def _check_versions(client, names: list[str]) -> None:
    """Refuse workers that do not have this version of the package."""
    call = _Call(versions).pickled
    answers = client.run(pickle.loads, call, workers=names, on_error="return")
    ours = versions()["lmu_spiking"]
    for name, answer in answers.items():
        if isinstance(answer, ImportError):
            raise _unfit(f"the worker {name}", answer)
        if isinstance(answer, dict) and answer["lmu_spiking"] != ours:
            raise _unfit(
                f"the worker {name}", f"has lmu_spiking {answer['lmu_spiking']}"
            )


def _unfit(name: str, reason) -> LMUSpikingError:
    """Return the error for a worker that cannot run trials."""
    ours = versions()["lmu_spiking"]
    return LMUSpikingError(
        f"{name} cannot run these trials ({reason}); install lmu_spiking {ours} there"
    )


class _Watch:
    """A watch on the workers: those that come are checked, those that go are named."""

    def __init__(self, client, address: str):
        self._client, self._address = client, address
        self._known: set[str] | None = None
        self._next = 0.0

    def look_now_and_then(self) -> None:
        """Look if `LOOK` seconds have passed since the last time."""
        if time.monotonic() >= self._next:
            self.look()

    def look(self) -> None:
        """Compare the workers with those of the last time."""
        there, known = set(self._client.nthreads()), self._known or set()
        for worker in sorted(known - there):
            _warn(f"worker {worker} has gone; what it ran is run again")
        if not there and self._known != there:
            address = self._address
            _warn(f"no workers at {address}; waiting for: dask worker {address}")
        if there - known:
            _check_versions(self._client, sorted(there - known))
        self._known = there
        self._next = time.monotonic() + LOOK


def _warn(line: str) -> None:
    """Warn of something that the user of a study should know."""
    warnings.warn(line, StudyWarning, stacklevel=3)
