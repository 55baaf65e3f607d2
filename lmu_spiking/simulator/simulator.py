"""`Simulator`, which runs any Nengo network in machine code."""

import math
import operator
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import nengo
import numpy as np
from nengo.builder.operator import SimPyFunc, TimeUpdate
from nengo.builder.processes import SimProcess
from nengo.builder.signal import SignalDict
from nengo.exceptions import SimulatorClosed
from nengo.utils.graphs import toposort
from nengo.utils.progress import Progress, ProgressTracker

from lmu_spiking.errors import NotANumberError, ValidationError, check_whole
from lmu_spiking.simulator import trials as realisations
from lmu_spiking.simulator.inputs import Inputs, given_array, given_values
from lmu_spiking.simulator.optimization import merge_operators
from lmu_spiking.simulator.program import compile_program
from lmu_spiking.simulator.pure_functions import check_names
from lmu_spiking.simulator.records import Data, Output, Record
from lmu_spiking.simulator.signal_views import SignalViews, name_of_nan
from lmu_spiking.simulator.stepper import DeferredInterrupt, NaNFound, Stepper, has_nan

MOST_TRIALS = 10**6
BLOCK = 0.1  # seconds between two looks at the keyboard
FIRST_STEPS = 8  # in the first block, whose duration is not known
MOST_STEPS = 16384  # in a block
BLOCK_BYTES = 2**28  # that a block's inputs and samples may take
SHORT = 1e-3  # seconds of work that are too short for threads


