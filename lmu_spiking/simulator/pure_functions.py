"""Python functions of a network that can be called ahead: which data they can reach.

Code that can reach only its arguments and numbers that nothing changes may be called
ahead, and in any order between compiled rows.  All other code may look at the simulator
or change it, so it is called at its place in Nengo's order.  The test is strict: a
function is read instruction by instruction, and code that is not known to be harmless
is treated as code that may do anything.
"""

import builtins
import dis
import inspect
import math
import types
from typing import Any, NamedTuple

import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import SimPyFunc
from nengo.builder.processes import SimProcess
from nengo.dists import Distribution
from nengo.params import ObsoleteParam, Parameter
from nengo.synapses import Synapse

from lmu_spiking.errors import ValidationError

# types whose values never change
IMMUTABLE = (bool, int, float, complex, str, type(None), np.float32, np.float64)
IMMUTABLE += (np.int64,)
# functions that a node would not run at once
DEFERRED = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
BUILTINS = set(
    "abs bool complex divmod enumerate float int len list max min pow range reversed"
    " round sum tuple zip".split()
)
# numpy functions that return new values and cannot write to an argument
PURE = "arange array asarray atleast_1d eye full hstack interp linspace ones polyval"
PURE = f"{PURE} sinc tile vstack where zeros".split()
# numpy functions that can write to an argument, which is harmless for local arrays
WITH_OUT = "all any argmax argmin clip concatenate cumsum dot max mean min outer prod"
WITH_OUT = f"{WITH_OUT} roll round stack std sum take var".split()
# harmless attributes of arrays, and constants and types of numpy
PLAIN_ATTRIBUTES = set(
    "T astype copy e float32 float64 flatten imag inf int64 item linalg ndim newaxis"
    " nan pi ravel real reshape shape size tau tolist".split()
)
UFUNCS = {k: v for k, v in vars(np).items() if isinstance(v, np.ufunc)}
MATH = {k: v for k, v in vars(math).items() if not k.startswith("_")}
WRITERS = [getattr(np, name) for name in WITH_OUT]
FUNCTIONS = [*UFUNCS.values(), *MATH.values(), *WRITERS]
KNOWN = {id(f) for f in (*FUNCTIONS, *(getattr(np, name) for name in PURE), np, math)}
# methods of arrays such as conj may write to an argument
ATTRIBUTES = {*PURE, *WITH_OUT, *PLAIN_ATTRIBUTES, *MATH, *UFUNCS}
ATTRIBUTES -= {"conj", "conjugate"}
# contents of the modules now, and a copy of them as they were
MODULES = [(vars(m), dict(vars(m))) for m in (np, math, builtins)]

LOADS = ("LOAD_ATTR", "LOAD_METHOD")
# instructions that change only the function's own variables
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
    """A number, or an array, that a function looks up by its name.

    Attributes
    ----------
    function : callable
    space : dict or cell
        Namespace where the name is looked up each time.
    name : str
    value : object
        Value of the name when it was last checked.
    only_read : bool
        Whether the function could not write to it if it were an array.
    """

    function: Any
    space: Any
    name: str
    value: Any
    only_read: bool = True

    def now(self):
        """Return the present value of the name."""
        if isinstance(self.space, types.CellType):
            return self.space.cell_contents
        return self.space[self.name]


def names_read_by(op) -> list[Name] | None:
    """Return the names that an operator's Python reads.

    Parameters
    ----------
    op : nengo.builder.Operator

    Returns
    -------
    list of Name or None
        None where the code might do anything.
    """
    if isinstance(op, SimPyFunc):
        return names_in(op.fn)
    if isinstance(op, SimProcess):
        return _names_of_process(op.process)
    return [] if _is_known(op.neurons if isinstance(op, SimNeurons) else op) else None


def _is_known(thing) -> bool:
    """Return whether an object's class is Nengo's or ours, not one of Nengo's tests."""
    package, *rest = type(thing).__module__.split(".")
    return package in ("nengo", "lmu_spiking") and "tests" not in rest


def _names_of_process(process) -> list[Name] | None:
    """Return the names that a process or a distribution reads, in its parameters."""
    if not _is_known(process) or "make_step" in vars(process):  # one that was put there
        return None
    names: list[Name] = []
    for name, _ in inspect.getmembers(type(process), _is_parameter):
        value = getattr(process, name)
        for part in value.values() if isinstance(value, dict) else [value]:
            more: list[Name] | None = []
            if isinstance(part, np.ndarray):  # which may be the user's own
                more = [Name(process, {name: part}, name, part)]
            elif isinstance(part, Distribution):
                more = _names_of_process(part)
            elif isinstance(part, Synapse):
                more = [] if _is_known(part) else None
            elif callable(part):
                more = names_in(part)
            if more is None:
                return None
            names += more
    return names


