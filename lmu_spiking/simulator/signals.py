"""Nengo's signals as views of the arenas, so that its own operators can step them."""

import numpy as np
from nengo.builder.signal import SignalDict


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
    """

    def __init__(self, program, model, state: np.ndarray, const: np.ndarray, sparse):
        super().__init__()
        self._arenas = state, const
        self._places = program.places
        for signal, array in sparse.items():
            dict.__setitem__(self, signal, array)
        for base in program.places:
            dict.__setitem__(self, base, self._view(base))
        # the clock is set from outside, in Nengo's own precision
        self.step = np.array(model.step.initial_value)
        self.time = np.array(model.time.initial_value)
        dict.__setitem__(self, model.step, self.step)
        dict.__setitem__(self, model.time, self.time)

    def __getitem__(self, key):
        """The array of a signal, or a view of its base's."""
        try:
            return dict.__getitem__(self, key)
        except KeyError:
            if getattr(key, "base", key) is key or key.base not in self._places:
                raise
        dict.__setitem__(self, key, self._view(key))
        return dict.__getitem__(self, key)

    def _view(self, signal) -> np.ndarray:
        constant, at = self._places[signal.base]
        arena = self._arenas[int(constant)]
        first = at + signal.elemoffset
        view = np.lib.stride_tricks.as_strided(
            arena[first:],
            signal.shape,
            [s * arena.itemsize for s in signal.elemstrides],
        )
        if constant or signal.readonly:
            view.setflags(write=False)
        return view

    def at_step(self, n: int, dt: float) -> None:
        """Set the clock."""
        self.step[...] = n
        self.time[...] = n * dt
