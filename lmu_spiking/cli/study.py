"""``lmu-spiking study`` and ``collect``: many memories, and how their errors fall."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

import shlex
import time
from pathlib import Path

from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.completion import offer_files
from lmu_spiking.cli.known import NEURON_TYPES
from lmu_spiking.errors import LMUSpikingError, ValidationError

PLAN = "study.json"
SCHEDULER = "Dask scheduler of a trusted cluster, whose workers run it instead"
SUMS = "Simulate Poisson pairs as sums, much faster"


def study(
    orders: o.orders() = "3,6,12",
    neurons_per_dimension: o.neuron_counts("For each coefficient") = "20,60,200,600",
    neuron_types: o.some_of("", NEURON_TYPES) = "poisson",
    taus: o.numbers("Recurrent synapses", "SECONDS") = "0.1",
    max_rates: o.numbers("Rates of a neuron at the radius", "HZ") = "300",
    trials: o.Trials = 5,
    duration: o.duration(help="Of each trial", panel=o.GRID) = 20.0,
    theta: o.theta() = 0.5,
    aggregated: o.flag(SUMS, "--aggregated", panel=o.MEMORY) = False,
    target: o.Target = "compiled",
    jobs: o.jobs(unset="-1") = None,
    scheduler: o.text(SCHEDULER, "ADDRESS", panel=o.WORK) = None,
    resume: o.Resume = True,
    seed: o.seed("Draws the seeds of all trials") = 0,
    out: o.out("For report.html, tables, figures and trials") = Path("out/study"),
    json: o.Json = False,
):
    """Run many memories, and fit the power law that their errors follow.

    \b
    lmu-spiking study --orders 2,4 --neurons-per-dimension 20,200 --trials 3
    lmu-spiking study --neuron-types poisson,lif --taus 0.05,0.1 --orders 4
    lmu-spiking study --neurons-per-dimension 100,1000,10000 --aggregated
    lmu-spiking collect out/study

    White noise of 2 Hz and rms 0.5, different in each trial. Lists have commas between.
    A study that was stopped goes on when the same command is given again; a larger one
    reuses what is there.

    On a cluster, give --scheduler tcp://host:8786. It is started with "dask scheduler",
    and on each machine, where lmu_spiking is installed too, with "dask worker
    tcp://host:8786"; files are written here. Trust the cluster as this machine: Dask
    sends pickles, so anyone who can reach a port of it can run code there and here.
    On a shared network, use tls://host:8786 with Dask's certificates.
    """  # noqa: D301 (the \b marks the examples)
    if jobs is not None and scheduler is not None:
        problem = "is for processes on this machine"
        raise ValidationError("--jobs", jobs, problem, "leave it out with --scheduler")
    jobs, command = -1 if jobs is None else jobs, console.command_line()
    with console.Bar("Planning trials"):
        from lmu_spiking.cli.inputs import check_duration
        from lmu_spiking.memory.spec import MemorySpec
        from lmu_spiking.studies.sweep import FailedTrials, grid, sweep

        # check the plan and the folder before anything runs
        axes = orders, neurons_per_dimension, neuron_types, trials
        more = {"taus": taus, "max_rates": max_rates, "aggregated": aggregated}
        base = MemorySpec(theta=theta)
        planned = grid(*axes, base, duration, seed, target=target, **more)
        longest = max((t.spec for t in planned), key=lambda s: s.order)
        check_duration(longest, duration)
        console.prepare(out)
        # what `collect` needs to know of a study that does not end
        kept = {"command": command, "trials": [each.digest for each in planned]}
        console.write_results(out, "study", {PLAN: kept})
    start = time.perf_counter()
    failed = None
    # some trials may fail: the others are reported, then the failure
    try:
        with console.Bar("Trials", len(planned)) as bar:
            frame = sweep(planned, out, jobs, resume, bar.advance, scheduler=scheduler)
    except FailedTrials as error:
        frame, failed = error.frame, error
        if frame.empty:
            raise
    measured = {"seed": seed, "seconds": time.perf_counter() - start}
    missing = len(planned) - len(frame)
    _report(frame, out, command, missing, json, measured)
    if failed:
        raise failed


def collect(
    out: o.argument(
        "[FOLDER]", "The --out of a study [out/study]", offer_files("/"), Path
    ) = Path("out/study"),
    json: o.Json = False,
):
    """Gather the finished trials of a study, also of one that runs or was stopped.

    \b
    lmu-spiking study --orders 2 --neurons-per-dimension 20,200 --trials 3
    lmu-spiking collect
    lmu-spiking collect out/study --json

    Writes trials.parquet, summary.parquet, figures and report.html beside them.
    """  # noqa: D301 (the \b marks the examples)
    with console.Bar("Reading trials"):
        from lmu_spiking.studies.sweep import collect as gather

        frame = gather(out)
    if frame.empty:
        problem = "no finished trials are there; give the --out of a study"
        raise LMUSpikingError(f"{out}: {problem}")
    console.prepare(out)
    command, planned = _plan(out)
    missing = len(planned - set(frame.digest))
    if missing:
        console.tell(f"{missing} of {len(planned)} trials are not finished")
    _report(frame, out, command, missing, json, {})


def _report(frame, out: Path, command: str, missing: int, json: bool, measured: dict):
    """Write the files of a study, and print its exponents or its record."""
    with console.Bar("Fitting and drawing"):
        from lmu_spiking.metrics import versions
        from lmu_spiking.studies.page import exponent_table
        from lmu_spiking.studies.report import (
            exponents,
            summarise,
            within_intervals,
            write_report,
        )

        files = write_report(frame, out, command, missing)
        fits = exponents(frame)
    if json:
        record = {"trials": len(frame), "missing": missing}
        record |= {"summary": summarise(frame).to_dict("records")}
        record |= {"exponents": fits.to_dict("records")}
        record |= {"files": {name: str(path) for name, path in files.items()}}
        console.print_json(record | measured | {"versions": versions()})
        return
    shown = exponent_table(fits)
    console.print_table("State RMSE as a power law", list(shown), shown.values.tolist())
    print(f"\n{len(frame)} trials; {files['report.html']}")
    within, known = within_intervals(frame)
    if known:
        print(f"The noise of {within} of {known} is within its interval of 95 %.")


def _plan(out: Path) -> tuple[str, set[str]]:
    """Return the command and the trials of the last study in a folder, if known."""
    from lmu_spiking.files import NOT_OURS, read_json

    try:
        plan = read_json(out / PLAN)
        return str(plan["command"]), set(plan["trials"])
    except NOT_OURS:
        return shlex.join([console.NAME, "collect", str(out)]), set()
