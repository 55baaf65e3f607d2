"""``lmu-spiking reproduce``: a published figure or table beside ours."""

import os
import shlex
import sys
import textwrap
import time
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli.console import Bar, prepare, print_json
from lmu_spiking.errors import ValidationError, check_seed

NAMES = ("poisson-figure", "capacity", "delay-network", "mackey-glass", "psmnist")
OWN = {  # options of some alone
    "--lstm-minutes": ("capacity", "mackey-glass", "psmnist"),
    "--data": ("psmnist",),
    "--splits": ("psmnist",),
}


def reproduce(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"{', '.join(NAMES)}.")],
    fast: Annotated[
        bool, typer.Option("--fast", help="A short version, which decides nothing.")
    ] = False,
    lstm_minutes: Annotated[
        float | None,
        typer.Option(
            help="To train the LSTM, with TensorFlow; 0 for none "
            "[capacity 4, mackey-glass and psmnist as long as the LMU took]."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="psmnist only: mnist.npz, for the whole [5,000 digits]."),
    ] = None,
    splits: Annotated[
        int | None, typer.Option(help="psmnist only: how often to split [3].")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes; -1 for all cores.")] = -1,
    seed: Annotated[int, typer.Option(help="Draws neurons, spikes and signals.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for result.json and figure [out/NAME].")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, not a table.")
    ] = False,
):
    """Run a published experiment again: its value, ours, and its known faults.

    \b
    lmu-spiking reproduce capacity
    lmu-spiking reproduce poisson-figure --fast
    lmu-spiking reproduce delay-network --jobs 2 --out out/dn --json

    \b
    poisson-figure   error of Poisson neurons, LMU paper: as published and as claimed
    capacity         how much of the past an LMU holds untrained, LMU paper
    delay-network    a window of .1 s in 384 neurons, Voelker's thesis
    mackey-glass     chaos predicted: LMU, LSTM, hybrid, and the LMU in spikes
    psmnist          permuted digits: LMU, LSTM, and the LMU in spikes

    The last two need lmu_spiking[train,data].  What they have finished is kept in OUT,
    and the same command goes on from there.

    Intervals are of 95 %.
    """  # noqa: D301 (the \b keeps the lines that follow it apart)
    own = {"--lstm-minutes": lstm_minutes, "--data": data, "--splits": splits}
    options = _checked(name, own, jobs, seed)
    out = Path("out") / name if out is None else out
    prepare(out)
    from lmu_spiking import plots
    from lmu_spiking.studies.records import write_json
    from lmu_spiking.studies.trial import versions

    os.environ["PYTHONWARNINGS"] = "ignore"  # in the workers
    module = name.replace("-", "_")
    study = import_module(f"lmu_spiking.studies.reproduce.{module}")
    draw = getattr(plots, f"{module.removesuffix('_figure')}_figure")
    start = time.perf_counter()
    result = study.reproduce(seed, fast=fast, jobs=jobs, out=out, bar=Bar, **options)
    files = {"result": out / "result.json", "figure": out / f"{name}.png"}
    record = result.to_dict() | {
        "command": shlex.join(["lmu-spiking", *sys.argv[1:]]),
        "seconds": time.perf_counter() - start,
        "files": {kind: str(path) for kind, path in files.items()},
        "versions": versions() | _tensorflow(),
    }
    plots.save_figure(draw(result), files["figure"])
    write_json(files["result"], record)
    if json:
        print_json(record)
    else:
        print("\n".join(report(result)))
        print(f"\n{record['seconds']:.0f} s; {', '.join(map(str, files.values()))}")


def report(result) -> list[str]:
    """Title, table, faults and notes, in lines of at most 80 characters."""
    short = " (short version: it decides nothing)" if result.fast else ""
    beside = result.beside
    lines = [*textwrap.wrap(result.title + short, 79), ""]
    lines.append(_row("", "published", "ours", "95 % interval", beside))
    for one in result.comparisons:
        if one.ours is None:
            what, then = one.what, text(one.published)
            lines.append(f"{what:28} {then:>12} {one.say}".rstrip())
            continue
        interval = text((one.low, one.high))
        beside = "" if one.beside is None else text(one.beside)
        lines.append(
            _row(one.what, text(one.published), text(one.ours), interval, beside)
        )
    for title, several in (("Upstream", result.faults), ("Notes", result.notes)):
        lines += ["", f"{title}:"]
        for each in several:
            lines += textwrap.wrap(
                each, 79, initial_indent="- ", subsequent_indent="  "
            )
    return lines


def text(value) -> str:
    """A number in three digits, from 10 to 100 in four, or an interval of numbers."""
    if value is None or value == (None, None):
        return "-"
    if isinstance(value, (tuple, list)):
        return " to ".join(text(end) for end in value)
    digits = 4 if 10 <= abs(value) < 100 else 3
    short = f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e+")
    sign, digits = ("-", short[1:]) if short.startswith("-") else ("", short)
    return sign + (digits[1:] if digits.startswith("0.") else digits)


def _row(what: str, published: str, ours: str, interval: str, beside: str) -> str:
    line = f"{what:28} {published:>12} {ours:>8} {interval:>20} {beside:>8}"
    return line.rstrip()


def _checked(name: str, own: dict, jobs: int, seed: int) -> dict:
    """Options of some reproductions; mistakes are refused before a long run."""
    if name not in NAMES:
        known = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"
        raise ValidationError("NAME", name, "is not known", f"use {known}")
    if jobs != -1 and jobs < 1:
        raise ValidationError("--jobs", jobs, "must be at least 1, or -1")
    check_seed("--seed", seed)
    given = {option: value for option, value in own.items() if value is not None}
    for option, value in given.items():
        if name not in OWN[option]:
            *most, last = OWN[option]
            names = f"{', '.join(most)} and {last}" if most else last
            shown = str(value) if isinstance(value, Path) else value
            raise ValidationError(option, shown, f"is for {names} only")
    if not 0 <= given.get("--lstm-minutes", 0) < float("inf"):
        raise ValidationError(
            "--lstm-minutes", own["--lstm-minutes"], "must be 0 or more"
        )
    if given.get("--splits", 1) < 1:
        raise ValidationError("--splits", own["--splits"], "must be at least 1")
    if "--data" in given and not given["--data"].exists():
        path = str(given["--data"])
        raise ValidationError("--data", path, "no such file or folder")
    return {option[2:].replace("-", "_"): value for option, value in given.items()}


def _tensorflow() -> dict:
    found = sys.modules.get("tensorflow")
    return {} if found is None else {"tensorflow": found.__version__}
