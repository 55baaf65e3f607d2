"""What options are: units, limits, known names; those of many commands, said once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lmu_spiking.cli.completion import files, names_from
from lmu_spiking.cli.known import SIGNALS, TARGETS
from lmu_spiking.errors import ValidationError

SIGNAL, MEMORY, TRAINING = "Signal", "Memory", "Training"
LIMITS, GRID, WORK, RESULT = "Limits", "Combinations", "Computation", "Result"
NEURONS = 10**12  # as their sums
SEEDS = 2**31 - 1
LARGEST = 1e6  # seconds, Hz, or whatever the signal is in


@dataclass(frozen=True)
class Limits:
    """Which numbers an option takes.

    Parameters
    ----------
    kind : type
        int or float.
    least, most : float
    above : bool
        Whether ``least`` itself is refused.
    also : tuple
        Numbers outside that mean something.
    """

    kind: type = float
    least: float = 0
    most: float = LARGEST
    above: bool = False
    also: tuple = ()

    def __contains__(self, value) -> bool:
        if value in self.also:
            return True
        low = value > self.least if self.above else value >= self.least
        return low and value <= self.most  # NaN is neither

    def __str__(self) -> str:
        low, high = (
            f"{x:,}" if self.kind is int else f"{x:g}" for x in (self.least, self.most)
        )
        said = f"above {low}, up to {high}" if self.above else f"{low} to {high}"
        return said + "".join(f", or {x}" for x in self.also)

    @property
    def short(self) -> str:
        """For the help, where a limit that nobody will meet is left out."""
        if self.also or self.most < LARGEST or (self.kind is float and self.least > 0):
            return str(self)
        if self.kind is int:
            return f"{self.least:,} or more"
        return f"above {self.least:g}" if self.above else f"{self.least:g} or more"

    def check(self, name: str, value):
        """The number that was typed, or a ValidationError."""
        number = self._number(value)
        if not isinstance(number, (int, self.kind)) or number not in self:
            what = "whole number" if self.kind is int else "number"
            raise ValidationError(name, number, f"must be a {what}: {self}")
        return number

    def read(self, name: str, text: str) -> list:
        """Values with commas between, each once."""
        values = [self._number(part.strip()) for part in text.split(",")]
        if not all(isinstance(value, (int, self.kind)) for value in values):
            what = "whole numbers" if self.kind is int else "numbers"
            problem = f"must be {what} with commas between"
            raise ValidationError(name, text, problem)
        return list(dict.fromkeys(self.check(name, value) for value in values))

    def _number(self, value):
        """What was typed as a number, ``1e4`` as a whole one; as it is if it is none.

        Defaults are numbers already.
        """
        if not isinstance(value, str):
            return value
        try:
            number = float(value)
        except ValueError:
            return value
        if self.kind is float:
            return number
        try:
            return int(value)  # exact, however long
        except ValueError:
            return int(number) if number.is_integer() else number


def _said(help: str, limits: Limits | None, unset: str | None) -> str:
    """Help with limits and what holds where nothing is given."""
    help = f"{help.rstrip('.')}; {limits.short}" if limits else help.rstrip(".")
    return f"{help} [{unset}]" if unset else help


def _option(help: str, panel: str, unit: str, check: Callable | None, *flags, **more):
    """Typer's option whose value ``check(name, value)`` returns or refuses."""

    def called(param: typer.CallbackParam, value):
        if value is None or check is None:
            return value
        return check(max(param.opts, key=len), value)

    if check is not None:  # which reads the text itself, to refuse it in our words
        more["parser"] = _as_typed
    return typer.Option(
        *flags,
        help=help,
        metavar=unit,
        rich_help_panel=panel,
        show_default=False,
        callback=called,
        **more,
    )


def _as_typed(value):
    return value


# -- kinds of options --------------------------------------------------------------


def number(help, unit="NUMBER", *, panel=MEMORY, unset=None, **limits):
    """A number, above 0 unless said otherwise."""
    allowed = Limits(
        float, **({"above": True} if "least" not in limits else {}) | limits
    )
    said = _said(help, allowed, unset)
    return Annotated[float | None, _option(said, panel, unit, allowed.check)]


def whole(help, unit="N", *, panel=MEMORY, unset=None, least=1, most=SEEDS, also=()):
    """A whole number, from 1 unless said otherwise."""
    allowed = Limits(int, least, most, also=also)
    said = _said(help, allowed, unset)
    return Annotated[int | None, _option(said, panel, unit, allowed.check)]


def numbers(help, unit="LIST", *, kind=float, panel=GRID, **limits):
    """Numbers with commas between; a list of them reaches the command."""
    standard = {"least": 1, "most": SEEDS} if kind is int else {"above": True}
    allowed = Limits(kind, **standard | limits)
    return Annotated[
        str, _option(_said(help, allowed, None), panel, unit, allowed.read)
    ]


