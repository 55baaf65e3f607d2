"""One function that takes the address of a frame, to be called without numba.

A frame holds addresses and lengths of what `machine.advance` works on, `FRAME` in this
order, as 64-bit integers.
"""

import re

import numpy as np
from numba import int64, njit, types
from numba.extending import intrinsic

from lmu_spiking.simulator.kernels import machine
from lmu_spiking.simulator.kernels.views import array_from, view


@intrinsic
def array_at(typing, frame, k, kind):
    """The array whose address and length are entries ``2 k`` and ``2 k + 1``."""
    return array_from(frame, k, types.Array(kind.dtype, 1, "C"), kind)


def compile_entry(dtype: np.dtype):
    """The function for one precision."""
    real = dtype.type

    @njit(types.void(int64[::1]), _nrt=False, error_model="numpy")
    def entry(frame):
        machine.advance(
            array_at(frame, 0, np.int64),  # table
            view(frame, 20, 2),  # rows
            array_at(frame, 1, real),  # state
            array_at(frame, 2, real),  # const
            array_at(frame, 3, np.int64),  # index
            array_at(frame, 4, np.uint64),  # keys
            array_at(frame, 5, real),  # inputs
            frame[22],  # width
            array_at(frame, 6, real),  # out
            array_at(frame, 7, np.int64),  # offsets
            array_at(frame, 8, np.float64),  # periods
            array_at(frame, 9, np.int64),  # counts
            frame[23],  # step
            frame[24],  # n_steps
        )

    return entry


def llvm_of(dtype: np.dtype, name: str) -> str:
    """LLVM's assembly of the function, called ``name``, without numba's wrappers."""
    entry = compile_entry(dtype)
    text = entry.inspect_llvm(entry.signatures[0])
    wrapper = r"^define [^\n]*@(?:_ZN7cpython|cfunc\.)[^\n]*\{\n.*?^\}\n"
    text = re.sub(wrapper, "", text, flags=re.M | re.S)
    own = re.search(r"^define [^\n]*@(_ZN[^(\s]*entry[^(\s]*)\(", text, flags=re.M)
    return text.replace(own.group(1), name)
