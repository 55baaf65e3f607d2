"""Steps of a compiled program: its data are prepared once, then run repeatedly."""

import time

import numpy as np
from nengo.builder.operator import TimeUpdate

from lmu_spiking.simulator.compiled import INPUTS, ROWS, STEP, STEPS, advance, frame_of
from lmu_spiking.simulator.nans import has_nan, where_nan
from lmu_spiking.simulator.patience import Alone, Patience

LOOKED_AT = 200_000  # size of state up to which every step with Python is checked
STRICT = {"invalid": "raise", "divide": "ignore"}  # as Nengo calls functions
SNAPSHOT = 2**24  # bytes of state up to which a block can be run again


class NaNFound(Exception):
    """A NaN was computed: in the step after the last one if ``known``, else earlier."""

    def __init__(self, known: bool):
        super().__init__()
        self.known = known


class Stepper:
    """All trials of a program, stepped together.

    Parameters
    ----------
    program : Program
    state : (trials, S) ndarray
    const : (C,) ndarray
    keys : (trials, K) uint64 ndarray
    sources : list of Sources
        The first for all trials, or one for each.
    output : Output
    signals : list of Signals
        Of each trial where Python runs, else of the first; with the clock.

    Attributes
    ----------
    n_steps, time
        Steps that were completed, and seconds, as Python sees them.
    running : bool
        Whether a step is being taken.
    """

    def __init__(self, program, state, const, keys, sources, output, signals):
        self.program, self.state, self.sources = program, state, sources
        self.output, self.signals = output, signals
        rows = [s for s in program.segments if isinstance(s, np.ndarray)]
        rows = rows if program.python else [np.array([0, len(program.table)])]
        loop, trials = advance(state.dtype), range(len(state))
        self._made = np.zeros((0, 0, 0), state.dtype)
        self._first = np.zeros((len(state), 1), np.int64)  # where the inputs begin
        self._n = self._k = -1  # steps in a call, and the step of the block, in frames
        self._frames = np.zeros((len(state), len(rows), STEPS + 1), np.int64)
        for trial in trials:
            self._frames[trial] = frame_of(
                program.columns,
                table=program.table,
                state=state[trial],
                const=const,
                index=program.index,
                keys=keys[trial],
                offsets=output.addresses[trial],
                periods=output.periods,
                counts=output.counts[trial],
            )
            self._frames[trial, :, ROWS : ROWS + 2] = np.reshape(rows, (-1, 2))
        self._held = program, const, keys  # whose addresses the frames have
        self._calls = [list(map(loop.bind, self._frames[trial])) for trial in trials]
        self._step = self._frames[..., STEP]
        self._flat = state.reshape(-1) if state.size else np.zeros(1)
        small = state.nbytes <= SNAPSHOT and not program.python
        self._kept = np.empty_like(state) if small else None
        self.looked_at = state.size <= LOOKED_AT
        self.strict, self.running, self.closed = program.python, False, False
        self.set_clock(0)

    def close(self) -> None:
        """Release all memory, after the present step if one is being taken."""
        self.closed = True
        if not self.running:
            self.state, self._flat = np.zeros((0, 0)), np.zeros(1)
            self._made, self._kept, self._held = np.zeros((0, 0, 0)), None, ()
            self.sources = self.signals = self._acts = self._calls = ()

    def start(self, python: dict) -> None:
        """Start from step 0.

        Parameters
        ----------
        python : dict of list of callable
            Nengo's step functions for each trial, by the id of their operator; None for
            a trial in which there is nothing to do.
        """
        self._acts = []
        for trial, calls in enumerate(self._calls if self.program.python else ()):
            acts, compiled = [], iter(calls)
            for segment in self.program.segments:
                if isinstance(segment, np.ndarray):
                    acts.append(next(compiled))
                elif isinstance(segment, TimeUpdate):
                    acts.append(self.signals[trial].tick)
                else:
                    acts.append(python[id(segment)][trial])
            self._acts.append([act for act in acts if act is not None])
        called = any(sources.callers for sources in self.sources)
        self.strict = self.program.python or called
        self.set_clock(0)

    def set_clock(self, n: int) -> None:
        """Set the clock of all trials to step ``n``."""
        for signals in self.signals:
            signals.at_step(n)
        self.n_steps, self.time = n, self.signals[0].time.item()

    def advance(self, n: int, pool=Alone, patience: Patience | None = None) -> int:
        """Take up to ``n`` steps, and return how many were taken.

        Raises
        ------
        NaNFound
        Exception
            That of a node's function, for one.  The steps before it are kept.
        """
        if self.output.turns.wanted:
            time.sleep(1e-3)
        with self.output.turns.lock, np.errstate(**(STRICT if self.strict else {})):
            self.running = True
            try:
                start = self.signals[0].step.item()  # which a user may have set
                if start != self.n_steps:
                    self.set_clock(start)
                made, error = self._make(start, n, patience)
                self.output.reserve(start, made)
                if self._acts:
                    done = self._step_through(start, made, patience)
                else:
                    done = self._run(start, made, pool)
            finally:
                self.running = False
        if error is not None:
            raise error
        return done

    def _make(self, start: int, n: int, patience):
        """Make inputs for up to ``n`` steps; return their number, and any error."""
        error = None
        if not self.program.columns:
            return n, error
        if n > self._made.shape[1]:
            self._made = np.zeros(
                (len(self.sources), n, self.program.columns), self.state.dtype
            )
            item, first = self._made.strides[0], self._made.ctypes.data
            trials = np.arange(len(self.state)) % len(self.sources)
            self._first = (first + item * trials)[:, None]
            self._k = -1
        shared = self._made[0, :n]
        for sources, values in zip(self.sources, self._made, strict=True):
            values = values[:n]
            if sources is not self.sources[0]:
                values[...] = shared  # inputs that all trials share
            made, failed = sources.fill(values, start, patience)
            if made < n:
                n, error = made, failed
        return n, error

    def _take(self, n: int) -> None:
        """Let each compiled call take ``n`` steps."""
        if n != self._n:
            self._frames[..., STEPS] = self._n = n

    def _move_to(self, start: int, k: int) -> None:
        """Move all frames to step ``k`` of a block."""
        self._step.fill(start + k)
        if k != self._k:
            self._k = k
            by = k * self.program.columns * self.state.itemsize
            self._frames[..., INPUTS] = self._first + by

    def _run(self, start: int, n: int, pool) -> int:
        """Run compiled steps of all trials on the threads of a pool."""
        self._move_to(start, 0)
        self._take(n)
        before = None
        if n > 1:
            before = self.output.counts.copy()
            if self._kept is not None:
                np.copyto(self._kept, self.state)
        for _ in pool.map(lambda calls: calls[0](), self._calls):
            pass
        if self._has_nan() or (before is not None and self._has_seen_nan(before)):
            done = 0
            if before is None:
                self.output.drop(start + 1)
            else:
                done = self._until_nan(start, n, before)
            self.set_clock(start + done)
            raise NaNFound(known=before is None or self._kept is not None)
        self.set_clock(start + n)
        return n

    def _has_nan(self) -> bool:
        value = self._flat[self._flat.argmax()]  # the first NaN, if any
        return value != value

    def _has_seen_nan(self, before) -> bool:
        """Return whether probes have recorded a NaN that is no longer in the state."""
        each = zip(self.output.records, before[0], strict=True)
        return any(has_nan(record.since(n)) for record, n in each)

    def _until_nan(self, start: int, n: int, before) -> int:
        """Go back, and run up to the step before the first NaN, if it is known."""
        if self._kept is None:
            return n
        self.output.counts[...] = before
        self.state[...] = self._kept
        self._take(1)
        for k in range(n):
            self._move_to(start, k)
            for calls in self._calls:
                calls[0]()
            if self._has_nan():
                self.output.drop(start + k + 1)
                return k
        return n

    def _step_through(self, start: int, n: int, patience) -> int:
        """Take steps one by one, with Nengo's own step functions in between."""
        self._take(1)
        done, before = 0, self.output.counts.copy()
        try:
            while done < n:
                self._move_to(start, done)
                self._act(start + done)
                done += 1
                stopped = self.closed or (patience is not None and patience.over)
                if stopped or self.n_steps != start + done:
                    break
        except BaseException:
            self.output.cut()
            self.set_clock(start + done)
            raise
        finally:
            if done < n and self.program.columns:
                for sources, values in zip(self.sources, self._made, strict=True):
                    sources.keep(values[done:n])
        if not self.looked_at and (
            where_nan(self.state) is not None or self._has_seen_nan(before)
        ):
            raise NaNFound(known=False)
        return done

    def _act(self, step: int) -> None:
        """Take one step, number ``step`` from 0, unless a node sets the clock."""
        for acts in self._acts:
            for act in acts:
                act()
        if self.looked_at and self._has_nan():
            self.output.drop(step + 1)
            raise NaNFound(known=True)
        clock = self.signals[0]
        self.n_steps, self.time = clock.step.item(), clock.time.item()
        if self.n_steps != step + 1:  # let it be so in all trials
            self.set_clock(self.n_steps)
