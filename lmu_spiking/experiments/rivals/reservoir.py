r"""Echo state networks: a reservoir that is drawn, and a readout in closed form.

.. math:: h_t = (1 - a) h_{t-1} + a \tanh(W x_t + U h_{t-1} + b) ,

with the leak ``a`` and ``U`` of a spectral radius that is chosen [1]_.  The readout is
ridge regression on ``h_t`` and ``x_t`` of all steps, or of the last.

Letters: ``n`` sequences, ``T`` steps, ``c`` inputs, ``q`` outputs, ``u`` units.

References
----------
.. [1] Lukoševičius (2012). A practical guide to applying echo state networks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.experiments.rivals.ridge import ridge
from lmu_spiking.tasks.sequences import Part, Sequences

RADII, LEAKS, SCALES = (0.1, 1.4), (0.05, 1.0), (0.1, 10.0)
BESIDE = 0.1  # rms of the biases, in parts of the input's scale


@dataclass(frozen=True, eq=False)
class Reservoir:
    """An echo state network.

    Attributes
    ----------
    W, U, b : (c, u), (u, u) and (u,) ndarray
    leak : float
    readout : (u + c + 1, q) ndarray, optional
        Of units, inputs and a constant 1; fitted by `fit_readout`.
    """

    W: np.ndarray
    U: np.ndarray
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
        h, one = np.zeros((len(x), len(self.U)), np.float32), np.ones((len(x), 1))
        for t in range(x.shape[1]):
            J = x[:, t] @ self.W + h @ self.U + self.b
            h = (1 - self.leak) * h + self.leak * np.tanh(J)
            if not last or t == x.shape[1] - 1:
                yield np.hstack([h, x[:, t], one])

    def outputs(self, x: np.ndarray, last: bool = False) -> np.ndarray:
        """Return outputs (n, T, q), or (n, q) where only the last step is read."""
        found = [state @ self.readout for state in self.states(x, last)]
        return found[0] if last else np.stack(found, axis=1)


def reservoir(
    size_in: int, units: int, radius: float, leak: float, scale: float, seed: int
) -> Reservoir:
    """Return an echo state network whose readout is not fitted.

    Parameters
    ----------
    size_in, units : int
    radius : float
        Spectral radius of ``U``.
    leak : float
        From 0 to 1.
    scale : float
        Standard deviation of ``W``.
    seed : int
        Draws the weights.

    Returns
    -------
    Reservoir
    """
    rng = np.random.default_rng(seed)
    U = rng.standard_normal((units, units))
    U *= radius / np.abs(np.linalg.eigvals(U)).max()
    W = scale * rng.standard_normal((size_in, units))
    b = BESIDE * scale * rng.standard_normal(units)
    return Reservoir(*(a.astype(np.float32) for a in (W, U, b)), np.float32(leak))


def fit_readout(made: Reservoir, train: Part, valid: Part, data: Sequences):
    """Return the reservoir with the ridge readout that validates best, and its error.

    Parameters
    ----------
    made : Reservoir
    train, valid : Part
    data : Sequences
        That the parts are of.

    Returns
    -------
    made : Reservoir
    error : float
        NRMSE, or one less the accuracy, of ``valid``.
    """
    y = _targets(train, data)
    pairs = (
        (state, y if data.last else y[:, t])
        for t, state in enumerate(made.states(train.x, data.last))
    )
    states = np.stack(list(made.states(valid.x, data.last)), axis=1)
    states = states[:, 0] if data.last else states
    readout, error = ridge(pairs, states, valid.y, data.classes)
    return replace(made, readout=readout), error


def _targets(part: Part, data: Sequences) -> np.ndarray:
    """Return targets: values, or one for the class and minus one for others."""
    y = part.y
    return y if data.classes is None else 2 * np.eye(data.classes)[y] - 1


def search(data: Sequences, units: int, draws: int, seed: int, few=None) -> dict:
    """Return the radius, leak and scale that validate best, of some that are drawn.

    Parameters
    ----------
    data : Sequences
    units : int
    draws : int
        Of the three, uniformly in their logarithms.
    seed : int
        Draws them, and the weights.
    few : (sequences, steps), optional
        Of each part, that the search is on.

    Returns
    -------
    dict
        ``radius``, ``leak``, ``scale``, and ``error`` on the validation part.
    """
    rng, found = np.random.default_rng(seed), []
    n, steps = few or (None, None)
    by_step = not data.last
    train, valid = (
        Part(p.x[:n, :steps], p.y[:n, :steps] if by_step else p.y[:n])
        for p in (data.train, data.valid)
    )
    # of inputs of standard deviation 1
    size = float(np.std(data.train.x))
    for _ in range(draws):
        drawn = (np.exp(rng.uniform(*np.log(r))) for r in (RADII, LEAKS, SCALES))
        how = dict(zip(("radius", "leak", "scale"), map(float, drawn), strict=True))
        how["scale"] /= size
        made = reservoir(data.size_in, units, **how, seed=seed)
        error = fit_readout(made, train, valid, data)[1]
        found.append(how | {"error": float(error)})
    return min(found, key=lambda one: one["error"])
