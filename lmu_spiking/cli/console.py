"""What the shell writes: results on standard output, all else on standard error."""

import contextlib
import logging
import os
import re
import shlex
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import isnan
from pathlib import Path
from textwrap import wrap

from lmu_spiking.errors import (
    LMUSpikingError,
    StudyWarning,
    ValidationError,
    ValidityWarning,
)

NAME = "lmu-spiking"
WIDTH = 80
# seconds to the first line on progress where there is no terminal, and between others
FIRST, EVERY = 0.8, 10.0
OPTION_NAMES = {  # of what the library calls otherwise
    "n_neurons": "neurons",
    "noise_seed": "seed",
    "max_spikes_per_s": "max_spikes",
}
REMEDIES = (  # arguments that messages give a value, which are options, too
    *("structure", "input_range", "n_relays", "tuning", "neuron_type", "n_neurons"),
    *("error_feedback", "initial_phases", "max_rate", "target", "engine"),
)
MEASURES = {  # of runs, which are predicted, too
    "nrmse": "NRMSE at theta, against the input",
    "noise_nrmse": "NRMSE at theta, against the exact LDN",
    "window_nrmse": "NRMSE of the window, against the input",
    "window_noise_nrmse": "NRMSE of the window, against the exact LDN",
    "state_rmse": "RMSE of the state, against the exact LDN",
    "spikes_per_s": "spikes per second",
}
BOUND = "the largest, at theta, that any input causes"
TOO_LARGE = (
    "not enough memory: use fewer --neurons, a smaller --order or a shorter --duration"
)


def command_line() -> str:
    """Return what the user typed."""
    return shlex.join([NAME, *sys.argv[1:]])


def tell(line: object, file=None) -> None:
    """Write one line to standard error, if it can be written.

    Parameters
    ----------
    line : object
        Its text is put on one line.
    file : file, optional
        Used in place of standard error.
    """
    with contextlib.suppress(OSError, ValueError):
        file = file or sys.stderr
        print(f"{NAME}: {' '.join(str(line).split())}", file=file, flush=True)


# -- errors and warnings ---------------------------------------------------------------


def explain(error: Exception) -> tuple[str, int]:
    """Return the line and the exit status for an error.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    line : str
    status : int
        2 if the user can mend it, 1 if it is a fault of this package.
    """
    if own := getattr(error, "format_message", None):  # Typer's, of whatever version
        return f"{own().rstrip('.')} (--help shows what there is)", 2
    if isinstance(error, MemoryError):
        return TOO_LARGE, 2
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}", 2
    if isinstance(error, ImportError) and not isinstance(error, LMUSpikingError):
        return f"{error}; install lmu_spiking again, or see doctor", 2
    if isinstance(error, ArithmeticError):
        return f"a number is out of range ({error})", 2
    # errors of Nengo, if it was imported before the fault
    nengo = sys.modules.get("nengo.exceptions")
    expected = (LMUSpikingError, ValueError, OSError)
    expected += (nengo.NengoException,) if nengo else ()
    if isinstance(error, expected):
        return as_options(str(error)) or type(error).__name__, 2
    what = f"{type(error).__name__}: {error}"
    return f"{what} (a fault of ours; LMU_SPIKING_TRACEBACK=1 shows where)", 1


def as_options(message: str) -> str:
    """Return a message whose remedies are options: ``structure='decode'`` is one.

    Parameters
    ----------
    message : str

    Returns
    -------
    str
    """
    message = message.replace("choose one with column", "choose one with --column")
    message = message.replace("give it with rate, or give dt", "give it with --rate")
    message = message.replace("aggregated=True", "--aggregated")

    def typed(match: re.Match) -> str:
        name = str(match[1])
        option = OPTION_NAMES.get(name, name).replace("_", "-")
        return f"--{option} {match[2]}"

    return re.sub(
        rf"(?<![\w./\\])({'|'.join(REMEDIES)})='?([\w.+-]+\w)'?", typed, message
    )