def _is_parameter(member) -> bool:
    """Return whether a member of a class is a parameter that has a value."""
    return isinstance(member, Parameter) and not isinstance(member, ObsoleteParam)


def names_in(function) -> list[Name] | None:
    """Return the names that a function reads.

    Parameters
    ----------
    function : callable

    Returns
    -------
    list of Name or None
        None where the function might do more than read.
    """
    if isinstance(function, np.ufunc | types.BuiltinFunctionType):
        return [] if id(function) in KNOWN else None
    if type(function) is not types.FunctionType:
        return None
    # a plain function, with immutable defaults and Python's own builtins
    code = function.__code__
    given = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    if code.co_flags & DEFERRED or not all(map(_is_immutable, given)):
        return None
    if function.__builtins__ is not vars(builtins):
        return None
    # each of its instructions is harmless
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    steps = list(_instructions(code))
    if not all(_is_harmless(step, cells) for step in steps):
        return None
    try:
        names = list(_look_up(function, steps, cells))
    except (KeyError, ValueError):  # a name that is yet to be defined
        return None
    # each of its names is a known function, a number, or an array that it only reads
    called = [name.value for name in names if id(name.value) in KNOWN]
    called += [_writer(s.argval) for s in steps if s.opname in LOADS]
    only_read = not _may_write(steps, called)
    names = [n for n in names if n.value is not np and n.value is not math]
    for name in names:
        known = _is_immutable(name.value) or id(name.value) in KNOWN
        if not (known or (only_read and _is_array(name.value))):
            return None
    return [name._replace(only_read=only_read) for name in names]


def _is_harmless(step: dis.Instruction, cells) -> bool:
    """Return whether an instruction changes nothing outside of its function."""
    if step.opname in LOADS:
        return step.argval in ATTRIBUTES and _is_original(step.argval)
    if step.opname == "STORE_DEREF":
        return step.argval not in cells
    return step.opname in INSTRUCTIONS or step.opname.startswith(("JUMP_", "POP_JUMP_"))


def _look_up(function, steps, cells):
    """Yield each name that a function looks up, with its present value."""
    for step in steps:
        space = cells.get(step.argval) if step.opname == "LOAD_DEREF" else None
        if step.opname == "LOAD_GLOBAL":
            space = function.__globals__
            builtin = step.argval not in space and step.argval in BUILTINS
            if builtin and _is_original(step.argval):
                continue
        if space is not None:
            name = Name(function, space, step.argval, None)
            yield name._replace(value=name.now())


def _is_original(name: str) -> bool:
    """Return whether modules have under a name what they had at first."""
    return all(now.get(name) is was.get(name) for now, was in MODULES)


def _writer(name: str):
    """Return numpy's function of this name, if it may write to an argument."""
    return getattr(np, name) if name in WITH_OUT else UFUNCS.get(name)


def _instructions(code):
    """Yield all instructions of a function and of the functions within it."""
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _instructions(constant)


def _is_immutable(value) -> bool:
    """Return whether a value can never change."""
    if type(value) is tuple:
        return all(map(_is_immutable, value))
    return type(value) in IMMUTABLE


def _is_array(value) -> bool:
    """Return whether a value is a plain array of numbers."""
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
    return any(f is writer for f in called for writer in WRITERS) or any(
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
        Arrays that change while steps are taken.

    Returns
    -------
    list of Name

    Raises
    ------
    ValidationError
        If one stands for something that may change meanwhile.
    """
    checked = []
    for name in names:
        try:
            now = name.now()
        except (KeyError, ValueError):
            now = inspect.Parameter.empty
        # a list may be another although it is the same
        if now is not name.value or type(now) in (list, dict, tuple):
            own = name.only_read and _is_own(now, arenas)
            if not (own or _is_immutable(now)):
                attribute = f"{name.function.__qualname__}: {name.name}"
                problem = "is no longer a number or an array that nothing else changes"
                problem += ", as it was when the Simulator was made"
                remedy = "make a new Simulator"
                raise ValidationError(attribute, now, problem, remedy)
            name = name._replace(value=now)
        checked.append(name)
    return checked


def _is_own(value, arenas) -> bool:
    """Return whether a value consists of numbers that no simulator changes."""
    if type(value) in (list, tuple):
        return all(_is_own(part, arenas) for part in value)
    if type(value) is dict:
        return _is_own([*value, *value.values()], arenas)
    if _is_array(value):
        return not any(np.may_share_memory(value, arena) for arena in arenas)
    return _is_immutable(value)
