"""Gradients of feedforward cells: data that is projected once, and a compiled step."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.forward import memory_states
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.training import window
from lmu_spiking.training._keras import compiled, tensorflow
from lmu_spiking.training.losses import loss_of
from lmu_spiking.training.parallel import forward, only_last, project
from lmu_spiking.training.settings import TrainSettings

# --------------------------------------------------------------------------------------
# Noise on the states of memories while a network is trained, as spikes will bring it.
#
# Either of a size relative to each dimension's root mean square in the batch,
# ``m_i + noise rms_i z_i``, or of a given covariance, ``m + S z`` with ``S S^T`` the
# covariance; ``z`` are independent standard normal numbers at every step.


class StateNoise:
    """Noise of all cells.

    Attributes
    ----------
    scales : list
        For each cell: None, a relative size, or the square root of a covariance.
    """

    def __init__(self, params: LMUParams, settings: TrainSettings, last: bool):
        self.params, self.last = params, last
        self.dtype = np.dtype(settings.precision)
        self.scales = [settings.noise or None for _ in params.cells]
        if settings.noise_covariance is not None:
            self.scales[0] = _root(settings.noise_covariance, params)

    def draw(self, x: np.ndarray, rng: np.random.Generator | None) -> list:
        """``z`` of every cell, for inputs (n, T, c) or (n, c); None for no noise."""
        drawn = []
        for i, (cell, scale) in enumerate(
            zip(self.params.cells, self.scales, strict=True)
        ):
            alone = only_last(self.params, i, self.last)
            shape = (len(x),) if alone else (len(x), x.shape[1])
            shape = (*shape, cell.memory_d * cell.order)
            quiet = rng is None or scale is None
            drawn.append(None if quiet else rng.standard_normal(shape, self.dtype))
        return drawn

    def of(self, drawn: list) -> list:
        """For each cell, what noise makes of its states: a function of tensors."""
        return [_adding(s, z) for s, z in zip(self.scales, drawn, strict=True)]


def _adding(scale, z):
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


def _root(covariance: np.ndarray, params: LMUParams) -> np.ndarray:
    size = params.cells[0].memory_d * params.cells[0].order
    if len(covariance) != size:
        raise ValidationError(
            "TrainSettings.noise_covariance",
            covariance.shape,
            f"must be ({size}, {size}), for the states of the first cell",
        )
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))


# --------------------------------------------------------------------------------------
# Errors that a chip's memory makes beside noise, as noise to train with.
#
# A state that is read ``\delta`` samples late, from a memory whose window is
# ``1 + \epsilon`` times its own, errs to first order by
#
# .. math::
#
#     e = \delta\, \dot m + \epsilon\, \frac{\partial m}{\partial \log \theta}, \qquad
#     \dot m_t = \frac{\Delta}{\theta} \Bigl(A m_t + B\, \frac{u_t + u_{t+1}}{2}\Bigr),
#
# the mean of the slopes before and after the sample ends, after the last one with 0.
# With the relative noise ``s`` that makes a covariance,
#
# .. math::
#
#     P = s^2 \,\mathrm{diag}(E[m_i^2]) + E[\delta^2]\, E[\dot m \dot m^T]
#         + E[\epsilon^2]\, E[m_\theta m_\theta^T] .
#
# Letters: ``n`` sequences, ``T`` steps, ``k`` memories, ``d`` order.


SEEN = 500  # sequences that the covariance is taken over, at most
DIFFERENCE = 1e-4  # of log theta, to either side


def settled(params: LMUParams, settings: TrainSettings, data) -> TrainSettings:
    """The settings with ``late`` and ``stretch`` turned into a covariance.

    It is that of the training sequences, at the parameters that training starts from.
    """
    if not (settings.late or settings.stretch):
        return settings
    noise = (settings.noise, settings.late, settings.stretch)
    P = covariance(params, data.train.x, *noise, last=data.last)
    return replace(settings, noise=0.0, late=0.0, stretch=0.0, noise_covariance=P)


def covariance(
    params: LMUParams, x, noise: float, late: float, stretch: float, *, last: bool
) -> np.ndarray:
    """``P`` (k d, k d) of the first cell's states.

    Parameters
    ----------
    x : (n, T, c) array_like
    noise : float
        ``s``, relative to the root mean square of each dimension.
    late, stretch : float
        Root mean squares of ``delta``, in samples, and of ``epsilon``.
    last : bool
        Whether only the last step counts.
    """
    cell = params.cells[0]
    if not cell.memory_is_feedforward:
        raise ValidationError(
            "TrainSettings.late",
            late,
            "needs cells without e_h and e_m",
            "leave late and stretch out",
        )
    x = np.asarray(x, dtype=float)
    x = x[:: max(1, len(x) // SEEN)]
    u = x @ cell.e_x.T
    u = u if cell.b_u is None else u + cell.b_u
    m, slope, by_window = _states(cell, u, params.dt, last)
    P = noise**2 * np.diag(np.mean(m**2, axis=0))
    return P + late**2 * _second(slope) + stretch**2 * _second(by_window)


def _states(cell: CellParams, u: np.ndarray, dt: float, last: bool):
    """States (S, k d), and their derivatives by samples and by ``log theta``."""
    n, _, k = u.shape
    m = memory_states(cell, u, dt, last=last).reshape(n, -1, k, cell.order)
    after = np.concatenate([u[:, 1:], np.zeros((n, 1, k))], axis=1)
    mean = ((u + after) / 2)[:, -m.shape[1] :, :, None]
    slope = (m @ cell.ldn.A.T + mean * cell.ldn.B) * (dt / cell.theta)
    longer, shorter = (
        replace(cell, theta=cell.theta * np.exp(sign * DIFFERENCE)) for sign in (1, -1)
    )
    change = memory_states(longer, u, dt, last=last)
    change = change - memory_states(shorter, u, dt, last=last)
    found = (m, slope, change / (2 * DIFFERENCE))
    return (each.reshape(-1, k * cell.order) for each in found)


def _second(e: np.ndarray) -> np.ndarray:
    """``E[e e^T]`` of samples (S, k d)."""
    return e.T @ e / len(e)


# --------------------------------------------------------------------------------------

ROOM = 2**29  # bytes, of states that are kept


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
    classes : int or None
    last : bool
        Whether only the last step is read.
    """

    def __init__(self, params: LMUParams, settings: TrainSettings, classes, last: bool):
        self.params, self.settings, self.last = params, settings, last
        self.names = settings.names(params)
        self.thetas = settings.thetas(params)
        self.dtype = np.dtype(settings.precision)
        self._noise = StateNoise(params, settings, last)
        self._tables: dict = {}
        self._projection: dict = {}
        self._step = _compiled(params, settings, classes, last, self._noise)
        self._outputs = _compiled_outputs(params, last)

    def close(self) -> None:
        """Nothing is held."""

    def keeps_states(self, shape: tuple[int, int, int]) -> bool:
        """Whether the first cell's states of inputs (n, T, c) are kept."""
        cell, (n, T, c) = self.params.cells[0], shape
        size = n * (c + (cell.b_u is not None)) * cell.order * self.dtype.itemsize
        size *= 1 if only_last(self.params, 0, self.last) else T
        return "cell0.theta" not in self.thetas and size <= ROOM

    def wash(self, shape: tuple[int, int, int]) -> int:
        """Steps to hear before a crop of inputs (n, T, c)."""
        cells = self.params.cells[1 if self.keeps_states(shape) else 0 :]
        return sum(2 * cell.ldn.steps(self.params.dt) for cell in cells)

    def features(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What the gradients are computed from: inputs, and states where kept."""
        x = np.asarray(x, dtype=self.dtype)
        if not self.keeps_states(x.shape):
            return {"x": x}
        cell, alone = self.params.cells[0], only_last(self.params, 0, self.last)
        T = x.shape[1]
        if T not in self._projection:
            table = window.tables(cell.ldn, self.params.dt, T, last=alone)
            self._projection[T] = table
        states = project(cell, x, self._projection[T], alone)
        return {"x": x[:, -1] if alone else x, "states": states}

    def gradients(self, arrays: Mapping, features: Mapping, y, weights=None, rng=None):
        """Loss, and its derivative by every trained array and window.

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
        """
        y = y if y.dtype.kind in "iu" else y.astype(self.dtype)
        weights = None if weights is None else weights.astype(self.dtype)
        tables, exact = self._tables_for(arrays, _steps(features))
        loss, slopes, of_tables = self._step(
            self._tensors({name: arrays[name] for name in self.params.arrays()}),
            tables,
            self._tensors(features),
            y,
            weights,
            self._noise.draw(features["x"], rng),
        )
        found = {name: g.numpy().astype(float) for name, g in slopes.items()}
        for name, by_table in of_tables.items():  # the chain rule
            parts = [np.vdot(exact[name][t], g.numpy()) for t, g in by_table.items()]
            found[name] = np.array(sum(parts))
        return float(loss), {name: found[name] for name in self.names}

    def outputs(self, arrays: Mapping, features: Mapping, batch: int = 100):
        """Outputs (n, T, q), or (n, q) for the last step."""
        tensors = self._tensors({name: arrays[name] for name in self.params.arrays()})
        tables, _ = self._tables_for(arrays, _steps(features))
        found = []
        for i in range(0, len(features["x"]), batch):
            some = {name: value[i : i + batch] for name, value in features.items()}
            found.append(self._outputs(tensors, tables, self._tensors(some)).numpy())
        return np.concatenate(found)

    # -- what it is made of ------------------------------------------------------

    def _tensors(self, arrays: Mapping) -> dict:
        tf = tensorflow()
        return {name: tf.constant(a, dtype=self.dtype) for name, a in arrays.items()}

    def _tables_for(self, arrays: Mapping, steps: int) -> tuple[list, dict]:
        """Of every cell, those of fixed windows kept; and slopes of the others."""
        found, slopes = [], {}
        for i, cell in enumerate(self.params.cells):
            name, alone = f"cell{i}.theta", only_last(self.params, i, self.last)
            moving = name in self.thetas
            if moving or (i, steps) not in self._tables:
                ldn = LDN(cell.order, float(arrays[name]) if moving else cell.theta)
                table, slopes[name] = window.tables_and_slopes(
                    ldn, self.params.dt, steps, last=alone
                )
                self._tables[i, steps] = self._tensors(table)
            found.append(self._tables[i, steps])
        return found, slopes


def _compiled(params: LMUParams, settings: TrainSettings, classes, last: bool, noise):
    """A step: the loss and its derivatives by arrays, and by tables of windows."""
    tf = tensorflow()
    windows = settings.thetas(params)
    names = [name for name in settings.names(params) if name not in windows]

    @compiled
    def step(arrays, tables, inputs, y, weights, normals):
        moving = {name: arrays[name] for name in names}
        moving_tables = {name: tables[_cell_of(name)] for name in windows}
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch((moving, moving_tables))
            outputs, activity = forward(
                params, arrays, tables, inputs, noise=noise.of(normals), last=last
            )
            loss = loss_of(classes, outputs, y, weights)
            loss += settings.rate_penalty * activity
        sources = (moving, moving_tables)
        found = tape.gradient(loss, sources, unconnected_gradients="zero")
        return loss, *tf.nest.map_structure(tf.convert_to_tensor, found)

    return step


def _compiled_outputs(params: LMUParams, last: bool):

    @compiled
    def outputs(arrays, tables, inputs):
        return forward(params, arrays, tables, inputs, last=last)[0]

    return outputs


def _cell_of(name: str) -> int:
    """``cell0.theta`` -> 0."""
    return int(name.split(".")[0].removeprefix("cell"))


def _steps(features: Mapping) -> int:
    """Steps ``T`` that are left to compute: 1 where the last states are known."""
    x = features["x"]
    return x.shape[1] if x.ndim == 3 else 1
