"""Where a NaN is, and what the user calls the signal that it is in."""

import nengo
import numpy as np

from lmu_spiking.simulator.regions import entries_of


def first_nan(x: np.ndarray) -> int:
    """Index of the first NaN in ``x`` (n,), or -1."""
    # most of the time there is none, which a sum tells at full speed
    with np.errstate(all="ignore"):
        if not np.isnan(x.sum()):
            return -1
    found = np.isnan(x)
    return int(found.argmax()) if found.any() else -1


def where_nan(state: np.ndarray) -> tuple[int, int] | None:
    """Trial and place of a NaN in the states of all trials, or None."""
    for trial, one in enumerate(state):
        at = first_nan(one)
        if at >= 0:
            return trial, at
    return None


def has_nan(samples: np.ndarray) -> bool:
    """Whether there is one among what a probe saw, (trials, samples, size)."""
    return any(first_nan(one.reshape(-1)) >= 0 for one in samples)


def name_of_nan(program, model, signals) -> str:
    """The signal with a NaN that is completed first in a step.

    Parameters
    ----------
    program : Program
    model : nengo.builder.Model
    signals : Signals
        Of the trial.
    """
    last: dict = {}  # step that completes an entry, by base
    steps = (step for node in program.nodes for step in node.steps)
    for k, step in enumerate(steps):
        for region in step.written:
            if region.base in program.places:
                done = last.setdefault(region.base, np.full(region.base.size, -1))
                done[region.start : region.end] = k
    found = []
    for base, done in last.items():
        wrong = np.flatnonzero(np.isnan(np.ravel(signals.view(base))) & (done >= 0))
        if wrong.size:
            entry = wrong[np.argmin(done[wrong])]
            found.append((done[entry], len(found), base, int(entry)))
    return _name(model, *min(found)[2:]) if found else "without a name"


def _name(model, base, entry: int) -> str:
    """Of the part of a node or ensemble that an entry of a signal belongs to."""
    for of, parts in model.sig.items():
        if isinstance(of, nengo.Node | nengo.Ensemble | nengo.ensemble.Neurons):
            for part, signal in parts.items():
                mine = signal is not None and signal.base is base
                if mine and entry in entries_of(signal):
                    return f"{of}.{part}"
    return str(base.name)
