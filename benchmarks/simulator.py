"""Speed of the simulator against its peers: Nengo, NengoDL, NengoOCL, Brian2, C.

    python benchmarks/simulator.py [--python brian2=PATH --python nengo_ocl=PATH ...]

One thread and all cores.  Order 6, m = 600 to 600,000, with Nengo, ours, Brian2 and the
loop in C; m = 6,000 with NengoDL and NengoOCL, which are slower than Nengo; m = 6,000
and 60,000 for order 24, drawn curves, and an ensemble for each dimension.  Each peer
may live in an environment of its own:

    pip install nengo-ocl 'pyopencl[pocl]' 'scipy<1.12' 'numpy<2'     NengoOCL on PoCL
    pip install brian2 'numpy<2.3' setuptools                         Brian2

An hour on two cores, most of it compiling.  Writes
benchmarks/results/simulator.json and docs/figures/simulator.png.
"""

import argparse
import sys
from pathlib import Path

from lmu_spiking.experiments.figures import speed_figure
from lmu_spiking.experiments.speed import table
from lmu_spiking.experiments.speed.run import compare, grid, machine, product_of
from lmu_spiking.experiments.speed.simulators import chosen, interpreters
from lmu_spiking.plots import save_figure
from lmu_spiking.studies.records import write_json

ROOT = Path(__file__).resolve().parent.parent
NEURONS = (600, 6_000, 60_000, 600_000)
TYPES = ("poisson", "lif", "regular", "rate")
DRAWN = ("poisson-drawn", "poisson-array", "lif-array")
FEW = ("nengo", "lmu_spiking", "c")
SLOW = ("nengo", "nengo_dl", "nengo_ocl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", default=[], metavar="PEER=PATH")
    parser.add_argument("--neurons", type=int, nargs="+", default=NEURONS)
    parser.add_argument("--seconds", type=float, default=0.3)
    options = parser.parse_args()
    sizes = sorted(options.neurons)
    few, most = [m for m in sizes if m < 10**5], [m for m in sizes if m >= 10**5]
    usual = [m for m in few if m >= 10**3] or few
    batches = [
        *((grid([kind], [6], few), chosen([*FEW, "brian2"])) for kind in TYPES),
        (grid(["poisson", "regular", "rate"], [6], most), chosen([*FEW, "brian2"])),
        (grid(TYPES, [6], usual[:1]), chosen(SLOW)),
        (grid(TYPES, [24], usual), chosen(FEW)),
        (grid(DRAWN, [6], usual), chosen(FEW)),
        (grid(["lif"], [6], most), chosen(FEW)),  # whose decoders take minutes
    ]
    total = sum(len(cases) * len(product_of(peers)) for cases, peers in batches)
    start, done = machine(), []  # the load before we make our own

    def count(row):
        done.append(row)
        print(f"\r{len(done)}/{total}", end="", file=sys.stderr, flush=True)

    more = {"seconds": options.seconds, "pythons": interpreters(options.python)}
    rows: list[dict] = []
    for cases, peers in batches:
        found = compare(cases, peers, on_done=count, **more)
        # each batch has Nengo beside it for its ratios, of which one row is shown
        met = {key_of(row) for row in rows}
        rows += [row for row in found if key_of(row) not in met]
        _keep(rows, start)
    print(file=sys.stderr)
    print("ns per neuron and step (times as fast as Nengo)")
    for title, (header, lines) in table.tables(rows).items():
        print(f"\n{title}")
        for line in [header, *lines]:
            print(f"{line[0]:24}" + "".join(f"{cell:>14}" for cell in line[1:]))
    print(*table.reasons(rows), sep="\n")


def key_of(row: dict) -> tuple:
    """What is measured in a row."""
    names = ("peer", "kind", "order", "neurons", "threads", "trials")
    return tuple(row.get(name) for name in names)


def _keep(rows: list[dict], start: dict) -> None:
    """What was measured so far."""
    write_json(
        ROOT / "benchmarks" / "results" / "simulator.json",
        {"command": "python benchmarks/simulator.py", **start, "rows": rows},
    )
    figure = speed_figure(table.panels(rows))
    save_figure(figure, ROOT / "docs" / "figures" / "simulator.png")


if __name__ == "__main__":
    main()
