"""``lmu-spiking reproduce``: a published figure or table beside ours."""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

import sys
import textwrap
import time
from importlib import import_module
from pathlib import Path

from lmu_spiking.cli import console
from lmu_spiking.cli import options as o
from lmu_spiking.cli.completion import offer_names
from lmu_spiking.cli.known import REPRODUCED as NAMES
from lmu_spiking.errors import ValidationError, check_one_of

OWN = {  # options of some alone
    "--lstm-minutes": ("capacity", "mackey-glass", "psmnist"),
    "--data": ("psmnist",),
    "--splits": ("psmnist",),
}
LSTM = "To train the LSTM, with JAX, 0 for none"
LSTM_UNSET = "capacity 4, mackey-glass as long as the LMU, psmnist 0"
AT_WORK = {"panel": o.WORK, "least": 0}
SPLITS = "psmnist: how often to split"
DATA = "psmnist: mnist.npz, for the whole [5,000 digits]"


def reproduce(
    name: o.argument("NAME", ", ".join(NAMES), offer_names(NAMES)),
    fast: o.flag("A short version, which decides nothing", "--fast") = False,
    lstm_minutes: o.number(LSTM, "MINUTES", unset=LSTM_UNSET, **AT_WORK) = None,
    data: o.file(DATA, (".npz",), panel=o.WORK) = None,
    splits: o.whole(SPLITS, panel=o.WORK, most=1000, unset="3") = None,
    jobs: o.Jobs = -1,
    seed: o.seed("Draws neurons, spikes and signals") = 0,
    out: o.out("For result.json and the figure", unset="out/NAME") = None,
    json: o.Json = False,
):
    """Run a published experiment again: its value, ours, and its known faults.

    \b
    lmu-spiking reproduce capacity --fast
    lmu-spiking reproduce poisson-figure --fast
    lmu-spiking reproduce delay-network --fast --out out/dn

    \b
    Names:
    poisson-figure   error of Poisson neurons, LMU paper: published, claimed
    capacity         how much of the past an LMU holds untrained, LMU paper
    delay-network    a window of .1 s in 384 neurons, Voelker's thesis
    mackey-glass     chaos predicted: the LMU, rate-based and in spikes
    psmnist          permuted digits: the LMU, rate-based and in spikes

    LSTMs are trained for a set time and have not converged: no comparison.

    The last two need lmu_spiking[train,data]. What they have finished is kept in --out,
    and the same command goes on from there. Without --fast they take minutes to hours.
    Intervals are of 95 %.
    """  # noqa: D301 (the \b marks the examples)
    # mistakes first, then the imports that take seconds
    own = {"--lstm-minutes": lstm_minutes, "--data": data, "--splits": splits}
    options = _checked(name, own)
    out = Path("out") / name if out is None else out
    console.prepare(out)
    with console.Bar("Getting ready"):
        from lmu_spiking.experiments.figures import published as figures
        from lmu_spiking.metrics import PACKAGES, versions

        # modules, and functions of figures, are named after the experiments
        module = name.replace("-", "_")
        study = import_module(f"lmu_spiking.experiments.published.{module}")
    draw = getattr(figures, f"{module.removesuffix('_figure')}_figure")
    start = time.perf_counter()
    result = study.reproduce(
        seed, fast=fast, jobs=jobs, out=out, bar=console.Bar, **options
    )
    record = result.to_dict() | {"command": console.command_line()}
    record["seconds"] = time.perf_counter() - start
    made = {"result": str(out / "result.json"), "figure": str(out / f"{name}.png")}
    # those of training only if something was trained
    trained = [name for name in ("jax", "optax") if name in sys.modules]
    record |= {"files": made, "versions": versions((*PACKAGES, *trained))}
    files = {f"{name}.png": draw(result), "result.json": record}
    console.write_results(out, "reproduce", files)
    if json:
        console.print_json(record)
    else:
        print("\n".join(report(result)))
        print(f"\n{record['seconds']:.0f} s; {', '.join(made.values())}")


def report(result) -> list[str]:
    """Return title, table, faults and notes in lines of at most 80 characters.

    Parameters
    ----------
    result : lmu_spiking.experiments.published.result.Reproduction

    Returns
    -------
    list of str
    """
    short = " (short version: it decides nothing)" if result.fast else ""
    lines = [*textwrap.wrap(result.title + short, 79), ""]
    rows = []
    for one in result.comparisons:
        interval = one.say or text((one.low, one.high))
        row = [one.what, text(one.published), text(one.ours), interval]
        rows.append([*row, "" if one.beside is None else text(one.beside)])
    header = ["", "published", "ours", "95 % interval", result.beside]
    lines += console.table_lines("", header, rows)
    for title, several in (("Upstream", result.faults), ("Notes", result.notes)):
        lines += ["", f"{title}:"]
        for each in several:
            joined = "\n  ".join(textwrap.wrap(each, 77))
            lines += f"- {joined}".splitlines()
    return lines


def text(value) -> str:
    """Return a number in three digits (from 10 to 100 in four), or an interval.

    Parameters
    ----------
    value : float, tuple of two floats, or None

    Returns
    -------
    str
    """
    if value is None or value == (None, None):
        return "-"
    if isinstance(value, (tuple, list)):
        return " to ".join(text(end) for end in value)
    digits = 4 if 10 <= abs(value) < 100 else 3
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e+")


def _checked(name: str, own: dict) -> dict:
    """Return the options of some reproductions; refuse mistakes before a long run."""
    check_one_of("NAME", name, NAMES, "is not known")
    given = {option: value for option, value in own.items() if value is not None}
    for option, value in given.items():
        shown = str(value) if isinstance(value, Path) else value
        if name not in OWN[option]:
            known = ", ".join(OWN[option])
            raise ValidationError(option, shown, f"is for {known} only")
        if option == "--data" and not value.exists():
            raise ValidationError(option, shown, "no such file or folder")
    return {option[2:].replace("-", "_"): value for option, value in given.items()}
