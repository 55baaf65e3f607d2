"""Where `stream` has its samples from: lines of text, raw numbers, or a recording.

Each source has ``names``, of its channels, and ``blocks(most)``, which yields samples
(n, channels) as they come, at most ``most`` at a time.
"""

import math
import time
from collections.abc import Callable, Iterator

import numpy as np

from lmu_spiking.errors import SignalFileError
from lmu_spiking.files import one_line, reading
from lmu_spiking.signals import Signal
from lmu_spiking.signals.columns import (
    EVERY,
    chosen_names,
    distinct,
    signal_and_time,
    split_columns,
)

PIPE = "standard input"
READ = 2**16  # bytes that are read together
LONGEST = 2**20  # bytes of a line
OFF = 0.01  # of a time step, relative to it


def _lines(file) -> Iterator[list[tuple[int, str]]]:
    """Yield the numbered lines that have come, as soon as there are any."""
    rest, number = b"", 0
    while data := file.read1(READ):
        *lines, rest = (rest + data).split(b"\n")
        numbered = list(enumerate(lines, number + 1))
        number += len(lines)
        long = [n for n, line in numbered if len(line) > LONGEST]
        long += [number + 1] if len(rest) > LONGEST else []
        before = [pair for pair in numbered if not long or pair[0] < long[0]]
        yield [(n, line.decode("utf-8", "replace")) for n, line in before]
        if long:
            raise SignalFileError(f"line {long[0]} is longer than {LONGEST:,} bytes")
    if rest:
        yield [(number + 1, rest.decode("utf-8", "replace"))]


def _number(cell: str) -> float:
    """Return a cell as a number, or NaN."""
    try:
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan


class Text:
    """Lines of numbers, parted by comma, semicolon, tab or spaces, after any header.

    Parameters
    ----------
    file : binary file
        With ``read1``.
    column
        As for `load_signal`; None for the only one.
    size : int or None
        Number of channels, if it is known.
    dt : float or None
        Seconds of a sample, against which a column of time is checked.

    Raises
    ------
    SignalFileError
        If there is no line, or the choice of columns is open.
    """

    def __init__(self, file, column, size: int | None = None, dt: float | None = None):
        self._batches, self._dt, self._before = _lines(file), dt, []
        self._times: list[float] = []  # the first two
        with reading(PIPE, SignalFileError):
            self._ready = self._first()
            self._begin(column, size)

    def _first(self) -> list[tuple[int, str]]:
        """Return the first lines that are not empty."""
        for batch in self._batches:
            lines = [(n, line) for n, line in batch if line.strip()]
            if lines:
                return lines
        remedy = "pipe numbers into it, or name a file with --input"
        raise SignalFileError(f"is empty; {remedy}")

    def _begin(self, column, size: int | None) -> None:
        """Learn from a first line how cells are parted, and what columns there are."""
        number, line = self._ready[0]
        line = line.lstrip("\ufeff# ")
        self._separator = next((s for s in "\t;," if s in line), None)
        self._ready[0] = number, line
        cells = self._cells(line)
        self._width, self._number = len(cells), number
        names, headed = [str(i) for i in range(len(cells))], False
        if math.isnan(_number(cells[0])) and cells[0].lower() not in ("nan", ""):
            names, headed = distinct(cells), True
            del self._ready[0]
        choice = split_columns(column, names)
        if choice is None and size is not None and size > 1:
            choice = EVERY[-1]
        self._columns, self._time = signal_and_time(choice, names, headed, timed=True)
        self.names = chosen_names(names, self._columns)
        self.timed = self._time is not None

    def _cells(self, line: str) -> list[str]:
        """Return the cells of a line."""
        cells = [cell.strip(" \r\"'") for cell in line.split(self._separator)]
        if self._separator in ("\t", ";"):  # as in `read_csv`, a decimal comma
            cells = [cell.replace(",", ".") for cell in cells]
        return cells[:-1] if len(cells) > 1 and not cells[-1] else cells

    def _row(self, number: int, line: str) -> list[float]:
        """Return the chosen numbers of a line, or raise an error that names it."""
        cells = self._cells(line)
        if len(cells) != self._width:
            problem = f"line {number} has {len(cells)} cells, and line {self._number}"
            raise SignalFileError(f"{problem} {self._width}")
        several = self._columns if isinstance(self._columns, list) else [self._columns]
        row = []
        for i in several if self._time is None else [*several, self._time]:
            row.append(_number(cells[i]))
            if not math.isfinite(row[-1]):
                what = repr(one_line(cells[i], 40)) if cells[i] else "an empty cell"
                problem = f"line {number} has {what} where a finite number should be"
                raise SignalFileError(problem)
        if self._time is not None:
            self._check_time(row.pop())
        return row

    def _check_time(self, t: float) -> None:
        """Raise an error if the first step of time is not that of the network."""
        if self._dt is None or len(self._times) == 2:
            return
        self._times.append(t)
        if len(self._times) == 2:
            step = self._times[1] - self._times[0]
            if not abs(step / self._dt - 1) <= OFF:
                problem = f"has a step of {step:g} s, where one of {self._dt:g} s is "
                remedy = f"resample it, or use --dt {step:g}" if step > 0 else ""
                raise SignalFileError(f"{problem}expected; {remedy}".rstrip("; "))

    def blocks(self, most: int) -> Iterator[np.ndarray]:
        """Yield samples (n, channels) as they come.

        Parameters
        ----------
        most : int
            The largest number of samples of a block.

        Yields
        ------
        (n, channels) ndarray

        Raises
        ------
        SignalFileError
            If a line is no row of finite numbers; the lines before it are samples.
        """
        with reading(PIPE, SignalFileError):
            yield from self._rows(self._ready, most)
            for batch in self._batches:
                yield from self._rows(batch, most)

    def _rows(self, lines, most: int) -> Iterator[np.ndarray]:
        """Yield the samples of lines; those before a wrong line, then its error."""
        rows: list = []
        try:
            for number, line in lines:
                if line.strip():
                    rows.append(self._row(number, line))
                if len(rows) == most:
                    yield np.array(rows)
                    rows = []
        except SignalFileError:
            if rows:
                yield np.array(rows)
            raise
        if rows:
            yield np.array(rows)


