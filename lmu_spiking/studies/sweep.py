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
from lmu_spiking.signals import Signal, white_noise
from lmu_spiking.simulator.targets import check_target
from lmu_spiking.studies import workers
from lmu_spiking.studies.folder import Folder
from lmu_spiking.studies.records import (
    check_row,
    to_frame,
    to_json,
    write_kept,
    write_parquet,
)
from lmu_spiking.studies.trial import run_trials, versions
from lmu_spiking.studies.workers import Outcome

MOST = 10**6  # trials of one grid, each of which has a file
PROBED = 2e7  # numbers of state that the trials of one pass may keep


class FailedTrials(LMUSpikingError):
    """Some trials could not be run; the others are finished and kept.

    Attributes
    ----------
    failures : dict of str
        Why not, by digest.
    frame : pandas.DataFrame
        What `sweep` would have returned, of the others.
    """

    def __init__(self, failures: dict[str, str], frame: pd.DataFrame):
        first, *more = dict.fromkeys(failures.values())
        reasons = f"{first} (and {len(more)} more like it)" if more else first
        total = len(failures) + len(frame)
        kept = ", the others are kept" if len(frame) else ""
        super().__init__(f"{reasons}; {len(failures)} of {total} trials failed{kept}")
        self.failures, self.frame = failures, frame
        self._parts = failures, frame

    def __reduce__(self):
        return type(self), self._parts


