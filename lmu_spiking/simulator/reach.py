"""Which data the Python code of a network can reach: its arguments alone, or anything.

Code that can reach only its arguments and numbers that nothing changes may be called
ahead, and in any order between compiled stretches.  All other code may look at the
simulator or change it, so it is called at its place in Nengo's order.  The test is
strict: a function is read instruction by instruction, and code that is not known to be
harmless is treated as code that may do anything.
"""

import builtins
import dis
import inspect
import math
import types
from typing import NamedTuple

import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import SimPyFunc
from nengo.builder.processes import SimProcess
from nengo.dists import Distribution
from nengo.params import ObsoleteParam, Parameter
from nengo.synapses import Synapse

from lmu_spiking.errors import ValidationError

PLAIN = (bool, int, float, complex, str, type(None), np.float32, np.float64, np.int64)
GENERATORS = (
    inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
)  # which a node would not run at once
BUILTINS = {
    name
    for name in "abs bool complex divmod enumerate float int len list max min pow range"
    " reversed round sum tuple zip".split()
}
# numpy functions that return new values and cannot write to an argument
FRESH = "arange array asarray atleast_1d eye full hstack interp linspace ones polyval"
FRESH += " sinc tile vstack where zeros"
# numpy functions that can write to an argument, which is harmless for local arrays
WITH_OUT = "all any argmax argmin clip concatenate cumsum dot max mean min outer prod"
WITH_OUT += " roll round stack std sum take var"
# harmless attributes of arrays, and constants and types of numpy
PLAIN_ATTRIBUTES = (
    "T astype copy e float32 float64 flatten imag inf int64 item linalg ndim pi"
)
PLAIN_ATTRIBUTES += " newaxis nan ravel real reshape shape size tau tolist"
UFUNCS = {k: v for k, v in vars(np).items() if isinstance(v, np.ufunc)}
MATH = {k: v for k, v in vars(math).items() if not k.startswith("_")}
LENT = [getattr(np, name) for name in WITH_OUT.split()]  # may write to an array
FRESHLY = [getattr(np, name) for name in FRESH.split()]
KNOWN = {id(f) for f in (*UFUNCS.values(), *MATH.values(), *LENT, *FRESHLY, np, math)}
ATTRIBUTES = {*FRESH.split(), *WITH_OUT.split(), *PLAIN_ATTRIBUTES.split()}
ATTRIBUTES |= {*MATH, *UFUNCS}
ATTRIBUTES -= {"conj", "conjugate"}  # methods of arrays may write to an argument
MODULES = [(vars(m), dict(vars(m))) for m in (np, math, builtins)]  # and as they were

# instructions that change only the function's own variables
ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")
INSTRUCTIONS = set(
    "BINARY_OP BINARY_SLICE BINARY_SUBSCR BUILD_LIST BUILD_SLICE BUILD_TUPLE CACHE CALL"
    " CALL_INTRINSIC_1 CALL_KW COMPARE_OP CONTAINS_OP COPY COPY_FREE_VARS DELETE_FAST"
    " END_FOR EXTENDED_ARG FOR_ITER GET_ITER IS_OP KW_NAMES LIST_APPEND LIST_EXTEND"
    " LOAD_ATTR LOAD_CLOSURE LOAD_CONST LOAD_DEREF LOAD_FAST LOAD_FAST_AND_CLEAR"
    " LOAD_FAST_CHECK LOAD_FAST_LOAD_FAST LOAD_GLOBAL LOAD_METHOD MAKE_CELL"
    " MAKE_FUNCTION NOP POP_TOP PRECALL PUSH_NULL RERAISE RESUME RETURN_CONST"
    " RETURN_GENERATOR RETURN_VALUE SET_FUNCTION_ATTRIBUTE STORE_DEREF STORE_FAST"
    " STORE_FAST_LOAD_FAST STORE_FAST_STORE_FAST STORE_SLICE STORE_SUBSCR SWAP TO_BOOL"
    " UNARY_INVERT UNARY_NEGATIVE UNARY_NOT UNARY_POSITIVE UNPACK_SEQUENCE"
    " YIELD_VALUE".split()
)


class Name(NamedTuple):
    """A number, or an array, that a function finds by its name.

    Attributes
    ----------
    function : callable
    space : dict or cell
        Where the name is looked up each time.
    name : str
    value : object
    only_read : bool
        Whether the function could not write to it if it were an array.
    """

    function: object
    space: object
    name: str
    value: object
    only_read: bool = True

    def now(self):
        """Return the present value of the name."""
        if isinstance(self.space, types.CellType):
            return self.space.cell_contents
        return self.space[self.name]


def names_in(op) -> list[Name] | None:
    """Return the names that an operator's Python reads; None if it may do anything.

    Parameters
    ----------
    op : nengo.builder.Operator
    """
    if isinstance(op, SimPyFunc):
        return names_of(op.fn)
    if isinstance(op, SimProcess):
        return _names_of_process(op.process)
    mine = op.neurons if isinstance(op, SimNeurons) else op
    return [] if _known(mine) else None


def _known(thing) -> bool:
    """Return whether an object's class is Nengo's or ours, not one of Nengo's tests."""
    package, *rest = type(thing).__module__.split(".")
    return package in ("nengo", "lmu_spiking") and "tests" not in rest


