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

ARRAYS: list[str] = (
    "table state const index keys inputs out offsets periods counts".split()
)
INPUTS = 2 * ARRAYS.index("inputs")  # entry of a frame: where the inputs begin
ROWS = 2 * len(ARRAYS)  # two entries: the first row, and one beyond the last
COLUMNS, STEP, STEPS = ROWS + 2, ROWS + 3, ROWS + 4


class Code(IntEnum):
    """Operations of a row; the families of kernels are apart by tens.

    The functions ``run_*`` of `kernels.machine` say which operands each takes.
    """

    # the rows that follow, tile by tile; sums and products along the axis
    TILED, FILL, COPY, ADD, AXPY, MULTIPLY_ADD, SCALE = range(7)
    DOT_COLUMNS, GATHER, ENCODE_RUNS = range(7, 10)
    # lists of addresses; products that sum over the axis, or are never tiled
    COPY_AT, ADD_AT, MULTIPLY_ADD_AT, DOT_ROWS, DOT_SPARSE = range(10, 15)
    SCATTER, DECODE_RUNS, MULTIPLY_PARTS, OUTER = range(15, 19)
    # synapses, inputs and probes
    LOWPASS, STATE_SPACE, HOLD, INPUT, INPUT_ADD, PROBE = range(20, 26)
    # rate neurons, spiking neurons, and those that spike at random
    RECTIFIED, RAMP, RAMP_TANH, SIGMOID, TANH, LIF_RATE = range(30, 36)
    LIF, LIF_EXACT, ADAPT, ADAPTED, INTEGRATE, IZHIKEVICH = range(40, 46)
    POISSON, POISSON_EACH, POISSON_RUNS, STOCHASTIC = range(50, 54)
