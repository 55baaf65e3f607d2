"""``lmu-spiking bench``: speed against other simulators, as ratios in one run."""

import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli.console import NAME, Bar, prepare, print_json, print_table
from lmu_spiking.cli.study import _numbers

bench = typer.Typer(rich_markup_mode=None)


@bench.callback(invoke_without_command=True)
def _group(context: typer.Context):
    """Measure speed against Nengo and other peers, as ratios in one run.

    \b
    lmu-spiking bench simulator            nanoseconds per neuron and step
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    if context.invoked_subcommand is None:
        print(context.get_help())


@bench.command()
def simulator(
    types: Annotated[
        str, typer.Option(help="Neurons; see below. Comma-separated.")
    ] = "poisson,lif,regular,rate",
    orders: Annotated[str, typer.Option(help="Comma-separated.")] = "6",
    neurons: Annotated[
        str, typer.Option(help="In all, comma-separated.")
    ] = "600,6000,60000",
    peers: Annotated[
        str, typer.Option(help="Simulators, comma-separated.")
    ] = "nengo,lmu_spiking,nengo_dl,nengo_ocl,brian2,c",
    python: Annotated[
        list[str] | None,
        typer.Option(help="PEER=PATH, an interpreter that has it; repeatable."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Least length of a repeat.")] = 0.3,
    seed: Annotated[int, typer.Option(help="Of curves, input and spikes.")] = 0,
    out: Annotated[
        Path, typer.Option(help="Folder for simulator.json and simulator.png.")
    ] = Path("out/bench"),
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, not a table.")
    ] = False,
):
    """Time simulators on the same memories: nanoseconds per neuron and step.

    \b
    lmu-spiking bench simulator
    lmu-spiking bench simulator --types poisson --orders 6,24 --neurons 600,600000
    lmu-spiking bench simulator --peers nengo,lmu_spiking,c --seconds 1
    lmu-spiking bench simulator --python brian2=/path/to/its/bin/python

    Types are poisson, lif, regular and rate (rectified linear); poisson-drawn, with
    drawn curves; poisson-array and lif-array, an ensemble for each dimension. The best
    of three repeats, without the build and the first run, each simulator in a process
    of its own; those on one thread first. The limit is a loop in C.
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    from lmu_spiking import plots
    from lmu_spiking.studies.records import write_json
    from lmu_spiking.studies.speed import run, table
    from lmu_spiking.studies.speed.simulators import chosen, interpreters

    cases = run.grid(
        _numbers("--types", types, str),
        _numbers("--orders", orders, int),
        _numbers("--neurons", neurons, int),
        seed,
    )
    asked = chosen(_numbers("--peers", peers, str))
    pythons = interpreters(python or [])
    prepare(out)
    start, machine = time.perf_counter(), run.machine()
    with Bar("Measurements", len(cases) * len(run.product_of(asked))) as bar:
        rows = run.compare(
            cases, asked, seconds=seconds, pythons=pythons, on_done=bar.advance
        )
    record = {
        "command": shlex.join([NAME, *sys.argv[1:]]),
        **machine,
        "rows": rows,
        "seed": seed,
        "seconds": time.perf_counter() - start,
    }
    files = {"simulator.json": out / "simulator.json"}
    if panels := table.panels(rows):
        files["simulator.png"] = out / "simulator.png"
        plots.save_figure(plots.speed_figure(panels), files["simulator.png"])
    record["files"] = {name: str(path) for name, path in files.items()}
    write_json(files["simulator.json"], record)
    if json:
        print_json(record)
        return
    print("ns per neuron and step (times as fast as Nengo)")
    for title, (header, lines) in table.tables(rows).items():
        print()
        print_table(title, header, lines)
    print()
    for line in table.reasons(rows):
        print(line)
    print(files["simulator.json"])
