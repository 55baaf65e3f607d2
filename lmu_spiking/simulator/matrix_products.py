"""Rows for products with matrices, by the structure of the matrix.

Each neuron of a population is driven by one dimension, and decoded into one: encoders
have one number in a row, decoders one in a column, and neighbours mostly share the
dimension.  Such products take O(m) where the full matrix takes O(m d).
"""

from typing import Any

import numpy as np
from scipy import sparse

from lmu_spiking.simulator.opcodes import Code
from lmu_spiking.simulator.rows import Along, Listed, Pair, Region, Row, Runs, Whole

LONG = 8  # neurons in a run, on average, from which runs are faster than lists
SPARSE = 0.25  # share of entries, up to which a large dense matrix is taken as sparse
LARGE = 4096  # entries from which a dense matrix is looked at


def constant_product(y: Region, matrix: Any, x: Region) -> Row | None:
    """Return the row of ``y += matrix x`` for a matrix that never changes.

    Parameters
    ----------
    y, x : Region
    matrix : (m, n) ndarray or scipy sparse matrix

    Returns
    -------
    Row or None
        None where all entries are 0.
    """
    if not sparse.issparse(matrix):
        filled = np.count_nonzero(matrix)
        if matrix.size < LARGE or filled > SPARSE * matrix.size:
            return _dense(y, matrix, x)
    matrix = sparse.csr_array(matrix)
    matrix.sum_duplicates()
    m, n = matrix.shape
    if matrix.nnz == 0:
        return None
    # encoders, at most one number in a row, or decoders, at most one in a column
    if m >= n and np.all(np.diff(matrix.indptr) <= 1):
        return encoding(y, *_only_entries(matrix), x)
    columns = matrix.tocsc()
    if n >= m and np.all(np.diff(columns.indptr) <= 1):
        return _decoding(y, *_only_entries(columns), x)
    if matrix.nnz > SPARSE * m * n:
        return _dense(y, matrix.toarray(), x)
    lists = Listed(matrix.indices, matrix.nnz), Listed(matrix.indptr)
    operands = [Whole(y), Whole(matrix.data), *lists, Whole(x, n)]
    return Row(Code.DOT_SPARSE, m, operands, incs=[y], reads=[x])


def _dense(y: Region, matrix: np.ndarray, x: Region) -> Row:
    """Return the row of ``y += matrix x``, a matrix stored along its longer side."""
    m, n = matrix.shape
    if m >= n:
        A = np.ascontiguousarray(matrix.T).ravel()
        operands = [Along(y), Along(A), Whole(x), Pair(n, m)]
        return Row(Code.DOT_COLUMNS, m, operands, incs=[y], reads=[x], along=True)
    A = np.ascontiguousarray(matrix).ravel()
    operands = [Whole(y), Along(A), Along(x), Pair(m, n)]
    return Row(Code.DOT_ROWS, n, operands, incs=[y], reads=[x], along=True)


def variable_product(y: Region, A, x: Region) -> Row | None:
    """Return the row of ``y += A x`` for a matrix that changes, such as by learning.

    Parameters
    ----------
    y, x : Region
    A : nengo.builder.signal.Signal, (m, n)

    Returns
    -------
    Row or None
        None where neither rows nor columns of ``A`` are contiguous.
    """
    # contiguous rows, or contiguous columns
    m, n = A.shape
    down, across = A.elemstrides
    if across == 1 or n == 1:
        matrix = Region(A.base, int(A.elemoffset), int((m - 1) * down + n))
        operands = [Whole(y), Along(matrix), Along(x), Pair(m, down)]
        code, axis = Code.DOT_ROWS, n
    elif down == 1 or m == 1:
        matrix = Region(A.base, int(A.elemoffset), int((n - 1) * across + m))
        operands = [Along(y), Along(matrix), Whole(x), Pair(n, across)]
        code, axis = Code.DOT_COLUMNS, m
    else:
        return None
    return Row(code, axis, operands, incs=[y], reads=[matrix, x], along=True)


def _only_entries(matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return index and value of the only entry of each row (or column), 0 if none."""
    starts = matrix.indptr
    of, weights = np.zeros(len(starts) - 1, np.int64), np.zeros(len(starts) - 1)
    filled = np.flatnonzero(np.diff(starts))
    of[filled], weights[filled] = matrix.indices, matrix.data
    return of, weights


def encoding(y: Region, of: np.ndarray, weights: np.ndarray, x: Region) -> Row:
    """Return the row of ``y[i] += weights[i] x[of[i]]``."""
    runs, m = find_runs(of, weights), len(of)
    if m >= LONG * len(runs):
        operands = [Along(y), Runs(runs, m, weights), Whole(x, x.size)]
        code = Code.ENCODE_RUNS
    else:
        operands = [Along(y), Along(weights), Listed(of, x.size), Whole(x)]
        code = Code.GATHER
    return Row(code, m, operands, incs=[y], reads=[x], along=True)


def _decoding(y: Region, to: np.ndarray, weights: np.ndarray, x: Region) -> Row:
    """Return the row of ``y[to[j]] += weights[j] x[j]``."""
    runs, n = find_runs(to, weights), len(to)
    if n >= LONG * len(runs):
        operands = [Whole(y, y.size), Runs(runs, n, weights), Along(x)]
        code = Code.DECODE_RUNS
    else:
        operands = [Whole(y), Along(weights), Listed(to, y.size), Along(x)]
        code = Code.SCATTER
    return Row(code, n, operands, incs=[y], reads=[x], along=True)


def find_runs(of: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return runs of neighbours with one dimension.

    Neighbours with one weight make runs of their own where these are few.

    Parameters
    ----------
    of : (n,) ndarray of int
        Dimension of each neuron.
    weights : (n,) ndarray

    Returns
    -------
    (k, 5) ndarray of int
        As `kernels.algebra.encode_runs` has them.
    """
    changed = changes(weights)
    ends = _edges(changes(of) | changed)
    if (len(ends) - 1) * LONG > len(of):
        ends = _edges(changes(of))
    rows = np.zeros((len(ends) - 1, 5), np.int64)
    rows[:, 0], rows[:, 1] = ends[:-1], ends[1:]
    rows[:, 2], rows[:, 3] = of[ends[:-1]], ends[:-1]
    # whether no weight changes within the run
    n_changes = np.concatenate([[0], np.cumsum(changed)])
    rows[:, 4] = n_changes[ends[1:]] - n_changes[ends[:-1] + 1] == 0
    return rows


def changes(values: np.ndarray) -> np.ndarray:
    """Return whether each entry (row) differs from the one before; False at first."""
    differs = values[1:] != values[:-1]
    if values.ndim > 1:
        differs = differs.any(axis=1)
    return np.concatenate([[False], differs])


def _edges(changed: np.ndarray) -> np.ndarray:
    """Return the starts of the runs, and the end."""
    return np.concatenate([[0], np.flatnonzero(changed), [len(changed)]])
