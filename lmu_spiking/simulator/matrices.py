"""Products with matrices, by the structure that they have.

Neurons of a population hear and speak for one dimension each: their encoders have one
number in a row, their decoders one in a column, and neighbours mostly share the
dimension.  Such products take O(m) where the matrix takes O(m d).
"""

import numpy as np
from scipy import sparse

from lmu_spiking.simulator.opcodes import Code
from lmu_spiking.simulator.regions import Region
from lmu_spiking.simulator.steps import Along, Listed, Pair, Runs, Step, Whole

LONG = 8  # neurons in a run, on average, from which runs pay
SPARSE = 0.25  # of the entries, up to which a large dense matrix is taken as sparse
LARGE = 4096  # entries from which that is looked at


def times_constant(y: Region, matrix, x: Region) -> Step | None:
    """``y += matrix x`` for a matrix that never changes.

    Parameters
    ----------
    matrix : (m, n) ndarray or scipy sparse matrix
    """
    if not sparse.issparse(matrix):
        filled = np.count_nonzero(matrix)
        if matrix.size < LARGE or filled > SPARSE * matrix.size:
            return dense(y, matrix, x)
    matrix = sparse.csr_array(matrix)
    matrix.sum_duplicates()
    m, n = matrix.shape
    if matrix.nnz == 0:
        return None
    if m >= n and np.all(np.diff(matrix.indptr) <= 1):
        return encoders(y, matrix, x)
    columns = matrix.tocsc()
    if n >= m and np.all(np.diff(columns.indptr) <= 1):
        return decoders(y, columns, x)
    if matrix.nnz > SPARSE * m * n:
        return dense(y, matrix.toarray(), x)
    operands = [
        Whole(y),
        Whole(matrix.data),
        Listed(matrix.indices, matrix.nnz),
        Listed(matrix.indptr),
        Whole(x, n),
    ]
    return Step(Code.DOT_SPARSE, m, operands, incs=[y], reads=[x])


def dense(y: Region, matrix: np.ndarray, x: Region) -> Step:
    """``y += matrix x``, stored along its longer side."""
    m, n = matrix.shape
    if m >= n:
        A = np.ascontiguousarray(matrix.T).ravel()
        operands = [Along(y), Along(A), Whole(x), Pair(n, m)]
        return Step(Code.DOT_COLUMNS, m, operands, incs=[y], reads=[x], along=True)
    A = np.ascontiguousarray(matrix).ravel()
    operands = [Whole(y), Along(A), Along(x), Pair(m, n)]
    return Step(Code.DOT_ROWS, n, operands, incs=[y], reads=[x], along=True)


def times_variable(y: Region, A, x: Region) -> Step | None:
    """``y += A x`` for a signal ``A`` that learns; None if it lies in no order."""
    m, n = A.shape
    down, across = A.elemstrides
    if across == 1 or n == 1:
        stride, code, size = down, Code.DOT_ROWS, (m - 1) * down + n
        operands, axis = [Whole(y), Along, Along(x), Pair(m, stride)], n
    elif down == 1 or m == 1:
        stride, code, size = across, Code.DOT_COLUMNS, (n - 1) * across + m
        operands, axis = [Along(y), Along, Whole(x), Pair(n, stride)], m
    else:
        return None
    matrix = Region(A.base, int(A.elemoffset), int(size))
    operands[1] = Along(matrix)
    return Step(code, axis, operands, incs=[y], reads=[matrix, x], along=True)


def encoders(y: Region, matrix, x: Region) -> Step:
    """At most one number in a row."""
    m = matrix.shape[0]
    of, weights = np.zeros(m, np.int64), np.zeros(m)
    filled = np.flatnonzero(np.diff(matrix.indptr))
    of[filled], weights[filled] = matrix.indices, matrix.data
    return heard(y, of, weights, x)


def heard(y: Region, of: np.ndarray, weights: np.ndarray, x: Region) -> Step:
    """``y[i] += weights[i] x[of[i]]``."""
    runs = find_runs(of, weights)
    m = len(of)
    if m >= LONG * len(runs):
        operands = [Along(y), Runs(runs, m, weights), Whole(x, x.size)]
        code = Code.ENCODE_RUNS
    else:
        operands = [Along(y), Along(weights), Listed(of, x.size), Whole(x)]
        code = Code.GATHER
    return Step(code, m, operands, incs=[y], reads=[x], along=True)


def decoders(y: Region, matrix, x: Region) -> Step:
    """At most one number in a column; ``matrix`` in compressed columns."""
    m, n = matrix.shape
    to, weights = np.zeros(n, np.int64), np.zeros(n)
    filled = np.flatnonzero(np.diff(matrix.indptr))
    to[filled], weights[filled] = matrix.indices, matrix.data
    runs = find_runs(to, weights)
    if n >= LONG * len(runs):
        operands = [Whole(y, m), Runs(runs, n, weights), Along(x)]
        code = Code.DECODE_RUNS
    else:
        operands = [Whole(y), Along(weights), Listed(to, m), Along(x)]
        code = Code.SCATTER
    return Step(code, n, operands, incs=[y], reads=[x], along=True)


def find_runs(of: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Runs of neighbours with one dimension, (k, 5) as `algebra.encode_runs` has them.

    Neighbours with one weight make runs of their own where that makes few.
    """
    even = edges(changes(of) | changes(weights))
    if (len(even) - 1) * LONG > len(of):
        even = edges(changes(of))
    rows = np.zeros((len(even) - 1, 5), np.int64)
    rows[:, 0], rows[:, 1] = even[:-1], even[1:]
    rows[:, 2], rows[:, 3] = of[even[:-1]], even[:-1]
    varies = np.concatenate([[0], np.cumsum(changes(weights))])
    rows[:, 4] = varies[even[1:]] - varies[even[:-1] + 1] == 0
    return rows


def changes(values: np.ndarray) -> np.ndarray:
    """Whether each entry (row) differs from the one before; False for the first."""
    differs = values[1:] != values[:-1]
    if values.ndim > 1:
        differs = differs.any(axis=1)
    return np.concatenate([[False], differs])


def edges(changed: np.ndarray) -> np.ndarray:
    """Starts of the runs, and the end."""
    inside = np.flatnonzero(changed)
    return np.concatenate([[0], inside, [len(changed)]])
