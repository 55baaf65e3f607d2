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
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from lmu_spiking.errors import (
    LMUSpikingError,
    StudyWarning,
    ValidationError,
    ValidityWarning,
)

NAME = "lmu-spiking"
WIDTH = 80
EVERY = 10.0  # seconds between lines on progress where there is no terminal
NAMES = {  # of options that the library calls otherwise
    "n_neurons": "neurons",
    "noise_seed": "seed",
    "max_spikes_per_s": "max_spikes",
}
TOO_LARGE = (
    "not enough memory: use fewer --neurons, a smaller --order or a shorter --duration"
)


def command_line() -> str:
    """What was typed."""
    return shlex.join([NAME, *sys.argv[1:]])


def tell(line: str, file=None) -> None:
    """Write one line to standard error, if it can be written."""
    with contextlib.suppress(OSError, ValueError):
        file = file or sys.stderr
        print(f"{NAME}: {' '.join(str(line).split())}", file=file, flush=True)


def explain(error: Exception) -> tuple[str, int]:
    """The line and the exit status for an error: 2 where the user can mend it."""
    if hasattr(error, "format_message"):  # Typer's own, of whatever version
        said = error.format_message().rstrip(".")
        return f"{said} (--help shows what there is)", 2
    if isinstance(error, MemoryError):
        return TOO_LARGE, 2
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}", 2
    if isinstance(error, ImportError) and not isinstance(error, LMUSpikingError):
        return f"{error}; install lmu_spiking again, or see doctor", 2
    if isinstance(error, ArithmeticError):
        return f"a number is out of range ({error})", 2
    if isinstance(error, (LMUSpikingError, ValueError, OSError)) or _of_nengo(error):
        return as_options(str(error)) or type(error).__name__, 2
    found = f"{type(error).__name__}: {error}"
    return f"{found} (a fault of ours; LMU_SPIKING_TRACEBACK=1 shows where)", 1


def _of_nengo(error: Exception) -> bool:
    found = sys.modules.get("nengo.exceptions")
    return found is not None and isinstance(error, found.NengoException)


def as_options(said: str) -> str:
    """Remedies as the shell writes them: ``structure='decode'`` is an option here."""
    said = said.replace("choose one with column", "choose one with --column")
    said = said.replace("aggregated=True", "--aggregated")
    return re.sub(
        r"\b(structure|input_range|n_relays)='?([\w.+-]+\w)'?",
        lambda found: f"--{found[1].replace('_', '-')} {found[2]}",
        said,
    )


def as_typed(error: ValidationError, params, given: dict) -> LMUSpikingError:
    """The same with the name of the option, where what it refuses was typed as one.

    What a file of --spec says keeps its own name.

    Parameters
    ----------
    error : ValidationError
    params : list
        The command's, as Typer declares them.
    given : dict
        Their values; None where nothing was typed.
    """
    owner, _, last = error.attribute.rpartition(".")
    name, spec = NAMES.get(last, last), given.get("spec")
    of_function = owner.isidentifier() and owner.islower()
    typed = given.get(name) is not None and not owner.startswith(str(spec))
    for param in params:
        if param.name == name and (of_function or typed or spec is None):
            option = max(param.opts, key=len)
            if param.param_type_name == "argument":
                option = param.metavar
            return LMUSpikingError(option + str(error)[len(error.attribute) :])
    return error


def show_warning() -> None:
    """Show each of our own warnings in one line, and hide all others."""
    for kind in (StudyWarning, ValidityWarning):
        warnings.simplefilter("always", kind)
    told: set[str] = set()

    def show(message, *_, **__) -> None:
        if str(message) not in told:  # once, however many networks it is true of
            told.add(str(message))
            tell(f"warning: {message}")

    warnings.showwarning = show


