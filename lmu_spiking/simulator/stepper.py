"""Steps of a compiled program: calls of the compiled loop, and of Python in between.

They stand apart from `simulator.simulator`, which calls them, because nothing here may
take time.

All data are prepared once, so that a step costs as little as the kernels allow.
"""

import signal
import threading
import time
from typing import Any

import numpy as np
from nengo.builder.operator import TimeUpdate

from lmu_spiking.simulator.native import advance, frame_of
from lmu_spiking.simulator.opcodes import INPUTS, ROWS, STEP, STEPS

CHECKED = 200_000  # size of state up to which every step with Python is checked
STRICT: Any = {"invalid": "raise", "divide": "ignore"}  # as Nengo calls functions
SNAPSHOT = 2**24  # bytes of state up to which a block can be run again


class NaNFound(Exception):
    """A NaN was computed: in the step after the last one if ``known``, else earlier."""

    def __init__(self, known: bool):
        super().__init__()
        self.known = known


class DeferredInterrupt:
    """A context in which Ctrl-C waits until a step, or a block of them, is done.

    The second one is raised at once.

    Attributes
    ----------
    requested : bool
        Whether the steps should end.
    """

    def __init__(self):
        self.requested = False

    def __enter__(self):
        main = threading.current_thread() is threading.main_thread()
        usual = signal.default_int_handler
        self._active = main and signal.getsignal(signal.SIGINT) is usual
        if self._active:
            signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *_):
        if self._active:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _request(self, *_):
        """Note the first Ctrl-C."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def has_nan(x: np.ndarray) -> bool:
    """Return whether an array has a NaN."""
    # most of the time there is none, which a sum tells at full speed
    with np.errstate(all="ignore"):
        return bool(np.isnan(x.sum()) and np.isnan(x).any())


class Stepper:
    """The trials of a program, stepped together.

    Parameters
    ----------
    program : Program
    state : (trials, S) ndarray
    const : (C,) ndarray
    keys : (trials, K) uint64 ndarray
    inputs : list of Inputs
        The first for all trials, or one for each.
    output : Output
    signals : list of SignalViews
        Signals and clock of each trial where Python runs, else of the first.

    Attributes
    ----------
    n_steps, time
        Number of completed steps, and seconds, as Python sees them.
    running : bool
        Whether a step is being taken.
    """

    def __init__(self, program, state, const, keys, inputs, output, signals):
        self.program, self.state, self.output = program, state, output
        self.inputs: Any = inputs
        self.signals: Any = signals
        rows = [s for s in program.segments if isinstance(s, np.ndarray)]
        rows = rows if program.python else [np.array([0, len(program.table)])]
        loop, trials = advance(state.dtype), range(len(state))
        self._values = np.zeros((0, 0, 0), state.dtype)  # of the inputs
        self._first = np.zeros((len(state), 1), np.int64)  # where the inputs begin
        self._n = self._k = -1  # steps in a call, and the step of the block, in frames
        # a frame for each trial and each segment of rows, and a call for each frame
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
        self._addressed = program, const, keys  # must live as long as the frames
        self._calls = [list(map(loop.bind, self._frames[trial])) for trial in trials]
        self._step = self._frames[..., STEP]
        self._flat = state.reshape(-1) if state.size else np.zeros(1)
        # the state before a block, to which a NaN in it makes a small program return
        small = state.nbytes <= SNAPSHOT and not program.python
        self._snapshot = np.empty_like(state) if small else None
        self.checked = state.size <= CHECKED
        self.strict, self.running, self.closed = program.python, False, False
        self.set_clock(0)

    def close(self) -> None:
        """Release all memory, after the present step if one is being taken."""
        self.closed = True
        if not self.running:
            self.state, self._flat = np.zeros((0, 0)), np.zeros(1)
            self._values, self._snapshot = np.zeros((0, 0, 0)), None
            self.inputs = self.signals = self._acts = self._calls = ()
            self._addressed = ()

    def start(self, python: dict) -> None:
        """Start from step 0.

        Parameters
        ----------
        python : dict of int to list of callable
            Nengo's step functions for each trial, by the id of their operator; None for
            a trial in which there is nothing to do.
        """
        # each trial's calls of a step, in their order, where Python runs
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
        called = any(inputs.callers for inputs in self.inputs)
        self.strict = self.program.python or called
        self.set_clock(0)

    def set_clock(self, n: int) -> None:
        """Set the clock of all trials to step ``n``.

        Parameters
        ----------
        n : int
        """
        for signals in self.signals:
            signals.at_step(n)
        self.n_steps, self.time = n, self.signals[0].time.item()

    def advance(self, n: int, map_trials=map, interrupt=None) -> int:
        """Take up to ``n`` steps.

        Parameters
        ----------
        n : int
        map_trials : callable
            `map`, or that of a pool of threads.
        interrupt : DeferredInterrupt, optional
            Ends steps with Python when it is requested.

        Returns
        -------
        int
            Number of steps taken.

        Raises
        ------
        NaNFound
            If a signal became NaN.
        Exception
            The error of a node's function, for one.  The steps before it are taken.
        """
        if self.output.lock.wanted:
            time.sleep(1e-3)
        with self.output.lock.lock, np.errstate(**(STRICT if self.strict else {})):
            self.running = True
            try:
                start = self.signals[0].step.item()  # which a user may have set
                if start != self.n_steps:
                    self.set_clock(start)
                ready, error = self._fill_inputs(start, n, interrupt)
                self.output.reserve(start, ready)
                if self._acts:
                    done = self._step_through(start, ready, interrupt)
                else:
                    done = self._run(start, ready, map_trials)
            finally:
                self.running = False
        if error is not None:
            raise error
        return done

    def _fill_inputs(self, start: int, n: int, interrupt):
        """Compute inputs of up to ``n`` steps; return their number, and any error."""
        error = None
        if not self.program.columns:
            return n, error
        if n > self._values.shape[1]:  # room for them, whose address is another now
            shape = len(self.inputs), n, self.program.columns
            self._values = np.zeros(shape, self.state.dtype)
            item, first = self._values.strides[0], self._values.ctypes.data
            trials = np.arange(len(self.state)) % len(self.inputs)
            self._first = (first + item * trials)[:, None]
            self._k = -1
        shared = self._values[0, :n]
        for inputs, values in zip(self.inputs, self._values, strict=True):
            values = values[:n]
            if inputs is not self.inputs[0]:
                values[...] = shared  # inputs that all trials share
            ready, failed = inputs.fill(values, start, interrupt)
            if ready < n:
                n, error = ready, failed
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

    def _run(self, start: int, n: int, map_trials) -> int:
        """Run compiled steps of all trials."""
        self._move_to(start, 0)
        self._take(n)
        before = None
        if n > 1:
            before = self.output.counts.copy()
            if self._snapshot is not None:
                np.copyto(self._snapshot, self.state)
        for _ in map_trials(lambda calls: calls[0](), self._calls):
            pass
        if self._has_nan() or (before is not None and self._has_recorded_nan(before)):
            # the last step before it, where this can be known
            done = 0
            if before is None:
                self.output.drop(start + 1)
            else:
                done = self._until_nan(start, n, before)
            self.set_clock(start + done)
            raise NaNFound(known=before is None or self._snapshot is not None)
        self.set_clock(start + n)
        return n

    def _has_nan(self) -> bool:
        """Return whether the state of any trial has a NaN."""
        value = self._flat[self._flat.argmax()]  # the first NaN, if any
        return value != value

    def _has_recorded_nan(self, before) -> bool:
        """Return whether probes have recorded a NaN that is no longer in the state."""
        seen = zip(self.output.records, before[0], strict=True)
        return any(has_nan(record.since(n)) for record, n in seen)

    def _until_nan(self, start: int, n: int, before) -> int:
        """Go back, and run up to the step before the first NaN, if it is known."""
        if self._snapshot is None:
            return n
        self.output.counts[...] = before
        self.state[...] = self._snapshot
        self._take(1)
        for k in range(n):
            self._move_to(start, k)
            for calls in self._calls:
                calls[0]()
            if self._has_nan():
                self.output.drop(start + k + 1)
                return k
        return n

    def _step_through(self, start: int, n: int, interrupt) -> int:
        """Take steps one by one, with Nengo's own step functions in between."""
        self._take(1)
        done, before = 0, self.output.counts.copy()
        try:
            while done < n:
                self._move_to(start, done)
                self._act(start + done)
                done += 1
                requested = interrupt is not None and interrupt.requested
                # a node may close the simulator, or set its clock
                if requested or self.closed or self.n_steps != start + done:
                    break
        except BaseException:
            self.output.cut()
            self.set_clock(start + done)
            raise
        finally:
            if done < n and self.program.columns:
                for inputs, values in zip(self.inputs, self._values, strict=True):
                    inputs.take_back(values[done:n])
        if not self.checked:
            if has_nan(self.state) or self._has_recorded_nan(before):
                raise NaNFound(known=False)
        return done

    def _act(self, step: int) -> None:
        """Take one step, number ``step`` from 0, unless a node sets the clock."""
        for acts in self._acts:
            for act in acts:
                act()
        if self.checked and self._has_nan():
            self.output.drop(step + 1)
            raise NaNFound(known=True)
        clock = self.signals[0]
        self.n_steps, self.time = clock.step.item(), clock.time.item()
        if self.n_steps != step + 1:  # let it be so in all trials
            self.set_clock(self.n_steps)