class Raw:
    """Numbers of float32 (little-endian), channel by channel of each sample.

    Parameters
    ----------
    file : binary file
        With ``read1``.
    size : int
        Number of channels.
    """

    timed = False

    def __init__(self, file, size: int):
        self._file, self._bytes = file, 4 * size
        self.names = [str(i) for i in range(size)]

    def blocks(self, most: int) -> Iterator[np.ndarray]:
        """Yield samples (n, channels) as they come; see `Text.blocks`.

        Parameters
        ----------
        most : int

        Yields
        ------
        (n, channels) ndarray
        """
        rest, came = b"", False
        while data := self._file.read1(READ):
            rest, came = rest + data, True
            whole = len(rest) // self._bytes * self._bytes
            samples = np.frombuffer(rest[:whole], "<f4").reshape(-1, len(self.names))
            rest = rest[whole:]
            for start in range(0, len(samples), most):
                yield samples[start : start + most]
        if rest or not came:
            problem = "is empty; pipe numbers into it, or name a file with --input"
            if rest:
                problem = f"ends with {len(rest)} bytes of a sample of {self._bytes}"
            raise SignalFileError(f"{PIPE}: {problem}")


class Recording:
    """A signal, as fast as it can be taken, or at its own pace.

    Parameters
    ----------
    signal : Signal
    live : bool
        Whether a block comes when its last sample has been recorded, as a microphone
        would give it.
    clock, sleep : callable
        Seconds.

    Attributes
    ----------
    behind : float
        The latest that a block was asked for after its time, seconds.
    """

    timed = True

    def __init__(
        self,
        signal: Signal,
        live: bool,
        clock: Callable = time.monotonic,
        sleep: Callable = time.sleep,
    ):
        self.names, self.behind = list(signal.channels), 0.0
        samples = signal.samples
        self._samples = samples if samples.ndim == 2 else samples[:, None]
        self._dt, self._live = signal.dt, live
        self._clock, self._sleep = clock, sleep

    def blocks(self, most: int) -> Iterator[np.ndarray]:
        """Yield samples (n, channels); see `Text.blocks`.

        Parameters
        ----------
        most : int

        Yields
        ------
        (n, channels) ndarray
        """
        start = self._clock()
        for first in range(0, len(self._samples), most):
            part = self._samples[first : first + most]
            if self._live:
                wait = start + (first + len(part)) * self._dt - self._clock()
                self.behind = max(self.behind, -wait)
                if wait > 0:
                    self._sleep(wait)
            yield part
