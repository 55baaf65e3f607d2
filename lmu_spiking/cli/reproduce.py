"""``lmu-spiking reproduce``: a published figure or table beside ours."""

import os
import sys
import textwrap
import time
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli import options as o
from lmu_spiking.cli.completion import names_from
from lmu_spiking.cli.console import Bar, command_line, prepare, print_json
from lmu_spiking.cli.known import REPRODUCED as NAMES
from lmu_spiking.errors import ValidationError

OWN = {  # options of some alone
    "--lstm-minutes": ("capacity", "mackey-glass", "psmnist"),
    "--data": ("psmnist",),
    "--splits": ("psmnist",),
}


def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=f"{', '.join(NAMES)}",
            autocompletion=names_from(NAMES),
        ),
    ],
    fast: o.flag("A short version, which decides nothing", "--fast") = False,
    lstm_minutes: o.number(
        "To train the LSTM, with TensorFlow, 0 for none",
        "MINUTES",
        panel=o.WORK,
        least=0,
        unset="capacity 4, others as long as the LMU took",
    ) = None,
    data: o.file(
        "psmnist: mnist.npz, for the whole [5,000 digits]",
        panel=o.WORK,
        suffixes=(".npz",),
    ) = None,
    splits: o.whole(
        "psmnist: how often to split", panel=o.WORK, most=1000, unset="3"
    ) = None,
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
    own = {"--lstm-minutes": lstm_minutes, "--data": data, "--splits": splits}
    options = _checked(name, own)
    out = Path("out") / name if out is None else out
    prepare(out)
    with Bar("Getting ready"):
        from lmu_spiking.experiments.figures import published as figures
        from lmu_spiking.plots import save_figure
        from lmu_spiking.studies.folder import Folder
        from lmu_spiking.studies.records import write_json
        from lmu_spiking.studies.trial import versions

        module = name.replace("-", "_")
        study = import_module(f"lmu_spiking.experiments.published.{module}")
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the workers
    draw = getattr(figures, f"{module.removesuffix('_figure')}_figure")
    start = time.perf_counter()
    result = study.reproduce(seed, fast=fast, jobs=jobs, out=out, bar=Bar, **options)
    made = {"result": out / "result.json", "figure": out / f"{name}.png"}
    record = result.to_dict() | {
        "command": command_line(),
        "seconds": time.perf_counter() - start,
        "files": {kind: str(path) for kind, path in made.items()},
        "versions": versions() | _tensorflow(),
    }
    with Bar("Drawing"), Folder(out, "reproduce") as folder:
        save_figure(draw(result), folder.claim(made["figure"].name))
        write_json(folder.claim(made["result"].name), record)
    if json:
        print_json(record)
    else:
        print("\n".join(report(result)))
        print(f"\n{record['seconds']:.0f} s; {', '.join(map(str, made.values()))}")


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
    wide = 28 - max(8, len(beside))  # a long head stands a little to the left
    line = f"{what:28} {published:>12} {ours:>8} {interval:>{wide}} {beside:>8}"
    return line.rstrip()


def _checked(name: str, own: dict) -> dict:
    """Options of some reproductions; mistakes are refused before a long run."""
    if name not in NAMES:
        known = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"
        raise ValidationError("NAME", name, "is not known", f"use {known}")
    given = {option: value for option, value in own.items() if value is not None}
    for option, value in given.items():
        if name not in OWN[option]:
            *most, last = OWN[option]
            names = f"{', '.join(most)} and {last}" if most else last
            shown = str(value) if isinstance(value, Path) else value
            raise ValidationError(option, shown, f"is for {names} only")
    if "--data" in given and not given["--data"].exists():
        path = str(given["--data"])
        raise ValidationError("--data", path, "no such file or folder")
    return {option[2:].replace("-", "_"): value for option, value in given.items()}


def _tensorflow() -> dict:
    found = sys.modules.get("tensorflow")
    return {} if found is None else {"tensorflow": found.__version__}