def _names_of_process(process) -> list[Name] | None:
    if not _known(process) or "make_step" in vars(process):  # one that was put there
        return None
    found: list[Name] = []
    for name, _ in inspect.getmembers(type(process), _is_parameter):
        value = getattr(process, name)
        for part in value.values() if isinstance(value, dict) else [value]:
            names: list[Name] | None = []
            if isinstance(part, np.ndarray):  # which may be the user's own
                names = [Name(process, {name: part}, name, part)]
            elif isinstance(part, Distribution):
                names = _names_of_process(part)
            elif isinstance(part, Synapse):
                names = [] if _known(part) else None
            elif callable(part):
                names = names_of(part)
            if names is None:
                return None
            found += names
    return found


def _is_parameter(member) -> bool:
    return isinstance(member, Parameter) and not isinstance(member, ObsoleteParam)


def names_of(function) -> list[Name] | None:
    """Return the names that a function reads; None if it might do more than read.

    Parameters
    ----------
    function : callable
    """
    if isinstance(function, np.ufunc | types.BuiltinFunctionType):
        return [] if id(function) in KNOWN else None
    if type(function) is not types.FunctionType:
        return None
    code = function.__code__
    given = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    if code.co_flags & GENERATORS or not all(map(_is_plain, given)):
        return None
    if function.__builtins__ is not vars(builtins):
        return None
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    steps = list(_instructions(code))
    if not all(_is_harmless(step, cells) for step in steps):
        return None
    try:
        found = list(_read(function, steps, cells))
    except (KeyError, ValueError):  # a name that is yet to be defined
        return None
    called = [read.value for read in found if id(read.value) in KNOWN]
    called += [_named(s.argval) for s in steps if s.opname in ATTRIBUTE]
    found = [r for r in found if r.value is not np and r.value is not math]
    only_read = not _may_write(steps, called)
    for read in found:
        known = _is_plain(read.value) or id(read.value) in KNOWN
        if not (known or (only_read and _is_array(read.value))):
            return None
    return [read._replace(only_read=only_read) for read in found]


def _is_harmless(step: dis.Instruction, cells) -> bool:
    """Return whether an instruction changes nothing outside of its function."""
    if step.opname in ATTRIBUTE:
        return step.argval in ATTRIBUTES and _is_original(step.argval)
    if step.opname == "STORE_DEREF":
        return step.argval not in cells
    return step.opname in INSTRUCTIONS or step.opname.startswith(("JUMP_", "POP_JUMP_"))


def _read(function, steps, cells):
    """Yield each name that a function looks up, with its present value."""
    for step in steps:
        space = cells.get(step.argval) if step.opname == "LOAD_DEREF" else None
        if step.opname == "LOAD_GLOBAL":
            space = function.__globals__
            if step.argval not in space and step.argval in BUILTINS:
                if _is_original(step.argval):
                    continue
        if space is not None:
            read = Name(function, space, step.argval, None)
            yield read._replace(value=read.now())


def _is_original(name: str) -> bool:
    """Return True if no known function was replaced by something else."""
    return all(now.get(name) is was.get(name) for now, was in MODULES)


def _named(name: str):
    """Return numpy's function of this name, if it may write to an argument."""
    return getattr(np, name) if name in WITH_OUT.split() else UFUNCS.get(name)


def _instructions(code):
    """Yield all instructions of a function and of the functions within it."""
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _instructions(constant)


def _is_plain(value) -> bool:
    """Return whether a value can never change."""
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return type(value) in PLAIN


def _is_array(value) -> bool:
    return type(value) is np.ndarray and value.dtype.kind in "biufc"


def _may_write(steps, called) -> bool:
    """Return whether a function might write to an array that it finds by name.

    Parameters
    ----------
    steps : list of dis.Instruction
    called : list
        Functions that it may call; a ufunc with more arguments than inputs writes.
    """
    most = min((f.nin for f in called if isinstance(f, np.ufunc)), default=99)
    return any(f is lent for f in called for lent in LENT) or any(
        step.opname in ("STORE_SUBSCR", "STORE_SLICE", "KW_NAMES", "CALL_KW")
        or (step.opname == "BINARY_OP" and step.argrepr.endswith("="))
        or (step.opname == "CALL" and step.arg > most)
        for step in steps
    )


def check_names(names: list[Name], arenas) -> list[Name]:
    """Return names with their present values, before steps are taken.

    Parameters
    ----------
    names : list of Name
    arenas : list of ndarray
        What changes while steps are taken.

    Raises
    ------
    ValidationError
        If one stands for something that may change meanwhile.
    """
    found = []
    for read in names:
        try:
            now = read.now()
        except (KeyError, ValueError):
            now = inspect.Parameter.empty
        # a list may be another although it is the same
        if now is not read.value or type(now) in (list, dict, tuple):
            own = _is_plain(now) or (read.only_read and _is_own(now, arenas))
            if not own:
                raise ValidationError(
                    f"{read.function.__qualname__}: {read.name}",
                    now,
                    "is no longer a number or an array that nothing else changes, as"
                    " it was when the Simulator was made",
                    "make a new Simulator",
                )
            read = read._replace(value=now)
        found.append(read)
    return found


def _is_own(value, arenas) -> bool:
    """Return whether a value consists of numbers that no simulator changes."""
    if type(value) in (list, tuple):
        return all(_is_own(part, arenas) for part in value)
    if type(value) is dict:
        return _is_own([*value, *value.values()], arenas)
    if _is_array(value):
        return not any(np.may_share_memory(value, arena) for arena in arenas)
    return _is_plain(value)