@dataclass(frozen=True)
class Trial:
    """A memory and the white noise it is given.

    Parameters
    ----------
    spec : MemorySpec
        Its ``signal`` is the noise's bandwidth and rms.
    signal_seed : int
    duration : float
        Seconds.
    target : {"compiled", "core"}
    """

    spec: MemorySpec
    signal_seed: int
    duration: float
    target: str = "compiled"

    @property
    def signal(self) -> Signal:
        """The input."""
        white = self.spec.signal
        return white_noise(
            self.duration, self.spec.dt, white.bandwidth, white.rms, self.signal_seed
        )

    def to_dict(self) -> dict:
        """Plain values, enough to run it again."""
        return {
            "spec": self.spec.to_dict(),
            "signal_seed": int(self.signal_seed),
            "duration": float(self.duration),
            "target": self.target,
        }

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that name this trial and its file."""
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
    """Every combination, ``trials`` times, each with signal and spikes of its own.

    Seeds are drawn from ``first_seed``, the combination and the trial's number: a
    larger grid contains the trials of a smaller one, so that their files are reused.
    Curves are drawn with ``base.tuning_seed`` throughout: for ``drawn`` tuning the
    trials vary the spikes and the signal, not the curves.

    Parameters
    ----------
    orders, neurons_per_dimension, neuron_types, taus, max_rates
        Values to combine; ``taus`` and ``max_rates`` are those of ``base`` by default.
    trials : int
        Of each combination.
    base : MemorySpec
        Everything else.
    duration : float
        Of each trial, seconds.
    first_seed : int
    aggregated : bool, optional
        Aggregate Poisson pairs (other neurons cannot be); as in ``base`` by default.
    target : {"compiled", "core"}
    """
    check_target("grid.target", target)
    check_whole("grid.trials", trials, 0)
    rates = max_rates or [base.max_rate]
    axes = (neuron_types, taus or [base.tau], rates, orders, neurons_per_dimension)
    axes = [list(itertools.islice(values, MOST + 1)) for values in axes]
    total = trials * math.prod(map(len, axes))
    if total > MOST:
        problem = f"of each combination are {total:,} or more in all"
        remedy = f"use at most {MOST:,} in all"
        raise ValidationError("grid.trials", trials, problem, remedy)
    aggregated = base.aggregated if aggregated is None else aggregated
    cells = [
        base.replace(
            order=order,
            n_neurons=order * neurons,
            neuron_type=kind,
            tau=tau,
            max_rate=max_rate,
            aggregated=aggregated and kind == "poisson" and base.tuning != "drawn",
        )
        for kind, tau, max_rate, order, neurons in itertools.product(*axes)
    ]
    return [
        _seeded(cell, number, duration, first_seed, target)
        for cell in cells
        for number in range(trials)
    ]


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
    rows, failures = {}, {}
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
    frame = to_frame(rows[digest] for digest in wanted if digest in rows)
    if len(frame):
        with Folder(out, "study") as kept:
            write_parquet(kept.claim("trials.parquet"), frame)
    cautions = [row["caution"] for row in rows.values() if row.get("caution")]
    if cautions:
        commonest = max(cautions, key=cautions.count)
        told = f"{len(cautions)} of {len(rows)} trials: {commonest}"
        warnings.warn(told, ValidityWarning, stacklevel=2)
    if failures:
        raise FailedTrials(failures, frame)
    return frame


def collect(out) -> pd.DataFrame:
    """All finished trials in ``out``, whatever sweep they came from."""
    files = sorted((Path(out) / "trials").glob("*.json"))
    rows = (_read(path) for path in files)
    return to_frame(row for row in rows if row)


def _seeded(
    cell: MemorySpec, number: int, duration: float, first_seed: int, target: str
) -> Trial:
    name = int(cell.replace(noise_seed=0).digest, 16)
    draw = np.random.SeedSequence([first_seed, number, name]).generate_state(2) >> 1
    noise_seed, signal_seed = draw.tolist()
    return Trial(cell.replace(noise_seed=noise_seed), signal_seed, duration, target)


def _outcomes(trials, folder: Path, n_jobs, scheduler) -> Iterator[Outcome]:
    """How trials end, in the order in which they do, when their files are written."""
    if not trials:
        return
    folder.mkdir(parents=True, exist_ok=True)
    if scheduler is None:
        run = functools.partial(_run_and_keep, folder=folder)
        yield from workers.in_processes(run, trials, n_jobs, _batches)
        return
    for outcome in workers.on_cluster(_run, trials, scheduler):
        yield _kept(outcome, folder)


def _run(trial: Trial) -> Outcome:
    """Run one trial; in a worker."""
    return _run_together([trial])[0]


def _run_together(trials: list[Trial]) -> list[Outcome]:
    """Run trials of one memory in one pass; one by one where that fails."""
    ours = versions()["lmu_spiking"]
    specs, signals = [t.spec for t in trials], [t.signal for t in trials]
    failure = ""
    try:
        with warnings.catch_warnings():  # which `sweep` tells, once for all
            warnings.simplefilter("ignore", ValidityWarning)
            results = run_trials(specs, signals, target=trials[0].target)
        return [
            Outcome(t.digest, _line(t, result.row), version=ours)
            for t, result in zip(trials, results, strict=True)
        ]
    except (LMUSpikingError, NengoException) as error:
        failure = f"{trials[0]}: {error}"
    except MemoryError:
        failure = f"{trials[0]}: not enough memory"
    if len(trials) > 1:
        return [_run(trial) for trial in trials]
    return [Outcome(trials[0].digest, "", failure, ours)]


def _line(trial: Trial, row: dict) -> str:
    return to_json({"digest": trial.digest, "trial": trial.to_dict(), "row": row})


def _run_and_keep(trials: list[Trial], folder: Path) -> list[Outcome]:
    return [_kept(outcome, folder) for outcome in _run_together(trials)]


def _batches(trials: list[Trial], size: int) -> list[list[Trial]]:
    """Trials of the same memory together, as many as fit into one pass."""
    alike: dict[tuple, list[Trial]] = {}
    for trial in trials:
        together = trial.target == "compiled" and trial.spec.tuning not in REALISED
        cell = trial.spec.replace(noise_seed=0) if together else trial.spec
        alike.setdefault((cell, trial.duration, trial.target), []).append(trial)
    found = []
    for group in alike.values():
        steps = group[0].duration / group[0].spec.dt
        room = max(1, int(PROBED / (steps * group[0].spec.order)))
        n = min(size, room)
        found += [group[i : i + n] for i in range(0, len(group), n)]
    return found


def _kept(outcome: Outcome, folder: Path) -> Outcome:
    """The outcome, when its file is written."""
    if not outcome.failure:
        path = folder / f"{outcome.digest}.json"
        write_kept(path, f"{outcome.line}\n".encode())
    return outcome


def _read(path: Path, current: bool = False) -> dict | None:
    """Return the row in a trial's file, if any (of this version, if ``current``)."""
    try:
        row = _flat(read_json(path))
        if row["digest"] != path.stem:
            raise ValueError("it holds another trial")
        made_by = row["versions"]["lmu_spiking"]
        check_row(row)
    except FileNotFoundError:
        return None
    except NOT_OURS as error:
        warnings.warn(
            f"{path} is corrupt and left out ({reason(error)})",
            StudyWarning,
            stacklevel=3,
        )
        return None
    return None if current and made_by != versions()["lmu_spiking"] else row


def _flat(record: dict) -> dict:
    """The row of a trial with what names it."""
    trial = record["trial"]
    signal = {"signal_seed": trial["signal_seed"], **trial["spec"]["signal"]}
    return {"digest": record["digest"], **record["row"], **signal}
