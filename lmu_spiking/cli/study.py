"""``lmu-spiking study`` and ``collect``: many memories, and the law of their errors."""

import os
import shlex
import sys
import time
from json import loads
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli.console import (
    NAME,
    Bar,
    prepare,
    print_json,
    print_table,
    quiet_logs,
    tell,
)
from lmu_spiking.errors import LMUSpikingError, ValidationError
from lmu_spiking.simulator.targets import check_target
from lmu_spiking.studies.records import write_json

PLAN = "study.json"


def study(
    orders: Annotated[str, typer.Option(help="Comma-separated.")] = "3,6,12",
    neurons_per_dimension: Annotated[
        str, typer.Option(help="Comma-separated.")
    ] = "20,60,200,600",
    neuron_types: Annotated[str, typer.Option(help="Comma-separated.")] = "poisson",
    taus: Annotated[
        str, typer.Option(help="Recurrent synapses, seconds, comma-separated.")
    ] = "0.1",
    max_rates: Annotated[
        str, typer.Option(help="At the radius, Hz, comma-separated.")
    ] = "300",
    trials: Annotated[int, typer.Option(help="Of each combination.")] = 5,
    duration: Annotated[float, typer.Option(help="Of each trial, seconds.")] = 20.0,
    theta: Annotated[float, typer.Option(help="Window, seconds.")] = 0.5,
    aggregated: Annotated[
        bool, typer.Option(help="Simulate Poisson pairs as sums, much faster.")
    ] = False,
    target: Annotated[
        str, typer.Option(help="compiled, or core for Nengo's own simulator.")
    ] = "compiled",
    jobs: Annotated[
        int | None, typer.Option(help="Processes [-1, one on each core].")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler: run on its workers instead."),
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Take finished trials from their files.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Draws the seeds of all trials.")] = 0,
    out: Annotated[
        Path, typer.Option(help="Folder for report.html, tables, figures and trials.")
    ] = Path("out/study"),
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, not a table.")
    ] = False,
):
    """Run many memories, and fit the law that their errors follow.

    \b
    lmu-spiking study
    lmu-spiking study --orders 6 --neurons-per-dimension 100,1000,10000 --aggregated
    lmu-spiking study --neuron-types poisson,lif --taus 0.05,0.1 --trials 10
    lmu-spiking study --trials 50 --scheduler tcp://host:8786

    White noise of 2 Hz and rms 0.5, different in each trial. A study that was stopped
    goes on when the same command is given again; a larger one reuses what is there.
    A cluster is started with "dask scheduler", and on each machine, where lmu_spiking
    is installed too, with "dask worker tcp://host:8786"; files are written here.
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    from lmu_spiking.cli.inputs import check_duration
    from lmu_spiking.spec import MemorySpec
    from lmu_spiking.studies.sweep import FailedTrials, grid, sweep

    _check("--trials", trials, trials >= 1, "must be at least 1")
    _check("--seed", seed, 0 <= seed < 2**31, "must be from 0 to 2147483647")
    jobs = _jobs(jobs, scheduler)
    planned = grid(
        _numbers("--orders", orders, int),
        _numbers("--neurons-per-dimension", neurons_per_dimension, int),
        _numbers("--neuron-types", neuron_types, str),
        trials,
        MemorySpec(theta=theta),
        duration,
        seed,
        taus=_numbers("--taus", taus, float),
        max_rates=_numbers("--max-rates", max_rates, float),
        aggregated=aggregated,
        target=check_target("--target", target),
    )
    check_duration(max((t.spec for t in planned), key=lambda s: s.order), duration)
    prepare(out)
    command = shlex.join([NAME, *sys.argv[1:]])
    _keep_plan(out, command, planned)
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the workers
    start = time.perf_counter()
    failed = None
    try:
        with quiet_logs(), Bar("Trials", len(planned)) as bar:
            frame = sweep(planned, out, jobs, resume, bar.advance, scheduler=scheduler)
    except FailedTrials as error:
        frame, failed = error.frame, error
        if frame.empty:
            raise
    more = {"seed": seed, "seconds": time.perf_counter() - start}
    _report(frame, out, command, len(planned) - len(frame), json, more)
    if failed:
        raise failed


def collect(
    out: Annotated[Path, typer.Argument(help="The --out of a study.")] = Path(
        "out/study"
    ),
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, not a table.")
    ] = False,
):
    """Gather the finished trials of a study, also of one that runs or was stopped.

    \b
    lmu-spiking collect
    lmu-spiking collect out/study --json

    Writes trials.parquet, summary.parquet, figures and report.html beside them.
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    from lmu_spiking.studies.sweep import collect as gather

    frame = gather(out)
    if frame.empty:
        raise LMUSpikingError(
            f"{out}: no finished trials are there; give the --out of a study"
        )
    prepare(out)
    command, planned = _plan(out)
    missing = len(planned - set(frame.digest))
    if missing:
        tell(f"{missing} of {len(planned)} trials are not finished")
    _report(frame, out, command, missing, json, {})


def _report(frame, out: Path, command: str, missing: int, json: bool, more: dict):
    """Files, and what they say on standard output."""
    from lmu_spiking.studies.page import exponent_table
    from lmu_spiking.studies.report import exponents, summarise, write_report
    from lmu_spiking.studies.trial import versions

    files = write_report(frame, out, command, missing)
    fits = exponents(frame)
    if json:
        print_json(
            {
                "trials": len(frame),
                "missing": missing,
                "summary": summarise(frame).to_dict("records"),
                "exponents": fits.to_dict("records"),
                "files": {name: str(path) for name, path in files.items()},
                **more,
                "versions": versions(),
            }
        )
        return
    shown = exponent_table(fits)
    rows = [[str(value) for value in row] for row in shown.itertuples(index=False)]
    print_table("State RMSE as a power law", list(shown), rows)
    print(f"\n{len(frame)} trials; {files['report.html']}")


def _keep_plan(out: Path, command: str, planned: list) -> None:
    """What `collect` needs to know of a study that does not end."""
    digests = [trial.digest for trial in planned]
    write_json(out / PLAN, {"command": command, "trials": digests})


def _plan(out: Path) -> tuple[str, set[str]]:
    """The command and the trials of the last study in a folder, as far as known."""
    try:
        plan = loads((out / PLAN).read_text(encoding="utf-8"))
        return str(plan["command"]), set(plan["trials"])
    except (OSError, ValueError, KeyError, TypeError):
        return shlex.join([NAME, "collect", str(out)]), set()


def _jobs(jobs: int | None, scheduler: str | None) -> int:
    """Processes on this machine: all cores unless given, and none with a cluster."""
    if jobs is not None and scheduler is not None:
        problem = "is for processes on this machine"
        raise ValidationError("--jobs", jobs, problem, "leave it out with --scheduler")
    jobs = -1 if jobs is None else jobs
    _check("--jobs", jobs, jobs == -1 or jobs >= 1, "must be at least 1, or -1")
    return jobs


def _numbers(name: str, text: str, kind: type) -> list:
    """The values of a comma-separated option, each once."""
    try:
        values = [kind(part.strip()) for part in text.split(",")]
        values = [] if "" in values else values
    except ValueError:
        values = []
    what = {int: "whole numbers", float: "numbers", str: "names"}[kind]
    _check(name, text, bool(values), f"must be {what} with commas between")
    return list(dict.fromkeys(values))


def _check(name: str, value, allowed: bool, problem: str) -> None:
    if not allowed:
        raise ValidationError(name, value, problem)
