"""Many trials, in parallel and resumable: one file a trial, written when it is done.

Whatever stops a sweep (Ctrl-C, a worker or driver that is killed, a full disk), the
trials that were finished stay, and the same sweep goes on from there: files are truth.
"""

import functools
import hashlib
import itertools
import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nengo.exceptions import NengoException

from lmu_spiking.errors import (
    LMUSpikingError,
    StudyWarning,
    ValidationError,
    ValidityWarning,
    check_whole,
)
from lmu_spiking.files import NOT_OURS, read_json, reason
from lmu_spiking.memory.basis import REALISED
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.metrics import versions
from lmu_spiking.signals import Signal
from lmu_spiking.simulator.targets import check_target
from lmu_spiking.studies import records, workers
from lmu_spiking.studies.folder import Folder
from lmu_spiking.studies.trial import run_trials
from lmu_spiking.studies.workers import Outcome

MOST = 10**6  # trials of one grid, each of which has a file
PROBED = 2e7  # numbers of state that the trials of one pass may record


class FailedTrials(LMUSpikingError):
    """Some trials could not be run; the others are finished and kept.

    Parameters
    ----------
    failures : dict of str
        The reason of each, by digest.
    frame : pandas.DataFrame
        What `sweep` would have returned, with the others alone.
    """

    def __init__(self, failures: dict[str, str], frame: pd.DataFrame):
        first, *more = dict.fromkeys(failures.values())
        reasons = f"{first} (and {len(more)} more like it)" if more else first
        total = len(failures) + len(frame)
        kept = ", the others are kept" if len(frame) else ""
        super().__init__(f"{reasons}; {len(failures)} of {total} trials failed{kept}")
        self.failures, self.frame = failures, frame
        self._parts = failures, frame


