"""A stretch of steps of all trials: what goes in, what is run, what probes saw."""

import numpy as np

from lmu_spiking.simulator.compiled import ARRAYS, ROWS, STEP, STEPS, advance, frame_of
from lmu_spiking.simulator.nans import where_nan

LOOKED_AT = 200_000  # numbers of state that are looked at in every step with Python


class Block:
    """Some steps after step ``start``.

    Parameters
    ----------
    program : Program
    state : (trials, S) ndarray
        Changed by what is run.
    keys : (trials, K) uint64 ndarray
    inputs : (1 or trials, n, columns) ndarray
    records : list of Record
        Of the probes; `samples` are for them.
    start, n : int
    """

    def __init__(self, program, state, keys, inputs, records, start: int, n: int):
        self.program, self.state, self.inputs = program, state, inputs
        self.records, self.start, self.n = records, start, n
        samples = [record.samples_in(start, n) for record in records]
        ends = np.cumsum([0, *(program.sizes * np.array(samples, np.int64))])
        self.offsets = ends[:-1].astype(np.int64)
        self.out = np.empty((len(state), int(ends[-1])), state.dtype)
        self.counts = np.zeros((len(state), len(records)), np.int64)
        self.periods = np.array([record.period for record in records], float)
        self.whole = 0, len(program.table)
        self._loop = advance(state.dtype)
        self._frames = [
            frame_of(
                program.columns,
                table=program.table,
                state=state[trial],
                const=program.const,
                index=program.index,
                keys=keys[trial],
                inputs=inputs[trial % len(inputs)],
                out=self.out[trial],
                offsets=self.offsets,
                periods=self.periods,
                counts=self.counts[trial],
            )
            for trial in range(len(state))
        ]

    def call(self, trial: int, rows, n: int, first: int = 0) -> None:
        """``n`` steps of some rows, beginning with step ``first`` of the block."""
        frame = self._frames[trial]
        if first:
            frame = frame.copy()
            at = 2 * ARRAYS.index("inputs")
            frame[at] += first * self.program.columns * self.state.itemsize
        frame[ROWS : ROWS + 2] = rows
        frame[STEP], frame[STEPS] = self.start + first, n
        self._loop(frame)

    def run(self, pool) -> None:
        """All steps of all trials, shared among the threads of a pool."""
        trials = range(len(self.state))
        list(pool.map(lambda trial: self.call(trial, self.whole, self.n), trials))

    def step_through(self, python, signals, dt: float, patience):
        """All steps with Nengo's own in between.

        Parameters
        ----------
        python : dict of list of callable
            Nengo's step functions for each trial, by the id of their operator.
        signals : list of Signals
            Of each trial.
        patience : Patience

        Returns
        -------
        done : int
            Steps that were completed.
        error : BaseException or None
            What ended them early.
        """
        segments = [
            s if isinstance(s, np.ndarray) else python[id(s)]
            for s in self.program.segments
        ]
        old = np.seterr(invalid="raise", divide="ignore")
        done = 0
        try:
            for k in range(self.n):
                for trial, of_trial in enumerate(signals):
                    of_trial.at_step(self.start + k + 1, dt)
                    for segment in segments:
                        if isinstance(segment, np.ndarray):
                            self.call(trial, segment, 1, k)
                        else:
                            segment[trial]()
                done += 1
                if self.looked_at and where_nan(self.state) is not None:
                    return done - 1, None
                if patience.over:
                    return done, None
        except BaseException as error:  # raised again once the steps are kept
            return done, error
        finally:
            np.seterr(**old)
        return done, None

    @property
    def looked_at(self) -> bool:
        """Whether each step with Python in it is searched for NaN."""
        return self.state.size <= LOOKED_AT

    def samples(self, done: int) -> list[np.ndarray]:
        """What each probe saw in the first ``done`` steps, (trials, samples, size)."""
        found = []
        of_probes = zip(self.records, self.offsets, self.program.sizes, strict=True)
        for record, first, size in of_probes:
            m = record.samples_in(self.start, done)
            seen = self.out[:, first : first + m * size]
            found.append(seen.reshape(len(seen), m, size))
        return found

    def until_nan(self, state: np.ndarray, done: int) -> int:
        """Run again from ``state``, up to the step before the first NaN."""
        self.state[...] = state
        self.counts[...] = 0
        for k in range(done):
            for trial in range(len(self.state)):
                self.call(trial, self.whole, 1, k)
            if where_nan(self.state) is not None:
                return k
        return done