def as_typed(error: ValidationError, params, given: dict) -> LMUSpikingError:
    """Return the error with the name of the option whose value it refuses.

    An attribute that a file of --spec sets keeps its own name.

    Parameters
    ----------
    error : ValidationError
    params : list
        The command's parameters, as Typer declares them.
    given : dict
        Their values; None where nothing was typed.

    Returns
    -------
    LMUSpikingError
    """
    owner, _, last = error.attribute.rpartition(".")
    name, spec = OPTION_NAMES.get(last, last), given.get("spec")
    # functions have names in lower case; the attribute of a file begins with its path
    of_function = owner.isidentifier() and owner.islower()
    typed = given.get(name) is not None and not owner.startswith(str(spec))
    for param in params:
        if param.name == name and (of_function or typed or spec is None):
            option = max(param.opts, key=len)
            if param.param_type_name == "argument":
                option = param.metavar
            return LMUSpikingError(option + str(error)[len(error.attribute) :])
    return error


def show_warnings() -> None:
    """Show each of our own warnings once, in one line, and hide all others."""
    for kind in (StudyWarning, ValidityWarning):
        warnings.simplefilter("always", kind)
    shown: set[str] = set()

    def show(message, *_, **__) -> None:
        if str(message) not in shown:  # once, however many networks it is true of
            shown.add(str(message))
            tell(f"warning: {as_options(str(message))}")

    warnings.showwarning = show


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Keep the logs of libraries off standard error: our own lines say what matters."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def hushed() -> Iterator[None]:
    """Drop what libraries in C++ write to standard error while they are loaded."""
    sys.stderr.flush()
    original, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)
        os.close(nowhere)


# -- results ---------------------------------------------------------------------------


