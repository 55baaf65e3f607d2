r"""The loss to expect of a conversion, before a neuron runs.

The rate model runs from sample to sample with noise of the predicted covariance
added to its states, and of the units' spikes to their activities:

.. math::

    \hat m_t = m_t + \epsilon_t, \qquad
    \epsilon_{t+1} = \bar A \epsilon_t + w_t, \quad
    w_t \sim N(0, P - \bar A P \bar A^T), \qquad
    \hat h_t = \mathrm{Poisson}(s |f(\hat J_t)|) \,\mathrm{sign} / s ,

with ``P`` the fixed point of the error model on the data.  ``s`` is the number of
spikes of a unit of activity 1 in the time that is averaged: a presentation for the next
cell, the presentation's first step for the readout.  The result includes the shift of
the mean that noise causes behind a nonlinearity, and the clipping of states that are
larger than the ceilings of neurons allow.
"""

from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.conversion.conversion import Conversion
from lmu_spiking.dynamics.covariance import closed_loop
from lmu_spiking.lmu.calibration import STATES
from lmu_spiking.lmu.forward import activations, run_cell
from lmu_spiking.lmu.params import CellParams
from lmu_spiking.memory.design import Design
from lmu_spiking.theory.fixed_point import fixed_point, tabulate


class Ceiling:
    """The clipping of large states by neurons with ceilings, sample by sample.

    ``Z <- K^s Z + (1 + K + ... + K^{s-1}) L epsilon``, ``e = C Z``, for the ``s``
    steps of a presentation, with ``epsilon`` what is cut off the carried coordinates,
    noise and the error so far included; see `theory.fixed_point.along`.
    """

    def __init__(self, made: Design, steps: int, k: int):
        K, L, C = closed_loop(made.loop)
        self.kept, self.into = np.eye(len(K)), np.zeros_like(L)
        for _ in range(steps):
            self.kept, self.into = K @ self.kept, K @ self.into + L
        self.C, self.U, self.T = C, made.U, made.T
        self.radii = made.population.radii.reshape(k, -1)

    def begin(self, n: int) -> np.ndarray:
        """Return the states (n, k, z) of the error of ``n`` sequences, at rest."""
        return np.zeros((n, len(self.radii), len(self.kept)))

    def step(self, Z: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the error's states after a presentation, and the error of ``m``."""
        Z = Z @ self.kept.T
        x = m @ self.T.T + Z @ self.C.T
        cut = np.clip(x, -self.radii, self.radii) - x
        Z = Z + cut @ self.into.T
        return Z, Z @ self.C.T @ self.U.T


@dataclass(frozen=True, eq=False)
class CellNoise:
    """The noise of one cell.

    Attributes
    ----------
    P : (k, d, d) ndarray
        Covariance of each memory's error, in Legendre coefficients.
    memory_spikes_per_s : float
    unit_spikes : (n,) ndarray
        Spikes of a unit of activity 1 in a presentation, which cells receive.
    read_spikes : (n,) ndarray
        Those of them that the readout receives.
    ceiling : Ceiling or None
        Of the memories' neurons; None if their tuning curves have no ceiling.
    """

    P: np.ndarray
    memory_spikes_per_s: float
    unit_spikes: np.ndarray
    read_spikes: np.ndarray
    ceiling: Ceiling | None = None

    __repr__ = brief


def cell_noise(conversion: Conversion, x=None) -> list[CellNoise]:
    """Return the predicted noise of each cell, for Poisson-like neurons only.

    Parameters
    ----------
    x : (n, T, c) ndarray, optional
        Sequences, by default those of the calibration: neurons are as noisy as they
        are active.
    """
    s, params, found = conversion.settings, conversion.params, []
    for i, (cell, use) in enumerate(zip(params.cells, conversion.uses, strict=True)):
        made = conversion.built.cells[i].memory.assembly
        P, rate = np.empty((cell.memory_d, cell.order, cell.order)), 0.0
        seen = use.states
        if x is not None:
            m, x = run_cell(cell, x, params.dt)
            m = m.reshape(-1, cell.memory_d, cell.order)
            seen = m[:: max(1, len(m) // STATES)].transpose(1, 0, 2)
        for j, states in enumerate(seen):
            first = j * cell.order
            tables = tabulate(made.population, states @ made.T.T, s.dt, first)
            noise, _ = fixed_point(made.loop, tables)
            P[j] = made.U @ noise @ made.U.T
            each = zip(tables, np.diag(noise), strict=True)
            rate += sum(table.mean("rate", v) for table, v in each)
        hidden = conversion.hidden[i]
        top = 1.0 if cell.activation == "tanh" else use.top
        per_step = hidden.per_unit // cell.sides * hidden.max_rate / top * s.dt
        per_step = np.broadcast_to(per_step, (cell.units,))
        read = per_step * s.steps_read
        bounded = np.isfinite(made.population.ceiling).all()
        ceiling = Ceiling(made, s.steps, cell.memory_d) if bounded else None
        found.append(CellNoise(P, rate, per_step * s.steps, read, ceiling))
    return found


def noisy_forward(
    conversion: Conversion,
    x: np.ndarray,
    noise: list[CellNoise],
    rng: np.random.Generator,
    *,
    last: bool = False,
) -> np.ndarray:
    """Return outputs (n, T, q), or (n, q) for ``last``, with the predicted noise."""
    params, kept = conversion.params, conversion.settings.kept
    stationary = params.is_feedforward and noise[0].ceiling is None
    if last and len(params.cells) == 1 and stationary and not kept:
        h = _end(params.cells[0], noise[0], x, params.dt, rng)
        return h @ params.D.T + params.c
    for cell, own in zip(params.cells, noise, strict=True):
        x, h = _run(cell, own, x, params.dt, rng)
    if last and not kept:
        h = h[:, -1:]
    y = h @ params.D.T + params.c
    if kept:  # the lowpass has filtered c alone until the first sample arrived
        before = (1 - kept ** len(params.cells)) * params.c
        for t in range(y.shape[1]):
            before = y[:, t] = kept * before + (1 - kept) * y[:, t]
    return y[:, -1] if last else y


def _end(cell: CellParams, noise: CellNoise, x, dt: float, rng) -> np.ndarray:
    """Noisy activities (n, units) at the last step: the noise is stationary."""
    m, _ = run_cell(cell, x, dt, last=True)
    n, k = len(m), cell.memory_d
    roots = np.stack([_root(P) for P in noise.P])
    drawn = rng.standard_normal((n, k, cell.order))
    J = (m + np.einsum("kij,nkj->nki", roots, drawn).reshape(n, -1)) @ cell.W_m.T
    J = J + _constant(cell)["b"]
    if cell.W_x is not None:
        J = J + x[:, -1] @ cell.W_x.T
    return _spiking(activations(cell.activation, J, cell.chip), noise, rng)[1]


def _spiking(exact: np.ndarray, noise: CellNoise, rng) -> tuple[np.ndarray, np.ndarray]:
    """Return activities decoded from Poisson spikes, for cells and for the readout."""
    size = np.abs(exact)
    read = rng.poisson(size * noise.read_spikes)
    rest = rng.poisson(size * np.maximum(noise.unit_spikes - noise.read_spikes, 0))
    sign = np.sign(exact)
    return sign * (read + rest) / noise.unit_spikes, sign * read / noise.read_spikes


def _run(cell: CellParams, noise: CellNoise, x, dt: float, rng):
    """Return a cell's noisy activities (n, T, units), for cells and for the readout."""
    n, T, _ = x.shape
    k, d = cell.memory_d, cell.order
    Ad, Bd = cell.ldn.discretize(dt)
    start = np.stack([_root(P) for P in noise.P])
    push = np.stack([_root(P - Ad @ P @ Ad.T) for P in noise.P])

    def draw(root):
        return np.einsum("kij,nkj->nki", root, rng.standard_normal((n, k, d)))

    m, h = draw(start), np.zeros((n, cell.units))
    heard, read = np.empty((2, n, T, cell.units))
    constant, ceiling = _constant(cell), noise.ceiling
    Z = np.zeros(0) if ceiling is None else ceiling.begin(n)
    cut = np.zeros_like(m)
    for t in range(T):
        u = x[:, t] @ cell.e_x.T + constant["b_u"]
        if cell.e_h is not None:
            u = u + h @ cell.e_h.T
        if cell.e_m is not None:
            u = u + (m + cut).reshape(n, -1) @ cell.e_m.T
        m = m @ Ad.T + u[:, :, None] * Bd + draw(push)
        if ceiling is not None:
            Z, cut = ceiling.step(Z, m)
        J = (m + cut).reshape(n, -1) @ cell.W_m.T + constant["b"]
        if cell.W_x is not None:
            J = J + x[:, t] @ cell.W_x.T
        if cell.W_h is not None:
            J = J + h @ cell.W_h.T
        exact = activations(cell.activation, J, cell.chip)
        heard[:, t], read[:, t] = _spiking(exact, noise, rng)
        h = heard[:, t]
    return heard, read


def _constant(cell: CellParams) -> dict:
    return {
        name: 0.0 if getattr(cell, name) is None else getattr(cell, name)
        for name in ("b", "b_u")
    }


def _root(P: np.ndarray) -> np.ndarray:
    """A square root of a covariance that rounding may have made indefinite."""
    power, V = np.linalg.eigh((P + P.T) / 2)
    return V * np.sqrt(np.maximum(power, 0.0))
