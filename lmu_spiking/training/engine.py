"""The engine that trains: outputs and gradients of any LMU, in JAX.

It stands apart from `training.loop`, which imports it when it trains, because the rest
of a training needs no JAX; the equations are in `model`.

The states of the first cell's memory are computed once where they can be, and a step
of the training is compiled.  Windows are trained by their logarithms: before each step
their matrices, and the derivatives of these by ``log theta``, are computed exactly, in
double precision (`window`).
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.forward import at_end as at_ends
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.training._jax import jax, jnp, lax
from lmu_spiking.training.model import (
    forward,
    loss_of,
    mean_within,
    only_last,
    project,
)
from lmu_spiking.training.noise import scales_of
from lmu_spiking.training.settings import TrainSettings
from lmu_spiking.training.window import step_tables, tables

LONGEST = 20.0  # logarithm of a window in seconds: beyond 15 years it has diverged
ROOM = 2**29  # bytes, of states that are kept


class JaxEngine:
    """Outputs and gradients of an LMU.

    Memories that receive their input alone are computed at all times at once, others
    step by step.

    The states of the first cell's memory are linear in its encoders: those that each
    input causes are computed once for all epochs, unless the window is trained, the
    memory has ``e_h`` or ``e_m``, or the states would take more than `ROOM` bytes.
    Where only the last step is read, an epoch is then that of a network without time.

    In float64 all methods are called within `precision_of`, as `train` does.

    Parameters
    ----------
    params : LMUParams
    settings : TrainSettings
        Without ``late`` and ``stretch``; see `noise.with_chip_errors`.
    classes : int or None
        The number of classes; None if values are to be predicted.
    last : bool
        Whether only the last step is read.

    Attributes
    ----------
    names, thetas : tuple of str
        The names of all that is trained, and of the windows among it.
    """

    def __init__(self, params: LMUParams, settings: TrainSettings, classes, last: bool):
        self.params, self.settings, self.last = params, settings, last
        self.names, self.thetas = settings.names(params), settings.thetas(params)
        self.dtype = np.dtype(settings.precision)
        self._scales = scales_of(params, settings)
        self._tables: dict = {}
        self._projection: dict = {}
        curves = tuple((cell.activation, cell.chip) for cell in params.cells)
        self._static = {"curves": curves, "last": last}
        self._classes = classes

    def close(self) -> None:
        """Do nothing: there is nothing to free."""

    def begin_epoch(self, weights: Mapping) -> None:
        """Do nothing: all epochs are alike.

        Parameters
        ----------
        weights : mapping of str to array
        """

    def keeps_states(self, shape: tuple[int, int, int]) -> bool:
        """Return whether the first cell's states of inputs (n, T, c) are kept.

        Parameters
        ----------
        shape : tuple of int
            Of the inputs.

        Returns
        -------
        bool
            Whether `features` has them.
        """
        cell, (n, T, c) = self.params.cells[0], shape
        size = n * (c + (cell.b_u is not None)) * cell.order * self.dtype.itemsize
        size *= 1 if only_last(self.params, 0, self.last) else T
        fixed = cell.memory_is_feedforward and "cell0.theta" not in self.thetas
        return fixed and size <= ROOM

    def wash(self, shape: tuple[int, int, int]) -> int:
        """Return how many steps before a crop are computed along with it.

        The memories whose states are not kept begin a crop at rest, and have forgotten
        that after two of their windows.

        Parameters
        ----------
        shape : tuple of int
            Of the inputs.

        Returns
        -------
        int
            Two windows of each of these memories, one after the other.
        """
        cells = self.params.cells[1 if self.keeps_states(shape) else 0 :]
        return sum(2 * cell.ldn.steps(self.params.dt) for cell in cells)

    def features(self, x: np.ndarray, lengths=None) -> dict[str, np.ndarray]:
        """Return what gradients are computed from: inputs, and states where kept.

        Parameters
        ----------
        x : (n, T, c) array_like
            As the user has them; they are normalised here.
        lengths : (n,) ndarray of int, optional
            Steps of each sequence, which is padded at its end.

        Returns
        -------
        dict of str to ndarray
            ``x``, ``states`` where they are kept, and ``lengths`` where they are
            given and time is left; as the inputs of `model.forward`.
        """
        x = np.asarray(x)
        if self.params.mean is not None:
            x = self.params.normalised(x.astype(float))
        x = x.astype(self.dtype, copy=False)
        ends = {} if lengths is None else {"lengths": np.asarray(lengths)}
        if not self.keeps_states(x.shape):
            return {"x": x} | ends
        cell, at_end = self.params.cells[0], only_last(self.params, 0, self.last)
        T = x.shape[1]
        if T not in self._projection:
            table = tables(cell.ldn, self.params.dt, T, last=at_end)[0]
            self._projection[T] = {n: self._cast(a) for n, a in table.items()}
        states = project(cell, x, self._projection[T], at_end, lengths)
        if at_end:
            return {"x": at_ends(x, lengths), "states": states}
        return {"x": x, "states": states} | ends

    def gradients(
        self, weights: Mapping, features: Mapping, y, step_weights=None, rng=None
    ):
        """Return the loss, and its derivative by all that is trained.

        Parameters
        ----------
        weights : mapping of str to array
            Arrays, and logarithms of the windows that are trained, by name.
        features : mapping of str to ndarray
            Of a batch, from `features`.
        y : ndarray
            Classes or values of the batch.
        step_weights : (n, T) ndarray, optional
            How much each step counts in the loss; all alike by default.
        rng : numpy.random.Generator, optional
            Draws the noise; without it there is none.

        Returns
        -------
        loss : scalar array
            Of the batch.
        gradients : dict of str to array
            By name.
        """
        y = y if y.dtype.kind in "iu" else y.astype(self.dtype)
        step_weights = None if step_weights is None else step_weights.astype(self.dtype)
        moving = {name: self._cast(weights[name]) for name in self.names}
        given = self._given(weights, features)
        noise, penalty = self._noise(features["x"], rng), self.settings.rate_penalty
        rest = noise, y, step_weights, self.dtype.type(penalty)
        static = self._static | {"classes": self._classes}
        loss, slopes = _loss(moving, *given, dict(features), rest, **static)
        return loss, {name: slopes[name] for name in self.names}

    def outputs(self, weights: Mapping, features: Mapping, batch: int = 100):
        """Return outputs (n, T, q), or (n, q) for the last step.

        Parameters
        ----------
        weights, features
            As in `gradients`.
        batch : int
            Sequences at a time.

        Returns
        -------
        ndarray
            (n, T, q), or (n, q) for the last step.
        """
        return self.predictor(weights)(features, batch)

    def predictor(self, weights: Mapping) -> Callable:
        """Return the function of features, and of sequences at a time, to outputs.

        Parameters
        ----------
        weights : mapping of str to array
            As in `gradients`; they are converted once, for streams of small batches.

        Returns
        -------
        callable
            As `outputs` without the weights.
        """
        moving = {name: self._cast(weights[name]) for name in self.names}
        known: dict = {}

        def outputs(features: Mapping, batch: int = 100) -> np.ndarray:
            found, shape = [], features["x"].shape[1:]
            if shape not in known:
                known[shape] = self._given(weights, features)
            for i in range(0, len(features["x"]), batch):
                some = {name: value[i : i + batch] for name, value in features.items()}
                y = _outputs_of(moving, *known[shape], some, **self._static)
                found.append(np.asarray(y))
            return np.concatenate(found)

        return outputs

    def _cast(self, array):
        """Return an array of the precision of the gradients."""
        return jnp.asarray(array, dtype=self.dtype)

    def _given(self, weights: Mapping, features: Mapping) -> tuple[dict, list]:
        """Return what is not trained: the other arrays, and each cell's tables.

        The tables of a window that is trained come with their slopes by its logarithm.
        """
        others = {
            name: self._cast(weights[name])
            for name in self.params.arrays()
            if name not in self.names
        }
        steps = features["x"].shape[1] if features["x"].ndim == 3 else 1
        found = []
        for i, cell in enumerate(self.params.cells):
            name, key = f"cell{i}.theta", (i, steps)
            moving = name in self.thetas
            if moving or key not in self._tables:
                theta = self._window(weights[name]) if moving else cell.theta
                ldn, dt = LDN(cell.order, theta), self.params.dt
                at_end = only_last(self.params, i, self.last)
                if cell.memory_is_feedforward:
                    table, slopes = tables(ldn, dt, steps, last=at_end)
                else:
                    table, slopes = step_tables(ldn, dt)
                self._tables[key] = {n: self._cast(a) for n, a in table.items()}
                if moving:
                    by_log = {n: self._cast(theta * a) for n, a in slopes.items()}
                    self._tables[key] = (self._tables[key], by_log)
            found.append(self._tables[key])
        return others, found

    def _window(self, log_theta) -> float:
        """Return a window in seconds, or a ValidationError if it diverged."""
        if not log_theta < LONGEST:
            rate, problem = self.settings.learning_rate, "let a window diverge"
            attribute = "TrainSettings.learning_rate"
            raise ValidationError(attribute, rate, problem, "use a smaller one")
        return float(np.exp(log_theta))

    def _noise(self, x: np.ndarray, rng: np.random.Generator | None) -> list:
        """Draw the noise of every cell for inputs (n, T, c) or (n, c).

        For each cell None, or a pair: its scale (a relative size, or a root of the
        covariance), and standard normal numbers that it is multiplied by.
        """
        drawn: list = []
        for i, cell in enumerate(self.params.cells):
            times = () if only_last(self.params, i, self.last) else (x.shape[1],)
            shape = (len(x), *times, cell.memory_d * cell.order)
            if rng is None or self._scales[i] is None:
                drawn.append(None)
            else:
                z = rng.standard_normal(shape, self.dtype)
                drawn.append((np.asarray(self._scales[i], self.dtype), z))
        return drawn


# -- compiled once for all engines of the same shapes and curves -----------------------


def _run(moving, others, given, inputs, noise, curves, last):
    """Return outputs and mean activity, from what moves in training and what does not.

    ``moving`` and ``others`` are arrays, ``given`` the tables of each cell, with their
    slopes if its window moves, and ``noise`` as `JaxEngine._noise` draws it.
    """
    tables = [
        _moved(table[0], table[1], moving[f"cell{i}.theta"])
        if f"cell{i}.theta" in moving
        else table
        for i, table in enumerate(given)
    ]
    # of a state that has time, what lies past a length has no part in the size of noise
    ends = inputs.get("lengths")
    adding = [None if drawn is None else _adding(drawn, ends) for drawn in noise]
    arrays = others | moving
    return forward(curves, arrays, tables, inputs, noise=adding, last=last)


@partial(jax.jit, static_argnames=("curves", "last"))
def _outputs_of(moving, others, given, inputs, *, curves, last):
    """Return outputs without noise."""
    noise = [None for _ in curves]
    return _run(moving, others, given, inputs, noise, curves, last)[0]


@partial(jax.jit, static_argnames=("curves", "last", "classes"))
@jax.value_and_grad
def _loss(moving, others, given, inputs, rest, *, curves, last, classes):
    """Return the loss, and its derivatives by what moves."""
    noise, y, step_weights, penalty = rest
    outputs, activity = _run(moving, others, given, inputs, noise, curves, last)
    return loss_of(classes, outputs, y, step_weights) + penalty * activity


def _moved(table: dict, slopes: dict, log_theta) -> dict:
    """Return the tables with ``slopes`` for their derivatives by ``log theta``."""
    # 0, with the derivative 1
    zero = log_theta - lax.stop_gradient(log_theta)
    return {name: a + slopes[name] * zero for name, a in table.items()}


def _adding(drawn, lengths):
    """Return a function from states to noise, of a relative size or of a covariance."""
    scale, z = drawn
    if jnp.ndim(scale):
        return lambda m: z @ scale.T

    def relative(m):
        if m.ndim == 3 and lengths is not None:
            rms = jnp.sqrt(mean_within(jnp.square(m), lengths, axis=(0, 1)))
        else:
            rms = jnp.sqrt(jnp.mean(jnp.square(m), axis=tuple(range(m.ndim - 1))))
        return scale * lax.stop_gradient(rms) * z

    return relative
