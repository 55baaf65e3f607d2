"""Options: units, limits and known names; those of many commands are declared here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from lmu_spiking.cli.completion import offer_files, offer_names
from lmu_spiking.cli.known import PHASES, SIGNALS, TARGETS
from lmu_spiking.errors import ValidationError, check_one_of

SIGNAL, MEMORY, TRAINING = "Signal", "Memory", "Training"
LIMITS, GRID, WORK, RESULT = "Limits", "Combinations", "Computation", "Result"
NEURONS = 10**12  # as their sums
SEEDS = 2**31 - 1
WHOLE: dict[str, Any] = {"least": 1, "most": SEEDS}  # limits of whole numbers
LARGEST = 1e6  # seconds, Hz, or whatever the signal is in
ALIASES = {"nengo": "core"}  # of targets: the name of the package whose simulator it is


@dataclass(frozen=True)
class Limits:
    """The numbers that an option takes.

    Parameters
    ----------
    kind : type
        int or float.
    least, most : float
    above : bool
        Whether ``least`` itself is refused.
    also : tuple of float
        Numbers outside of the limits that have a meaning of their own.
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
        form = "{:,}" if self.kind is int else "{:g}"
        low, high = form.format(self.least), form.format(self.most)
        text = f"above {low}, up to {high}" if self.above else f"{low} to {high}"
        return text + "".join(f", or {x}" for x in self.also)

    @property
    def short(self) -> str:
        """Return the limits for the help, without one that nobody will meet."""
        if self.also or self.most < LARGEST or (self.kind is float and self.least > 0):
            return str(self)
        if self.kind is int:
            return f"{self.least:,} or more"
        return f"above {self.least:g}" if self.above else f"{self.least:g} or more"

    def check(self, name: str, value):
        """Return the number that was typed, or raise a ValidationError.

        Parameters
        ----------
        name : str
            The option.
        value : str, int or float
            What was typed, or the default.

        Returns
        -------
        int or float
        """
        number = self._number(value)
        if not isinstance(number, (int, self.kind)) or number not in self:
            what = "whole number" if self.kind is int else "number"
            raise ValidationError(name, number, f"must be a {what}: {self}")
        return number

    def read(self, name: str, text: str) -> list:
        """Return the numbers between commas, each once, or raise a ValidationError.

        Parameters
        ----------
        name : str
            The option.
        text : str

        Returns
        -------
        list of int or float
        """
        # what is no number is refused in words, before any limit
        values = [self._number(part.strip()) for part in text.split(",")]
        if not all(isinstance(value, (int, self.kind)) for value in values):
            what = "whole numbers" if self.kind is int else "numbers"
            problem = f"must be {what} with commas between"
            raise ValidationError(name, text, problem)
        return list(dict.fromkeys(self.check(name, value) for value in values))

    def _number(self, value):
        """Return a text as a number, if it is one; ``1e4`` is also a whole number."""
        if not isinstance(value, str):  # the default
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


def _option(help, unit, panel, check: Callable | None = None, unset=None, offer=None):
    """Return Typer's option whose value ``check(name, value)`` returns or refuses.

    The help ends with ``unset``, what holds if the option is not given; ``offer``
    completes it.
    """

    def call(param: typer.CallbackParam, value):
        if value is None or check is None:
            return value
        return check(max(param.opts, key=len), value)

    more: dict[str, Any] = {"metavar": unit, "rich_help_panel": panel}
    more |= {"show_default": False, "autocompletion": offer}
    if check is not None:  # it reads the text itself, to refuse it in our words
        more["parser"] = lambda text: text
    help = f"{help} [{unset}]" if unset else help
    return typer.Option(help=help, callback=call, **more)


def _limits(kind: type, limits: dict) -> Limits:
    """Return limits of numbers: from 1 on if whole, else above 0, unless told."""
    standard: dict[str, Any] = {"above": "least" not in limits}
    standard = WHOLE if kind is int else standard
    return Limits(kind, **standard | limits)


