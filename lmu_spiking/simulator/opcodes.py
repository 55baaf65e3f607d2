"""The words of a program: operation codes, and the layout of rows and of frames.

A program is a table of integers, one row for each thing to do in a step::

    code  n  lo/hi  operands ...

Operands come in pairs ``(address, move)``: in the tile that begins at ``lo`` entry 0 is
at ``address + lo * move``.  ``move`` is 1 for what lies along the axis, 0 for numbers
shared by all entries and for buffers that hold one tile.  Addresses below zero are
constants: ``-1 - address`` in their arena.

A frame has the arguments of the compiled loop as 64-bit integers: address and length of
each array, then the rows to run, the columns of the inputs, the step and the number of
steps.

This module stands alone because the compiled kernels and the code that runs without
numba share it; the machine code on disk depends on its text.
"""

from enum import IntEnum

WIDTH = 16  # numbers in a row
FIRST = 2  # of the operands, after code and n
TILE = 1024  # neurons at a time: currents, rates and spikes of as many stay in L1

ARRAYS = "table state const index keys inputs out offsets periods counts".split()
INPUTS = 2 * ARRAYS.index("inputs")  # entry of a frame: where the inputs begin
ROWS = 2 * len(ARRAYS)  # two entries: the first row, and one beyond the last
COLUMNS, STEP, STEPS = ROWS + 2, ROWS + 3, ROWS + 4


class Code(IntEnum):
    """Operations of a row; the families of kernels are apart by tens.

    The functions ``run_*`` of `kernels.machine` say which operands each takes.
    """

    TILED = 0  # the next rows, tile by tile
    FILL = 1
    COPY = 2
    ADD = 3
    AXPY = 4
    MULTIPLY_ADD = 5
    SCALE = 6
    COPY_AT = 7
    ADD_AT = 8
    MULTIPLY_ADD_AT = 9
    DOT_ROWS = 10  # tiled along the columns
    DOT_COLUMNS = 11  # tiled along the rows
    DOT_SPARSE = 12
    GATHER = 13
    SCATTER = 14
    ENCODE_RUNS = 15
    DECODE_RUNS = 16
    MULTIPLY_PARTS = 17
    OUTER = 18
    LOWPASS = 20
    STATE_SPACE = 21
    HOLD = 22
    INPUT = 23
    INPUT_ADD = 24
    PROBE = 25
    RECTIFIED = 30
    RAMP = 31
    RAMP_TANH = 32
    SIGMOID = 33
    TANH = 34
    LIF_RATE = 35
    ADAPTIVE_LIF_RATE = 36
    LIF = 40
    LIF_EXACT = 41
    ADAPT = 42
    ADAPTED = 43
    INTEGRATE = 44
    IZHIKEVICH = 45
    POISSON = 50
    POISSON_EACH = 51
    POISSON_RUNS = 52
    STOCHASTIC = 53
