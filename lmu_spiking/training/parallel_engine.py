r"""The parallel engine: gradients of feedforward cells, and noise to train them with.

It stands apart from `training.loop`, which chooses it, because it is half of what
training does.

The states of the first cell's memory are projected once, and a step is compiled.

Noise on the states of memories is drawn as spikes will bring it: either of a size
relative to each dimension's root mean square in the batch, ``m_i + noise rms_i z_i``,
or of a given covariance, ``m + S z`` with ``S S^T`` the covariance; ``z`` are
independent standard normal numbers at every step.

A chip's memory makes two more errors.  A state that is read ``\delta`` samples late,
from a memory whose window is ``1 + \epsilon`` times its own, errs to first order by

.. math::

    e = \delta\, \dot m + \epsilon\, \frac{\partial m}{\partial \log \theta}, \qquad
    \dot m_t = \frac{\Delta}{\theta} \Bigl(A m_t + B\, \frac{u_t + u_{t+1}}{2}\Bigr),

the mean of the slopes before and after the sample ends, after the last one with 0.
With the relative noise ``s`` that makes a covariance,

.. math::

    P = s^2 \,\mathrm{diag}(E[m_i^2]) + E[\delta^2]\, E[\dot m \dot m^T]
        + E[\epsilon^2]\, E[m_\theta m_\theta^T] .

Letters: ``n`` sequences, ``T`` steps, ``k`` memories, ``d`` order.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.forward import encode, memory_states
from lmu_spiking.lmu.params import CellParams, LMUParams, cell_number
from lmu_spiking.training._keras import compiled, tensorflow
from lmu_spiking.training.evaluation import loss_of
from lmu_spiking.training.parallel import forward, only_last, project
from lmu_spiking.training.settings import TrainSettings
from lmu_spiking.training.window import tables

ROOM = 2**29  # bytes, of states that are kept
SEEN = 500  # sequences that the covariance is taken over, at most
DIFFERENCE = 1e-4  # of log theta, to either side


class ParallelEngine:
    """Outputs and gradients of an LMU at all times at once.

    The states of the first cell's memory are linear in its encoders: those of each
    input are computed once for all epochs, unless its window is trained or they would
    take more than `ROOM` bytes.  Where only the last step is read, an epoch is then
    that of a network without time.

    Parameters
    ----------
    params : LMUParams
        No cell with ``e_h`` or ``e_m``.
    settings : TrainSettings
        Without ``late`` and ``stretch``; see `with_chip_errors`.
    classes : int or None
        None if values are to be predicted.
    last : bool
        Whether only the last step is read.
    """

    def __init__(self, params: LMUParams, settings: TrainSettings, classes, last: bool):
        self.params, self.settings, self.last = params, settings, last
        self.names = settings.names(params)
        self.thetas = settings.thetas(params)
        self.dtype = np.dtype(settings.precision)
        self._tables: dict = {}
        self._projection: dict = {}
        # for each cell no noise, a relative size, or the square root of a covariance
        self._scales: list = [settings.noise or None for _ in params.cells]
        if settings.noise_covariance is not None:
            self._scales[0] = _root(settings.noise_covariance, params.cells[0])
        self._step, self._outputs = self._compiled(classes)

    def close(self) -> None:
        """Do nothing: there is nothing to free."""

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
        return "cell0.theta" not in self.thetas and size <= ROOM

    def wash(self, shape: tuple[int, int, int]) -> int:
        """Return the steps to compute before a crop of inputs (n, T, c).

        Parameters
        ----------
        shape : tuple of int
            Of the inputs.

        Returns
        -------
        int
            Two windows of each cell whose states are not kept.
        """
        cells = self.params.cells[1 if self.keeps_states(shape) else 0 :]
        return sum(2 * cell.ldn.steps(self.params.dt) for cell in cells)

    def features(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return what gradients are computed from: inputs, and states where kept.

        Parameters
        ----------
        x : (n, T, c) array_like

        Returns
        -------
        dict of str to ndarray
            ``x``, and ``states`` where they are kept.
        """
        x = np.asarray(x, dtype=self.dtype)
        if not self.keeps_states(x.shape):
            return {"x": x}
        cell, at_end = self.params.cells[0], only_last(self.params, 0, self.last)
        T = x.shape[1]
        if T not in self._projection:
            table = tables(cell.ldn, self.params.dt, T, last=at_end)[0]
            self._projection[T] = table
        states = project(cell, x, self._projection[T], at_end)
        return {"x": x[:, -1] if at_end else x, "states": states}

    def gradients(self, arrays: Mapping, features: Mapping, y, weights=None, rng=None):
        """Return the loss, and its derivative by every trained array and window.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            Arrays, and the windows that are trained, by name.
        features : mapping of str to ndarray
            Of a batch, from `features`.
        y : ndarray
        weights : (n, T) ndarray, optional
            Of the steps.
        rng : numpy.random.Generator, optional
            Draws the noise.

        Returns
        -------
        loss : float
            Of the batch.
        gradients : dict of str to ndarray
            Of every trained array and window, by name.
        """
        y = y if y.dtype.kind in "iu" else y.astype(self.dtype)
        weights = None if weights is None else weights.astype(self.dtype)
        # the matrices of the memories, and how those of trained windows change
        own, exact = self._tables_for(arrays, _steps(features))
        tensors = self._tensors({name: arrays[name] for name in self.params.arrays()})
        normals = self._normals(features["x"], rng)
        loss, slopes, by_table = self._step(
            tensors, own, self._tensors(features), y, weights, normals
        )
        found = {name: g.numpy().astype(float) for name, g in slopes.items()}
        for name, slopes in by_table.items():  # the chain rule
            parts = [np.vdot(exact[name][t], g.numpy()) for t, g in slopes.items()]
            found[name] = np.array(sum(parts))
        return float(loss), {name: found[name] for name in self.names}

    def outputs(self, arrays: Mapping, features: Mapping, batch: int = 100):
        """Return outputs (n, T, q), or (n, q) for the last step.

        Parameters
        ----------
        arrays, features
            As in `gradients`.
        batch : int
            Sequences at a time.

        Returns
        -------
        ndarray
            (n, T, q), or (n, q) for the last step.
        """
        tensors = self._tensors({name: arrays[name] for name in self.params.arrays()})
        own, _ = self._tables_for(arrays, _steps(features))
        found = []
        for i in range(0, len(features["x"]), batch):
            some = {name: value[i : i + batch] for name, value in features.items()}
            found.append(self._outputs(tensors, own, self._tensors(some)).numpy())
        return np.concatenate(found)

    def _tensors(self, arrays: Mapping) -> dict:
        """Return arrays as tensors of the precision of the gradients."""
        tf = tensorflow()
        return {name: tf.constant(a, dtype=self.dtype) for name, a in arrays.items()}

    def _tables_for(self, arrays: Mapping, steps: int) -> tuple[list, dict]:
        """Return the tables of every cell, and slopes of those whose window moves."""
        found, slopes = [], {}
        for i, cell in enumerate(self.params.cells):
            name, at_end = f"cell{i}.theta", only_last(self.params, i, self.last)
            moving = name in self.thetas
            if moving or (i, steps) not in self._tables:
                ldn = LDN(cell.order, float(arrays[name]) if moving else cell.theta)
                table, slope = tables(ldn, self.params.dt, steps, last=at_end)
                self._tables[i, steps], slopes[name] = self._tensors(table), slope
            found.append(self._tables[i, steps])
        return found, slopes

    def _normals(self, x: np.ndarray, rng: np.random.Generator | None) -> list:
        """Draw ``z`` of every cell for inputs (n, T, c) or (n, c); None: no noise."""
        drawn: list = []
        for i, cell in enumerate(self.params.cells):
            times = () if only_last(self.params, i, self.last) else (x.shape[1],)
            shape = (len(x), *times, cell.memory_d * cell.order)
            if rng is None or self._scales[i] is None:
                drawn.append(None)
            else:
                drawn.append(rng.standard_normal(shape, self.dtype))
        return drawn

    def _compiled(self, classes):
        """Return a step (loss and derivatives by arrays and tables), and outputs."""
        tf, params, last = tensorflow(), self.params, self.last
        names = [name for name in self.names if name not in self.thetas]

        @compiled
        def step(arrays, tables, inputs, y, weights, normals):
            moving = {name: arrays[name] for name in names}
            moving_tables = {name: tables[cell_number(name)] for name in self.thetas}
            pairs = zip(self._scales, normals, strict=True)
            options = {"noise": [_adding(*pair) for pair in pairs], "last": last}
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch((moving, moving_tables))
                found, activity = forward(params, arrays, tables, inputs, **options)
                loss = loss_of(classes, found, y, weights)
                loss += self.settings.rate_penalty * activity
            sources = (moving, moving_tables)
            slopes = tape.gradient(loss, sources, unconnected_gradients="zero")
            return loss, *tf.nest.map_structure(tf.convert_to_tensor, slopes)

        @compiled
        def outputs(arrays, tables, inputs):
            return forward(params, arrays, tables, inputs, last=last)[0]

        return step, outputs


