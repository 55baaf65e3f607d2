"""``lmu-spiking study``: many memories, and the law that their errors follow."""

import os
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli.console import Bar, prepare, print_json, print_table
from lmu_spiking.errors import ValidationError


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
    jobs: Annotated[int, typer.Option(help="Processes; -1 for all cores.")] = -1,
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

    White noise of 2 Hz and rms 0.5, different in each trial. A study that was stopped
    goes on when the same command is given again; a larger one reuses what is there.
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    from lmu_spiking.spec import MemorySpec
    from lmu_spiking.studies.page import exponent_table
    from lmu_spiking.studies.report import exponents, summarise, write_report
    from lmu_spiking.studies.sweep import grid, sweep
    from lmu_spiking.studies.trial import versions

    _check("--trials", trials, trials >= 1, "must be at least 1")
    _check("--jobs", jobs, jobs == -1 or jobs >= 1, "must be at least 1, or -1")
    _check("--seed", seed, 0 <= seed < 2**31, "must be from 0 to 2147483647")
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
    )
    prepare(out)
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the workers
    start = time.perf_counter()
    with Bar("Trials", len(planned)) as bar:
        frame = sweep(planned, out, n_jobs=jobs, resume=resume, on_done=bar.advance)
    files = write_report(frame, out, shlex.join(["lmu-spiking", *sys.argv[1:]]))
    fits = exponents(frame)
    if json:
        print_json(
            {
                "trials": len(frame),
                "summary": summarise(frame).to_dict("records"),
                "exponents": fits.to_dict("records"),
                "files": {name: str(path) for name, path in files.items()},
                "seed": seed,
                "seconds": time.perf_counter() - start,
                "versions": versions(),
            }
        )
        return
    shown = exponent_table(fits)
    rows = [[str(value) for value in row] for row in shown.itertuples(index=False)]
    print_table("State RMSE as a power law", list(shown), rows)
    print(f"\n{len(frame)} trials; {files['report.html']}")


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
