r"""Parameters of Legendre Memory Units, by the names of the paper [1]_.

One cell maps its input ``x`` to hidden activities ``h`` by way of a memory ``m``:

.. math::

    u_t &= e_x x_t + e_h h_{t-1} + e_m m_{t-1} + b_u \\
    m_t &= \bar A m_{t-1} + \bar B u_t \\
    h_t &= f(W_x x_t + W_h h_{t-1} + W_m m_t + b)

and a readout maps the activities of the last cell to the output, ``y = D h + c``.

Letters: ``c`` inputs of a cell, ``k`` memories (``memory_d``), ``d`` order, ``n``
units, ``q`` outputs.
``m`` holds the ``k d`` coefficients memory by memory.

References
----------
.. [1] Voelker, Kajić, Eliasmith (2019). Legendre Memory Units. NeurIPS.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import (
    ValidationError,
    check_one_of,
    check_positive,
    check_shape,
    check_whole,
)
from lmu_spiking.neurons.chip import CHIP_ACTIVATIONS, ChipUnits, chip_of

ACTIVATIONS = ("tanh", "relu", "linear", *CHIP_ACTIVATIONS)
RECTIFIED = ("relu", *CHIP_ACTIVATIONS)
ARRAYS = ("e_x", "e_h", "e_m", "W_x", "W_h", "W_m", "b", "b_u")


@dataclass(frozen=True, eq=False)
class CellParams:
    """The parameters of one LMU.

    Parameters
    ----------
    order : int
        Legendre coefficients of each memory, ``d``.
    theta : float
        Window, seconds.
    e_x : (k, c) array_like
        Encoders of the input; their rows are the memories.
    W_m : (n, k d) array_like
        Kernel of the memory; its rows are the units.
    e_h : (k, n) array_like, optional
    e_m : (k, k d) array_like, optional
    W_x : (n, c) array_like, optional
    W_h : (n, n) array_like, optional
        None for a connection that does not exist.
    b : (n,) array_like, optional
        Bias of the units.
    b_u : (k,) array_like, optional
        Bias of the memories' inputs.
    activation : {"tanh", "relu", "linear", "loihi-relu", "loihi-lif"}
        The last two are rates of a Loihi chip's neurons.
    chip : ChipUnits, optional
        What those depend on; of other activations None.

    Raises
    ------
    ValidationError
        If a shape does not fit the others, or a number is not finite.
    """

    order: int
    theta: float
    e_x: np.ndarray
    W_m: np.ndarray
    e_h: np.ndarray | None = None
    e_m: np.ndarray | None = None
    W_x: np.ndarray | None = None
    W_h: np.ndarray | None = None
    b: np.ndarray | None = None
    b_u: np.ndarray | None = None
    activation: str = "tanh"
    chip: ChipUnits | None = None

    __repr__ = brief
    _told = ("size_in", "units", "order", "theta", "activation")

    def __post_init__(self):
        put = object.__setattr__
        put(self, "order", check_whole("CellParams.order", self.order, 1))
        put(self, "theta", check_positive("CellParams.theta", self.theta, "seconds"))
        check_one_of("CellParams.activation", self.activation, ACTIVATIONS)
        put(self, "chip", chip_of(self.activation, self.chip))
        # two arrays say how many inputs, memories and units there are
        k, c = check_shape("CellParams.e_x", self.e_x, ("k", "c")).shape
        n = len(check_shape("CellParams.W_m", self.W_m, ("n", k * self.order)))
        shapes = {"e_x": (k, c), "W_m": (n, k * self.order), "e_h": (k, n)}
        shapes |= {"e_m": (k, k * self.order), "W_x": (n, c), "W_h": (n, n)}
        for name, shape in (shapes | {"b": (n,), "b_u": (k,)}).items():
            value = getattr(self, name)
            if value is not None:
                put(self, name, _read_only(f"CellParams.{name}", value, shape))

    @classmethod
    def draw(
        cls,
        size_in: int,
        units: int,
        order: int,
        theta: float,
        *,
        memory_d: int = 1,
        activation: str = "tanh",
        chip: ChipUnits | None = None,
        connections="e_x e_h e_m W_x W_h W_m",
        bias: bool = False,
        rng: np.random.Generator | int = 0,
    ) -> "CellParams":
        """Draw initial parameters as in the paper.

        Encoders ``e_x`` and ``e_h`` are LeCun uniform, ``e_m`` is 0, the kernels are
        Xavier normal, biases are 0.

        Parameters
        ----------
        size_in, units : int
            ``c`` and ``n``.
        order : int
            Legendre coefficients of each memory, ``d``.
        theta : float
            Window, seconds.
        memory_d : int
            ``k``.
        activation : str
            One of `ACTIVATIONS`.
        chip : ChipUnits, optional
            Of a chip's activations.
        connections : str or iterable of str
            Those that exist; ``e_x`` and ``W_m`` always do.  Without ``e_h`` and
            ``e_m`` the memory can be computed for all times at once, and without
            ``W_h`` the whole cell.
        bias : bool
            Whether the units have one; the paper's have none.
        rng : numpy.random.Generator or int
            Or the seed of one.

        Returns
        -------
        CellParams
            With all biases 0.

        Raises
        ------
        ValidationError
            If an argument is out of range.
        """
        c = check_whole("CellParams.draw.size_in", size_in, 1)
        n = check_whole("CellParams.draw.units", units, 1)
        k = check_whole("CellParams.draw.memory_d", memory_d, 1)
        d = check_whole("CellParams.draw.order", order, 1)
        rng = np.random.default_rng(rng)
        shapes = {"e_x": (k, c), "e_h": (k, n), "e_m": (k, k * d)}
        shapes |= {"W_x": (n, c), "W_h": (n, n), "W_m": (n, k * d)}
        text = isinstance(connections, str)
        wanted = connections.split() if text else tuple(connections)
        for name in wanted:
            check_one_of("CellParams.draw.connections", name, shapes)
        # in this order, whichever are wanted, so that one changes none of the others
        drawn = {name: _initial(name, shape, rng) for name, shape in shapes.items()}
        drawn = {k: v for k, v in drawn.items() if k in {"e_x", "W_m", *wanted}}
        b = np.zeros(n) if bias else None
        return cls(d, theta, activation=activation, chip=chip, b=b, **drawn)

    @property
    def size_in(self) -> int:
        """Return the number of inputs, ``c``."""
        return self.e_x.shape[1]

    @property
    def memory_d(self) -> int:
        """Return the number of memories, ``k``."""
        return self.e_x.shape[0]

    @property
    def units(self) -> int:
        """Return the number of hidden units, ``n``."""
        return self.W_m.shape[0]

    @property
    def ldn(self) -> LDN:
        """Return the delay network of each memory."""
        return LDN(self.order, self.theta)

    @property
    def sides(self) -> int:
        """Return the number of signs that activities have, 1 or 2."""
        return sides_of(self.activation)

    @property
    def memory_is_feedforward(self) -> bool:
        """Return whether the memories receive nothing but the input."""
        return self.e_h is None and self.e_m is None

    @property
    def is_feedforward(self) -> bool:
        """Return whether all times can be computed at once."""
        return self.memory_is_feedforward and self.W_h is None

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that exist, by name.

        Returns
        -------
        dict of str to ndarray
            In the order of `ARRAYS`.
        """
        every = {name: getattr(self, name) for name in ARRAYS}
        return {name: value for name, value in every.items() if value is not None}


