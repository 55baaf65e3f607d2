"""`Simulator`: Nengo networks in machine code."""

import operator
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import nengo
import numpy as np
from nengo.builder.processes import SimProcess
from nengo.exceptions import SimulatorClosed
from nengo.utils.progress import Progress, ProgressTracker

from lmu_spiking.errors import NotANumberError, ValidationError, check_whole
from lmu_spiking.simulator import trials as drawn
from lmu_spiking.simulator.block import Block
from lmu_spiking.simulator.nans import has_nan, name_of_nan, where_nan
from lmu_spiking.simulator.patience import Alone, Patience
from lmu_spiking.simulator.program import compile_program
from lmu_spiking.simulator.records import Data, Record
from lmu_spiking.simulator.signals import Signals
from lmu_spiking.simulator.sources import Sources, for_trial, given_values

BLOCK = 0.1  # seconds between two looks at the keyboard
MOST = 16384  # steps in a block
BYTES = 2**28  # that a block's inputs and samples may take
SNAPSHOT = 2**24  # bytes of state up to which a block can be run again


class Simulator(nengo.Simulator):
    """A drop-in for `nengo.Simulator` that runs whole stretches in machine code.

    Parameters
    ----------
    network, dt, seed, model, progress_bar, optimize
        As in `nengo.Simulator`.
    dtype : {"float32", "float64"}
        Of all signals.
    trials : int, optional
        Independent realisations to run side by side: random spikes, noise that is
        injected into ensembles, and initial states of neurons differ.  Probe data gain
        a leading axis.
    noise_seed : int or sequence of int, optional
        Draws the noise (all of the above) anew, whatever the network's seeds.  With one
        seed for each trial, a trial is the single run with this seed.
    inputs : dict of nengo.Node to array_like, optional
        Replaces the output of nodes without input: (T, size) for all trials, or
        (trials, T, size); repeated where the run is longer.
    threads : int, optional
        That trials are shared among; all cores by default.

    Attributes
    ----------
    program : Program
        What the network was lowered to.

    Notes
    -----
    Deterministic networks equal `nengo.Simulator`'s to rounding, random ones in
    distribution: spikes are functions of seed, trial, step and neuron, the same for any
    number of threads and after each `reset`.  Nodes with Python functions of an input,
    and operators without a kernel, run as Nengo runs them between compiled stretches.

    Examples
    --------
    >>> with nengo.Network(seed=1) as model:
    ...     ensemble = nengo.Ensemble(100, 1, neuron_type=nengo.LIF())
    ...     probe = nengo.Probe(ensemble, synapse=0.01)
    >>> with Simulator(model, trials=4, progress_bar=False) as sim:
    ...     sim.run(0.1)
    >>> sim.data[probe].shape
    (4, 100, 1)
    """

    def __init__(
        self,
        network,
        dt=0.001,
        seed=None,
        model=None,
        progress_bar=True,
        optimize=True,
        *,
        dtype="float32",
        trials=None,
        noise_seed=None,
        inputs=None,
        threads=None,
    ):
        self.closed = True  # until Nengo's constructor is done
        self.dtype = _checked_dtype(dtype)
        self.trials = None if trials is None else check_whole("trials", trials, 1)
        self.noise_seed = noise_seed
        self._noise = drawn.noise_of(self.trials, noise_seed)
        self.threads = (
            os.cpu_count() or 1
            if threads is None
            else check_whole("threads", threads, 1)
        )
        self.program = None
        self._given = _checked_inputs(inputs)
        try:
            super().__init__(network, dt, seed, model, progress_bar, optimize)
        except BaseException:
            self.closed = True
            raise

    def reset(self, seed=None):
        """Back to the beginning; ``seed`` for processes, as in `nengo.Simulator`."""
        if self.closed:
            raise SimulatorClosed("Cannot reset closed Simulator.")
        if seed is not None:
            self.seed = seed
        if self.program is None:
            self._lower()
        program = self.program
        self._state[...] = drawn.states(
            program, self._step_order, self._noise, self.seed
        )
        self._keys = drawn.seeds(program, self._noise)
        self.rng = np.random.RandomState(self.seed)
        self._start()
        self.clear_probes()
        self._clock(0)
        self._per_step = None

    def _lower(self) -> None:
        """The program, and arrays for it."""
        self.program = program = compile_program(
            self.model, self._step_order, self.dg, self.dtype, self._given
        )
        n = self.trials or 1
        self._state = np.empty((n, len(program.state)), self.dtype)
        # before each block, where it is small: to find the step of a NaN
        small = self._state.nbytes <= SNAPSHOT
        self._kept = np.empty_like(self._state) if small else None
        self._sparse = {s: a for s, a in self.signals.items() if s.sparse}
        stepped = any(not isinstance(s, np.ndarray) for s in program.segments)
        self._signals = [self._views(k) for k in range(n if stepped else 1)]
        self.signals = self._signals[0]
        given = given_values(self._given, program, self.model, self.trials)
        own = {k for k, values in given.items() if values.ndim == 3}
        own |= {
            k
            for k, i in enumerate(program.inputs)
            if getattr(i.op, "mode", "set") == "inc"
        }
        self._sources = [
            Sources(
                program, self.model, for_trial(given, trial), own if trial else None
            )
            for trial in range(n if own else 1)
        ]
        for probe in program.probes:
            shape = self.model.sig[probe]["in"].shape
            period = 1 if probe.sample_every is None else probe.sample_every / self.dt
            record = Record(shape, self.trials, period, self.dtype)
            self._sim_data[probe] = record
        self.data = Data(self._sim_data)

    def _views(self, trial: int) -> Signals:
        """Nengo's signals in one trial."""
        state, const = self._state[trial], self.program.const
        return Signals(self.program, self.model, state, const, self._sparse)

    @property
    def _records(self) -> list[Record]:
        return [self._sim_data[probe] for probe in self.program.probes]

    def _start(self) -> None:
        """Random numbers to processes, in the order in which Nengo hands them out."""
        made = {id(i.op): k for k, i in enumerate(self.program.inputs)}
        python = {id(s) for s in self.program.segments if not isinstance(s, np.ndarray)}
        self._python: dict[int, list] = {}
        self._rngs = [
            self.rng if noise.native else noise.generator(self.seed)
            for noise in self._noise
        ]
        for sources in self._sources:
            sources.reset()
        for op in self._step_order:
            if id(op) in python:
                self._python[id(op)] = self._steps_of(op)
            elif id(op) in made:
                self._start_input(op, made[id(op)])
            elif isinstance(op, SimProcess):
                op.process.get_rng(self.rng)

    def _steps_of(self, op) -> list:
        """Nengo's own step functions, one for each trial."""
        made = []
        if isinstance(op, SimProcess) and not self._noise[0].native:
            op.process.get_rng(self.rng)  # as if Nengo had taken it
        each = zip(self._noise, self._signals, self._rngs, strict=True)
        for noise, signals, rng in each:
            own = drawn.with_own_generator(op, noise)
            made.append(own.make_step(signals, self.dt, rng))
        return made

    def _start_input(self, op, k: int) -> None:
        """The same input for all trials, but noise of their own for ensembles."""
        process = isinstance(op, SimProcess)
        first = self.rng.get_state()
        for trial, sources in enumerate(self._sources):
            if process:
                self.rng.set_state(first)
                rng = op.process.get_rng(self.rng)
                noise = self._noise[trial]
                if op.mode == "inc" and not noise.native:
                    seed = int(rng.randint(2**31))
                    rng = noise.generator(seed)
            sources.start(k, rng if process else None)

    def _clock(self, n: int) -> None:
        self._n_steps, self._time = n, n * self.dt
        for signals in self._signals:
            signals.at_step(n, self.dt)

    def clear_probes(self):
        """Forget what was probed."""
        for record in self._records:
            record.clear()
        self.data.reset()

    def step(self):
        """One step of ``dt`` seconds."""
        self._run(1, lambda n: None)

    def run_steps(self, steps, progress_bar=None):
        """``steps`` steps of ``dt`` seconds.

        Ctrl-C ends them within a fraction of a second by a `KeyboardInterrupt`; what
        was simulated until then stays in ``data``, and the run can go on.
        """
        bar = self.progress_bar if progress_bar is None else progress_bar
        progress = Progress("Simulating", "Simulation", steps)
        with ProgressTracker(bar, progress) as tracker:
            self._run(steps, lambda n: tracker.total_progress.step(n))

    def _run(self, steps: int, report) -> None:
        """Blocks of steps, each short enough to be interrupted."""
        if self.closed:
            raise SimulatorClosed("Simulator cannot run because it is closed.")
        steps = operator.index(steps)
        with Patience() as patience, self._workers() as pool:
            self._patience = patience
            while steps > 0:
                n = min(steps, self._block())
                start = time.perf_counter()
                done, error = self._advance(n, pool)
                steps -= done
                self._per_step = (time.perf_counter() - start) / max(done, 1)
                report(done)
                if error is not None:
                    raise error
                if patience.over:
                    raise KeyboardInterrupt

    def _workers(self):
        """Threads for trials, where there are several."""
        n = min(self.threads, self.trials or 1)
        return ThreadPoolExecutor(n) if n > 1 and not self._python else Alone()

    def _block(self) -> int:
        """Steps in the next block."""
        if self._per_step is None:
            return 8
        per_step = self.program.columns * len(self._sources)
        per_step += int(self.program.sizes.sum()) * (self.trials or 1)
        room = BYTES // max(1, per_step * self.dtype.itemsize)
        return int(max(1, min(MOST, room, BLOCK / self._per_step)))

    def _advance(self, n: int, pool) -> tuple[int, Exception | None]:
        """Run up to ``n`` steps; how many, and what stopped them."""
        inputs = np.zeros((len(self._sources), n, self.program.columns), self.dtype)
        error = None
        for sources, values in zip(self._sources, inputs, strict=True):
            values[:n] = inputs[0, :n]  # what is not the trial's own
            made, failed = sources.fill(values[:n], self._n_steps, self._patience)
            if made < n:
                n, error = made, failed
        block = Block(
            self.program,
            self._state,
            self._keys,
            inputs,
            self._records,
            self._n_steps,
            n,
        )
        snapshot, done, failed = None, n, None
        if self._python:
            how = self._python, self._signals, self.dt, self._patience
            done, failed = block.step_through(*how)
        else:
            if self._kept is not None:
                snapshot = self._kept
                np.copyto(snapshot, self._state)
            block.run(pool)
        error = failed or error
        # it may have come and gone within the block, but not from what was probed
        samples = block.samples(done)
        if where_nan(self._state) is not None or any(map(has_nan, samples)):
            if snapshot is not None:
                done = block.until_nan(snapshot, done)
            one_by_one = self._python and block.looked_at
            error = self._nan_error(done, snapshot is not None or one_by_one)
            samples = block.samples(done)
        for record, seen in zip(self._records, samples, strict=True):
            record.append(seen)
        self._clock(self._n_steps + done)
        return done, error

    def _nan_error(self, done: int, known: bool) -> NotANumberError:
        """In the step after those that are done, if it is known which one it was."""
        step = self._n_steps + done + known
        when = (
            f"became NaN {'in' if known else 'by'} step {step} ({step * self.dt:g} s)"
        )
        remedy = "look for a division by zero or an unstable loop there"
        where = where_nan(self._state)
        name = where and name_of_nan(self.program, self.model, self._views(where[0]))
        return NotANumberError(f"signal {name or 'of a probe'}: {when}; {remedy}")

    def __getstate__(self):
        """For copies in other processes; files are written by no one here."""
        state = super().__getstate__() | {"signals": {}}
        state["options"] = {
            "dtype": self.dtype,
            "trials": self.trials,
            "noise_seed": self.noise_seed,
            "inputs": self._given,
            "threads": self.threads,
        }
        state["n_steps"] = self._n_steps
        state["state"] = {} if self.closed else self._by_signal()
        return state

    def __setstate__(self, state):
        self.__init__(
            None,
            state["dt"],
            state["seed"],
            state["model"],
            state["progress_bar"],
            False,  # it was optimized before
            **state["options"],
        )
        self.optimize = state["optimize"]
        self._sim_data.update(state["probe_outputs"])
        if state["closed"]:
            self.close()
        else:
            for signal, values in state["state"].items():
                if signal in self.program.places:  # not a buffer there
                    self._columns_of(signal)[...] = values
            self._clock(state["n_steps"])

    def _columns_of(self, signal) -> np.ndarray:
        """What a base signal is in all trials, (trials, size)."""
        _, at = self.program.places[signal]
        return self._state[:, at : at + signal.size]

    def _by_signal(self) -> dict:
        """The state, wherever another program may put it."""
        places = self.program.places.items()
        return {
            s: self._columns_of(s).copy() for s, (constant, _) in places if not constant
        }

    def close(self):
        """Closes the simulator; its data stay."""
        super().close()
        self._signals = self._sources = self._state = self._kept = None


def _checked_inputs(inputs) -> dict:
    if inputs is not None and not isinstance(inputs, Mapping):
        raise ValidationError(
            "Simulator.inputs", inputs, "must be a dict", "use {node: array}"
        )
    return dict(inputs or {})


def _checked_dtype(dtype) -> np.dtype:
    try:
        found = None if dtype is None else np.dtype(dtype)
    except TypeError:
        found = None
    # None equals float64 where numpy is asked
    if found is None or found not in (np.dtype("float32"), np.dtype("float64")):
        raise ValidationError(
            "Simulator.dtype", dtype, "is no precision here", "use float32 or float64"
        )
    return found