def prepare(out: Path) -> None:
    """Make a folder and check that it can be written to, before a long run.

    Parameters
    ----------
    out : Path

    Raises
    ------
    LMUSpikingError
        If it cannot.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out) as file:
            file.write(bytes(2**20))
    except OSError as error:
        raise LMUSpikingError(
            f"--out {out}: cannot be written to ({error.strerror}); choose another"
        ) from None


def write_results(out: Path, owner: str, files: dict, obsolete: Sequence = ()) -> None:
    """Write the files of a command, as `lmu_spiking.studies.folder.write_all` does."""
    from lmu_spiking.studies.folder import write_all

    with Bar("Drawing"):
        write_all(out, owner, files, obsolete)


def print_json(record: dict) -> None:
    """Print a record as one line of JSON."""
    from lmu_spiking.studies.records import to_json

    print(to_json(record))


def print_table(title: str, header, rows, numbers: bool = True) -> None:
    """Print a table, as `table_lines` lays it out."""
    print("\n".join(table_lines(title, header, rows, numbers)))


def measured_rows(row: dict) -> list[list[str]]:
    """Return what a run measured beside what was predicted, as rows of a table.

    Parameters
    ----------
    row : dict
        Of a trial or a deployment.

    Returns
    -------
    list of list of str
        Name, measured and predicted, and the interval of a run where one is known.
    """

    def text(key: str) -> str:
        value = row[key]
        if value is None:
            return "no prediction"
        if isnan(value):
            return "undefined"
        if key.endswith("spikes_per_s"):
            return f"{value:,.0f}"
        return f"{value:.2g}" if 0 < value < 1e-3 else f"{value:.4f}"

    def interval(key: str) -> list[str]:
        low = row.get(f"{key}_low")
        if low is None or isnan(low):
            return [""]
        return [f"{text(f'{key}_low')}-{text(f'{key}_high')}"]

    known = any(row.get(f"predicted_{key}_low") is not None for key in MEASURES)
    rows = [
        [name, text(key), text(f"predicted_{key}")]
        + (interval(f"predicted_{key}") if known else [])
        for key, name in MEASURES.items()
        if f"predicted_{key}" in row
    ]
    if row.get("bound_noise_nrmse") is not None:
        rows.append([BOUND, "", text("bound_noise_nrmse"), *([""] if known else [])])
    return rows


def measured_frame(row: dict):
    """Return what `measured_rows` shows as a table of numbers, channel by channel.

    Parameters
    ----------
    row : dict
        Of a trial.

    Returns
    -------
    pandas.DataFrame
        With a row for each measure of all channels together, and of each channel.
    """
    import pandas  # slow to import, so only when used

    ends = ("", "_low", "_high")
    lines = [
        [own.get("channel", "all"), key, own[key]]
        + [own.get(f"predicted_{key}{end}") for end in ends]
        for own in (row, *row.get("channels", ()))
        for key in MEASURES
        if f"predicted_{key}" in own and key in own
    ]
    heads = ["channel", "measure", "measured", "predicted", "low", "high"]
    return pandas.DataFrame(lines, columns=heads)


def table_lines(title: str, header, rows, numbers=True, width: int = WIDTH) -> list:
    """Return a table in lines of at most ``width`` characters, with every word whole.

    If it is too wide, its heads are broken at spaces, then the texts of its widest
    column; if it still is, each row becomes a list with a line for each column.  (Rich
    would break words and numbers, or cut them.)

    Parameters
    ----------
    title : str
    header : sequence of str
    rows : sequence of sequence
        Items are shown as `str` shows them.
    numbers : bool
        Whether the columns after the first hold numbers, which stand to the right.
    width : int

    Returns
    -------
    list of str
    """
    # wide gaps before narrow ones, and whole texts before broken ones
    columns = [list(map(str, column)) for column in zip(header, *rows, strict=True)]
    for breakable, gap in ((False, 2), (False, 1), (True, 2), (True, 1)):
        room = width - gap * (len(columns) - 1)
        widths = _column_widths(columns, room, breakable)
        if sum(widths) <= room:
            break
    else:
        wide = max(map(len, header))
        parts = (zip(header, row, strict=True) for row in rows)
        texts = ("\n".join(f"{h:{wide}}  {t}" for h, t in part) for part in parts)
        return [title, *"\n\n".join(texts).splitlines()]
    lines = [title] if title else []
    for n, row in enumerate(zip(*columns, strict=True)):
        cells = [_broken(text, w) for text, w in zip(row, widths, strict=True)]
        height = max(map(len, cells))
        for cell in cells:  # heads stand at the bottom of their row, texts at the top
            empty = [""] * (height - len(cell))
            cell[:] = cell + empty if n else empty + cell
        for texts in zip(*cells, strict=True):
            pairs = enumerate(zip(texts, widths, strict=True))
            padded = (
                t.rjust(w) if k and numbers else t.ljust(w) for k, (t, w) in pairs
            )
            lines.append((" " * gap).join(padded).rstrip())
    return lines


def _column_widths(columns: list, room: int, breakable: bool) -> list[int]:
    """Return widths that keep words whole, and texts, too, unless ``breakable``."""
    heads = [len(head) for head, *_ in columns]
    widths = [max(map(len, [*head.split(), *texts, ""])) for head, *texts in columns]
    # heads that lack the least are the first to get the room that is left
    for k in sorted(range(len(widths)), key=lambda k: heads[k] - widths[k]):
        more = max(heads[k] - widths[k], 0)
        if sum(widths) + more <= room:
            widths[k] += more
    if breakable and sum(widths) > room:
        k = widths.index(max(widths))
        longest = max(map(len, " ".join(columns[k]).split()), default=0)
        widths[k] = max(room - sum(widths) + widths[k], longest)
    return widths


def _broken(text: str, width: int) -> list[str]:
    """Return a text in lines, broken at spaces if it is too long for one."""
    if len(text) <= width:
        return [text]
    return wrap(text, width, break_long_words=False, break_on_hyphens=False)


# -- progress ------------------------------------------------------------------------


def beside_hushed():
    """Return a copy of standard error that stays open while `hushed` silences it."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr.fileno() == 2:
            return os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    return sys.stderr