@dataclass(frozen=True, eq=False)
class LMUParams:
    """The parameters of cells in series and a linear readout.

    Parameters
    ----------
    cells : tuple of CellParams
    D : (q, n) array_like
        Readout of the last cell.
    c : (q,) array_like
        Its bias.
    dt : float
        Seconds from one sample to the next, the clock that every ``theta`` is read by.
    header : dict
        What else is known: task, seeds, settings, versions.  Goes to JSON.
    mean, scale : (c,) array_like, optional
        Of each input channel: ``(x - mean) / scale`` is what the first cell is given.
        They are not trained; without them it is given ``x`` itself.

    Raises
    ------
    ValidationError
        If a shape does not fit the others, or a number is not finite.
    """

    cells: tuple[CellParams, ...]
    D: np.ndarray
    c: np.ndarray
    dt: float = 0.001
    header: dict[str, Any] = field(default_factory=dict)
    mean: np.ndarray | None = None
    scale: np.ndarray | None = None

    __repr__ = brief
    _told = ("cells", "size_in", "size_out", "dt")

    def __post_init__(self):
        put, cells = object.__setattr__, tuple(self.cells)
        put(self, "cells", cells)
        put(self, "dt", check_positive("LMUParams.dt", self.dt, "seconds"))
        if not cells or not all(isinstance(cell, CellParams) for cell in cells):
            problem = "must be one CellParams or more"
            raise ValidationError("LMUParams.cells", cells, problem)
        if not isinstance(self.header, dict):
            raise ValidationError("LMUParams.header", self.header, "must be a dict")
        for i, (cell, after) in enumerate(itertools.pairwise(cells), 1):
            if after.size_in != cell.units:
                name = f"LMUParams.cells[{i}].e_x"
                problem = f"must have {cell.units} columns, as many as units before"
                raise ValidationError(name, after.e_x.shape, problem)
        # the readout has a column for each unit of the last cell
        put(self, "D", _read_only("LMUParams.D", self.D, ("q", cells[-1].units)))
        put(self, "c", _read_only("LMUParams.c", self.c, (len(self.D),)))
        if (self.mean is None) != (self.scale is None):
            problem = "must be given together with its counterpart, or not at all"
            name = "scale" if self.scale is None else "mean"
            raise ValidationError(f"LMUParams.{name}", None, problem)
        for name in ("mean", "scale") if self.mean is not None else ():
            value = getattr(self, name)
            put(self, name, _read_only(f"LMUParams.{name}", value, (self.size_in,)))
        if self.scale is not None and not (self.scale > 0).all():
            problem = "must be positive for every channel"
            raise ValidationError("LMUParams.scale", float(self.scale.min()), problem)

    @property
    def size_in(self) -> int:
        """Return the number of inputs of the first cell."""
        return self.cells[0].size_in

    @property
    def size_out(self) -> int:
        """Return the number of outputs, ``q``."""
        return len(self.D)

    @property
    def is_feedforward(self) -> bool:
        """Return whether all times can be computed at once."""
        return all(cell.is_feedforward for cell in self.cells)

    def normalised(self, x) -> np.ndarray:
        """Return what the first cell is given: ``(x - mean) / scale``, or ``x``.

        Parameters
        ----------
        x : (..., c) ndarray

        Returns
        -------
        (..., c) ndarray
            ``x`` itself where the parameters have no ``mean`` and ``scale``.
        """
        return x if self.mean is None else (x - self.mean) / self.scale

    def folded(self) -> "LMUParams":
        """Return parameters of the same outputs that need no normalisation.

        ``e_x`` and ``W_x`` of the first cell are divided by the scale; what they make
        of the mean goes into its biases ``b_u`` and ``b``, which begin, as a sequence
        does, with its first sample.

        Returns
        -------
        LMUParams
            These, where they have no ``mean`` and ``scale``.
        """
        if self.mean is None:
            return self
        first, changed = self.cells[0], {}
        for name, bias in (("e_x", "b_u"), ("W_x", "b")):
            weights, before = getattr(first, name), getattr(first, bias)
            if weights is not None:
                changed[name] = weights / self.scale
                shift = -changed[name] @ self.mean
                changed[bias] = shift if before is None else before + shift
        cells = (replace(first, **changed), *self.cells[1:])
        return replace(self, cells=cells, mean=None, scale=None)

    @property
    def n_params(self) -> int:
        """Return how many numbers all arrays have."""
        return sum(array.size for array in self.arrays().values())

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all arrays: ``cell0.e_x``, ..., ``readout.D``, ``readout.c``.

        Returns
        -------
        dict of str to ndarray
            Cell by cell, and then the readout.
        """
        named = {
            f"cell{i}.{name}": array
            for i, cell in enumerate(self.cells)
            for name, array in cell.arrays().items()
        }
        return named | {"readout.D": self.D, "readout.c": self.c}

    def updated(self, arrays: Mapping[str, Any], **header) -> "LMUParams":
        """Return these parameters with some arrays, windows and header replaced.

        Parameters
        ----------
        arrays : mapping of str to array_like
            By the names of `arrays`; windows are ``cell0.theta``.
        **header
            Entries of the header.

        Returns
        -------
        LMUParams
            New parameters; these are not changed.

        Raises
        ------
        ValidationError
            If a name is not among these parameters.
        """
        # sort the values by cells
        known = (*self.arrays(), *(f"cell{i}.theta" for i in range(len(self.cells))))
        of_cells: list[dict[str, Any]] = [{} for _ in self.cells]
        readout: dict[str, Any] = {"D": self.D, "c": self.c}
        for name, value in arrays.items():
            problem = "is not one of the parameters"
            check_one_of("LMUParams.updated", name, known, problem)
            end = name.partition(".")[2]
            value = float(value) if end == "theta" else value
            (readout if end in readout else of_cells[cell_number(name)])[end] = value
        pairs = zip(self.cells, of_cells, strict=True)
        cells = tuple(replace(cell, **new) for cell, new in pairs)
        return replace(self, cells=cells, header=self.header | header, **readout)

    @classmethod
    def draw(
        cls,
        size_in: int,
        size_out: int,
        cells,
        *,
        dt: float = 0.001,
        seed: int = 0,
        **header,
    ) -> "LMUParams":
        """Draw initial parameters of cells in series, as in the paper.

        Parameters
        ----------
        size_in, size_out : int
            ``c`` of the first cell, and ``q``.
        cells : iterable of dict
            Of each cell ``units``, ``order``, ``theta`` and what else
            `CellParams.draw` takes.
        dt : float
            Seconds from one sample to the next.
        seed : int
            Of all that is drawn.
        **header
            Entries of the header.

        Returns
        -------
        LMUParams
            With the seed in the header.

        Raises
        ------
        ValidationError
            If an argument is out of range.

        Examples
        --------
        >>> cell = dict(units=212, order=256, theta=0.784)
        >>> LMUParams.draw(1, 10, [cell]).n_params
        102027
        """
        rng = np.random.default_rng(seed)
        made: list[CellParams] = []
        for settings in cells:
            before = made[-1].units if made else size_in
            made.append(CellParams.draw(before, rng=rng, **settings))
        if not made:
            raise ValidationError("LMUParams.draw.cells", cells, "must not be empty")
        # the readout is drawn after all cells
        q = check_whole("LMUParams.draw.size_out", size_out, 1)
        D = _initial("D", (q, made[-1].units), rng)
        about = {"seed": seed, **header}
        return cls(tuple(made), D, np.zeros(q), dt=dt, header=about)


def sides_of(activation: str) -> int:
    """Return the number of signs of activities: 1 for those that are rectified.

    Parameters
    ----------
    activation : str

    Returns
    -------
    int
        1 or 2.
    """
    return 1 if activation in RECTIFIED else 2


def cell_number(name: str) -> int:
    """Return the number of the cell of an array or window: 0 for ``cell0.b``.

    Parameters
    ----------
    name : str
        As in `LMUParams.arrays`, or of a window.

    Returns
    -------
    int
        Counted from 0.
    """
    return int(name.partition(".")[0].removeprefix("cell"))


def _initial(name: str, shape: tuple[int, int], rng) -> np.ndarray:
    """Draw LeCun uniform encoders or Xavier normal kernels; ``e_m`` is 0."""
    rows, columns = shape
    if name == "e_m":
        return np.zeros(shape)
    if name.startswith("e_"):
        return rng.uniform(-1, 1, shape) * np.sqrt(3 / columns)
    return rng.standard_normal(shape) * np.sqrt(2 / (rows + columns))


def _read_only(attribute: str, value, shape: tuple) -> np.ndarray:
    """Return a copy of an array that cannot be written to, or a ValidationError."""
    array = check_shape(attribute, value, shape).copy(order="K")
    array.flags.writeable = False
    return array