def _either(names: tuple) -> str:
    """Return names with commas, and "or" before the last."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


# -- kinds of options: each returns an annotation for the parameter of a command -------


def number(
    help, unit="NUMBER", *, kind: type = float, panel=MEMORY, unset=None, **limits: Any
) -> Any:
    """Declare a number, above 0 unless ``least`` is given; ``limits`` are of `Limits`.

    Parameters
    ----------
    help, unit : str
    kind : type
        int for a whole number, from 1 on.
    panel : str
        The heading that it stands under in the help.
    unset : str, optional
        What holds if it is not given.
    **limits
        Fields of `Limits`.
    """
    allowed = _limits(kind, limits)
    said = f"{help}; {allowed.short}"
    return Annotated[kind | None, _option(said, unit, panel, allowed.check, unset)]


whole = partial(number, kind=int, unit="N")


def numbers(help, unit="LIST", *, kind=float, panel=GRID, **limits: Any) -> Any:
    """Declare numbers with commas between; a list of them reaches the command."""
    allowed = _limits(kind, limits)
    said = f"{help}; {allowed.short}"
    return Annotated[str, _option(said, unit, panel, allowed.read)]


def one_of(help, known, *, panel=MEMORY, unset=None, aliases=None) -> Any:
    """Declare one of several names.

    Parameters
    ----------
    help : str
        The names are added to it.
    known : tuple of str
    panel : str
    unset : str, optional
    aliases : dict of str to str, optional
        Other names of some, which reach the command under the known one.
    """
    aliases = aliases or {}
    # what can be typed, and the name that reaches the command
    names = {name: name for name in known} | aliases
    # what the help shows: all names of the same thing together
    same = {name: [name] for name in known}
    for alias, name in aliases.items():
        same[name].append(alias)
    either = _either(tuple("/".join(all_names) for all_names in same.values()))

    def check(name: str, value: str) -> str:
        if value not in names:
            raise ValidationError(name, value, "is unknown", f"use {either}")
        return names[value]

    said = f"{help}: {either}" if help else either
    offer = offer_names(tuple(names))
    return Annotated[str | None, _option(said, "NAME", panel, check, unset, offer)]


def some_of(help, known: tuple, *, panel=GRID) -> Any:
    """Declare names with commas between; a list of them reaches the command."""

    def check(name: str, text: str) -> list[str]:
        values = list(dict.fromkeys(part.strip() for part in text.split(",")))
        return [check_one_of(name, value, known) for value in values]

    said = f"{help}: {', '.join(known)}" if help else ", ".join(known)
    offer = offer_names(known, many=True)
    return Annotated[str, _option(said, "NAMES", panel, check, offer=offer)]


def text(help, unit="TEXT", *, panel=MEMORY, unset=None, complete=None) -> Any:
    """Declare a text that the command itself checks."""
    return Annotated[str | None, _option(help, unit, panel, None, unset, complete)]


def file(help, suffixes: tuple, *, panel=MEMORY) -> Any:
    """Declare the path of a file with one of several endings."""
    offer = offer_files(*suffixes)
    return Annotated[Path | None, _option(help, "FILE", panel, offer=offer)]


def flag(help, name: str, *, panel: str | None = WORK) -> Any:
    """Declare a switch that is off unless given; ``--a/--no-a`` names both states."""
    declared = typer.Option(name, help=help, rich_help_panel=panel, show_default=False)
    return Annotated[bool, declared]


def argument(name: str, help: str, complete, kind: Any = str) -> Any:
    """Declare an argument that has no option's name."""
    declared = typer.Argument(metavar=name, help=help, autocompletion=complete)
    return Annotated[kind, declared]


# -- options of many commands ------------------------------------------------------

order = partial(whole, "Legendre coefficients", most=10_000)
orders = partial(numbers, "Legendre coefficients", kind=int, most=10_000)
theta = partial(number, "Window", "SECONDS")
neurons = partial(whole, help="In all", least=2, most=NEURONS)
neuron_counts = partial(numbers, kind=int, most=NEURONS)
tau = partial(number, "Recurrent synapse", "SECONDS")
step = partial(number, "Step", "SECONDS", most=1.0)
max_rate = partial(number, help="Rate of a neuron at the radius", unit="HZ")
bandwidth = partial(number, "Highest frequency of white noise", "HZ", panel=SIGNAL)
rms = partial(number, "Root mean square of white noise", panel=SIGNAL)
duration = partial(number, help="Of the signal", unit="SECONDS", panel=SIGNAL)
seed = partial(whole, panel=WORK, least=0, most=SEEDS)


def _read_feedback(name: str, text: str):
    """Return "auto", "off", or the rate and the time constant that were typed."""
    if text in ("auto", "off"):
        return text
    pair = text.split(",")
    if len(pair) != 2:
        problem = "must be auto, off, or a rate per second and a tau in seconds"
        raise ValidationError(name, text, problem, "use auto, or such as 900,0.02")
    return tuple(_limits(float, {}).check(name, part) for part in pair)


def error_feedback(unset: str) -> Any:
    """Declare the feedback of the decoding error."""
    help = "Of the decoding error: auto, off, or its rate and tau"
    more = (_read_feedback, unset, offer_names(("auto", "off")))
    return Annotated[Any, _option(help, "RATE,TAU", MEMORY, *more)]


Phases = one_of("Where neurons begin", PHASES, unset="staggered if they can be")


def out(help: str, unset=None) -> Any:
    """Declare the folder of a command's files."""

    def check(name: str, value) -> Path:
        if not str(value).strip():
            remedy = "name one, or use . for this one"
            raise ValidationError(name, value, "is no folder", remedy)
        return Path(value)

    declared = _option(help, "FOLDER", RESULT, check, unset, offer_files("/"))
    return Annotated[Path | None, declared]


RECORDINGS = (".csv", ".npz", ".npy", ".wav", ".flac", ".edf")
Input = text(
    f"white, ecg, or a {', '.join(RECORDINGS[:-1])} or {RECORDINGS[-1]} file",
    "SOURCE",
    panel=SIGNAL,
    complete=offer_names(SIGNALS, files=RECORDINGS),
)
Column = text(
    "Of a file: names, or numbers from 0, with commas; or all", "NAMES", panel=SIGNAL
)
Rate = number(
    "Sampling rate of a file",
    "HZ",
    panel=SIGNAL,
    most=1e9,
    unset="what the file says; if nothing, a sample each --dt",
)
Centre = flag("Take the mean of each channel of a file away", "--centre", panel=SIGNAL)
Spec = file("A memory and its white noise, as plan and run write", (".toml",))
Target = one_of("Simulator", TARGETS, panel=WORK, aliases=ALIASES)
jobs = partial(whole, "Processes, -1 for all cores", panel=WORK, most=4096, also=(-1,))
Jobs = jobs()
Trials = whole("Of each combination", panel=GRID, most=10**6)
Resume = flag(
    "Take finished trials from their files, or run all again", "--resume/--no-resume"
)
Json = flag("One line of JSON in place of a table", "--json", panel=RESULT)
