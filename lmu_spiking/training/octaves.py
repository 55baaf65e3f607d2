r"""An LMU for one's own sequences that is fitted in closed form: kernels, then ridge.

The first cell's memory holds the whole sequence in many Legendre coefficients.  They
resolve its end finely, so that the windows of octaves, the whole, its last half, its
last quarter and so on down to a few samples, can be read from the same memory.  A unit
is rectified beyond a level: it is active while a coefficient of one of these windows
exceeds a quantile of the data.  Several levels of each coefficient together tell how
its values are distributed over time, as the kernels of ROCKET [1]_ do.

The second cell has a memory of order one for each unit, with a window so long that it
adds up all that the unit said, whenever it did.  Its units are linear, one for each
output, and their weights are found by ridge regression, of that strength for which
each training sequence is told best by the others (leave one out).

References
----------
.. [1] Dempster, Petitjean, Webb (2020). ROCKET. Data Mining and Knowledge Discovery.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lmu_spiking.lmu.forward import at_end, encode, memory_states, run_cell
from lmu_spiking.lmu.params import CellParams
from lmu_spiking.tasks.sequences import Part, counted
from lmu_spiking.training.window import tables

SHORTEST = 3  # samples of the shortest window
COEFFICIENTS = 4  # of each window
LEVELS = 3  # of each coefficient: its quartiles
NOISE = 0.01  # on states over their rms, that windows are read in spite of
POOLED = 4  # windows of the second cell in windows of the first
JITTER = 0.02  # the same on what is added up, for the readout
GAIN = 0.8  # of the error, below which activities at the end are read as well
ROOM = 2**25  # numbers of states that are held at once
SEEN = 2**22  # numbers of states that windows and levels are taken from
STRENGTHS = np.logspace(-4, 4, 25)  # of the ridge, per sequence


def order_for(steps: float) -> int:
    """Return the order that resolves windows of a few samples at the end of a sequence.

    The zeros of Legendre polynomials lie as densely at the end of a window as
    ``(2 / pi) d sqrt(w / theta)`` in its last ``w``.

    Parameters
    ----------
    steps : float
        Of the window.

    Returns
    -------
    int
        At least 1, at most 40 or as many as steps.
    """
    return int(np.clip(np.ceil(6 * np.sqrt(steps / SHORTEST)), 1, min(40, steps)))


def units_for(steps: float, memories: int) -> int:
    """Return how many kernels there are of a window: of all levels and coefficients.

    Parameters
    ----------
    steps : float
        Of the window.
    memories : int

    Returns
    -------
    int
        At least as many as `kernels` makes.
    """
    windows = int(np.log2(max(steps / SHORTEST, 1))) + 1
    return LEVELS * COEFFICIENTS * windows * memories


def kernels(cell: CellParams, x, dt: float, lengths, units: int, seed: int):
    """Return a cell whose units are kernels of octaves.

    Parameters
    ----------
    cell : CellParams
        Its memories, with any units.
    x : (n, T, c) ndarray
        Sequences that ranges and levels are taken from.
    dt : float
        Seconds from one sample to the next.
    lengths : (n,) ndarray of int, optional
        Steps of each sequence.
    units : int
        At most.
    seed : int
        Draws which coefficients of which memories, where there are too many.

    Returns
    -------
    CellParams
        With ``W_m`` and ``b``.
    """
    k, d = cell.memory_d, cell.order
    some = max(1, SEEN // (x.shape[1] * k * d))
    every = -(-len(x) // some)
    x, ends = x[::every], None if lengths is None else lengths[::every]
    u = encode(cell, x)
    m = counted(memory_states(cell, u, dt), ends)
    read = _octaves(cell, u, m, dt, ends)
    # some of all coefficients, as many of each memory, if there are not units for all
    rng = np.random.default_rng(seed)
    drawn = np.array([rng.permutation(len(read)) for _ in range(k)])
    turns = [(drawn[j, i], j) for i in range(len(read)) for j in rng.permutation(k)]
    pairs = sorted(turns[: max(1, units // LEVELS)])
    W, b = [], []
    for row, j in pairs:
        values = m[:, j * d : (j + 1) * d] @ read[row]
        size = values.std()
        if size <= 1e-9:  # as of a channel that is constant
            continue
        weights = np.zeros((k, d))
        weights[j] = read[row] / size
        quantiles = np.quantile(values, np.arange(1, LEVELS + 1) / (LEVELS + 1))
        W += [weights.ravel()] * LEVELS
        b += list(-quantiles / size)
    if not W:
        W, b = [np.zeros(k * d)], [0.0]
    return replace(cell, W_m=np.array(W), b=np.array(b))


def _octaves(cell: CellParams, u, m, dt: float, lengths) -> np.ndarray:
    """Return what reads Legendre coefficients of shorter windows (p, d) from a memory.

    ``u`` (n, T, k) are the memories' inputs, and ``m`` (S, k d) their states.
    """
    d = cell.order
    m = m.reshape(-1, d)
    size = np.sqrt(np.mean(m**2, axis=0)) + 1e-12
    A = m / size
    gram = A.T @ A + NOISE**2 * len(A) * np.eye(d)
    found, steps = [], cell.theta / dt
    while not found or steps >= SHORTEST:
        order = min(COEFFICIENTS, max(1, int(np.ceil(steps))))
        W = np.zeros((1, cell.memory_d * order))
        window = replace(cell, order=order, theta=steps * dt, W_m=W, b=None)
        z = counted(memory_states(window, u, dt), lengths).reshape(-1, order)
        found.append((np.linalg.solve(gram, A.T @ z) / size[:, None]).T)
        steps /= 2
    return np.concatenate(found)


def pooling(front: CellParams, steps: int, dt: float, outputs: int) -> CellParams:
    """Return the cell that adds up the activities of another, with linear units.

    Parameters
    ----------
    front : CellParams
    steps : int
        Of the sequences.
    dt : float
        Seconds from one sample to the next.
    outputs : int
        Its units.

    Returns
    -------
    CellParams
        With kernels of 0.
    """
    n, W = front.units, np.zeros((outputs, front.units))
    theta = POOLED * steps * dt
    b = np.zeros(outputs)
    return CellParams(1, theta, np.eye(n), W, W_x=W, b=b, activation="linear")


class Fit(NamedTuple):
    """A readout that was fitted by ridge regression.

    Parameters
    ----------
    weights : (p, q) ndarray
    bias : (q,) ndarray
    left_out : (n, q) ndarray
        What it says of each sequence if that one is left out.
    error : float
        Mean square of the errors that it makes so.
    """

    weights: np.ndarray
    bias: np.ndarray
    left_out: np.ndarray
    error: float


def ridge(F: np.ndarray, Y: np.ndarray) -> Fit:
    """Return the linear readout of features that tells sequences left out best.

    Parameters
    ----------
    F : (n, p) ndarray
        Features.
    Y : (n, q) ndarray
        What they shall say.

    Returns
    -------
    Fit
        Of the strength whose leave-one-out error is least.
    """
    n, p = F.shape
    middle, target = F.mean(axis=0), Y.mean(axis=0)
    A, B = F - middle, Y - target
    # U diag(power) U^T = A A^T, from the smaller of the two Gram matrices
    if n <= p:
        power, U = np.linalg.eigh(A @ A.T)
    else:
        power, V = np.linalg.eigh(A.T @ A)
    kept = power > 1e-10 * max(power[-1], 1e-300)
    power = power[kept]
    U = U[:, kept] if n <= p else A @ V[:, kept] / np.sqrt(power)
    along, best = U.T @ B, None
    for strength in n * STRENGTHS:
        share = power / (power + strength)
        rest = B - U @ (share[:, None] * along)
        leverage = U**2 @ share + 1 / n
        out = rest / np.maximum(1 - leverage, 1e-6)[:, None]
        error = float(np.mean(out**2))
        if best is None or error < best[0]:
            best = error, out, strength
    assert best is not None
    error, out, strength = best
    weights = A.T @ (U @ (along / (power + strength)[:, None]))
    return Fit(weights, target - middle @ weights, Y - out, error)


def fitted(front: CellParams, last: CellParams, x, dt: float, part: Part, Y):
    """Return the last cell with the readout that fits, and how well it does.

    Parameters
    ----------
    front, last : CellParams
        From `kernels` and `pooling`.
    x : (n, T, c) ndarray
        Sequences, normalised.
    dt : float
        Seconds from one sample to the next.
    part : Part
        Whose lengths they have.
    Y : (n, q) ndarray
        What shall be said.

    Returns
    -------
    last : CellParams
        Activities at the end are read only if the error is well below that without.
    fit : Fit
    """
    pooled, final = _features(front, last, x, dt, part.lengths)
    # memories of rms 1, as in training
    gain = 1 / max(np.sqrt(np.mean(pooled**2)), 1e-12)
    pooled = gain * pooled
    scales = _scales(pooled), _scales(final)
    both = np.concatenate([pooled / scales[0], final / scales[1]], axis=1)
    n = front.units
    fit, more = ridge(both[:, :n], Y), ridge(both, Y)
    weights = fit.weights
    W_x = None
    if more.error < GAIN * fit.error:
        fit, weights = more, more.weights[:n]
        W_x = (more.weights[n:] / scales[1][:, None]).T
    W = (weights / scales[0][:, None]).T
    return replace(last, e_x=gain * last.e_x, W_m=W, W_x=W_x, b=fit.bias), fit


def sharpness(outputs: np.ndarray, classes: np.ndarray) -> float:
    """Return the factor of outputs whose softmax tells classes best.

    Parameters
    ----------
    outputs : (n, q) ndarray
        Of sequences that were left out.
    classes : (n,) ndarray of int

    Returns
    -------
    float
        From 0.5 to 32.
    """
    factors = 2.0 ** np.arange(-1, 5.25, 0.25)
    own = outputs[np.arange(len(outputs)), classes][:, None]
    losses = [np.mean(np.log(np.exp(f * (outputs - own)).sum(axis=1))) for f in factors]
    return float(factors[np.argmin(losses)])


def _scales(features: np.ndarray) -> np.ndarray:
    """Return the deviations of features (n, p), and of noise on them."""
    power = features.var(axis=0) + JITTER**2 * np.mean(features**2, axis=0)
    return np.sqrt(power + max(1e-6 * power.max(), 1e-30))


def _features(front: CellParams, last: CellParams, x, dt: float, lengths):
    """Return what is added up, and activities at the end (n, units) of both."""
    from lmu_spiking.training.model import project

    steps, b = x.shape[1], 0.0 if front.b is None else front.b
    most = max(1, ROOM // (steps * (front.memory_d * front.order + front.units)))
    most = 100 * (most // 100) or most  # as the states are computed
    table, found = tables(front.ldn, dt, steps, last=False)[0], []
    for i in range(0, len(x), most):
        ends = None if lengths is None else lengths[i : i + most]
        u = encode(front, x[i : i + most]).astype(np.float32)
        m = project(replace(front, b_u=None), u, table, False)
        m = m.reshape(len(u) * steps, -1)
        h = (m @ front.W_m.T.astype(np.float32) + b).astype(np.float32)
        h = np.maximum(h, 0).reshape(len(u), steps, -1)
        m, _ = run_cell(last, h, dt, last=True, lengths=ends)
        found.append((m, at_end(h, ends)))
    pooled, final = zip(*found, strict=True)
    return np.concatenate(pooled).astype(float), np.concatenate(final).astype(float)
