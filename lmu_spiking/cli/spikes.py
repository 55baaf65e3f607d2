"""``lmu-spiking spikes``: what the spikes of each neuron type are worth."""

import os
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli.console import Bar, prepare, print_json, print_table
from lmu_spiking.cli.study import _check, _numbers

TYPES = "poisson,stochastic,regular,if,lif,adaptive"


def spikes(
    neuron_types: Annotated[str, typer.Option(help="Comma-separated.")] = TYPES,
    orders: Annotated[str, typer.Option(help="Comma-separated.")] = "4",
    neurons_per_dimension: Annotated[
        str, typer.Option(help="At 300 Hz at the radius, comma-separated.")
    ] = "20,60,200,600",
    budget: Annotated[
        str, typer.Option(help="Spikes per second, comma-separated.")
    ] = "40000",
    max_rates: Annotated[
        str, typer.Option(help="That spend the budget, Hz, comma-separated.")
    ] = "30,100,300",
    trials: Annotated[int, typer.Option(help="Of each combination.")] = 5,
    duration: Annotated[float, typer.Option(help="Of each trial, seconds.")] = 10.0,
    theta: Annotated[float, typer.Option(help="Window, seconds.")] = 0.5,
    sources: Annotated[
        bool, typer.Option(help="Find where errors come from, in up to 3 trials each.")
    ] = True,
    jobs: Annotated[int, typer.Option(help="Processes; -1 for all cores.")] = -1,
    resume: Annotated[
        bool, typer.Option(help="Take finished trials from their files.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Draws the seeds of all trials.")] = 0,
    out: Annotated[
        Path, typer.Option(help="Folder for report.html, tables, figures and trials.")
    ] = Path("out/spikes"),
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, not a table.")
    ] = False,
):
    """Compare neuron types: errors against neurons, spikes and synaptic operations.

    \b
    lmu-spiking spikes
    lmu-spiking spikes --neuron-types poisson,if --budget 20000,80000
    lmu-spiking spikes --neuron-types lif --neurons-per-dimension 50,500 --trials 3

    A budget of spikes is spent by many slow neurons or a few fast ones. Sources tell
    curves, spikes, phases and membranes apart. White noise of 2 Hz and rms 0.5; a
    study that was stopped goes on when the same command is given again.
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    from lmu_spiking.spec import MemorySpec
    from lmu_spiking.studies.budget import (
        budget_costs,
        costs,
        neuron_trials,
        spike_budget_trials,
    )
    from lmu_spiking.studies.sources import source_trials, summarise_sources
    from lmu_spiking.studies.spikes import (
        cost_table,
        rate_exponents,
        write_spikes_report,
    )
    from lmu_spiking.studies.sweep import sweep
    from lmu_spiking.studies.trial import versions
    from lmu_spiking.tuning import neuron_type

    _check("--trials", trials, trials >= 1, "must be at least 1")
    _check("--jobs", jobs, jobs == -1 or jobs >= 1, "must be at least 1, or -1")
    _check("--seed", seed, 0 <= seed < 2**31, "must be from 0 to 2147483647")
    kinds = _numbers("--neuron-types", neuron_types, str)
    for kind in kinds:
        spiking = neuron_type(kind).spiking
        _check("--neuron-types", kind, spiking, "does not spike; leave it out")
    at = _numbers("--orders", orders, int)
    each = _numbers("--neurons-per-dimension", neurons_per_dimension, int)
    base = MemorySpec(theta=theta, order=at[0], n_neurons=2 * at[0])
    varied = neuron_trials(at, each, kinds, trials, base, duration, seed)
    planned = spike_budget_trials(
        _numbers("--budget", budget, float),
        _numbers("--max-rates", max_rates, float),
        kinds,
        trials,
        base,
        duration,
        seed,
        orders=at,
    )
    apart = neuron_trials(at, each, kinds, min(trials, 3), base, duration, seed)
    apart = apart if sources else []
    everything = {t.digest: t for t in sum(planned.values(), varied)}
    prepare(out)
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the workers
    start = time.perf_counter()
    with Bar("Trials", len(everything) + len(apart)) as bar:
        run = {"n_jobs": jobs, "resume": resume, "on_done": bar.advance}
        frame = sweep(everything.values(), out, **run)
        found = summarise_sources(source_trials(apart, out, **run))
    summary = costs(frame[frame.digest.isin({t.digest for t in varied})])
    budgets, fits = budget_costs(frame, planned), rate_exponents(frame, planned)
    command = shlex.join(["lmu-spiking", *sys.argv[1:]])
    files = write_spikes_report(frame, summary, budgets, fits, found, out, command)
    if json:
        print_json(
            {
                "trials": len(frame),
                "summary": summary.to_dict("records"),
                "budgets": budgets.to_dict("records"),
                "rate_exponents": fits.to_dict("records"),
                "sources": found.to_dict("records"),
                "files": {name: str(path) for name, path in files.items()},
                "seed": seed,
                "seconds": time.perf_counter() - start,
                "versions": versions(),
            }
        )
        return
    shown = cost_table(summary)
    rows = [[str(value) for value in row] for row in shown.itertuples(index=False)]
    print_table("Errors and costs", list(shown), rows)
    print(f"\n{len(frame)} trials; {files['report.html']}")
