r"""Rivals of an LMU before they are trained: initial arrays, and outputs of them.

LSTM and GRU draw their weights as Keras does.  The hybrid of the LMU paper has a
feedforward LMU cell before its LSTM: the exact memory :math:`m_t`, whose impulse
response :math:`H` is fixed, a trained encoder :math:`e_x` and trained units,

.. math:: m_t = \sum_{s \le t} H_{t-s} e_x x_s, \qquad h_t = \max(0, W_m m_t + b) .

An S5 model [1]_ has layers of diagonal state spaces with residuals.  Of the ``H``
channels :math:`h` between layers, normalised over channels to :math:`\hat h` (the
original can also normalise over the batch),

.. math::

    s_t = \bar\lambda s_{t-1} + \frac{\bar\lambda - 1}{\lambda} B \hat h_t, \quad
    \bar\lambda = e^{\lambda \Delta}, \qquad
    a_t = \mathrm{gelu}(2\,\mathrm{Re}(C s_t) + D \hat h_t), \qquad
    h_t \leftarrow h_t + a_t\, \sigma(W a_t + b) ,

with trained poles :math:`\lambda`, steps :math:`\Delta`, ``B``, ``C`` and ``D``; poles
begin as the eigenvalues of the normal part of HiPPO-LegS.

keras-lmu's LMU is that of `lmu.params` with all its connections.

Letters: ``n`` sequences, ``T`` steps, ``c`` inputs, ``q`` outputs, ``u`` units.

References
----------
.. [1] Smith, Warrington, Linderman (2023). Simplified state space layers for sequence
   modeling. ICLR.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.experiments.rivals.layers import diagonal, gru, lstm
from lmu_spiking.experiments.rivals.pieces import in_pieces
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.tasks.sequences import Sequences
from lmu_spiking.training._jax import jax, jnp
from lmu_spiking.training.model import forward, memory_states, only_last
from lmu_spiking.training.window import step_tables, tables


@dataclass(frozen=True, eq=False)
class Model:
    """A rival before it is trained.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Initial parameters in float32, by name.
    outputs : callable
        Takes such arrays and inputs (n, T, c), and returns outputs (n, T, q), or (n, q)
        where only the last step is read; JAX differentiates it.
    slow : tuple of str
        Names of arrays that learn at 0.001 at most.
    """

    arrays: dict[str, np.ndarray]
    outputs: Callable
    slow: tuple[str, ...] = ()

    __repr__ = brief

    @property
    def n_params(self) -> int:
        """Return the number of parameters."""
        return sum(a.size for a in self.arrays.values())


def units_for(params: int, model_of: Callable[[int], Model]) -> int:
    """Return the units of the largest model with at most so many parameters.

    Parameters
    ----------
    params : int
    model_of : callable
        Takes units and returns a model.

    Returns
    -------
    int
        At least 1.
    """
    low, high = 1, 2
    while model_of(high).n_params <= params:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if model_of(middle).n_params <= params:
            low = middle
        else:
            high = middle
    return low


# -- LSTM, GRU, units without state, hybrid ------------------------------------------

# the function of a layer, the names of its arrays, and its gates
CELLS: dict[str, tuple] = {"lstm": (lstm, "WUb", 4), "gru": (gru, "WUbc", 3)}


def recurrent_model(
    cells: str,
    size_in: int,
    size_out: int,
    layers: tuple[int, ...] = (25, 25, 25, 25),
    *,
    last: bool = False,
    bfloat16: bool = False,
    seed: int = 0,
) -> Model:
    """Return layers of LSTM or GRU cells with a linear readout.

    Parameters
    ----------
    cells : {"lstm", "gru"}
    size_in, size_out : int
        Channels of the input, and outputs.
    layers : tuple of int
        Units of each; by default the four of the LMU paper's Mackey-Glass.
    last : bool
        Whether only the last step is read.
    bfloat16 : bool
        Whether units are multiplied in bfloat16 and summed in float32, which processors
        with AMX do faster (`pieces`).
    seed : int
        Draws the weights.

    Returns
    -------
    Model
        Of inputs (n, T, c), for any ``T``.
    """
    rng = np.random.default_rng(seed)
    arrays = _drawn_layers(cells, rng, size_in, size_out, layers)
    how = {"depth": len(layers), "last": last, "bfloat16": bfloat16}
    return Model(arrays, partial(_layers, cells, **how))


def lstm_for(data: Sequences, params: int, seed: int = 0) -> Model:
    """Return the largest LSTM of one layer for a task with at most so many parameters.

    Parameters
    ----------
    data : Sequences
    params : int
    seed : int
        Draws the weights.

    Returns
    -------
    Model
    """

    def of(units: int) -> Model:
        size = data.size_in, data.size_out
        return recurrent_model("lstm", *size, (units,), last=data.last, seed=seed)

    return of(units_for(params, of))


def dense_model(size_in: int, units: int, size_out: int, *, seed: int = 0) -> Model:
    """Return rectified units that read the last step, and a linear readout.

    Parameters
    ----------
    size_in, units, size_out, seed : int

    Returns
    -------
    Model
        Of inputs (n, T, c), for any ``T``.
    """
    rng = np.random.default_rng(seed)
    arrays = _drawn_dense("units", rng, size_in, units)
    arrays |= _drawn_dense("readout", rng, units, size_out)

    def outputs(arrays, x):
        J = x[:, -1] @ arrays["units.W"] + arrays["units.b"]
        return _read(arrays, jax.nn.relu(J))

    return Model(arrays, outputs)


def hybrid_model(
    size_in: int,
    size_out: int,
    *,
    order: int,
    theta: float,
    units: int,
    layers: tuple[int, ...],
    scale: float = 1.0,
    last: bool = False,
    seed: int = 0,
) -> Model:
    """Return a feedforward LMU cell, LSTM layers behind it, and a linear readout.

    Parameters
    ----------
    size_in, size_out : int
        Channels of the input, and outputs.
    order, theta : int, float
        Of the memory; ``theta`` in steps.
    units : int
        Of the cell.
    layers : tuple of int
        Units of the LSTM layers.
    scale : float
        Initial encoder.
    last : bool
        Whether only the last step is read.
    seed : int
        Draws the weights.

    Returns
    -------
    Model
        Of inputs (n, T, c), for any ``T``.
    """
    rng, ldn = np.random.default_rng(seed), LDN(order, float(theta))
    arrays = {"cell.e_x": np.full((size_in, 1), scale, np.float32)}
    arrays |= _drawn_dense("cell", rng, order, units)
    arrays |= _drawn_layers("lstm", rng, units, size_out, layers)

    def outputs(arrays, x):
        # matrices for this many steps, made once, when JAX compiles
        table = tables(ldn, 1.0, x.shape[1], last=False)[0]
        table = {name: a.astype(np.float32) for name, a in table.items()}
        m = memory_states(x @ arrays["cell.e_x"], table, False)
        h = jax.nn.relu(m @ arrays["cell.W"] + arrays["cell.b"])
        return _layers("lstm", arrays, h, depth=len(layers), last=last)

    return Model(arrays, outputs)


def _layers(cells: str, arrays, x, *, depth: int, last: bool, bfloat16: bool = False):
    """Return outputs of so many layers and a readout of all steps or the last."""
    h = x.swapaxes(0, 1)  # steps first
    run, names, _ = CELLS[cells]
    for i in range(depth):
        own = [arrays[f"{cells}{i}.{name}"] for name in names]
        end = last and i == depth - 1
        h: Any = in_pieces(cells, end, h, *own) if bfloat16 else run(h, *own, end)
    return _read(arrays, h if last else h.swapaxes(0, 1))


def _read(arrays, h):
    """Return the readout of activities (..., u)."""
    return h @ arrays["readout.W"] + arrays["readout.b"]


# -- state spaces and LMUs -----------------------------------------------------------


def s5_model(
    size_in: int,
    size_out: int,
    channels: int,
    *,
    poles: int = 32,
    depth: int = 4,
    steps: tuple[float, float] = (0.001, 0.1),
    last: bool = False,
    seed: int = 0,
) -> Model:
    """Return layers of diagonal state spaces with residuals, and a linear readout.

    Parameters
    ----------
    size_in, size_out : int
        Channels of the input, and outputs.
    channels : int
        Between layers.
    poles : int
        Complex poles of each layer, of which each stands for a conjugate pair.
    depth : int
        Layers.
    steps : tuple of float
        Ends of the range that steps are drawn from, uniformly in their logarithm.
    last : bool
        Whether there is one output for a sequence; it reads the mean over all steps.
    seed : int
        Draws the weights.

    Returns
    -------
    Model
        Of inputs (n, T, c), for any ``T``.
    """
    rng = np.random.default_rng(seed)
    eigenvalues, V = _hippo(2 * poles)
    arrays = _drawn_dense("encoder", rng, size_in, channels)
    for i in range(depth):
        B = V.conj().T @ rng.standard_normal((2 * poles, channels)) / channels**0.5
        C = rng.standard_normal((channels, 2 * poles)) @ V / (2 * poles) ** 0.5
        own = {
            "damping": np.log(-np.real(eigenvalues)),
            "frequency": np.imag(eigenvalues),
            "step": rng.uniform(np.log(steps[0]), np.log(steps[1]), poles),
            "B": np.hstack([B.real.T, B.imag.T]),
            "C": np.vstack([2 * C.real.T, -2 * C.imag.T]),
            "D": rng.standard_normal(channels),
            "gain": np.ones(channels),
            "shift": np.zeros(channels),
        }
        arrays |= {f"s5{i}.{name}": a.astype(np.float32) for name, a in own.items()}
        arrays |= _drawn_dense(f"s5{i}", rng, channels, channels)
    arrays |= _drawn_dense("readout", rng, channels, size_out)
    slow = [
        f"s5{i}.{n}" for i in range(depth) for n in ("damping", "frequency", "step")
    ]

    def outputs(arrays, x):
        h = x.swapaxes(0, 1) @ arrays["encoder.W"] + arrays["encoder.b"]
        for i in range(depth):
            start = f"s5{i}."
            own = {k[len(start) :]: a for k, a in arrays.items() if k.startswith(start)}
            h = _s5_layer(own, h)
        return _read(arrays, h.mean(axis=0) if last else h.swapaxes(0, 1))

    return Model(arrays, outputs, tuple(slow))


def _s5_layer(own, h):
    """Return channels (T, n, H) after a layer."""
    # normalise the channels of each step
    z = h - h.mean(axis=-1, keepdims=True)
    z = z / jnp.sqrt(jnp.square(z).mean(axis=-1, keepdims=True) + 1e-6)
    z = z * own["gain"] + own["shift"]
    # hold each input for a step
    pole = -jnp.exp(own["damping"]) + 1j * own["frequency"]
    after = jnp.exp(pole * jnp.exp(own["step"]))
    held = (after - 1) / pole
    real, imaginary = jnp.split(own["B"], 2, axis=1)
    by_real = real * held.real - imaginary * held.imag
    by_imaginary = real * held.imag + imaginary * held.real
    b = z @ jnp.concatenate([by_real, by_imaginary], axis=1)
    # the states, a gate, and the residual
    s = diagonal(b, after.real, after.imag)
    a = jax.nn.gelu(s @ own["C"] + own["D"] * z)
    return h + a * jax.nn.sigmoid(a @ own["W"] + own["b"])


def _hippo(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues (P,) above the real axis of HiPPO's normal part, and vectors.

    Parameters
    ----------
    order : int
        ``2 P``.

    Returns
    -------
    (P,) ndarray
    (2 P, P) ndarray
    """
    p = np.sqrt(2 * np.arange(order) + 1)
    skew = np.tril(-np.outer(p, p) / 2, -1)
    frequency, V = np.linalg.eigh(-1j * (skew - skew.T))
    above = frequency > 0
    return -0.5 + 1j * frequency[above], V[:, above]