@dataclass(frozen=True)
class Trial:
    """A memory, and the white noise that it runs on.

    Parameters
    ----------
    spec : MemorySpec
        Its ``signal`` is the noise's bandwidth and rms.
    signal_seed : int
    duration : float
        Seconds.
    target : {"compiled", "core"}
        The simulator.
    """

    spec: MemorySpec
    signal_seed: int
    duration: float
    target: str = "compiled"

    @property
    def signal(self) -> Signal:
        """Return the input."""
        return self.spec.draw(self.duration, self.signal_seed)

    def to_dict(self) -> dict:
        """Return plain values, enough to run it again.

        Returns
        -------
        dict
            The spec, the seed and duration of the signal, and the target.
        """
        return {
            "spec": self.spec.to_dict(),
            "signal_seed": int(self.signal_seed),
            "duration": float(self.duration),
            "target": self.target,
        }

    @property
    def digest(self) -> str:
        """Return sixteen hexadecimal digits that name this trial and its file."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        spec = self.spec
        return f"{spec.n_neurons} {spec.neuron_type} neurons, order {spec.order}"


def grid(
    orders: Iterable[int],
    neurons_per_dimension: Iterable[int],
    neuron_types: Iterable[str],
    trials: int,
    base: MemorySpec,
    duration: float,
    first_seed: int = 0,
    *,
    taus: Iterable[float] | None = None,
    max_rates: Iterable[float] | None = None,
    aggregated: bool | None = None,
    target: str = "compiled",
) -> list[Trial]:
    """Return every combination, ``trials`` times, with its own signal and spikes.

    Seeds are drawn from ``first_seed``, the combination and the trial's number: a
    larger grid contains the trials of a smaller one, so that their files are reused.
    Curves are drawn with ``base.tuning_seed`` throughout: for ``drawn`` tuning the
    trials vary the spikes and the signal, not the curves.

    Parameters
    ----------
    orders, neurons_per_dimension : iterable of int
    neuron_types : iterable of str
        Values to combine, with ``taus`` and ``max_rates``.
    trials : int
        Number of each combination.
    base : MemorySpec
        Everything else.
    duration : float
        Length of each trial, seconds.
    first_seed : int
        Draws the seeds of all trials.
    taus, max_rates : iterable of float, optional
        In seconds and Hz; those of ``base`` by default.
    aggregated : bool, optional
        Aggregate Poisson pairs (other neurons cannot be); as in ``base`` by default.
    target : {"compiled", "core"}
        The simulator.

    Returns
    -------
    list of Trial
        For `sweep`.

    Raises
    ------
    ValidationError
        If there are more trials than a folder can hold, or a combination is not valid.
    """
    check_target("grid.target", target)
    check_whole("grid.trials", trials, 0)
    given = (neuron_types, taus or [base.tau], max_rates or [base.max_rate])
    given += (orders, neurons_per_dimension)
    # an axis may be endless; no more of it is taken than shows that it is too long
    axes: list[list[Any]] = [list(itertools.islice(v, MOST + 1)) for v in given]
    # refuse a plan that is too large before it is made
    total = trials * math.prod(map(len, axes))
    if total > MOST:
        problem = f"of each combination are {total:,} or more in all"
        remedy = f"use at most {MOST:,} in all"
        raise ValidationError("grid.trials", trials, problem, remedy)
    aggregated = base.aggregated if aggregated is None else aggregated
    planned = []
    for kind, tau, max_rate, order, neurons in itertools.product(*axes):
        varied = {"neuron_type": kind, "tau": tau, "max_rate": max_rate, "order": order}
        cell = base.replace(**varied, n_neurons=order * neurons, aggregated=False)
        cell = cell.replace(aggregated=aggregated and cell.has_sums)
        name = int(cell.replace(noise_seed=0).digest, 16)
        for number in range(trials):
            # seeds depend on the combination and the number alone, not on the grid
            drawn = np.random.SeedSequence([first_seed, number, name])
            noise_seed, signal_seed = (drawn.generate_state(2) >> 1).tolist()
            spec = cell.replace(noise_seed=noise_seed)
            planned.append(Trial(spec, signal_seed, duration, target))
    return planned


def sweep(
    trials: Iterable[Trial],
    out,
    n_jobs: int = 1,
    resume: bool = True,
    on_done: Callable[[dict], None] | None = None,
    *,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Run trials, each into ``out/trials/<digest>.json``, and tabulate them.

    Processes on this machine write the files themselves.  The workers of a Dask cluster
    may not see ``out``: they return what the files hold, and this process writes it.

    Parameters
    ----------
    trials : iterable of Trial
    out : path-like
        Folder; ``trials.parquet`` is written there when all trials have ended.
    n_jobs : int
        Processes, with one BLAS thread each; -1 for one on each core.
    resume : bool
        Take the trials that this version of the package has finished from their files.
    on_done : callable, optional
        Takes the row of each trial when it is done, those from files first.
    scheduler : str, optional
        Address of a Dask scheduler whose workers run the trials, instead of ``n_jobs``.

    Returns
    -------
    pandas.DataFrame
        A row for each trial, in the order given.

    Raises
    ------
    FailedTrials
        When all others have ended, if a trial cannot be run or kills its workers.
    StudyFileError
        At once, if a file cannot be written.
    LMUSpikingError
        At once, if the scheduler does not answer or its workers cannot run trials.
    """
    folder = Path(out) / "trials"
    wanted = {trial.digest: trial for trial in trials}
    rows: dict[str, dict] = {}
    failures: dict[str, str] = {}
    # take what is finished, and run the rest
    if resume:
        found = (_read(folder / f"{digest}.json", current=True) for digest in wanted)
        rows = {row["digest"]: row for row in found if row}
    on_done = on_done or (lambda row: None)
    for row in rows.values():
        on_done(row)
    missing = [trial for digest, trial in wanted.items() if digest not in rows]
    for outcome in _outcomes(missing, folder, n_jobs, scheduler):
        if outcome.failure:
            failures[outcome.digest] = outcome.failure
            continue
        rows[outcome.digest] = _flat(json.loads(outcome.line))
        on_done(rows[outcome.digest])
    # tabulate all in the order given, and report the commonest warning and all failures
    frame = records.to_frame(rows[digest] for digest in wanted if digest in rows)
    if len(frame):
        with Folder(out, "study") as written:
            records.write_parquet(written.claim("trials.parquet"), frame)
    cautions = [row["caution"] for row in rows.values() if row.get("caution")]
    if cautions:
        commonest = max(cautions, key=cautions.count)
        message = f"{len(cautions)} of {len(rows)} trials: {commonest}"
        warnings.warn(message, ValidityWarning, stacklevel=2)
    if failures:
        raise FailedTrials(failures, frame)
    return frame


