r"""Whole-number weights that do the same as the real ones.

A neuron receives ``sum_k w_k p_k`` from presynaptic activities ``p`` (P points, n
neurons).  Rounding every weight for itself loses ``(w - q) p``; where neurons are
alike, all are wrong alike.  Rounded one after the other, each error can be made good by
the weights that are still to come: the change of least
``|P (w - q)|^2 = (w - q)^T G (w - q)``, ``G = P^T P``, is

.. math::

    w_{>c} \leftarrow w_{>c} - \frac{w_c - q_c}{U_{cc}} U_{c,>c}, \qquad
    G^{-1} = U^T U ,

as in optimal brain surgery [1]_ and, for whole layers, in [2]_.  Neurons that encode
one number have activities of few dimensions, so that nearly nothing remains.

References
----------
.. [1] Hassibi, Stork (1993). Second order derivatives for network pruning: optimal
   brain surgeon. NeurIPS 5.
.. [2] Frantar, Ashkboos, Hoefler, Alistarh (2022). GPTQ: accurate post-training
   quantization for generative pre-trained transformers. arXiv 2210.17323.
"""

import numpy as np

ROWS = 24  # that are rounded in one order of the neurons


def round_weights(
    weights: np.ndarray,
    parts,
    top: int,
    rng: np.random.RandomState,
    anchored: bool = False,
    bottom: int | None = None,
) -> np.ndarray:
    """Round ``weights`` to whole numbers of at most ``top``.

    Parameters
    ----------
    weights : (r, n) ndarray
        Of ``r`` receiving neurons, in units of the grid.
    parts : iterable of (columns, gram)
        Presynaptic neurons that encode one number, (c,) int, and their activities'
        second moment ``G`` (c, c), positive definite.
    top : int
        Largest whole number.
    rng : numpy.random.RandomState
        Draws the order of the neurons, another for every few rows, so that errors of
        different rows are independent and every neuron is used.
    anchored : bool
        Make the largest weight ``top``, whatever it was, and the others make it good.
    bottom : int, optional
        What it is made if it is below 0; ``-top`` by default.

    Returns
    -------
    (r, n) ndarray of whole floats
    """
    ends = -top if bottom is None else bottom, top
    rounded = np.zeros_like(weights)
    row, column = np.unravel_index(np.argmax(np.abs(weights)), weights.shape)
    for columns, gram in parts:
        rows = rng.permutation(len(weights))
        groups = np.array_split(rows, max(1, len(rows) // ROWS))
        if anchored and column in columns:
            groups = [g[g != row] for g in groups]
            first = np.flatnonzero(columns == column)
            order = np.append(
                first, rng.permutation(np.delete(np.arange(len(columns)), first))
            )
            at = np.ix_([row], columns[order])
            rounded[at] = _compensated(
                weights[at], gram[np.ix_(order, order)], top, ends
            )
        for group in groups:
            order = rng.permutation(len(columns))
            at = np.ix_(group, columns[order])
            rounded[at] = _compensated(weights[at], gram[np.ix_(order, order)], top)
    return rounded


def _compensated(
    weights: np.ndarray, gram: np.ndarray, top: int, ends=None
) -> np.ndarray:
    """Column by column, each error carried by the columns that follow.

    ``ends``, if any, are what the first of them becomes, below 0 and above.
    """
    # the upper factor of G^-1 is the inverse of the lower factor of G, read backwards
    inverse = np.linalg.inv(gram)
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T
    w, whole = weights.copy(), np.empty_like(weights)
    for c in range(w.shape[1]):
        whole[:, c] = np.clip(np.round(w[:, c]), -top, top)
        if ends and c == 0:
            whole[:, c] = np.where(w[:, c] < 0, *ends)
        error = (w[:, c] - whole[:, c]) / upper[c, c]
        w[:, c + 1 :] -= np.outer(error, upper[c, c + 1 :])
    return whole
