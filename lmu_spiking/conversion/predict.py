r"""The predicted loss of a conversion, before a neuron runs.

This is the model; `report` compares its outputs with those of the spikes.

The rate-based model runs from sample to sample with noise of the predicted covariance
added to its states, and of the units' spikes to their activities:

.. math::

    \hat m_t = m_t + \epsilon_t, \qquad
    \epsilon_{t+1} = \bar A \epsilon_t + w_t, \quad
    w_t \sim N(0, P - \bar A P \bar A^T), \qquad
    \hat h_t = \mathrm{Poisson}(s |f(\hat J_t)|) \,\mathrm{sign} / s ,

with ``P`` the fixed point of the error model on the data.  With error feedback the same
holds for all states of the loop, its own included.  Staggered neurons make a rounding
error in place of Poisson noise, which is not white: the side of a pair that is silent
keeps its own until the state changes its sign.  So their memory is run by itself on the
sequences, as two accumulators a coefficient, and ``P`` is what comes out.  Their units
fire ``floor(s |f(J)| + V)`` times, with ``V`` uniform.  ``s`` is the number of spikes
of a unit of activity 1 in the time that is averaged: a presentation for the next cell,
the presentation's first step for the readout.  The result includes the shift of the
mean that noise causes behind a nonlinearity, and the clipping of states that are larger
than the ceilings of neurons allow.
"""

from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.conversion.conversion import Conversion
from lmu_spiking.dynamics.covariance import (
    closed_loop,
    rounding_covariance,
    stationary_covariance,
)
from lmu_spiking.lmu.calibration import STATES
from lmu_spiking.lmu.forward import activities, at_end, encode, in_parts, run_cell
from lmu_spiking.lmu.params import CellParams
from lmu_spiking.memory.design import Design
from lmu_spiking.tasks.sequences import within
from lmu_spiking.theory.fixed_point import fixed_point, tabulate

RUN = 60_000  # steps of all sequences together, that a memory is run by itself
FORGOTTEN = 1e-6  # the share of an earlier output in the last that is none


