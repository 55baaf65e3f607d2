"""``lmu-spiking spikes``: what the spikes of each neuron type are worth."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli import options as o
from lmu_spiking.cli.console import Bar, command_line, prepare, print_json, print_table
from lmu_spiking.cli.known import SPIKING

TYPES = "poisson,stochastic,regular,if,lif,adaptive"


def spikes(
    neuron_types: o.some_of("", SPIKING) = TYPES,
    orders: o.numbers("Legendre coefficients", kind=int, most=10_000) = "4",
    neurons_per_dimension: o.numbers(
        "For each coefficient, at 300 Hz at the radius", kind=int, most=o.NEURONS
    ) = "20,60,200,600",
    budget: o.numbers("Spikes to be spent", "PER_SECOND", most=1e12) = "40000",
    max_rates: o.numbers("Rates at the radius that spend them", "HZ") = "30,100,300",
    trials: o.Trials = 5,
    duration: o.duration("Of each trial", panel=o.GRID) = 10.0,
    theta: o.theta() = 0.5,
    sources: Annotated[
        bool,
        typer.Option(
            "--sources/--no-sources",
            help="Find where errors come from, in up to 3 trials each",
            rich_help_panel=o.WORK,
            show_default=False,
        ),
    ] = True,
    jobs: o.Jobs = -1,
    resume: o.Resume = True,
    seed: o.seed("Draws the seeds of all trials") = 0,
    out: o.out("For report.html, tables, figures and trials") = Path("out/spikes"),
    json: o.Json = False,
):
    """Compare neuron types: errors against neurons, spikes and synaptic operations.

    \b
    lmu-spiking spikes --neuron-types poisson,if --trials 2 --duration 5
    lmu-spiking spikes --neuron-types poisson,if --budget 20000,80000
    lmu-spiking spikes --neuron-types lif --neurons-per-dimension 50,500

    A budget of spikes is spent by many slow neurons or a few fast ones. Sources tell
    curves, spikes, phases and membranes apart. White noise of 2 Hz and rms 0.5; a
    study that was stopped goes on when the same command is given again.
    """  # noqa: D301 (the \b marks the examples)
    with Bar("Planning trials"):
        from lmu_spiking.experiments.spikes import budget as of_budget
        from lmu_spiking.experiments.spikes.sources import (
            source_trials,
            summarise_sources,
        )
        from lmu_spiking.experiments.spikes.study import (
            cost_table,
            rate_exponents,
            write_spikes_report,
        )
        from lmu_spiking.memory.spec import MemorySpec
        from lmu_spiking.studies.sweep import sweep
        from lmu_spiking.studies.trial import versions

        base = MemorySpec(theta=theta, order=orders[0], n_neurons=2 * orders[0])

        def neurons(count: int) -> list:
            return of_budget.neuron_trials(
                orders, neurons_per_dimension, neuron_types, count, base, duration, seed
            )

        varied, apart = neurons(trials), neurons(min(trials, 3)) if sources else []
        planned = of_budget.spike_budget_trials(
            *(budget, max_rates, neuron_types, trials, base, duration, seed),
            orders=orders,
        )
        everything = {t.digest: t for t in sum(planned.values(), varied)}
        prepare(out)
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the workers
    start = time.perf_counter()
    with Bar("Trials", len(everything) + len(apart)) as bar:
        run = {"n_jobs": jobs, "resume": resume, "on_done": bar.advance}
        frame = sweep(everything.values(), out, **run)
        found = summarise_sources(source_trials(apart, out, **run))
        bar.phase("Fitting and drawing")
        summary = of_budget.costs(frame[frame.digest.isin({t.digest for t in varied})])
        budgets = of_budget.budget_costs(frame, planned)
        fits = rate_exponents(frame, planned)
        files = write_spikes_report(
            *(frame, summary, budgets, fits, found, out, command_line())
        )
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
