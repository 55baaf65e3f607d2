"""Resets, copies, and products of signals."""

import numpy as np
from scipy import sparse

from lmu_spiking.simulator import matrices
from lmu_spiking.simulator.lowering.context import Context, sliced
from lmu_spiking.simulator.opcodes import Code
from lmu_spiking.simulator.regions import Region, entries_of, listed, region_of
from lmu_spiking.simulator.steps import Along, Arenas, Listed, Pair, Step, Whole


def reset(op, context: Context):
    """``dst = value``."""
    return [filled(region_of(op.dst), op.value)]


def filled(y: Region, value: float) -> Step:
    """A region with one value."""
    one = np.array([value])
    if y.whole:
        operands = [Along(y), Whole(one)]
        return Step(Code.FILL, y.size, operands, sets=[y], along=True)
    return moved(y, np.zeros(y.size, np.int64), one, None, inc=False)


def moved(y: Region, of: np.ndarray, values, x: Region | None, inc: bool) -> Step:
    """``y (+)= x[of]`` with entries of a base, or of constants."""
    to = np.arange(y.start, y.end) if y.whole else y.entries
    source = values if x is None else x.base
    operands = [
        Listed(to, of=y.base),
        Listed(np.ravel(of), of=source),
        Arenas(source),
    ]
    code = Code.ADD_AT if inc else Code.COPY_AT
    written = {"incs": [y]} if inc else {"sets": [y]}
    return Step(code, y.size, operands, reads=[] if x is None else [x], **written)


def copy(op, context: Context):
    """``dst[slice] (+)= src[slice]``."""
    to = sliced(op.dst, op.dst_slice)
    of = np.broadcast_to(sliced(op.src, op.src_slice), to.shape)
    if to.size == 0:
        return []
    y = listed(op.dst.base, to)
    if not op.inc and len(np.unique(to)) < to.size:
        return None  # which Nengo refuses
    known = context.constant(op.src)
    x = listed(op.src.base, of)
    if not y.whole or not x.whole:
        if known is not None:
            values = op.src.base.initial_value.reshape(-1)
            return [moved(y, of, values, None, op.inc)]
        return [moved(y, of, None, x, op.inc)]
    code = Code.ADD if op.inc else Code.COPY
    operands = [Along(y), Along(x)]
    written = {"incs": [y]} if op.inc else {"sets": [y]}
    return [Step(code, y.size, operands, reads=[x], along=True, **written)]


def elementwise(op, context: Context):
    """``Y += A X``, entry by entry."""
    shape = op.Y.shape
    y = region_of(op.Y)
    if y.size == 0:
        return []
    parts = [_broadcast(s, shape) for s in (op.A, op.X)]
    if y.whole and all(p.whole or _single(p) for p in parts):
        a, x = parts if not _single(parts[1]) else parts[::-1]
        if x.whole and x.size == y.size:
            if _single(a):
                one = Region(a.base, a.start, 1)
                operands = [Along(y), Whole(one), Along(x)]
                return [_step(Code.AXPY, y, operands, [one, x])]
            if a.size == y.size:
                operands = [Along(y), Along(a), Along(x)]
                return [_step(Code.MULTIPLY_ADD, y, operands, [a, x])]
    to = np.arange(y.start, y.end) if y.whole else y.entries
    lists = [Listed(_entries(p), of=p.base) for p in parts]
    operands = [Listed(to, of=y.base), *lists, Arenas(*(p.base for p in parts))]
    return [
        Step(Code.MULTIPLY_ADD_AT, y.size, operands, incs=[y], reads=parts, along=False)
    ]


def _step(code, y, operands, reads):
    return Step(code, y.size, operands, incs=[y], reads=reads, along=True)


def _single(region: Region) -> bool:
    """Whether it is one number, repeated or not."""
    return region.size == 1 or (
        not region.whole and bool(np.all(region.entries == region.entries[0]))
    )


def _entries(region: Region) -> np.ndarray:
    return np.arange(region.start, region.end) if region.whole else region.entries


def _broadcast(signal, shape) -> Region:
    """A signal as NumPy would broadcast it to ``shape``."""
    if signal.shape == shape:
        return region_of(signal)
    return listed(signal.base, np.broadcast_to(entries_of(signal), shape))


def dot(op, context: Context):
    """``Y += A X`` with a matrix, a vector or a number ``A``."""
    y, x = region_of(op.Y), region_of(op.X)
    if not (y.whole and x.whole):
        return None
    if y.size == 0 or x.size == 0:
        return []
    A = op.A
    value = context.constant(A)
    if A.size == 1 or x.size == 1:
        return _times_number(op, y, x)
    if value is not None:
        matrix = np.asarray(value).reshape(y.size, x.size)
        step = matrices.times_constant(y, matrix, x)
        return [] if step is None else [step]
    if A.ndim != 2:
        return None
    step = matrices.times_variable(y, A, x)
    return None if step is None else [step]


def _times_number(op, y: Region, x: Region):
    """``y += a x`` where one of the two is a number."""
    if op.A.size == 1:
        one, many = region_of(op.A), x
    else:
        one, many = x, region_of(op.A)
    if not many.whole or many.size != y.size:
        return None
    return [_step(Code.AXPY, y, [Along(y), Whole(one), Along(many)], [one, many])]


def sparse_dot(op, context: Context):
    """``Y += A X`` with a sparse ``A``."""
    y, x = region_of(op.Y), region_of(op.X)
    if context.constant(op.A) is None or not (y.whole and x.whole):
        return None
    step = matrices.times_constant(y, _scipy(op.A.initial_value), x)
    return [] if step is None else [step]


def _scipy(matrix):
    """A sparse initial value, which may be Nengo's own kind, in SciPy's."""
    if sparse.issparse(matrix):
        return matrix
    rows, columns = np.asarray(matrix.indices).T
    data = np.broadcast_to(matrix.data, rows.shape)
    return sparse.coo_array((data, (rows, columns)), shape=matrix.shape)


def block_dot(op, context: Context):
    """``Y += A X`` with blocks, as Nengo's optimizer merges them."""
    y, x = region_of(op.Y), region_of(op.X)
    blocks = context.constant(op.A)
    if blocks is None or not (y.whole and x.whole):
        return None
    shape = (y.size, x.size)
    matrix = sparse.bsr_array((blocks, op.indices, op.indptr), shape=shape)
    matrix = matrix.tocsr()
    matrix.eliminate_zeros()
    step = matrices.times_constant(y, matrix, x)
    return [] if step is None else [step]


def convolve(op, context: Context):
    """A convolution of kernel 1: the same matrix for each part."""
    kernel = context.constant(op.W)
    y, x = region_of(op.Y), region_of(op.X)
    conv = op.conv
    if (
        kernel is None
        or not (y.whole and x.whole)
        or any(k != 1 for k in conv.kernel_size)
        or any(s != 1 for s in conv.strides)
        or conv.groups != 1
        or not conv.channels_last
    ):
        return None
    p, q = kernel.shape[-2:]
    operands = [Whole(y), Whole(np.ravel(kernel)), Whole(x), Pair(p, q)]
    return [Step(Code.MULTIPLY_PARTS, x.size // p, operands, incs=[y], reads=[x])]


ALGEBRA = {
    "Reset": reset,
    "Copy": copy,
    "ElementwiseInc": elementwise,
    "DotInc": dot,
    "SparseDotInc": sparse_dot,
    "BsrDotInc": block_dot,
    "ConvInc": convolve,
}
