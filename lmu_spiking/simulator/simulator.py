"""`Simulator`: Nengo networks in machine code."""

import operator
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import nengo
import numpy as np
from nengo.builder.operator import SimPyFunc, TimeUpdate
from nengo.builder.processes import SimProcess
from nengo.builder.signal import SignalDict
from nengo.exceptions import SimulatorClosed
from nengo.utils.graphs import toposort
from nengo.utils.progress import Progress, ProgressTracker

from lmu_spiking.errors import NotANumberError, ValidationError, check_whole
from lmu_spiking.simulator import trials as drawn
from lmu_spiking.simulator.nans import name_of_nan, where_nan
from lmu_spiking.simulator.passes import merge
from lmu_spiking.simulator.patience import Alone, Patience
from lmu_spiking.simulator.program import compile_program
from lmu_spiking.simulator.reach import check_names
from lmu_spiking.simulator.records import Data, Output, Record
from lmu_spiking.simulator.signals import Signals
from lmu_spiking.simulator.sources import Sources, for_trial, given_values
from lmu_spiking.simulator.stepper import NaNFound, Stepper

BLOCK = 0.1  # seconds between two looks at the keyboard
MOST = 16384  # steps in a block
BYTES = 2**28  # that a block's inputs and samples may take
SHORT = 1e-3  # seconds of work that are too short for threads


