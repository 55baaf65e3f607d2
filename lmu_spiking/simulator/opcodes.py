"""The words of a program, and where a row keeps what.

A program is a table of integers, one row for each thing to do in a step::

    code  n  lo/hi  operands ...

Operands come in pairs ``(address, move)``: in the tile that begins at ``lo`` entry 0 is
at ``address + lo * move``.  ``move`` is 1 for what lies along the axis, 0 for numbers
shared by all entries and for buffers that hold one tile.  Addresses below zero are
constants: ``-1 - address`` in their arena.
"""

from enum import IntEnum

WIDTH = 16  # numbers in a row
FIRST = 2  # of the operands, after code and n
TILE = 1024  # neurons at a time: currents, rates and spikes of as many stay in L1


class Code(IntEnum):
    """What a row does; the operands are listed in `machine.execute`."""

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
