"""``lmu-spiking bench``: speed against other simulators, as ratios in one run."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

import time
from pathlib import Path
from textwrap import fill
from typing import Annotated

import typer

from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.help import Command, Group
from lmu_spiking.cli.known import PEERS, TIMED

ALL_PEERS = ",".join(PEERS)
PYTHON = typer.Option(
    help="An interpreter that has a simulator; repeatable",
    metavar="PEER=PATH",
    rich_help_panel=o.WORK,
)

bench = typer.Typer(cls=Group, rich_markup_mode=None)


@bench.callback(invoke_without_command=True)
def _group(context: typer.Context):
    """Measure speed against Nengo and other peers, as ratios in one run.

    \b
    lmu-spiking bench simulator --neurons 600 --peers nengo,lmu_spiking
    """  # noqa: D301 (the \b marks the examples)
    if context.invoked_subcommand is None:
        print(context.get_help())


@bench.command(cls=Command)
def simulator(
    types: o.some_of("Neurons, see below", TIMED) = "poisson,lif,regular,rate",
    orders: o.orders() = "6",
    neurons: o.numbers("In all", kind=int, least=2, most=5 * 10**7) = "600,6000,60000",
    peers: o.some_of("Simulators", PEERS) = ALL_PEERS,
    python: Annotated[list[str] | None, PYTHON] = None,
    seconds: o.number("Least length of a repeat", "SECONDS", panel=o.WORK) = 0.3,
    seed: o.seed("Draws curves, input and spikes") = 0,
    out: o.out("For simulator.json and simulator.png") = Path("out/bench"),
    json: o.Json = False,
):
    """Time simulators on the same memories: nanoseconds per neuron and step.

    \b
    lmu-spiking bench simulator --neurons 600 --peers nengo,lmu_spiking
    lmu-spiking bench simulator --types poisson --orders 6,24 --neurons 600,60000
    lmu-spiking bench simulator --peers nengo,lmu_spiking,c --seconds 1

    Types are poisson, lif, regular and rate (rectified linear); poisson-drawn, with
    drawn curves; poisson-array and lif-array, an ensemble for each dimension. The best
    of three repeats, without the build and the first run, each simulator in a process
    of its own; those on one thread first. The limit is a loop in C. A simulator in an
    environment of its own is given as --python brian2=/path/to/its/bin/python.
    """  # noqa: D301 (the \b marks the examples)
    from lmu_spiking.experiments.figures.speed import speed_figure
    from lmu_spiking.experiments.speed import run, table

    cases = run.grid(types, orders, neurons, seed)
    asked = run.chosen(peers)
    how: dict = {"seconds": seconds, "pythons": run.interpreters(python or [])}
    console.prepare(out)
    start, machine = time.perf_counter(), run.machine()
    with console.Bar("Measurements", len(cases) * len(run.product_of(asked))) as bar:
        rows = run.compare(cases, asked, on_done=bar.advance, **how)
    record = {"command": console.command_line(), **machine, "rows": rows, "seed": seed}
    record["seconds"] = time.perf_counter() - start
    panels = table.panels(rows)
    files: dict = {"simulator.json": record}
    if panels:
        files["simulator.png"] = speed_figure(panels)
    record["files"] = {name: str(out / name) for name in files}
    console.write_results(out, "bench", files, ("simulator.png",))
    if json:
        console.print_json(record)
        return
    print("ns per neuron and step (times as fast as Nengo)")
    for title, (header, lines) in table.tables(rows).items():
        print()
        console.print_table(title, header, lines)
    print()
    for line in "\n".join(table.reasons(rows)).splitlines():
        is_command = line.startswith("  ")
        print(line if is_command else fill(line, 80, subsequent_indent="  "))
    print(out / "simulator.json")