def _steps(features: Mapping) -> int:
    """Return the steps ``T`` to compute: 1 where the last states are known."""
    x = features["x"]
    return x.shape[1] if x.ndim == 3 else 1


# -- noise -------------------------------------------------------------------


def _adding(scale, z):
    """Return a function that adds noise of one scale to states."""
    tf = tensorflow()

    def noisy(m):
        if z is None:
            return m
        if np.ndim(scale):
            return m + z @ tf.constant(scale.T, dtype=m.dtype)
        over = list(range(len(m.shape) - 1))
        rms = tf.sqrt(tf.reduce_mean(tf.square(m), axis=over))
        return m + scale * tf.stop_gradient(rms) * z

    return noisy


def _root(covariance: np.ndarray, cell: CellParams) -> np.ndarray:
    """Return ``S``, a square root of the covariance of a cell's states."""
    size = cell.memory_d * cell.order
    if len(covariance) != size:
        problem = f"must be ({size}, {size}), for the states of the first cell"
        attribute = "TrainSettings.noise_covariance"
        raise ValidationError(attribute, covariance.shape, problem)
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))


# -- errors of a chip's memory, as noise to train with -----------------------


def with_chip_errors(params: LMUParams, settings: TrainSettings, data) -> TrainSettings:
    """Return the settings with ``late`` and ``stretch`` turned into a covariance.

    It is that of the training sequences, at the parameters that training starts from.

    Parameters
    ----------
    params : LMUParams
        To start from.
    settings : TrainSettings
    data : Sequences

    Returns
    -------
    TrainSettings
        The same where they have no such errors.
    """
    if not (settings.late or settings.stretch):
        return settings
    noise = (settings.noise, settings.late, settings.stretch)
    P = covariance(params, data.train.x, *noise, last=data.last)
    return replace(settings, noise=0.0, late=0.0, stretch=0.0, noise_covariance=P)