class Simulator(nengo.Simulator):
    """A drop-in for `nengo.Simulator` that runs whole stretches in machine code.

    Parameters
    ----------
    network, dt, seed, model, progress_bar
        As in `nengo.Simulator`.
    optimize : bool
        As in `nengo.Simulator`.  If False, all signals are also computed, so that
        ``signals`` has all of them, and every signal that Nengo allows to be changed
        can be changed.
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
    number of threads and after each `reset`.  Nodes with Python functions, processes of
    the user's own and operators without a kernel run as Nengo runs them, in its order,
    between compiled stretches; they see and change the same as in Nengo.  Only
    functions of time that provably see nothing else are called ahead.

    With trials, ``signals`` are those of the first; functions of an input are called
    for each trial in turn, those of time and processes without input once a step.

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

    _whole: bool | None = None  # compute all signals, even if none is watched

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
        self.trials = None if trials is None else drawn.checked(trials)
        self.noise_seed = noise_seed
        self._noise = drawn.noise_of(self.trials, noise_seed)
        self.threads = (
            os.cpu_count() or 1
            if threads is None
            else check_whole("threads", threads, 1)
        )
        self.program = None
        if self._whole is None:
            self._whole = not optimize
        self._given = _checked_inputs(inputs)
        self._merge = optimize
        try:
            super().__init__(network, dt, seed, model, progress_bar, optimize=False)
        except BaseException:
            self.closed = True
            raise
        self.optimize = optimize

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
        self._keys[...] = drawn.seeds(program, self._noise)
        for base in self._changeable:
            self.signals[base][...] = base.initial_value
        self.rng = np.random.RandomState(self.seed)
        self._start()
        self.clear_probes()
        self._per_step = None

    def _lower(self) -> None:
        """Compile the program and make the arrays that it works on."""
        if self._merge:
            self.dg = merge(self.model, self.dg)
            order = toposort(self.dg)
            self._step_order = [op for op in order if hasattr(op, "make_step")]
            self.signals = SignalDict()
            for op in self.model.operators:
                op.init_signals(self.signals)
        self.program = program = compile_program(
            self.model,
            self._step_order,
            self.dg,
            self.dtype,
            self._given,
            whole=bool(self._whole),
        )
        n = self.trials or 1
        self._state = np.empty((n, len(program.state)), self.dtype)
        self._keys = np.empty((n, len(program.streams)), np.uint64)
        self._changeable = [
            base
            for base, (constant, _) in program.places.items()
            if constant and not program.is_fixed(base)
        ]
        const = program.const.copy() if self._changeable else program.const
        sparse = {s: a for s, a in self.signals.items() if s.sparse}
        signals = [
            Signals(program, self.model, state, const, sparse)
            for state in (self._state if program.python else self._state[:1])
        ]
        self.signals = signals[0]
        given = given_values(self._given, program, self.model, self.trials)
        own = {k for k, values in given.items() if values.ndim == 3}
        own |= {
            k
            for k, i in enumerate(program.inputs)
            if getattr(i.op, "mode", "set") == "inc"
        }
        sources = [
            Sources(
                program, self.model, for_trial(given, trial), own if trial else None
            )
            for trial in range(n if own else 1)
        ]
        records = []
        for probe in program.probes:
            shape = self.model.sig[probe]["in"].shape
            period = 1 if probe.sample_every is None else probe.sample_every / self.dt
            records.append(Record(shape, self.trials, period, self.dtype))
            self._sim_data[probe] = records[-1]
        self.data = Data(self._sim_data)
        output = Output(records, n)
        self._stepper = Stepper(
            program, self._state, const, self._keys, sources, output, signals
        )
        self._names = program.names
        clock = signals[0].step, signals[0].time
        self._arenas = [self._state, *clock]  # what changes while steps are taken

    def _start(self) -> None:
        """Give random generators to processes, in Nengo's order."""
        made = {id(i.op): k for k, i in enumerate(self.program.inputs)}
        python = {id(s) for s in self.program.segments if not isinstance(s, np.ndarray)}
        steps: dict[int, list] = {}
        self._rngs = [
            self.rng if noise.native else noise.generator(self.seed)
            for noise in self._noise
        ]
        for sources in self._stepper.sources:
            sources.reset()
        for op in self._step_order:
            if id(op) in made:
                self._start_input(op, made[id(op)])
            elif id(op) in python and not isinstance(op, TimeUpdate):
                steps[id(op)] = self._steps_of(op)
            elif isinstance(op, SimProcess):
                op.process.get_rng(self.rng)
        self._stepper.start(steps)

    def _steps_of(self, op) -> list:
        """Return Nengo's own step functions, one for each trial."""
        signals = self._stepper.signals
        process = isinstance(op, SimProcess)
        timed = process and op.input is None and op.mode != "inc"
        if timed or (isinstance(op, SimPyFunc) and not op.x_passed):
            # the same for all trials
            step = drawn.with_own_generator(op, self._noise[0]).make_step
            made = [step(signals[0], self.dt, self.rng)]
            return made + [_copied(op.output, signals[0], s) for s in signals[1:]]
        made = []
        if process and not self._noise[0].native:
            op.process.get_rng(self.rng)  # as if Nengo had taken it
        for noise, of_trial, rng in zip(self._noise, signals, self._rngs, strict=True):
            own = drawn.with_own_generator(op, noise)
            made.append(own.make_step(of_trial, self.dt, rng))
        return made

    def _start_input(self, op, k: int) -> None:
        """The same input for all trials, but noise of their own for ensembles."""
        process = isinstance(op, SimProcess)
        first = self.rng.get_state()
        for trial, sources in enumerate(self._stepper.sources):
            if process:
                self.rng.set_state(first)
                rng = op.process.get_rng(self.rng)
                noise = self._noise[trial]
                if op.mode == "inc" and not noise.native:
                    seed = int(rng.randint(2**31))
                    rng = noise.generator(seed)
            sources.start(k, rng if process else None)

    @property
    def n_steps(self):
        """Return the number of completed steps."""
        return self._stepper.n_steps

    @property
    def time(self):
        """Return the simulated time, seconds."""
        return self._stepper.time

    def clear_probes(self):
        """Forget all samples of probes."""
        for probe in self.program.probes:
            self._sim_data[probe].clear()
        self.data.reset()

    def step(self):
        """Take one step of ``dt`` seconds."""
        self._check()
        try:
            self._stepper.advance(1)
        except NaNFound as found:
            raise self._nan_error(found.known) from None

    def run_steps(self, steps, progress_bar=None):
        """``steps`` steps of ``dt`` seconds.

        Ctrl-C ends them within a fraction of a second by a `KeyboardInterrupt`; what
        was simulated until then stays in ``data``, and the run can go on.
        """
        bar = self.progress_bar if progress_bar is None else progress_bar
        progress = Progress("Simulating", "Simulation", steps)
        with ProgressTracker(bar, progress) as tracker:
            self._run(steps, lambda n: tracker.total_progress.step(n))

    def _check(self) -> None:
        """Check that a run may begin."""
        if self.closed:
            raise SimulatorClosed("Simulator cannot run because it is closed.")
        if self._stepper.running:
            raise ValidationError(
                "Simulator.step",
                self.n_steps,
                "is a step that is not finished",
                "let no node step its own simulator, and use one thread at a time",
            )
        if self._names:
            self._names = check_names(self._names, self._arenas)

    def _run(self, steps: int, report) -> None:
        """Run blocks of steps, each short enough to be interrupted."""
        self._check()
        steps = operator.index(steps)
        stepper = self._stepper
        with Patience() as patience, self._workers(steps) as pool:
            while steps > 0:
                start, before = time.perf_counter(), stepper.n_steps
                done = 0
                try:
                    done = stepper.advance(min(steps, self._block()), pool, patience)
                except NaNFound as found:
                    raise self._nan_error(found.known) from None
                finally:
                    report(done or max(0, stepper.n_steps - before))
                steps -= done
                self._per_step = (time.perf_counter() - start) / max(done, 1)
                if patience.over:
                    raise KeyboardInterrupt
                if self.closed:  # by a node
                    stepper.close()
                    raise SimulatorClosed("Simulator was closed by a node it ran.")

    def _workers(self, steps: int):
        """Return threads for trials, if the work is long enough for several."""
        n = min(self.threads, self.trials or 1)
        short = self._per_step is not None and steps * self._per_step < SHORT
        alone = n == 1 or short or self.program.python
        return Alone() if alone else ThreadPoolExecutor(n)

    def _block(self) -> int:
        """Return the number of steps in the next block, which changes no result."""
        if self._per_step is None:
            return 8
        per_step = self.program.columns * len(self._stepper.sources)
        per_step += int(self.program.sizes.sum()) * (self.trials or 1)
        room = BYTES // max(1, per_step * self.dtype.itemsize)
        return int(max(1, min(MOST, room, BLOCK / self._per_step)))

    def _nan_error(self, known: bool) -> NotANumberError:
        """Return the error for a NaN in the step after the completed ones, if known."""
        step = self.n_steps + known
        when = (
            f"became NaN {'in' if known else 'by'} step {step} ({step * self.dt:g} s)"
        )
        remedy = "look for a division by zero or an unstable loop there"
        where = where_nan(self._state)
        name = None
        if where is not None:
            signals = Signals(
                self.program, self.model, self._state[where[0]], self.program.const, {}
            )
            name = name_of_nan(self.program, self.model, signals)
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
        state["whole"] = self.program.watched
        state["n_steps"] = self.n_steps
        state["state"] = {} if self.closed else self._by_signal()
        return state

    def __setstate__(self, state):
        self._whole = state["whole"]
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
        for probe, record in state["probe_outputs"].items():
            self._sim_data[probe].append(record.since(0))
        if state["closed"]:
            self.close()
        else:
            for signal, values in state["state"].items():
                if signal in self._changeable:
                    self.signals[signal] = values
                elif signal in self.program.places:  # not a buffer there
                    self._columns_of(signal)[...] = values
            self._stepper.set_clock(state["n_steps"])

    def _columns_of(self, signal) -> np.ndarray:
        """What a base signal is in all trials, (trials, size)."""
        _, at = self.program.places[signal]
        return self._state[:, at : at + signal.size]

    def _by_signal(self) -> dict:
        """The state, wherever another program may put it."""
        places = self.program.places.items()
        return {
            s: self._columns_of(s).copy() for s, (constant, _) in places if not constant
        } | {s: self.signals[s].copy() for s in self._changeable}

    def close(self):
        """Closes the simulator; its data stay."""
        super().close()
        self._state = None
        if self.program is not None:
            self._stepper.close()


def _copied(output, of, to):
    """Return a step that copies a signal to another trial; None without a signal."""
    if output is None:
        return None
    source, target = of[output], to[output]
    return lambda: np.copyto(target, source)


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