def on_terminal() -> bool:
    """Return whether standard error is a terminal on which a bar can be moved."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


class Ticker:
    """A writer of progress lines where there is no terminal.

    The first comes after most of a second, so that a user knows that it works, and the
    others every ten seconds.

    It has a thread of its own, so that it continues during one long computation.

    Parameters
    ----------
    say : callable
        Takes a line.
    clock : callable
        Returns seconds.
    """

    current: ContextVar["Ticker | None"] = ContextVar("current", default=None)

    def __init__(self, say: Callable = tell, clock: Callable = time.monotonic):
        self.bars: list[Bar] = []  # the bars in use, the innermost last
        self._say, self._clock, self._start = say, clock, clock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self._token = self.current.set(self)
        if not on_terminal():
            with contextlib.suppress(RuntimeError):  # no more threads are allowed
                self._thread.start()
        return self

    def __exit__(self, *_):
        self.current.reset(self._token)
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def run(self, wait: Callable | None = None) -> None:
        """Write a line each time that ``wait(seconds)`` returns false.

        Parameters
        ----------
        wait : callable, optional
            Takes seconds; by default it returns true when the command has ended.
        """
        wait = wait or self._over.wait
        pause = FIRST
        while not wait(pause):
            pause = EVERY
            bar = self.bars[-1] if self.bars else None
            doing = bar.name if bar else "Working"
            if bar and bar.total:
                doing = f"{doing}: {bar.done:,} of {bar.total:,}"
            self._say(f"{doing} ({self._clock() - self._start:.0f} s)")


@contextmanager
def ticking() -> Iterator[None]:
    """Write lines on a command's progress where no terminal shows its bars."""
    way = beside_hushed()
    try:
        with Ticker(lambda line: tell(line, way)):
            yield
    finally:
        if way is not sys.stderr:
            way.close()


class Bar:
    """A bar on standard error if that is a terminal; it can also be Nengo's bar.

    It moves and shows the time from the first moment on, also where nothing is counted.
    If there is no terminal, `Ticker` writes lines on where it stands.

    Parameters
    ----------
    name : str
        What is being done.
    total : int, optional
        How often `advance` will be called; Nengo gives its own total.
    """

    def __init__(self, name: str, total: int | None = None):
        self.name, self.total, self.done = name, total, 0
        self._ticker = Ticker.current.get()
        self._bar = None
        if not on_terminal():
            return
        from rich import progress as p
        from rich.console import Console

        columns = (
            *(p.SpinnerColumn("line"), p.TextColumn("{task.description}")),
            *(p.BarColumn(bar_width=24), p.TaskProgressColumn()),
            *(p.TimeElapsedColumn(), p.TimeRemainingColumn()),
        )
        console = Console(file=beside_hushed())
        # standard output may be a file, and is left as it is
        more = {"console": console, "transient": True, "redirect_stdout": False}
        self._bar = p.Progress(*columns, **more)
        self._task = self._bar.add_task(name, total=total)

    def __enter__(self):
        if self._ticker:
            self._ticker.bars.append(self)
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_):
        if self._ticker:
            self._ticker.bars.remove(self)
        if self._bar:
            self._bar.stop()

    def phase(self, name: str, total: int | None = None) -> None:
        """Show what is done from now on, and how often `advance` will be called."""
        self.name, self.total, self.done = name, total, 0
        if self._bar:
            self._bar.remove_task(self._task)
            self._task = self._bar.add_task(name, total=total)

    def advance(self, _row=None) -> None:
        """Show that one more is done."""
        self.done += 1
        if self._bar:
            self._bar.advance(self._task)

    def advance_to(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are done."""
        self.done, self.total = done, total
        if self._bar:
            self._bar.update(self._task, completed=done, total=total)

    def update(self, progress) -> None:
        """Show where Nengo's simulation stands; Nengo calls it with its progress."""
        self.advance_to(progress.n_steps, progress.max_steps)

    def close(self) -> None:
        """Do nothing: when Nengo's simulation is over, the command is not."""
