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
        by = first.type(0)
        pointer = _pointer(context, builder, signature, arguments, first, by)
        return _slice(context, builder, signature, pointer, n)

    return state(state, const, first, n), build


@intrinsic
def operand(typing, state, const, row, k, lo, n):
    """Return ``n`` entries of operand ``k`` of a row, in the tile from ``lo`` on."""

    def build(context, builder, signature, arguments):
        row = _opened(context, builder, signature, arguments, 2)
        k, lo, n = _integers(context, builder, signature, arguments, 3)
        first, move = _two_entries(builder, row, k, FIRST)
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


@intrinsic
def array_at(typing, frame, k, kind):
    """Return the array whose address and length are entries ``2 k`` and ``2 k + 1``."""

    def build(context, builder, signature, arguments):
        frame = _opened(context, builder, signature, arguments, 0)
        first, n = _two_entries(builder, frame, arguments[1], 0)
        item = context.get_data_type(kind.dtype)
        pointer = builder.inttoptr(first, item.as_pointer())
        return _slice(context, builder, signature, pointer, n)

    return types.Array(kind.dtype, 1, "C")(frame, k, kind), build


def _two_entries(builder, array, k, base):
    """Return the entries ``base + 2 k`` and ``base + 2 k + 1`` of integers."""
    first = builder.add(builder.mul(k, k.type(2)), k.type(base))
    places = first, builder.add(first, k.type(1))
    return [builder.load(builder.gep(array.data, [place])) for place in places]


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
    below = builder.icmp_signed("<", first, first.type(0))
    state, const = (
        _opened(context, builder, signature, arguments, k).data for k in (0, 1)
    )
    entry = builder.add(builder.select(below, builder.not_(first), first), by)
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