class Simulator(nengo.Simulator):
    """A drop-in for `nengo.Simulator` that runs networks in machine code.

    Parameters
    ----------
    network, dt, seed, model, progress_bar
        As in `nengo.Simulator`.
    optimize : bool
        As in `nengo.Simulator`.  If False, all signals are also computed, so that
        ``signals`` has all of them, and every signal that Nengo allows to be changed
        can be changed.
    dtype : {"float32", "float64"}
        Precision of all signals.
    trials : int, optional
        Independent realisations to run side by side: random spikes, noise that is
        injected into ensembles, and initial states of neurons differ.  Probe data gain
        a leading axis.
    noise_seed : int or sequence of int, optional
        Seed for all of the above, whatever the network's seeds.  With one seed for each
        trial, a trial is the single run with this seed.
    inputs : dict of nengo.Node to array_like, optional
        Arrays in place of the output of nodes without input: (T, size) for all trials,
        or (trials, T, size); repeated where the run is longer.
    threads : int, optional
        Number of threads that share the trials; all cores by default.

    Attributes
    ----------
    program : Program
        The network as a table of operations.

    Notes
    -----
    Deterministic networks equal `nengo.Simulator`'s to rounding, random ones in
    distribution: spikes are functions of seed, trial, step and neuron, the same for any
    number of threads and after each `reset`.  Nodes with Python functions, processes of
    the user's own and operators without a kernel run as Nengo runs them, in its order,
    between compiled rows; they see and change the same as in Nengo.  Only functions of
    time that provably see nothing else are called ahead.

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
        self.dtype = _check_dtype(dtype)
        if trials is not None:
            trials = check_whole("Simulator.trials", trials, 1, MOST_TRIALS)
        self.trials, self.noise_seed = trials, noise_seed
        self._noise = realisations.noise_of(trials, noise_seed)
        threads = (os.cpu_count() or 1) if threads is None else threads
        self.threads = check_whole("threads", threads, 1)
        if inputs is not None and not isinstance(inputs, Mapping):
            problem, remedy = "must be a dict", "use {node: array}"
            raise ValidationError("Simulator.inputs", inputs, problem, remedy)
        self._given = dict(inputs or {})
        self.program: Any = None
        if self._whole is None:
            self._whole = not optimize
        self._merge = optimize
        try:
            super().__init__(network, dt, seed, model, progress_bar, optimize=False)
        except BaseException:
            self.closed = True
            raise
        self.optimize = optimize

    def reset(self, seed=None):
        """Go back to the beginning.

        Parameters
        ----------
        seed : int, optional
            New seed for processes, as in `nengo.Simulator`.
        """
        if self.closed:
            raise SimulatorClosed("Cannot reset closed Simulator.")
        if seed is not None:
            self.seed = seed
        if self.program is None:
            self._lower()
        program, noise, order = self.program, self._noise, self._step_order
        self._state[...] = realisations.draw_states(program, noise, order, self.seed)
        self._keys[...] = realisations.draw_seeds(program, noise)
        for base in self._changeable:
            self.signals[base][...] = base.initial_value
        self.rng = np.random.RandomState(self.seed)
        self._start()
        self.clear_probes()
        self._per_step = None  # seconds

    def _lower(self) -> None:
        """Compile the program and make the arrays that it works on."""
        model = self.model
        if self._merge:
            self.dg = merge_operators(model, self.dg)
            order = toposort(self.dg)
            self._step_order = [op for op in order if hasattr(op, "make_step")]
            self.signals = SignalDict()
            for op in model.operators:
                op.init_signals(self.signals)
        order, options = self._step_order, (self._given, bool(self._whole))
        program = compile_program(model, order, self.dg, self.dtype, *options)
        self.program = program
        n = self.trials or 1
        self._state: Any = np.empty((n, len(program.state)), self.dtype)
        self._keys = np.empty((n, len(program.streams)), np.uint64)
        # signals of each trial where Python can see them, else of the first
        places = program.places.items()
        constants = [base for base, (constant, _) in places if constant]
        self._changeable = [base for base in constants if not program.is_fixed(base)]
        const = program.const.copy() if self._changeable else program.const
        sparse = {s: a for s, a in self.signals.items() if s.sparse}
        states = self._state if program.python else self._state[:1]
        signals = [SignalViews(program, model, s, const, sparse) for s in states]
        self.signals = signals[0]
        # inputs that differ between trials: given ones, and noise of ensembles
        given = given_values(self._given, program, model, self.trials)
        self._numbers = dict(zip(self._given, given, strict=True))
        own = {k for k, values in given.items() if values.ndim == 3}
        ops = enumerate(i.op for i in program.inputs)
        own |= {k for k, op in ops if getattr(op, "mode", "set") == "inc"}
        inputs = []
        for trial in range(n if own else 1):
            values = {k: v[trial] if v.ndim == 3 else v for k, v in given.items()}
            inputs.append(Inputs(program, model, values, own if trial else None))
        # samples of probes
        records = []
        for probe in model.probes:
            shape, every = model.sig[probe]["in"].shape, probe.sample_every
            period = 1 if every is None else every / self.dt
            records.append(Record(shape, self.trials, period, self.dtype))
            self._sim_data[probe] = records[-1]
        self.data = Data(self._sim_data)
        arrays = self._state, const, self._keys
        self._stepper = Stepper(program, *arrays, inputs, Output(records, n), signals)
        self._names = program.names
        # arrays that change while steps are taken
        self._arenas = [self._state, signals[0].step, signals[0].time]

    def _start(self) -> None:
        """Give random generators to processes, in Nengo's order."""
        numbers = {id(i.op): k for k, i in enumerate(self.program.inputs)}
        python = {id(s) for s in self.program.segments if not isinstance(s, np.ndarray)}
        steps: dict[int, list] = {}
        rng, seed = self.rng, self.seed
        self._rngs = [rng if n.native else n.generator(seed) for n in self._noise]
        for inputs in self._stepper.inputs:
            inputs.reset()
        for op in self._step_order:
            if id(op) in numbers:
                self._start_input(op, numbers[id(op)])
            elif id(op) in python and not isinstance(op, TimeUpdate):
                steps[id(op)] = self._make_steps(op)
            elif isinstance(op, SimProcess):
                op.process.get_rng(self.rng)
        self._stepper.start(steps)

    def _make_steps(self, op) -> list:
        """Return Nengo's own step functions, one for each trial."""
        signals, noises = self._stepper.signals, self._noise
        process = isinstance(op, SimProcess)
        timed = process and op.input is None and op.mode != "inc"
        if timed or (isinstance(op, SimPyFunc) and not op.x_passed):
            # the same for all trials
            own = realisations.with_own_generator(op, noises[0])
            steps = [own.make_step(signals[0], self.dt, self.rng)]
            return steps + [_copy_step(op.output, signals[0], s) for s in signals[1:]]
        steps = []
        if process and not noises[0].native:
            op.process.get_rng(self.rng)  # as if Nengo had taken it
        for noise, of_trial, rng in zip(noises, signals, self._rngs, strict=True):
            own = realisations.with_own_generator(op, noise)
            steps.append(own.make_step(of_trial, self.dt, rng))
        return steps

    def _start_input(self, op, k: int) -> None:
        """Start an input: the same for all trials, but for the noise of ensembles."""
        process = isinstance(op, SimProcess)
        first = self.rng.get_state()
        for noise, inputs in zip(self._noise, self._stepper.inputs, strict=False):
            rng = None
            if process:
                self.rng.set_state(first)
                rng = op.process.get_rng(self.rng)
                if op.mode == "inc" and not noise.native:
                    rng = noise.generator(int(rng.randint(2**31)))
            inputs.start(k, rng)

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
        for record in self._stepper.output.records:
            record.clear()
        self.data.reset()

    def step(self):
        """Take one step of ``dt`` seconds."""
        self._check()
        try:
            self._stepper.advance(1)
        except NaNFound as found:
            raise self._nan_error(found.known) from None

    def run_steps(self, steps, progress_bar=None):
        """Take steps of ``dt`` seconds.

        Ctrl-C ends them within a fraction of a second by a `KeyboardInterrupt`; what
        was simulated until then stays in ``data``, and the run can go on.

        Parameters
        ----------
        steps : int
        progress_bar : bool or nengo.utils.progress.ProgressBar, optional
            By default that of the simulator.
        """
        bar = self.progress_bar if progress_bar is None else progress_bar
        progress = Progress("Simulating", "Simulation", steps)
        with ProgressTracker(bar, progress) as tracker:
            self._run(steps, lambda n: tracker.total_progress.step(n))

    def feed(self, node, values) -> None:
        """Give other values to a node of ``inputs``, from the next step on.

        Parameters
        ----------
        node : nengo.Node
            One of ``inputs``.
        values : (T, size) or (trials, T, size) array_like
            Repeated where the run is longer.  Those of each trial are for a node whose
            ``inputs`` are, too.  After a `reset`, and in a copy, the values are those
            of ``inputs`` again.

        Raises
        ------
        ValidationError
            If the node is not one of ``inputs``, or the values do not fit.
        """
        self._check()
        if node not in self._given:
            problem, remedy = "is not one of inputs", "name it in inputs of Simulator"
            raise ValidationError("Simulator.feed.node", node, problem, remedy)
        own, k = ("Simulator.feed.values", values, node.size_out), self._numbers[node]
        several = self._stepper.inputs[1:]
        apart = self.trials == 1 or (bool(several) and k in several[0].own)
        array = given_array(*own, self.program, self.trials if apart else None)
        for trial, inputs in enumerate(self._stepper.inputs):
            if inputs.own is None or k in inputs.own:
                shown = array[trial] if array.ndim == 3 else array
                inputs.feed(k, shown, self.n_steps)

    def _check(self) -> None:
        """Check that a run may begin."""
        if self.closed:
            raise SimulatorClosed("Simulator cannot run because it is closed.")
        if self._stepper.running:
            problem = "is a step that is not finished"
            remedy = "let no node step its own simulator, and use one thread at a time"
            raise ValidationError("Simulator.step", self.n_steps, problem, remedy)
        if self._names:
            self._names = check_names(self._names, self._arenas)

    def _run(self, steps: int, report) -> None:
        """Run blocks of steps, each short enough to be interrupted."""
        self._check()
        steps, stepper = operator.index(steps), self._stepper
        with ExitStack() as stack:
            interrupt = stack.enter_context(DeferredInterrupt())
            # threads for trials, if the work is long enough for several
            map_trials: Any = map
            n_threads = min(self.threads, self.trials or 1)
            short = self._per_step is not None and steps * self._per_step < SHORT
            if n_threads > 1 and not short and not self.program.python:
                map_trials = stack.enter_context(ThreadPoolExecutor(n_threads)).map
            while steps > 0:
                start, before = time.perf_counter(), stepper.n_steps
                n, done = min(steps, self._block()), 0
                try:
                    done = stepper.advance(n, map_trials, interrupt)
                except NaNFound as found:
                    raise self._nan_error(found.known) from None
                finally:
                    report(done or max(0, stepper.n_steps - before))
                steps -= done
                self._per_step = (time.perf_counter() - start) / max(done, 1)
                if interrupt.requested:
                    raise KeyboardInterrupt
                if self.closed:  # by a node
                    stepper.close()
                    raise SimulatorClosed("Simulator was closed by a node it ran.")

    def _block(self) -> int:
        """Return the number of steps in the next block, which changes no result."""
        if self._per_step is None:
            return FIRST_STEPS
        numbers = self.program.columns * len(self._stepper.inputs)
        records = self._stepper.output.records
        numbers += sum(math.prod(r.shape) for r in records) * (self.trials or 1)
        room = BLOCK_BYTES // max(1, numbers * self.dtype.itemsize)
        return int(max(1, min(MOST_STEPS, room, BLOCK / self._per_step)))

    def _nan_error(self, known: bool) -> NotANumberError:
        """Return the error for a NaN in the step after the completed ones, if known."""
        step, name = self.n_steps + known, "of a probe"
        when = f"{'in' if known else 'by'} step {step} ({step * self.dt:g} s)"
        for state in filter(has_nan, self._state):
            const = self.program.const
            signals = SignalViews(self.program, self.model, state, const, {})
            name = name_of_nan(self.program, self.model, signals)
            break
        remedy = "look for a division by zero or an unstable loop there"
        return NotANumberError(f"signal {name}: became NaN {when}; {remedy}")

    def __getstate__(self):
        """Return what a copy in another process needs; no files are written by it."""
        state = super().__getstate__() | {"signals": {}}
        names = "dtype", "trials", "noise_seed", "threads"
        state["options"] = {name: getattr(self, name) for name in names}
        state["options"]["inputs"] = self._given
        state["whole"] = self.program.watched
        state["n_steps"] = self.n_steps
        # the state by signal, as another program may place it elsewhere
        state["state"] = {}
        if not self.closed:
            for signal, (constant, _) in self.program.places.items():
                if not constant:
                    state["state"][signal] = self._columns_of(signal).copy()
            for signal in self._changeable:
                state["state"][signal] = self.signals[signal].copy()
        return state

    def __setstate__(self, state):
        self._whole = state["whole"]
        names = "dt", "seed", "model", "progress_bar"
        arguments = {name: state[name] for name in names}
        # it was optimized before
        self.__init__(None, optimize=False, **arguments, **state["options"])
        self.optimize = state["optimize"]
        for probe, record in state["probe_outputs"].items():
            self._sim_data[probe].append(record.since(0))
        if state["closed"]:
            self.close()
            return
        for signal, values in state["state"].items():
            if signal in self._changeable:
                self.signals[signal] = values
            elif signal in self.program.places:  # not a buffer there
                self._columns_of(signal)[...] = values
        self._stepper.set_clock(state["n_steps"])

    def _columns_of(self, signal) -> np.ndarray:
        """Return the values of a base signal in all trials, (trials, size)."""
        _, at = self.program.places[signal]
        return self._state[:, at : at + signal.size]

    def close(self):
        """Close the simulator; its data stay."""
        super().close()
        self._state = None
        if self.program is not None:
            self._stepper.close()


def _copy_step(output, of, to):
    """Return a step that copies a signal to another trial; None without a signal."""
    if output is None:
        return None
    source, target = of[output], to[output]
    return lambda: np.copyto(target, source)


def _check_dtype(dtype) -> np.dtype:
    """Return one of the two precisions, or raise a ValidationError."""
    with suppress(TypeError):
        # None equals float64 where numpy is asked
        if dtype is not None and np.dtype(dtype) in ("float32", "float64"):
            return np.dtype(dtype)
    problem, remedy = "is no precision here", "use float32 or float64"
    raise ValidationError("Simulator.dtype", dtype, problem, remedy)