class Ceiling:
    """The clipping of large states by neurons with ceilings, sample by sample.

    ``Z <- K^s Z + (1 + K + ... + K^{s-1}) L epsilon``, ``e = C Z``, for the ``s``
    steps of a presentation, with ``epsilon`` what is cut off the carried coordinates,
    noise and the error so far included; see `theory.fixed_point.along`.

    Parameters
    ----------
    design : Design
    steps : int
        Of a presentation, ``s``.
    k : int
        Number of memories.
    """

    def __init__(self, design: Design, steps: int, k: int):
        K, L, C, _ = closed_loop(design.loop)  # with ceilings there is no feedback
        self.power, self.into = np.eye(len(K)), np.zeros_like(L)
        for _ in range(steps):
            self.power, self.into = K @ self.power, K @ self.into + L
        self.C, self.U, self.T = C, design.U, design.T
        self.radii = design.population.radii.reshape(k, -1)

    def begin(self, n: int) -> np.ndarray:
        """Return the states (n, k, z) of the error of ``n`` sequences, at rest.

        Parameters
        ----------
        n : int

        Returns
        -------
        (n, k, z) ndarray
            All 0.
        """
        return np.zeros((n, len(self.radii), len(self.power)))

    def step(self, Z: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the error's states after a presentation, and the error of ``m``.

        Parameters
        ----------
        Z : (n, k, z) ndarray
            States of the error.
        m : (n, k, d) ndarray
            States of the memories after the presentation.

        Returns
        -------
        Z, e : ndarray
            The new states of the error, and the error (n, k, d).
        """
        Z = Z @ self.power.T
        x = m @ self.T.T + Z @ self.C.T
        cut = np.clip(x, -self.radii, self.radii) - x
        Z = Z + cut @ self.into.T
        return Z, Z @ self.C.T @ self.U.T


@dataclass(frozen=True, eq=False)
class CellNoise:
    """The noise of one cell.

    Parameters
    ----------
    P : (k, d, d) ndarray
        Covariance of each memory's error, in Legendre coefficients.
    memory_spikes_per_s : float
        Of all memories.
    unit_spikes : (n,) ndarray
        Spikes of a unit of activity 1 in a presentation, which cells receive.
    read_spikes : (n,) ndarray
        Those of them that the readout receives.
    power : (z, z) ndarray
        What the loop's states become in a presentation, of which the noise is a part.
    whole : (k, z, z) ndarray
        Covariance of the noise of those states.
    out : (d, z) ndarray
        The memory's error in them, in Legendre coefficients.
    ceiling : Ceiling or None
        Of the memories' neurons; None if their tuning curves have no ceiling.
    staggered : bool
        Whether neurons round, in place of random spikes.
    """

    P: np.ndarray
    memory_spikes_per_s: float
    unit_spikes: np.ndarray
    read_spikes: np.ndarray
    power: np.ndarray
    whole: np.ndarray
    out: np.ndarray
    ceiling: Ceiling | None = None
    staggered: bool = False

    __repr__ = brief


def cell_noise(conversion: Conversion, x=None, lengths=None) -> list[CellNoise]:
    """Predict the noise of each cell, for Poisson-like and staggered neurons only.

    Parameters
    ----------
    conversion : Conversion
    x : (n, T, c) ndarray, optional
        Sequences, by default those of the calibration: neurons are as noisy as they
        are active.  Without them the order of states is not known, and the rounding
        error of staggered neurons is taken to be white, which is too low where states
        change their sign within a few steps.
    lengths : (n,) ndarray of int, optional
        Steps of each sequence; what comes later does not count.

    Returns
    -------
    list of CellNoise
        Of each cell.
    """
    s, noises, ends = conversion.settings, [], lengths
    steps = ... if x is None or lengths is None else within(lengths, x.shape[1])
    x = None if x is None else conversion.params.normalised(x)
    for i, cell in enumerate(conversion.params.cells):
        design, use = conversion.memories[i], conversion.uses[i]
        hidden, k, d = conversion.hidden[i], cell.memory_d, cell.order
        seen, course = use.states, None
        if x is not None:
            m, x = run_cell(cell, x, conversion.params.dt)
            course = m.reshape(*m.shape[:2], k, d)
            m = m[steps].reshape(-1, k, d)
            seen = m[:: max(1, len(m) // STATES)].transpose(1, 0, 2)
        # the fixed point of the error model for each memory
        P, rate = np.empty((k, d, d)), 0.0
        K, L, C, N = closed_loop(design.loop)
        whole = np.empty((k, *K.shape))
        for j, states in enumerate(seen):
            carried, more = states @ design.T.T, (j * d, design.loop)
            tables = tabulate(design.population, carried, s.dt, *more)
            if s.staggered:
                if course is None:
                    worth = np.square(_worth(design, j)) / 12
                    whole[j] = rounding_covariance(K, L, np.diag(worth))
                else:
                    whole[j] = _rounded(design, j, course[:, :, j], s, ends)
                noise, received = C @ whole[j] @ C.T, np.diag(N @ whole[j] @ N.T)
            else:
                noise, sigma, received = fixed_point(design.loop, tables)
                if design.loop.feedback is not None:
                    whole[j] = stationary_covariance(K, (L * sigma) @ L.T)
            P[j] = design.U @ noise @ design.U.T
            each = zip(tables, received, strict=True)
            rate += sum(table.mean("rate", v) for table, v in each)
        # the spikes of the units, and the clipping of the memories
        top = 1.0 if cell.activation == "tanh" else use.top
        per_step = hidden.per_unit // cell.sides * hidden.max_rate / top * s.dt
        per_step = np.broadcast_to(per_step, (cell.units,))
        bounded = np.isfinite(design.population.ceiling).all()
        ceiling = Ceiling(design, s.steps, k) if bounded else None
        spikes = per_step * s.steps, per_step * s.steps_read
        # without feedback the states are the coefficients, which a presentation moves
        # by the cell's own matrix
        moved = cell.ldn.discretize(conversion.params.dt)[0], P, np.eye(d)
        if design.loop.feedback is not None:
            moved = np.linalg.matrix_power(K, s.steps), whole, design.U @ C
        noises.append(CellNoise(P, rate, *spikes, *moved, ceiling, s.staggered))
    return noises


def _worth(design: Design, j: int) -> np.ndarray:
    """Return what a spike decodes to (d,) in each coordinate of memory ``j``."""
    p, d = design.population, design.ldn.order
    of = p.dimension - j * d
    own = (of >= 0) & (of < d)
    worth = np.square(p.decoders[own] / design.dt)
    return np.sqrt(np.bincount(of[own], worth) / np.bincount(of[own]))


def _rounded(design: Design, j: int, m, settings, lengths) -> np.ndarray:
    """Return the covariance (z, z) of the loop's states, from a run of memory ``j``.

    Both sides of each coordinate are accumulators that receive the exact states ``m``
    (n, T, d) and the error so far.
    """
    K, L, _, N = closed_loop(design.loop)
    n, T, steps = *m.shape[:2], settings.steps
    every = max(1, -(-n * T * steps // RUN))
    x = m[::every] @ design.T.T
    ends = np.full(len(m), T) if lengths is None else np.asarray(lengths)
    ends, n = ends[::every], len(x)
    worth = _worth(design, j)
    rng = np.random.default_rng(settings.noise_seed)
    V = rng.random((2, n, x.shape[2]))
    Z, before = np.zeros((n, len(K))), np.zeros_like(x[:, 0])
    total, count = np.zeros((len(K), len(K))), 0
    for t in range(T):
        for i in range(1, steps + 1):
            # from sample to sample the states go straight
            received = before + (x[:, t] - before) * (i / steps) + Z @ N.T
            V[0] += np.maximum(received, 0) / worth
            V[1] += np.maximum(-received, 0) / worth
            spikes = np.floor(V)
            V -= spikes
            decoded = (spikes[0] - spikes[1]) * worth
            Z = Z @ K.T + (decoded - received) @ L.T
        before = x[:, t]
        # when the error has no memory of its beginning, and before a sequence ends
        some = Z[(t >= ends // 2) & (t < ends)]
        total, count = total + some.T @ some, count + len(some)
    return total / count


def noisy_forward(
    conversion: Conversion,
    x: np.ndarray,
    noise: list[CellNoise],
    rng: np.random.Generator,
    *,
    last: bool = False,
    lengths=None,
) -> np.ndarray:
    """Return outputs with the predicted noise.

    Parameters
    ----------
    conversion : Conversion
    x : (n, T, c) ndarray
    noise : list of CellNoise
        Of each cell.
    rng : numpy.random.Generator
        Draws it.
    last : bool
        Whether only the last step of each sequence is read.
    lengths : (n,) ndarray of int, optional
        Steps of each sequence; all by default.

    Returns
    -------
    (n, T, q) ndarray, or (n, q)
        One draw.
    """
    params, kept = conversion.params, conversion.settings.kept
    parts = in_parts(params, x, lengths)
    if len(parts) > 1:
        each = [
            noisy_forward(conversion, some, noise, rng, last=last, lengths=ends)
            for some, ends in parts
        ]
        return np.concatenate(each)
    x = params.normalised(x)
    stationary = params.is_feedforward and noise[0].ceiling is None
    if last and len(params.cells) == 1 and stationary and not kept:
        h = _end(params.cells[0], noise[0], x, params.dt, rng, lengths)
        return h @ params.D.T + params.c
    # an output is mixed with a few earlier ones: noise that is stationary starts there
    start, m = 0, None
    if last and len(params.cells) == 1 and stationary and lengths is None:
        start = max(0, x.shape[1] - 1 - int(np.log(FORGOTTEN) / np.log(kept)))
        if start:
            m, _ = run_cell(params.cells[0], x[:, :start], params.dt, last=True)
    h = x = x[:, start:]
    for cell, own in zip(params.cells, noise, strict=True):
        x, h = _run(cell, own, x, params.dt, rng, m)
    if last and not kept:
        return at_end(h, lengths) @ params.D.T + params.c
    y = h @ params.D.T + params.c
    if kept:  # the lowpass has filtered c alone until the first sample arrived
        before = (1 - kept ** len(params.cells)) * params.c
        for t in range(y.shape[1]):
            before = y[:, t] = kept * before + (1 - kept) * y[:, t]
    return at_end(y, lengths) if last else y


def _end(cell: CellParams, noise: CellNoise, x, dt: float, rng, lengths) -> np.ndarray:
    """Return noisy activities (n, units) at the last step: the noise is stationary."""
    m, _ = run_cell(cell, x, dt, last=True, lengths=lengths)
    roots = np.stack([_root(P) for P in noise.P])
    m = m + _draw(roots, len(m), rng).reshape(len(m), -1)
    return _spiking(activities(cell, m, at_end(x, lengths)), noise, rng)[1]


def _run(cell: CellParams, noise: CellNoise, x, dt: float, rng, m=None):
    """Return a cell's noisy activities (n, T, units), for cells and for the readout.

    Its memories begin at ``m``, or at 0.
    """
    n, T, _ = x.shape
    Ad, Bd = cell.ldn.discretize(dt)
    power, out = noise.power, noise.out
    push = np.stack([_root(P - power @ P @ power.T) for P in noise.whole])
    error = _draw(np.stack([_root(P) for P in noise.whole]), n, rng)
    shape = (n, *noise.P.shape[:2])
    m = np.zeros(shape) if m is None else m.reshape(shape)
    h = np.zeros((n, cell.units))
    received, read = np.empty((2, n, T, cell.units))
    ceiling, cut = noise.ceiling, np.zeros_like(m)
    Z = np.zeros(0) if ceiling is None else ceiling.begin(n)
    for t in range(T):
        # the memory: its input, its step with noise, and its clipping
        u = encode(cell, x[:, t], h, (m + error @ out.T + cut).reshape(n, -1))
        m = m @ Ad.T + u[:, :, None] * Bd
        error = error @ power.T + _draw(push, n, rng)
        noisy = m + error @ out.T
        if ceiling is not None:
            Z, cut = ceiling.step(Z, noisy)
        # the units: their activities, and their spikes
        exact = activities(cell, (noisy + cut).reshape(n, -1), x[:, t], h)
        received[:, t], read[:, t] = _spiking(exact, noise, rng)
        h = received[:, t]
    return received, read


def _spiking(exact: np.ndarray, noise: CellNoise, rng) -> tuple[np.ndarray, np.ndarray]:
    """Return activities decoded from spikes, for cells and for the readout."""
    size, sign = np.abs(exact), np.sign(exact)
    if noise.staggered:
        V = rng.random(size.shape)
        all_spikes = np.floor(size * noise.unit_spikes + V)
        read = np.floor(size * noise.read_spikes + V)
        return sign * all_spikes / noise.unit_spikes, sign * read / noise.read_spikes
    read = rng.poisson(size * noise.read_spikes)
    rest = rng.poisson(size * np.maximum(noise.unit_spikes - noise.read_spikes, 0))
    return sign * (read + rest) / noise.unit_spikes, sign * read / noise.read_spikes


def _draw(roots: np.ndarray, n: int, rng) -> np.ndarray:
    """Draw errors (n, k, d) of memories, from roots (k, d, d) of their covariances."""
    z = rng.standard_normal((n, *roots.shape[:2]))
    return np.einsum("kij,nkj->nki", roots, z)


def _root(P: np.ndarray) -> np.ndarray:
    """Return a root of a covariance that rounding may have made indefinite."""
    power, V = np.linalg.eigh((P + P.T) / 2)
    return V * np.sqrt(np.maximum(power, 0.0))