@contextmanager
def quiet_logs():
    """Keep the logs of libraries off standard error: our own lines say what matters."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def hushed():
    """Drop what libraries in C++ write to standard error while they are loaded."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def prepare(out: Path) -> None:
    """Make a folder and see that it can be written to, before a long run."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out) as file:
            file.write(bytes(2**20))
    except OSError as error:
        raise LMUSpikingError(
            f"--out {out}: cannot be written to ({error.strerror}); choose another"
        ) from None


def print_json(record: dict) -> None:
    """A record on one line of standard output."""
    from lmu_spiking.studies.records import to_json

    print(to_json(record))


def print_table(title: str, header: list[str], rows: list, numbers=True) -> None:
    """A table on standard output; numbers stand to the right."""
    print("\n".join(table_lines(title, header, rows, numbers)))


def table_lines(title: str, header, rows, numbers=True, width: int = WIDTH) -> list:
    """A table of texts in lines of at most ``width``, words and numbers whole.

    What is too wide has its heads broken at spaces, then the texts of its widest
    column, and at last is put on its side: a line for each number.

    Parameters
    ----------
    title : str
    header : list of str
    rows : list of list of str
    numbers : bool
        Whether columns after the first are numbers.
    """
    columns = [list(map(str, column)) for column in zip(header, *rows, strict=True)]
    for gap, cells in ((2, False), (1, False), (2, True), (1, True)):
        widths = _fitted(columns, width - gap * (len(columns) - 1), cells)
        if widths:
            break
    else:
        return [title, *_on_its_side(header, rows)]
    lines = [title] if title else []
    for n, row in enumerate([header, *rows]):
        broken = [_broken(str(t), w) for t, w in zip(row, widths, strict=True)]
        height = max(map(len, broken))
        for part in broken:
            filler = [""] * (height - len(part))
            part[:] = filler + part if n == 0 else part + filler
        for texts in zip(*broken, strict=True):
            line = (" " * gap).join(
                t.rjust(w) if k and numbers else t.ljust(w)
                for k, (t, w) in enumerate(zip(texts, widths, strict=True))
            )
            lines.append(line.rstrip())
    return lines


def _fitted(columns: list, room: int, cells: bool) -> list | None:
    """Widths that take no more room; None if words, or ``cells``, would be broken."""

    def longest(words) -> int:
        return max((len(word) for word in words), default=0)

    widths = [longest(column) for column in columns]
    if sum(widths) > room:  # break the heads
        widths = [max(longest(c[0].split()), longest(c[1:])) for c in columns]
        widths = _widened(widths, [len(c[0]) for c in columns], room)
    if sum(widths) > room and cells:  # the texts of the widest column, too
        k = widths.index(max(widths))
        least = longest(word for text in columns[k] for word in text.split())
        widths[k] = max(room - sum(widths) + widths[k], least)
    return widths if sum(widths) <= room else None


def _widened(widths: list, wanted: list, room: int) -> list:
    """Give what room is left to heads that would then not be broken."""
    for k in sorted(range(len(widths)), key=lambda k: wanted[k] - widths[k]):
        more = max(wanted[k] - widths[k], 0)
        if sum(widths) + more <= room:
            widths[k] += more
    return widths


def _broken(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] or not word else word
    return lines


def _on_its_side(header: list, rows: list) -> list[str]:
    wide = max(map(len, header))
    lines: list[str] = []
    for row in rows:
        lines += ["", *(f"{h:{wide}}  {t}" for h, t in zip(header, row, strict=True))]
    return lines[1:]


# -- progress ------------------------------------------------------------------------


def beside_hushed():
    """Return a copy of standard error that stays open while `hushed` silences it."""
    try:
        if sys.stderr.fileno() == 2:
            return os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        pass
    return sys.stderr


def on_terminal() -> bool:
    """Return whether standard error is a terminal on which a bar can be moved."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


class Ticker:
    """A writer of progress lines, one every ten seconds, where there is no terminal.

    It has a thread of its own, so that it continues during one long computation.

    Parameters
    ----------
    say : callable
        Takes a line.
    clock : callable
        Returns seconds.
    """

    current: ContextVar["Ticker | None"] = ContextVar("current", default=None)

    def __init__(self, say=tell, clock=time.monotonic):
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

    def run(self, wait=None) -> None:
        """Write a line each time that ``wait(EVERY)`` returns false."""
        wait = wait or self._over.wait
        while not wait(EVERY):
            self._say(self.line())

    def line(self) -> str:
        """Return what is being done, how much of it is done, and for how long."""
        shown = next(iter(self.bars[-1:]), None)
        doing = "Working" if shown is None else shown.name
        if shown is not None and shown.total:
            doing = f"{doing}: {shown.done:,} of {shown.total:,}"
        return f"{doing} ({self._clock() - self._start:.0f} s)"


@contextmanager
def ticking():
    """Write lines on a command's progress where no terminal shows its bars."""
    way = beside_hushed()
    try:
        with Ticker(lambda line: tell(line, way)):
            yield
    finally:
        if way is not sys.stderr:
            way.close()


class Bar:
    """A bar on standard error if that is a terminal; also Nengo's bar.

    It moves and shows the time from the first moment on, also where nothing is counted.
    Elsewhere, `Ticker` says in lines where it stands.

    Parameters
    ----------
    name : str
        What is being done.
    total : int, optional
        Of `advance`; Nengo says its own.
    """

    def __init__(self, name: str, total: int | None = None):
        self.name, self.total, self.done = name, total, 0
        self._ticker = Ticker.current.get()
        self._bar = None
        if not on_terminal():
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            SpinnerColumn("line"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(file=beside_hushed()),
            transient=True,
            redirect_stdout=False,  # which may be a file
        )
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
        """What is done from now on."""
        self.name, self.total, self.done = name, total, 0
        if self._bar:
            self._bar.remove_task(self._task)
            self._task = self._bar.add_task(name, total=total)

    def advance(self, _row=None) -> None:
        """One more is done."""
        self.done += 1
        if self._bar:
            self._bar.advance(self._task)

    def advance_to(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self.done, self.total = done, total
        if self._bar:
            self._bar.update(self._task, completed=done, total=total)

    def update(self, progress) -> None:
        """Where Nengo's simulation stands."""
        self.advance_to(progress.n_steps, progress.max_steps)

    def close(self) -> None:
        """Nengo's simulation is over, the command is not."""