def covariance(
    params: LMUParams, x, noise: float, late: float, stretch: float, *, last: bool
) -> np.ndarray:
    """Return ``P`` (k d, k d) of the first cell's states.

    Parameters
    ----------
    params : LMUParams
    x : (n, T, c) array_like
    noise : float
        ``s``, relative to the root mean square of each dimension.
    late, stretch : float
        Root mean squares of ``delta``, in samples, and of ``epsilon``.
    last : bool
        Whether only the last step counts.

    Returns
    -------
    (k d, k d) ndarray
        Symmetric; of noise, late states and stretched windows together.

    Raises
    ------
    ValidationError
        If the memory receives more than its input.
    """
    cell = params.cells[0]
    if not cell.memory_is_feedforward:
        problem = "needs cells without e_h and e_m"
        remedy = "leave late and stretch out"
        raise ValidationError("TrainSettings.late", late, problem, remedy)
    x = np.asarray(x, dtype=float)
    u = encode(cell, x[:: max(1, len(x) // SEEN)])
    m, slope, by_window = _states_and_slopes(cell, u, params.dt, last)
    P = noise**2 * np.diag(np.mean(m**2, axis=0))
    return P + late**2 * _second(slope) + stretch**2 * _second(by_window)


def _states_and_slopes(cell: CellParams, u: np.ndarray, dt: float, last: bool):
    """Yield states (S, k d), and their slopes by samples and by ``log theta``."""
    n, _, k = u.shape
    # slopes before and after the ends of samples
    m = memory_states(cell, u, dt, last=last).reshape(n, -1, k, cell.order)
    after = np.concatenate([u[:, 1:], np.zeros((n, 1, k))], axis=1)
    mean = ((u + after) / 2)[:, -m.shape[1] :, :, None]
    slope = (m @ cell.ldn.A.T + mean * cell.ldn.B) * (dt / cell.theta)
    thetas = (cell.theta * np.exp(sign * DIFFERENCE) for sign in (1, -1))
    longer, shorter = (
        memory_states(replace(cell, theta=theta), u, dt, last=last) for theta in thetas
    )
    found = (m, slope, (longer - shorter) / (2 * DIFFERENCE))
    return (each.reshape(-1, k * cell.order) for each in found)


def _second(e: np.ndarray) -> np.ndarray:
    """Return ``E[e e^T]`` of samples (S, k d)."""
    return e.T @ e / len(e)
