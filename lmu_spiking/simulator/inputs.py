"""Values of inputs from outside the program, computed some steps ahead.

They stand apart from `simulator.simulator`, which uses them, because this is all that
depends on Nengo's processes and functions.

Nengo's own processes are computed for all steps at once, with the random numbers that
they would draw one by one, or are called step by step, as are functions that see
nothing but the time (`pure_functions`).
"""

import numpy as np
from nengo import processes
from nengo.builder.processes import SimProcess
from nengo.dists import Gaussian, Uniform

from lmu_spiking.errors import ValidationError
from lmu_spiking.simulator.rows import region_of

# processes that draw random numbers, which are used in their order
NOISES = (processes.WhiteNoise, processes.FilteredNoise, processes.BrownNoise)


def given_values(given: dict, program, model, trials: int | None) -> dict:
    """Return the arrays that replace the output of nodes.

    Parameters
    ----------
    given : dict of nengo.Node to array_like
    program : Program
    model : nengo.builder.Model
    trials : int or None

    Returns
    -------
    dict of int to ndarray
        (T, size), or (trials, T, size), by the number of the input.

    Raises
    ------
    ValidationError
        If a shape does not fit, or a value is not finite.
    """
    keys = [region_of(i.op.output).key for i in program.inputs]
    return {
        keys.index(region_of(model.sig[node]["out"]).key): given_array(
            f"Simulator.inputs[{node}]", values, node.size_out, program, trials
        )
        for node, values in given.items()
    }


def given_array(attribute: str, values, size: int, program, trials) -> np.ndarray:
    """Return the array that replaces the output of a node, or raise an error.

    Parameters
    ----------
    attribute : str
        For the message.
    values : array_like
    size : int
        Of the node.
    program : Program
    trials : int or None

    Returns
    -------
    (T, size) or (trials, T, size) ndarray
        A copy.

    Raises
    ------
    ValidationError
        If the shape does not fit, or a value is not finite.
    """
    most = np.finfo(program.state.dtype).max
    shapes = f"(steps, {size})" + (f" or ({trials}, steps, {size})" if trials else "")
    try:
        if np.iscomplexobj(values):
            raise TypeError
        values = np.array(values, dtype=float)
    except (TypeError, ValueError):
        problem = f"must be numbers, {shapes}"
        raise ValidationError(attribute, values, problem) from None
    if values.ndim == 1 and size == 1:
        values = values[:, None]
    each = values.ndim == 3 and values.shape[0] == trials
    fits = (values.ndim == 2 or each) and values.shape[-1] == size
    if not fits or not values.size or not (np.abs(values) <= most).all():
        raise ValidationError(attribute, values.shape, f"must be finite, {shapes}")
    return values


