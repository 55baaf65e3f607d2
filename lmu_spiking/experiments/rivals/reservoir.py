r"""Echo state networks: a reservoir that is drawn, and a readout in closed form.

.. math:: h_t = (1 - a) h_{t-1} + a \tanh(W x_t + U h_{t-1} + b) ,

with the leak ``a``, and a sparse ``U`` of a spectral radius that is chosen [1]_.  The
readout is ridge regression on ``h_t`` and ``x_t`` of all steps, or of the last.

Letters: ``n`` sequences, ``T`` steps, ``c`` inputs, ``q`` outputs, ``u`` units.

References
----------
.. [1] Lukoševičius (2012). A practical guide to applying echo state networks.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csc_array

from lmu_spiking.brief import brief
from lmu_spiking.experiments.rivals.ridge import ridge
from lmu_spiking.tasks.sequences import Part

CONNECTIONS = 10  # that a unit receives, on average
STEPS = 64  # whose states are added up at a time
GROUP = 200  # sequences that run at a time, where only the last step is read
# ranges of what is searched
RANGES = {
    "radius": (0.1, 1.4),
    "leak": (0.05, 1.0),
    "scale": (0.1, 10.0),
    "shift": (0.03, 1.0),
}


@dataclass(frozen=True, eq=False)
class Reservoir:
    """An echo state network.

    Attributes
    ----------
    W, b : (c, u) and (u,) ndarray
    U : (u, u) sparse array
    leak : float
    readout : (u + c + 1, q) ndarray, optional
        Of units, inputs and a constant 1; fitted by `fit_readout`.
    """

    W: np.ndarray
    U: csc_array
    b: np.ndarray
    leak: float
    readout: np.ndarray | None = None

    __repr__ = brief

    def states(self, x: np.ndarray, last: bool) -> Iterator[np.ndarray]:
        """Yield units, inputs and a constant 1 (n, u + c + 1) after each step.

        Parameters
        ----------
        x : (n, T, c) ndarray
        last : bool
            Whether only the last step is wanted.
        """
        h, one = np.zeros((len(x), len(self.b))), np.ones((len(x), 1))
        for t in range(x.shape[1]):
            J = x[:, t] @ self.W + h @ self.U + self.b
            h = (1 - self.leak) * h + self.leak * np.tanh(J)
            if not last or t == x.shape[1] - 1:
                yield np.hstack([h, x[:, t], one])

    def ends(self, x: np.ndarray) -> np.ndarray:
        """Return what `states` yields of the last step (n, 1, u + c + 1)."""
        parts = (x[i : i + GROUP] for i in range(0, len(x), GROUP))
        return np.concatenate([next(self.states(p, True)) for p in parts])[:, None]

    def outputs(self, x: np.ndarray, last: bool = False) -> np.ndarray:
        """Return outputs (n, T, q), or (n, q) where only the last step is read."""
        if last:
            return self.ends(x)[:, 0] @ self.readout
        return np.stack([state @ self.readout for state in self.states(x, last)], 1)


def reservoir(
    size_in: int,
    units: int,
    seed: int,
    *,
    radius: float,
    leak: float,
    scale: float,
    shift: float,
) -> Reservoir:
    """Return an echo state network whose readout is not fitted.

    Parameters
    ----------
    size_in, units : int
    seed : int
        Draws the weights.
    radius : float
        Spectral radius of ``U``.
    leak : float
        From 0 to 1.
    scale, shift : float
        Standard deviation of ``W``, and of ``b``.

    Returns
    -------
    Reservoir
    """
    rng = np.random.default_rng(seed)
    joined = rng.random((units, units)) < CONNECTIONS / units
    U = np.where(joined, rng.standard_normal((units, units)), 0.0)
    U *= radius / np.abs(np.linalg.eigvals(U)).max()
    W = scale * rng.standard_normal((size_in, units))
    return Reservoir(W, csc_array(U), shift * rng.standard_normal(units), leak)


def fit_readout(made: Reservoir, train: Part, valid: Part, classes: int | None = None):
    """Return the reservoir with the ridge readout that validates best, and its error.

    Parameters
    ----------
    made : Reservoir
    train, valid : Part
        Of values at every step, or of classes at the last.
    classes : int, optional

    Returns
    -------
    made : Reservoir
    error : float
        NRMSE, or 1 minus the accuracy, of ``valid``.
    """
    if classes is not None:
        train, valid = (Part(made.ends(part.x), part.y) for part in (train, valid))
        readout, error = fit_classes(train, valid, classes)
        return replace(made, readout=readout), error
    pairs = (
        (state, train.y[:, t]) for t, state in enumerate(made.states(train.x, False))
    )
    states = np.stack(list(made.states(valid.x, False)), axis=1)
    readout, error = ridge(_joined(pairs), states, valid.y, None)
    return replace(made, readout=readout), error


def fit_classes(train: Part, valid: Part, classes: int) -> tuple[np.ndarray, float]:
    """Return the ridge readout that validates best, and 1 minus its accuracy.

    Parameters
    ----------
    train, valid : Part
        Sequences of one step, which `Reservoir.ends` returns, and their classes.
    classes : int
    """
    pairs = [(train.x[:, 0], 2 * np.eye(classes)[train.y] - 1)]
    return ridge(pairs, valid.x[:, 0], valid.y, classes)


def _joined(pairs: Iterator[tuple]) -> Iterator[tuple]:
    """Yield pairs of arrays, those of some steps in one."""
    while some := list(itertools.islice(pairs, STEPS)):
        yield tuple(map(np.concatenate, zip(*some, strict=True)))


def drawn(rng: np.random.Generator, ranges: dict = RANGES) -> dict[str, float]:
    """Return a radius, leak, scale and shift, uniformly in their logarithms."""
    every = ranges.items()
    return {name: float(np.exp(rng.uniform(*np.log(ends)))) for name, ends in every}
