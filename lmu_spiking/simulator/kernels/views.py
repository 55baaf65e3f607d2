"""Slices of arrays in numba that count no references and check no bounds.

Otherwise they would cost more than the small kernels that they are for.  A slice does
not own its numbers: the array must live longer.
"""

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from lmu_spiking.simulator.opcodes import FIRST


@intrinsic
def view(typing, array, start, n):
    """Return ``array[start : start + n]`` of a contiguous array."""

    def build(context, builder, signature, arguments):
        array = _opened(context, builder, signature, arguments, 0)
        start, n = _integers(context, builder, signature, arguments, 1)
        return _slice(context, builder, signature, builder.gep(array.data, [start]), n)

    return array(array, start, n), build


@intrinsic
def at(typing, state, const, first, n):
    """Return ``n`` entries from an address: of the state or, below 0, the constants."""

    def build(context, builder, signature, arguments):
        first, n = _integers(context, builder, signature, arguments, 2)
        pointer = _pointer(context, builder, signature, arguments, first, None)
        return _slice(context, builder, signature, pointer, n)

    return state(state, const, first, n), build


@intrinsic
def operand(typing, state, const, row, k, lo, n):
    """Return ``n`` entries of operand ``k`` of a row, in the tile from ``lo`` on."""

    def build(context, builder, signature, arguments):
        row = _opened(context, builder, signature, arguments, 2)
        k, lo, n = _integers(context, builder, signature, arguments, 3)
        # address and move of the operand: place = FIRST + 2 k
        two = context.get_constant(types.intp, 2)
        one = context.get_constant(types.intp, 1)
        base = context.get_constant(types.intp, FIRST)
        place = builder.add(builder.mul(k, two), base)
        first = builder.load(builder.gep(row.data, [place]))
        move = builder.load(builder.gep(row.data, [builder.add(place, one)]))
        by = builder.mul(lo, move)
        pointer = _pointer(context, builder, signature, arguments, first, by)
        return _slice(context, builder, signature, pointer, n)

    return state(state, const, row, k, lo, n), build


@intrinsic
def wide(typing):
    """Let LLVM use registers of 512 bits in this function, where the machine has them.

    By itself it prefers 256 on machines whose clock once fell with wider ones.
    """

    def build(context, builder, signature, arguments):
        # a set of LLVM's known attributes, of which llvmlite does not know this one
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), build


def array_from(frame, k, kind, witness):
    """Return signature and code of an array whose address and length a frame has."""

    def build(context, builder, signature, arguments):
        frame = _opened(context, builder, signature, arguments, 0)
        at = builder.mul(arguments[1], context.get_constant(types.intp, 2))
        first = builder.load(builder.gep(frame.data, [at]))
        after = builder.add(at, context.get_constant(types.intp, 1))
        n = builder.load(builder.gep(frame.data, [after]))
        item = context.get_data_type(kind.dtype)
        pointer = builder.inttoptr(first, item.as_pointer())
        return _slice(context, builder, signature, pointer, n)

    return kind(frame, k, witness), build


def _opened(context, builder, signature, arguments, k):
    """Return argument ``k``, an array, as a structure with its fields."""
    return make_array(signature.args[k])(context, builder, arguments[k])


def _integers(context, builder, signature, arguments, first):
    """Return the arguments from ``first`` on as machine integers."""
    return [
        context.cast(builder, value, kind, types.intp)
        for value, kind in zip(arguments[first:], signature.args[first:], strict=True)
    ]


def _pointer(context, builder, signature, arguments, first, by):
    """Return a pointer into the state (argument 0) or, below 0, the constants (1)."""
    # entry = first, or -1 - first among the constants
    zero = context.get_constant(types.intp, 0)
    ones = context.get_constant(types.intp, -1)
    below = builder.icmp_signed("<", first, zero)
    state, const = (
        _opened(context, builder, signature, arguments, k).data for k in (0, 1)
    )
    entry = builder.select(below, builder.sub(ones, first), first)
    if by is not None:
        entry = builder.add(entry, by)
    return builder.gep(builder.select(below, const, state), [entry])


def _slice(context, builder, signature, pointer, n):
    """Return an array that begins at a pointer."""
    kind = signature.return_type
    array = make_array(kind)(context, builder)
    item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    size = context.get_constant(types.intp, item)
    populate_array(
        array,
        data=pointer,
        shape=cgutils.pack_array(builder, [n]),
        strides=cgutils.pack_array(builder, [size]),
        itemsize=size,
        meminfo=None,
    )
    return array._getvalue()