def one_of(help, known: tuple, *, panel=MEMORY, unset=None, unit="NAME"):
    """One of the names that are known."""

    def check(name: str, value: str) -> str:
        if value not in known:
            remedy = f"use {_either(known)}"
            raise ValidationError(name, value, "is unknown", remedy)
        return value

    said = f"{help.rstrip('.')}: {_either(known)}" if help else _either(known)
    option = _option(
        _said(said, None, unset), panel, unit, check, autocompletion=names_from(known)
    )
    return Annotated[str | None, option]


def some_of(help, known: tuple, *, panel=GRID, unit="NAMES"):
    """Names that are known, with commas between; a list of them reaches the command."""

    def check(name: str, text: str) -> list[str]:
        values = list(dict.fromkeys(part.strip() for part in text.split(",")))
        for value in values:
            if value not in known:
                remedy = f"use some of {', '.join(known)}"
                raise ValidationError(name, value, "is unknown", remedy)
        return values

    said = f"{help.rstrip('.')}: {', '.join(known)}" if help else ", ".join(known)
    complete = names_from(known, many=True)
    return Annotated[str, _option(said, panel, unit, check, autocompletion=complete)]


def text(help, unit="TEXT", *, panel=MEMORY, unset=None, complete=None):
    """A text that the command itself looks at."""
    more = {"autocompletion": complete} if complete else {}
    return Annotated[
        str | None, _option(_said(help, None, unset), panel, unit, None, **more)
    ]


def file(help, unit="FILE", *, panel=MEMORY, suffixes=(), flag=None):
    """A file that is there."""
    flags = [flag] if flag else []
    option = _option(help, panel, unit, None, *flags, autocompletion=files(*suffixes))
    return Annotated[Path | None, option]


def flag(help, name: str, *, panel=WORK):
    """A switch, off unless given."""
    return Annotated[
        bool, typer.Option(name, help=help, rich_help_panel=panel, show_default=False)
    ]


def _either(names: tuple) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


# -- options of many commands ------------------------------------------------------


def order(unset=None):
    """Of the memory."""
    return whole("Legendre coefficients", unset=unset, most=10_000)


def theta(unset=None):
    """Of the memory."""
    return number("Window", "SECONDS", unset=unset)


def neurons(unset=None, help="In all", least=2, panel=MEMORY):
    """Of the memory."""
    return whole(help, unset=unset, least=least, most=NEURONS, panel=panel)


def tau(unset=None):
    """Of the memory."""
    return number("Recurrent synapse", "SECONDS", unset=unset)


def step(unset=None):
    """Of the memory."""
    return number("Step", "SECONDS", unset=unset, most=1.0)


def max_rate(unset=None, help="Rate of a neuron at the radius"):
    """Of the memory."""
    return number(help, "HZ", unset=unset)


def bandwidth(unset=None):
    """Of white noise."""
    return number("Highest frequency of white noise", "HZ", panel=SIGNAL, unset=unset)


def rms(unset=None):
    """Of white noise."""
    return number("Root mean square of white noise", panel=SIGNAL, unset=unset)


def duration(help="Of the signal", unset=None, panel=SIGNAL):
    """Of a signal."""
    return number(help, "SECONDS", panel=panel, unset=unset)


def seed(help: str, panel=WORK, unset=None):
    """What draws random numbers."""
    return whole(help, panel=panel, least=0, most=SEEDS, unset=unset)


def out(help: str, unset=None):
    """Where files go."""

    def check(name: str, value) -> Path:
        if not str(value).strip():
            remedy = "name one, or use . for this one"
            raise ValidationError(name, value, "is no folder", remedy)
        return Path(value)

    option = _option(
        _said(help, None, unset), RESULT, "FOLDER", check, autocompletion=files("/")
    )
    return Annotated[Path | None, option]


def spec():
    """A memory from a file."""
    return file(
        "A memory and its white noise, as plan and run write", suffixes=(".toml",)
    )


Input = text(
    "white, ecg, or a .csv, .npz or .wav file",
    "SOURCE",
    panel=SIGNAL,
    complete=names_from(SIGNALS, files=(".csv", ".npz", ".wav")),
)
Column = text("Of a file: its name, or number from 0", "NAME", panel=SIGNAL)
Rate = number(
    "Sampling rate of a file",
    "HZ",
    panel=SIGNAL,
    most=1e9,
    unset="what the file says; if nothing, a sample each --dt",
)
Target = one_of("Simulator", TARGETS, panel=WORK)
Jobs = whole("Processes, -1 for all cores", panel=WORK, most=4096, also=(-1,))
Trials = whole("Of each combination", panel=GRID, most=10**6)
Resume = Annotated[
    bool,
    typer.Option(
        "--resume/--no-resume",
        help="Take finished trials from their files, or run all again",
        rich_help_panel=WORK,
        show_default=False,
    ),
]
Json = flag("One line of JSON in place of a table", "--json", panel=RESULT)
