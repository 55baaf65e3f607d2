r"""States of a memory for inputs that nothing trained has touched yet.

The first cell's memories are linear in its encoders,

.. math::

    m_t = \sum_{s \le t} H_{t-s}\, (e_x x_s + b_u) = e_x X_t + b_u 1_t, \qquad
    X_t = \sum_{s \le t} H_{t-s}\, x_s ,

so that ``X``, and the same of a constant 1, are computed once and mixed ever after.
"""

import numpy as np

from lmu_spiking.rates.params import CellParams
from lmu_spiking.training._keras import tensorflow
from lmu_spiking.training.parallel import memory_states


def project(cell: CellParams, x: np.ndarray, table: dict, final: bool) -> np.ndarray:
    """States (n, T, c', d), or (n, c', d), of each input and, with ``b_u``, of 1.

    Parameters
    ----------
    x : (n, T, c) ndarray
    table : dict
        `window.tables` of the cell.
    final : bool
        Whether only the last states are wanted.
    """
    if cell.b_u is not None:
        x = np.concatenate([x, np.ones_like(x[..., :1])], axis=2)
    if final:
        reverse = table["H"][::-1]
        projected = [np.tensordot(some, reverse, (1, 0)) for some in _chunks(x)]
        return np.concatenate(projected).astype(x.dtype)
    tf = tensorflow()
    table = {name: tf.constant(a, dtype=x.dtype) for name, a in table.items()}
    states = [memory_states(tf.constant(s), table, False).numpy() for s in _chunks(x)]
    return np.concatenate(states).reshape(*x.shape, cell.order)


def _chunks(x: np.ndarray, size: int = 100):
    return (x[i : i + size] for i in range(0, len(x), size))
