"""The compiled loop for each precision; says so where it has to be compiled first."""

import sys
from contextlib import suppress
from functools import cache

import numpy as np

from lmu_spiking.simulator import native

ARRAYS = (
    *("table", "state", "const", "index", "keys"),
    *("inputs", "out", "offsets", "periods", "counts"),
)
# entries of a frame: where the inputs begin, and what follows the arrays
INPUTS = 2 * ARRAYS.index("inputs")
ROWS, WIDTH, STEP, STEPS = 20, 22, 23, 24


@cache
def advance(dtype: np.dtype):
    """Return the compiled loop, `kernels.machine.advance`, for one precision."""
    return native.load(dtype, _say)


def frame_of(width: int, **arrays: np.ndarray) -> np.ndarray:
    """Return the addresses and lengths of arrays, which must outlive the frame.

    Parameters
    ----------
    width : int
        Columns of the inputs.
    arrays : contiguous ndarray
        `ARRAYS`, by name; one that is left out begins at the address 0.
    """
    frame = np.zeros(STEPS + 1, np.int64)
    for name, array in arrays.items():
        k = ARRAYS.index(name)
        frame[2 * k : 2 * k + 2] = array.ctypes.data, array.size
    frame[WIDTH] = width
    return frame


def _say(line: str) -> None:
    """Write a line to standard error, if it can be written."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(f"lmu_spiking: {line}", file=sys.stderr, flush=True)
