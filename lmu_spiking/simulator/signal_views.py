"""Nengo's signals as views of the arenas, so that Python can read and change them.

They stand apart from `simulator.simulator`, which makes them, because Python code alone
reads and writes them.
"""

import nengo
import numpy as np
from nengo.builder.signal import Signal, SignalDict
from nengo.ensemble import Neurons

from lmu_spiking.errors import ValidationError
from lmu_spiking.simulator.rows import entries_of, region_of


class Constant(np.ndarray):
    """A signal that was compiled into the program, and can only be read."""

    name = ""

    def __array_finalize__(self, of):
        self.name = getattr(of, "name", "")

    def _refuse(self):
        """Raise the error that says how the value could be changed."""
        problem = "is a constant that cannot be changed"
        remedy = "give its connection a learning rule of rate 0 (nengo.PES for decoders"
        remedy += " and weights, nengo.Voja for encoders), add to a bias by a Node, or"
        remedy += " make the Simulator with optimize=False for gains"
        raise ValidationError("Simulator.signals", self.name, problem, remedy)

    def __setitem__(self, key, value):
        """Refuse to write, unless the array is a copy."""
        if not self.flags.writeable:
            self._refuse()
        super().__setitem__(key, value)

    def setflags(self, write=None, align=None, uic=None):
        """Refuse to be made writable.

        Parameters
        ----------
        write, align, uic : bool, optional
            As in numpy.
        """
        if write and not self.flags.writeable:
            self._refuse()
        super().setflags(write=write, align=align, uic=uic)

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **keywords):
        """Give plain arrays, and refuse to be written to."""
        # copies may be written to
        for array in out:
            if isinstance(array, Constant) and not array.flags.writeable:
                array._refuse()
        if out:
            keywords["out"] = tuple(map(_plain, out))
        result = getattr(ufunc, method)(*map(_plain, inputs), **keywords)
        return out[0] if len(out) == 1 else result


def _plain(array):
    """Return an array of numpy's own class."""
    return array.view(np.ndarray) if isinstance(array, Constant) else array


class SignalViews(SignalDict):
    """Map from signals to arrays, for one trial.

    Parameters
    ----------
    program : Program
    model : nengo.builder.Model
    state, const : (S,), (C,) ndarray
        Numbers of the trial, and those that all trials share.
    sparse : dict of signal to array
        Signals without a place in the arenas.

    Attributes
    ----------
    step, time : () ndarray
        The clock, in Nengo's own precision.
    """

    def __init__(self, program, model, state: np.ndarray, const: np.ndarray, sparse):
        super().__init__()
        self._arenas = state, const
        self._program, self._dt = program, model.dt
        for signal, array in sparse.items():
            dict.__setitem__(self, signal, array)
        # signals in the arenas; a view that is asked for later is made then
        for base in program.places:
            if not program.hides(region_of(base)):
                dict.__setitem__(self, base, self.view(base))
        # the clock
        self.step = np.array(model.step.initial_value)
        self.time = np.array(model.time.initial_value)
        dict.__setitem__(self, model.step, self.step)
        dict.__setitem__(self, model.time, self.time)

    def __getitem__(self, key):
        """Return the array of a signal, or a view of its base's array."""
        try:
            return dict.__getitem__(self, key)
        except KeyError:
            if not isinstance(key, Signal):
                raise
            if self._program.hides(region_of(key)):
                problem = "is not computed in the compiled program"
                remedy = "probe it, or make the Simulator with optimize=False"
                attribute = "Simulator.signals"
                raise ValidationError(attribute, key.name, problem, remedy) from None
            if key.base is key or key.base not in self._program.places:
                raise
        dict.__setitem__(self, key, self.view(key))
        return dict.__getitem__(self, key)

    def view(self, signal) -> np.ndarray:
        """Return a view of a signal's entries, whether they are computed or not.

        Parameters
        ----------
        signal : nengo.builder.signal.Signal

        Returns
        -------
        ndarray
            A view, or a `Constant` where it cannot be changed.
        """
        constant, at = self._program.places[signal.base]
        fixed = constant and self._program.is_fixed(signal.base)
        arena = self._arenas[int(constant)]
        numbers = arena[at + signal.elemoffset :]
        strides = [s * arena.itemsize for s in signal.elemstrides]
        as_strided = np.lib.stride_tricks.as_strided
        view = as_strided(numbers, signal.shape, strides, writeable=not fixed)
        if fixed:
            view = view.view(Constant)
            view.name = str(signal.name)
        elif signal.readonly:
            view.setflags(write=False)
        return view

    def at_step(self, n: int) -> None:
        """Set the clock to step ``n``.

        Parameters
        ----------
        n : int
        """
        self.step[()] = n
        self.time[()] = n * self._dt

    def tick(self) -> None:
        """Advance the clock by one step."""
        self.at_step(self.step.item() + 1)


def name_of_nan(program, model, signals: SignalViews) -> str:  # noqa: C901
    """Return the name of the signal with a NaN that is completed first in a step.

    Parameters
    ----------
    program : Program
    model : nengo.builder.Model
    signals : SignalViews
        Signals of the trial.

    Returns
    -------
    str
        As the user knows it, such as of a node or an ensemble.
    """
    # the last row that writes to each entry of a base
    last: dict = {}
    rows = (row for group in program.groups for row in group.rows)
    for k, row in enumerate(rows):
        for region in row.written:
            if region.base in program.places:
                done = last.setdefault(region.base, np.full(region.base.size, -1))
                done[region.start : region.end] = k
    first = None
    for base, done in last.items():
        wrong = np.flatnonzero(np.isnan(np.ravel(signals.view(base))) & (done >= 0))
        if wrong.size:
            entry = wrong[np.argmin(done[wrong])]
            if first is None or done[entry] < first[0]:
                first = done[entry], base, int(entry)
    if first is None:
        return "without a name"
    # the part of a node or ensemble that the entry belongs to
    _, base, entry = first
    for of, parts in model.sig.items():
        if isinstance(of, nengo.Node | nengo.Ensemble | Neurons):
            for part, signal in parts.items():
                own = signal is not None and signal.base is base
                if own and entry in entries_of(signal):
                    return f"{of}.{part}"
    return str(base.name)
