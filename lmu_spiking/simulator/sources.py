"""Inputs from outside the program, made some steps ahead.

Nengo's own processes are made for all steps at once, with the random numbers that they
would draw one by one, or are called step by step, as are functions that see nothing but
the time (`reach`).
"""

import numpy as np
from nengo.builder.processes import SimProcess
from nengo.dists import Gaussian, Uniform
from nengo.processes import (
    BrownNoise,
    FilteredNoise,
    PresentInput,
    WhiteNoise,
    WhiteSignal,
)

from lmu_spiking.errors import ValidationError
from lmu_spiking.simulator.regions import region_of


def given_values(given: dict, program, model, trials: int | None) -> dict:
    """What replaces the output of nodes: (T, size), or (trials, T, size), by input.

    Parameters
    ----------
    given : dict of nengo.Node to array_like

    Raises
    ------
    ValidationError
        If a shape does not fit, or a value is not finite.
    """
    found = {}
    for node, values in given.items():
        key = region_of(model.sig[node]["out"]).key
        numbers = [
            k for k, i in enumerate(program.inputs) if region_of(i.op.output).key == key
        ]
        shapes = f"(steps, {node.size_out}) or "
        shapes += f"({trials or 'trials'}, steps, {node.size_out})"
        try:
            if np.iscomplexobj(values):
                raise TypeError
            values = np.array(values, dtype=float)
        except (TypeError, ValueError):
            raise ValidationError(
                f"Simulator.inputs[{node}]", values, f"must be numbers, {shapes}"
            ) from None
        if values.ndim == 1 and node.size_out == 1:
            values = values[:, None]
        each = values.ndim == 3 and values.shape[0] == trials
        fits = (values.ndim == 2 or each) and values.shape[-1] == node.size_out
        most = np.finfo(program.state.dtype).max
        if not fits or not values.size or not (np.abs(values) <= most).all():
            raise ValidationError(
                f"Simulator.inputs[{node}]", values.shape, f"must be finite, {shapes}"
            )
        found[numbers[0]] = values
    return found


def for_trial(given: dict, trial: int) -> dict:
    """The values of one trial."""
    return {k: v[trial] if v.ndim == 3 else v for k, v in given.items()}


class Sources:
    """The columns of a program's input.

    Parameters
    ----------
    program : Program
    model : nengo.builder.Model
    given : dict of int to (T, size) ndarray
        Columns that are given, by the number of the input.
    own : set of int, optional
        The inputs to make; all by default.
    """

    def __init__(self, program, model, given=None, own=None):
        self.inputs, self.columns = program.inputs, program.columns
        self.model, self.dt = model, model.dt
        self.given, self.own = given or {}, own
        self.reset()

    def reset(self) -> None:
        """Forget how far the inputs have come; `start` each of them again."""
        self.makers: dict = {}
        self.callers: dict = {}
        self.drawn: dict = {}  # random values that were made and not yet used

    def start(self, k: int, rng) -> None:
        """Set up input ``k`` with its random numbers."""
        op, shape = self.inputs[k].op, self.inputs[k].shape
        if self.own is not None and k not in self.own:
            return
        if k in self.given:
            self.makers[k] = _given(self.given[k])
        elif not isinstance(op, SimProcess):
            self.callers[k] = _function(op, shape, self.model)
        else:
            process = op.process
            if isinstance(process, WhiteNoise | FilteredNoise | BrownNoise):
                self.drawn[k] = np.zeros((0, self.inputs[k].size))
            state = process.make_state((0,), shape, self.dt, dtype=np.float64)
            make = VECTORISED.get(type(process).make_step)
            made = make and make(process, shape, self.dt, rng, state)
            if made:
                self.makers[k] = made
            else:
                self.callers[k] = process.make_step((0,), shape, self.dt, rng, state)

    def fill(self, out: np.ndarray, step: int, patience=None):
        """Values of the steps after ``step`` into ``out`` (n_steps, columns).

        Functions are called in the order in which Nengo would call them, until
        ``patience.over``.

        Returns
        -------
        n : int
            Steps that there are values for.
        error : BaseException or None
            What ended them early.
        """
        n, error = self._call(out, step, patience) if self.callers else (len(out), None)
        for k, make in self.makers.items():
            m = self._again(k, out[:n])
            if m < n:
                out[m:n, self._columns(k)] = make(step + m, n - m)
        return n, error

    def _call(self, out, step, patience):
        calls = [
            (k, self._columns(k), call, self._again(k, out))
            for k, call in self.callers.items()
        ]
        n, error = len(out), None
        for i in range(len(out)):
            t = (step + i + 1) * self.dt
            try:
                for _, columns, call, m in calls:
                    if i >= m:
                        out[i, columns] = call(t)
            except BaseException as failed:  # raised again after the steps before it
                n, error = i, failed
                break
            if patience is not None and patience.over:
                n = i + 1
                break
        for k, columns, _, m in calls:
            if m > n:
                self._keep(k, out[n:m, columns])
        return n, error

    def _again(self, k: int, out: np.ndarray) -> int:
        """Use values that were made and not taken; return the number of their steps."""
        values = self.drawn.get(k, ())
        m = min(len(values), len(out))
        if m:
            out[:m, self._columns(k)], self.drawn[k] = values[:m], values[m:]
        return m

    def _keep(self, k: int, left: np.ndarray) -> None:
        self.drawn[k] = np.concatenate([left, self.drawn[k]])

    def keep(self, left: np.ndarray) -> None:
        """Take back what was made for steps (n, columns) that were not taken."""
        for k in self.drawn:
            self._keep(k, left[:, self._columns(k)])

    def _columns(self, k: int) -> slice:
        given = self.inputs[k]
        return slice(given.first, given.first + given.size)


def _given(values: np.ndarray):
    def make(step, n):
        return values[(step + np.arange(n)) % len(values)]

    return make


def _function(op, shape, model):
    """A Node's function of time, called and checked as Nengo does."""
    value, now = np.zeros(shape), np.array(0.0)
    call = op.make_step({op.output: value, model.time: now}, model.dt, None)

    def at(t):
        now[...] = t
        call()
        return value

    return at


def _present_input(process: PresentInput, shape, dt, rng, state):
    inputs = process.inputs.reshape(len(process.inputs), -1)

    def make(step, n):
        t = np.arange(step + 1, step + n + 1) * dt
        i = ((t - dt) / process.presentation_time + 1e-7).astype(np.int64)
        return inputs[i % len(inputs)]

    return make


def _white_signal(process: WhiteSignal, shape, dt, rng, state):
    step_at = process.make_step((0,), shape, dt, rng, state)
    period = 2 * int(np.ceil(process.period / dt / 2))
    signal = np.array([step_at(i * dt) for i in range(period)])

    def make(step, n):
        t = np.arange(step + 1, step + n + 1) * dt
        return signal[np.round(t / dt).astype(np.int64) % period]

    return make


def _white_noise(process: WhiteNoise, shape, dt, rng, state):
    if type(process.dist) not in (Gaussian, Uniform) or len(shape) != 1:
        return None
    alpha = 1 / np.sqrt(dt) if process.scale else 1.0

    def make(step, n):
        return alpha * process.dist.sample(n=n, d=shape[0], rng=rng)

    return make


VECTORISED = {
    PresentInput.make_step: _present_input,
    WhiteSignal.make_step: _white_signal,
    WhiteNoise.make_step: _white_noise,
}