def lmu_model(params: LMUParams, *, last: bool = False) -> Model:
    """Return an LMU that trains as its rivals do, from these parameters.

    Parameters
    ----------
    params : LMUParams
        With any connections; ``theta`` is not trained.
    last : bool
        Whether only the last step is read.

    Returns
    -------
    Model
        Of inputs (n, T, c), for any ``T``.
    """
    arrays = {name: a.astype(np.float32) for name, a in params.arrays().items()}
    curves = [(cell.activation, cell.chip) for cell in params.cells]

    def table_of(i: int, steps: int) -> dict:
        cell = params.cells[i]
        if cell.memory_is_feedforward:
            end = only_last(params, i, last)
            found = tables(cell.ldn, params.dt, steps, last=end)[0]
        else:
            found = step_tables(cell.ldn, params.dt)[0]
        return {name: a.astype(np.float32) for name, a in found.items()}

    def outputs(arrays, x):
        given = [table_of(i, x.shape[1]) for i in range(len(curves))]
        return forward(curves, arrays, given, {"x": x}, last=last)[0]

    return Model(arrays, outputs)


# -- initial weights -----------------------------------------------------------------


def _drawn_layers(
    cells: str, rng, size_in: int, size_out: int, layers: Iterable[int]
) -> dict[str, np.ndarray]:
    """Return the initial arrays of recurrent layers and a readout, by name."""
    arrays, (_, names, gates) = {}, CELLS[cells]
    for i, units in enumerate(layers):
        start = f"{cells}{i}"
        arrays |= _drawn_kernels(start, rng, size_in, units, gates)
        zero = np.zeros(gates * units, np.float32)
        arrays |= {f"{start}.{name}": zero for name in names[2:]}
        if cells == "lstm":  # gates that do not forget
            arrays[f"{start}.b"] = np.repeat(np.array([0, 1, 0, 0], np.float32), units)
        size_in = units
    return arrays | _drawn_dense("readout", rng, size_in, size_out)


def _drawn_kernels(name: str, rng, size_in: int, units: int, gates: int) -> dict:
    """Return Glorot's kernel of the inputs, and an orthogonal one of the units."""
    W = _glorot(rng, size_in, gates * units)
    Q, R = np.linalg.qr(rng.standard_normal((gates * units, units)))
    U = (Q * np.sign(np.diag(R))).T.astype(np.float32)
    return {f"{name}.W": W, f"{name}.U": U}


def _drawn_dense(name: str, rng, size_in: int, units: int) -> dict[str, np.ndarray]:
    """Return the initial kernel and bias of a dense layer."""
    kernel = _glorot(rng, size_in, units)
    return {f"{name}.W": kernel, f"{name}.b": np.zeros(units, np.float32)}


def _glorot(rng, size_in: int, size_out: int) -> np.ndarray:
    """Return a kernel that is uniform within Glorot's limits."""
    limit = np.sqrt(6 / (size_in + size_out))
    return rng.uniform(-limit, limit, (size_in, size_out)).astype(np.float32)
