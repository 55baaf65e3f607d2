"""Nengo's signals as views of the arenas, so that Python can read and change them."""

import numpy as np
from nengo.builder.signal import Signal, SignalDict

from lmu_spiking.errors import ValidationError
from lmu_spiking.simulator.regions import region_of


class Constant(np.ndarray):
    """A signal that was compiled into the program: to be read, not to be written."""

    name = ""

    def __array_finalize__(self, of):
        self.name = getattr(of, "name", "")

    def _refuse(self):
        raise ValidationError(
            "Simulator.signals",
            self.name,
            "is a constant that cannot be changed",
            "give its connection a learning rule of rate 0 (nengo.PES for decoders and"
            " weights, nengo.Voja for encoders), add to a bias by a Node, or make the"
            " Simulator with optimize=False for gains",
        )

    def __setitem__(self, key, value):
        """Refuse to write, unless the array is a copy."""
        if not self.flags.writeable:
            self._refuse()
        super().__setitem__(key, value)

    def setflags(self, write=None, align=None, uic=None):
        """Refuse to be made writable."""
        if write and not self.flags.writeable:
            self._refuse()
        super().setflags(write=write, align=align, uic=uic)

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **keywords):
        """Give plain arrays, and refuse to be written to."""
        for array in out:
            if isinstance(array, Constant) and not array.flags.writeable:
                array._refuse()
        if out:
            keywords["out"] = tuple(map(_plain, out))
        found = getattr(ufunc, method)(*map(_plain, inputs), **keywords)
        return out[0] if len(out) == 1 else found


def _plain(array):
    return array.view(np.ndarray) if isinstance(array, Constant) else array


class Signals(SignalDict):
    """Map from signals to arrays, for one trial.

    Parameters
    ----------
    program : Program
    model : nengo.builder.Model
    state, const : (S,), (C,) ndarray
        The trial's, and what all trials share.
    sparse : dict of signal to array
        What has no place in the arenas.

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
        for base in program.places:
            if not program.hides(region_of(base)):
                dict.__setitem__(self, base, self.view(base))
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
                raise ValidationError(
                    "Simulator.signals",
                    key.name,
                    "is not computed in the compiled program",
                    "probe it, or make the Simulator with optimize=False, which keeps"
                    " all signals",
                ) from None
            if key.base is key or key.base not in self._program.places:
                raise
        dict.__setitem__(self, key, self.view(key))
        return dict.__getitem__(self, key)

    def view(self, signal) -> np.ndarray:
        """Return a view of a signal's entries, whether they are computed or not."""
        constant, at = self._program.places[signal.base]
        fixed = constant and self._program.is_fixed(signal.base)
        arena = self._arenas[int(constant)]
        first = at + signal.elemoffset
        view = np.lib.stride_tricks.as_strided(
            arena[first:],
            signal.shape,
            [s * arena.itemsize for s in signal.elemstrides],
            writeable=not fixed,
        )
        if fixed:
            view = view.view(Constant)
            view.name = str(signal.name)
        elif signal.readonly:
            view.setflags(write=False)
        return view

    def at_step(self, n: int) -> None:
        """Set the clock."""
        self.step[()] = n
        self.time[()] = n * self._dt

    def tick(self) -> None:
        """Advance the clock by one step."""
        self.at_step(self.step.item() + 1)
