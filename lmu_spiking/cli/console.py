"""What the shell writes: results on standard output, all else on standard error."""

import logging
import sys
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

from nengo.exceptions import NengoException
from nengo.utils.progress import ProgressBar

from lmu_spiking.errors import LMUSpikingError
from lmu_spiking.studies.records import StudyWarning, to_json

NAME = "lmu-spiking"
MISTAKES = (LMUSpikingError, NengoException, ValueError)
TOO_LARGE = (
    "not enough memory: use fewer --neurons, a smaller --order or a shorter --duration"
)


def tell(line: str) -> None:
    """One line to the user on standard error."""
    print(f"{NAME}: {' '.join(str(line).split())}", file=sys.stderr, flush=True)


def explain(error: Exception) -> tuple[str, int]:
    """The line and the exit status for an error: 2 where the user can mend it."""
    if hasattr(error, "format_message"):  # Typer's own, of whatever version
        return f"{error.format_message()} (--help shows what there is)", 2
    if isinstance(error, MemoryError):
        return TOO_LARGE, 2
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}", 2
    if isinstance(error, ImportError) and not isinstance(error, LMUSpikingError):
        return f"{error}; install lmu_spiking again, or see doctor", 2
    if isinstance(error, ArithmeticError):
        return f"a number is out of range ({error})", 2
    if isinstance(error, (*MISTAKES, OSError)):
        return str(error) or type(error).__name__, 2
    found = f"{type(error).__name__}: {error}"
    return f"{found} (a fault of ours; LMU_SPIKING_TRACEBACK=1 shows where)", 1


def show_warning() -> None:
    """Tell our own warnings in a line each; all others stay silent."""
    warnings.simplefilter("always", StudyWarning)
    warnings.showwarning = lambda message, *_, **__: tell(f"warning: {message}")


@contextmanager
def quiet_logs():
    """Keep the logs of libraries off standard error: our own lines say what matters."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


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
    print(to_json(record))


def print_table(title: str, header: list[str], rows: list, numbers=True) -> None:
    """A table of texts on standard output; numbers stand to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for k, name in enumerate(header):
        table.add_column(
            name, justify="right" if k and numbers else "left", no_wrap=True
        )
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else 120
    Console(width=width, highlight=False, markup=False).print(table)


class Bar(ProgressBar):
    """A bar on standard error if that is a terminal: Nengo's kind, and for counting.

    Parameters
    ----------
    name : str
    total : int, optional
        Of `advance`; Nengo says its own.
    """

    def __init__(self, name: str, total: int | None = None):
        from rich.console import Console
        from rich.progress import Progress, TimeRemainingColumn

        self._bar = Progress(
            *Progress.get_default_columns()[:-1],
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self._bar.add_task(name, total=total)

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *_):
        self._bar.stop()

    def advance(self, _row) -> None:
        """One more is done."""
        self._bar.advance(self._task)

    def advance_to(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._bar.update(self._task, completed=done, total=total)

    def update(self, progress) -> None:
        """Where Nengo's simulation stands."""
        self._bar.start()
        self._bar.update(
            self._task, completed=progress.n_steps, total=progress.max_steps
        )

    def close(self) -> None:
        """Nengo's simulation is over."""
        self._bar.stop()