class Inputs:
    """The inputs of a program, as columns of one array.

    Parameters
    ----------
    program : Program
    model : nengo.builder.Model
    given : dict of int to (T, size) ndarray
        Columns that are given, by the number of the input.
    own : set of int, optional
        The inputs to compute; all by default.
    """

    def __init__(self, program, model, given=None, own=None):
        self.inputs = program.inputs
        self.model, self.dt = model, model.dt
        self.given, self.own = given or {}, own
        self.reset()

    def reset(self) -> None:
        """Forget how far the inputs have come; `start` each of them again."""
        self.makers: dict = {}  # computed for all steps at once, by number
        self.callers: dict = {}  # called step by step
        self.drawn: dict = {}  # random values that were computed and not yet used

    def start(self, k: int, rng) -> None:
        """Set up an input with its random numbers.

        Parameters
        ----------
        k : int
            Number of the input.
        rng : numpy.random.RandomState or None
            None for a function, which draws none.
        """
        # by whom it is computed: from an array, by a function, or by a process
        op, columns = self.inputs[k]
        shape = op.output.shape
        if self.own is not None and k not in self.own:
            return
        if k in self.given:
            self.makers[k] = _given(self.given[k])
        elif not isinstance(op, SimProcess):
            self.callers[k] = _function(op, self.model)
        else:
            process = op.process
            if isinstance(process, NOISES):
                self.drawn[k] = np.zeros((0, columns.stop - columns.start))
            state = process.make_state((0,), shape, self.dt, dtype=np.float64)
            arguments = shape, self.dt, rng, state
            vectorise = VECTORISED.get(type(process).make_step)
            if make := vectorise and vectorise(process, *arguments):
                self.makers[k] = make
            else:
                self.callers[k] = process.make_step((0,), *arguments)

    def feed(self, k: int, values: np.ndarray, step: int) -> None:
        """Give other values to an input from now on.

        Parameters
        ----------
        k : int
            Number of the input, one of ``given``.
        values : (T, size) ndarray
            Repeated.
        step : int
            The first value is that of the step after it.
        """
        self.makers[k] = _given(values, step)

    def fill(self, out: np.ndarray, step: int, interrupt=None):
        """Write the values of the steps after ``step`` into an array.

        Functions are called in the order in which Nengo would call them.

        Parameters
        ----------
        out : (n_steps, columns) ndarray
        step : int
        interrupt : DeferredInterrupt, optional
            Ends the calls when it is requested.

        Returns
        -------
        n : int
            Number of steps with values.
        error : BaseException or None
            The error that ended them early.
        """
        n, error = len(out), None
        if self.callers:
            n, error = self._call(out, step, interrupt)
        # all steps at once, after the random values that were computed before
        for k, make in self.makers.items():
            m = self._take_drawn(k, out[:n])
            if m < n:
                out[m:n, self.inputs[k].columns] = make(step + m, n - m)
        return n, error

    def _call(self, out, step, interrupt):
        """Call functions step by step; return the number of steps, and any error."""
        calls = [
            (k, self.inputs[k].columns, call, self._take_drawn(k, out))
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
            if interrupt is not None and interrupt.requested:
                n = i + 1
                break
        # values of steps that are not taken now are used the next time
        for k, columns, _, m in calls:
            if m > n:
                self._return(k, out[n:m, columns])
        return n, error

    def _take_drawn(self, k: int, out: np.ndarray) -> int:
        """Use values that were computed before; return the number of their steps."""
        values = self.drawn.get(k, ())
        m = min(len(values), len(out))
        if m:
            out[:m, self.inputs[k].columns] = values[:m]
            self.drawn[k] = values[m:]
        return m

    def _return(self, k: int, left: np.ndarray) -> None:
        """Put values that were not used before those that are left."""
        self.drawn[k] = np.concatenate([left, self.drawn[k]])

    def take_back(self, left: np.ndarray) -> None:
        """Take back the random values of steps that were not taken.

        Parameters
        ----------
        left : (n_steps, columns) ndarray
        """
        for k in self.drawn:
            self._return(k, left[:, self.inputs[k].columns])


# Each function below returns ``make(step, n)``: the values of ``n`` steps after a step.


def _given(values: np.ndarray, first: int = 0):
    """Repeat an array, which begins after step ``first``."""
    return lambda step, n: values[(step - first + np.arange(n)) % len(values)]


def _function(op, model):
    """Return a Node's function of time, called and checked as Nengo does."""
    value, now = np.zeros(op.output.shape), np.array(0.0)
    call = op.make_step({op.output: value, model.time: now}, model.dt, None)

    def at(t):
        now[...] = t
        call()
        return value

    return at


def _present_input(process, shape, dt, rng, state):
    """Show each input for its presentation time."""
    inputs = process.inputs.reshape(len(process.inputs), -1)

    def make(step, n):
        t = np.arange(step + 1, step + n + 1) * dt
        i = ((t - dt) / process.presentation_time + 1e-7).astype(np.int64)
        return inputs[i % len(inputs)]

    return make


def _white_signal(process, shape, dt, rng, state):
    """Repeat the period of a signal, which is drawn at once."""
    step_at = process.make_step((0,), shape, dt, rng, state)
    period = 2 * int(np.ceil(process.period / dt / 2))
    signal = np.array([step_at(i * dt) for i in range(period)])

    def make(step, n):
        t = np.arange(step + 1, step + n + 1) * dt
        return signal[np.round(t / dt).astype(np.int64) % period]

    return make


def _white_noise(process, shape, dt, rng, state):
    """Draw the noise of all steps at once; None where Nengo would draw otherwise."""
    if type(process.dist) not in (Gaussian, Uniform) or len(shape) != 1:
        return None
    alpha = 1 / np.sqrt(dt) if process.scale else 1.0

    return lambda step, n: alpha * process.dist.sample(n=n, d=shape[0], rng=rng)


VECTORISED = {
    processes.PresentInput.make_step: _present_input,
    processes.WhiteSignal.make_step: _white_signal,
    processes.WhiteNoise.make_step: _white_noise,
}