def collect(out) -> pd.DataFrame:
    """Return all finished trials in a folder, whatever sweep they came from.

    Parameters
    ----------
    out : path-like
        The folder that `sweep` was given.

    Returns
    -------
    pandas.DataFrame
        A row for each trial.
    """
    files = sorted((Path(out) / "trials").glob("*.json"))
    rows = (_read(path) for path in files)
    return records.to_frame(row for row in rows if row)


def _outcomes(trials, folder: Path, n_jobs, scheduler) -> Iterator[Outcome]:
    """Yield how trials end, in the order in which they do, when they are on disk."""
    if not trials:
        return
    folder.mkdir(parents=True, exist_ok=True)
    if scheduler is None:
        run = functools.partial(_run_and_write, folder=folder)
        yield from workers.in_processes(run, trials, n_jobs, _batches)
    else:
        for outcome in workers.on_cluster(_run, trials, scheduler):
            yield _written(outcome, folder)


def _run(trial: Trial) -> Outcome:
    """Run one trial; in a worker."""
    return _run_together([trial])[0]


def _run_together(trials: list[Trial]) -> list[Outcome]:
    """Run trials of one memory in one pass; one by one where that fails."""
    ours = versions()["lmu_spiking"]
    specs, signals = [t.spec for t in trials], [t.signal for t in trials]
    try:
        with warnings.catch_warnings():  # which `sweep` repeats, once for all
            warnings.simplefilter("ignore", ValidityWarning)
            results = run_trials(specs, signals, target=trials[0].target)
        outcomes = []
        for t, result in zip(trials, results, strict=True):
            record = {"digest": t.digest, "trial": t.to_dict(), "row": result.row}
            outcomes.append(Outcome(t.digest, records.to_json(record), version=ours))
        return outcomes
    except (LMUSpikingError, NengoException) as error:
        failure = f"{trials[0]}: {error}"
    except MemoryError:
        failure = f"{trials[0]}: not enough memory"
    if len(trials) > 1:
        return [_run(trial) for trial in trials]
    return [Outcome(trials[0].digest, "", failure, ours)]


def _run_and_write(trials: list[Trial], folder: Path) -> list[Outcome]:
    """Run trials of one memory, and write their files; in a worker."""
    return [_written(outcome, folder) for outcome in _run_together(trials)]


def _written(outcome: Outcome, folder: Path) -> Outcome:
    """Return the outcome when its file is written."""
    if not outcome.failure:
        path = folder / f"{outcome.digest}.json"
        records.write_kept(path, f"{outcome.line}\n".encode())
    return outcome


def _batches(trials: list[Trial], size: int) -> list[list[Trial]]:
    """Return trials of the same memory together, as many as fit into one pass."""
    # only the compiled simulator runs several trials in one pass
    alike: dict[tuple, list[Trial]] = {}
    for trial in trials:
        together = trial.target == "compiled" and trial.spec.tuning not in REALISED
        cell = trial.spec.replace(noise_seed=0) if together else trial.spec
        alike.setdefault((cell, trial.duration, trial.target), []).append(trial)
    batches = []
    for group in alike.values():
        steps = group[0].duration / group[0].spec.dt
        n = min(size, max(1, int(PROBED / (steps * group[0].spec.order))))
        batches += [group[i : i + n] for i in range(0, len(group), n)]
    return batches


def _read(path: Path, current: bool = False) -> dict | None:
    """Return the row in a trial's file, if any (of this version, if ``current``)."""
    try:
        row = _flat(read_json(path))
        if row["digest"] != path.stem:
            raise ValueError("it holds another trial")
        made_by = row["versions"]["lmu_spiking"]
        records.check_row(row)
    except FileNotFoundError:
        return None
    except NOT_OURS as error:
        message = f"{path} is corrupt and left out ({reason(error)})"
        warnings.warn(message, StudyWarning, stacklevel=3)
        return None
    return None if current and made_by != versions()["lmu_spiking"] else row


def _flat(record: dict) -> dict:
    """Return the row of a trial with its digest, its signal and its seed."""
    trial = record["trial"]
    signal = {"signal_seed": trial["signal_seed"], **trial["spec"]["signal"]}
    return {"digest": record["digest"], **record["row"], **signal}
