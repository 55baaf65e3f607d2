r"""Readouts of an LDN over very many steps, a block of steps at a time.

With ``m[k] = Ad m[k-1] + Bd u[k]`` the ``b`` states of a block need not be held: its
outputs and its last state are linear in the state before it and the block's inputs,

.. math::

    y_i = C \bar A^{i+1} m + \sum_{j \le i} C \bar A^{i-j} \bar B u_j, \qquad
    m' = \bar A^b m + \sum_j \bar A^{b-1-j} \bar B u_j ,

one matrix product for all channels.  Memory is O(d) a channel, whatever the length.

Letters: ``d`` order, ``q`` outputs, ``b`` steps a block, ``c`` channels, ``n`` steps.
"""

from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.ldn import LDN


@dataclass(frozen=True, eq=False)
class BlockReadout:
    """Outputs of an LDN by blocks.

    Attributes
    ----------
    matrix : (d + b q, d + b) ndarray
        From the state before a block and its inputs to the state after it and its
        outputs, step by step.
    order, size : int
        ``d`` and ``b``.
    """

    matrix: np.ndarray
    order: int
    size: int

    __repr__ = brief

    @classmethod
    def of(cls, ldn: LDN, dt: float, weights: np.ndarray, size: int = 64):
        """For ``weights`` (q, d), such as `LDN.readout` gives."""
        Ad, Bd = ldn.discretize(dt)
        d, q = ldn.order, len(weights)
        state, impulse = np.eye(d), []  # Ad^i and Ad^i Bd
        matrix = np.zeros((d + size * q, d + size))
        for i in range(size):
            impulse.append(state @ Bd)
            state = Ad @ state
            rows = slice(d + i * q, d + (i + 1) * q)
            matrix[rows, :d] = weights @ state
            matrix[rows, d : d + i + 1] = weights @ np.stack(impulse[::-1], axis=1)
        matrix[:d, :d] = state
        matrix[:d, d:] = np.stack(impulse[::-1], axis=1)
        return cls(matrix, d, size)

    def run(self, m: np.ndarray, u: np.ndarray):
        """Outputs after each input, and the last state.

        Parameters
        ----------
        m : (d, c) ndarray
            State before the first input.
        u : (n, c) ndarray
            A whole number of blocks.

        Returns
        -------
        y : (n, q, c) ndarray
        m : (d, c) ndarray
        """
        outputs = []
        for start in range(0, len(u), self.size):
            both = self.matrix @ np.vstack([m, u[start : start + self.size]])
            m = both[: self.order]
            outputs.append(both[self.order :])
        return np.concatenate(outputs).reshape(len(u), -1, u.shape[1]), m
