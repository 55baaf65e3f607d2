"""``lmu-spiking spikes``: what the spikes of each neuron type are worth."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

import time
from pathlib import Path

from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.known import SPIKING

TYPES = "poisson,stochastic,regular,if,lif,adaptive"
AT_300 = "For each coefficient, at 300 Hz at the radius"
SOURCES = "Find where errors come from, in up to 3 trials each"


def spikes(
    neuron_types: o.some_of("", SPIKING) = TYPES,
    orders: o.orders() = "4",
    neurons_per_dimension: o.neuron_counts(AT_300) = "20,60,200,600",
    budget: o.numbers("Spikes to be spent", "PER_SECOND", most=1e12) = "40000",
    max_rates: o.numbers("Rates at the radius that spend them", "HZ") = "30,100,300",
    trials: o.Trials = 5,
    duration: o.duration(help="Of each trial", panel=o.GRID) = 10.0,
    theta: o.theta() = 0.5,
    sources: o.flag(SOURCES, "--sources/--no-sources") = True,
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
    with console.Bar("Planning trials"):
        from lmu_spiking.experiments.spikes import budget as of_budget
        from lmu_spiking.experiments.spikes import sources as of_sources
        from lmu_spiking.experiments.spikes import study as of_study
        from lmu_spiking.memory.spec import MemorySpec
        from lmu_spiking.metrics import versions
        from lmu_spiking.studies.sweep import sweep

        base = MemorySpec(theta=theta, order=orders[0], n_neurons=2 * orders[0])
        if sources:
            of_sources.check_settled("--duration", duration, base.tau)

        def neurons(count: int) -> list:
            axes = orders, neurons_per_dimension, neuron_types, count
            return of_budget.neuron_trials(*axes, base, duration, seed)

        varied, apart = neurons(trials), neurons(min(trials, 3)) if sources else []
        axes = budget, max_rates, neuron_types, trials
        planned = of_budget.spike_budget_trials(
            *axes, base, duration, seed, orders=orders
        )
        everything = {t.digest: t for t in sum(planned.values(), varied)}
        console.prepare(out)
    start = time.perf_counter()
    with console.Bar("Trials", len(everything) + len(apart)) as bar:
        run = {"n_jobs": jobs, "resume": resume, "on_done": bar.advance}
        frame = sweep(everything.values(), out, **run)
        trials_apart = of_sources.source_trials(apart, out, **run)
        found = of_sources.summarise_sources(trials_apart)
        bar.phase("Fitting and drawing")
        summary = of_budget.costs(frame[frame.digest.isin({t.digest for t in varied})])
        budgets = of_budget.budget_costs(frame, planned)
        fits = of_study.rate_exponents(frame, planned)
        tables = frame, summary, budgets, fits, found
        files = of_study.write_spikes_report(*tables, out, console.command_line())
    if json:
        record: dict = {"trials": len(frame)}
        named = {"summary": summary, "budgets": budgets}
        named |= {"rate_exponents": fits, "sources": found}
        record |= {name: table.to_dict("records") for name, table in named.items()}
        record |= {"files": {name: str(path) for name, path in files.items()}}
        record |= {"seed": seed, "seconds": time.perf_counter() - start}
        console.print_json(record | {"versions": versions()})
        return
    shown = of_study.cost_table(summary)
    console.print_table("Errors and costs", list(shown), shown.values.tolist())
    print(f"\n{len(frame)} trials; {files['report.html']}")
