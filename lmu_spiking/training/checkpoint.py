"""A training on disk, between two epochs: all that it depends on, so that it goes on.

The file is one of parameters (`lmu.files`), and holds the best so far; beside them
the present weights and what the optimizer remembers.
"""

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lmu_spiking.errors import ParamsFileError, ValidationError, check_whole
from lmu_spiking.files import reason, set_aside
from lmu_spiking.lmu.files import load_with_extra, save_params
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.training.optimizers import Optimizer
from lmu_spiking.training.settings import TrainSettings


@dataclass
class State:
    """A training between two epochs.

    Attributes
    ----------
    weights : dict of str to ndarray
        All arrays, and the logarithms of windows that are trained.
    optimizer : Optimizer
    best : LMUParams
    best_epoch : int
        Counted from 1; 0 before the first.
    history : list of dict
        Of each epoch.
    """

    weights: dict[str, np.ndarray]
    optimizer: Optimizer
    best: LMUParams
    best_epoch: int = 0
    history: list[dict] = field(default_factory=list)


def identity(params: LMUParams, settings: TrainSettings, data) -> dict:
    """What a training is of: settings, and digests of its start and data.

    A limit of time may change from run to run and, where the learning rate does not
    depend on it, the number of epochs.
    """
    told = settings.described()
    del told["seconds"]
    if settings.schedule == "constant":
        del told["epochs"]
    start = [np.array([c.theta for c in params.cells]), *params.arrays().values()]
    chips = [c.chip.to_dict() for c in params.cells if c.chip is not None]
    start += [np.array([*chip.values()]) for chip in chips]
    parts = [data.train.x, data.train.y, data.valid.x, data.valid.y]
    return {"settings": told, "start": _digest(start), "data": _digest(parts)}


def stamp(path) -> tuple | None:
    """Return what changes whenever a file is written anew; None without a file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def make_way(path) -> None:
    """Keep what is no checkpoint under another name; a checkpoint is overwritten."""
    try:
        if "checkpoint" in load_with_extra(path)[0].header:
            return
    except ParamsFileError:
        pass
    set_aside(Path(path), "is no checkpoint")


def save_state(
    path, state: State, about: dict, seen: tuple | None = None
) -> tuple | None:
    """Write a training, whole or not at all, and return the `stamp` of its file.

    Parameters
    ----------
    path : path-like
    state : State
    about : dict
        Its `identity`.
    seen : tuple or None
        The stamp of what this training has read or written there last.

    Raises
    ------
    ParamsFileError
        If the file cannot be written.
    ValidationError
        If somebody else, another training for one, has written it meanwhile.
    """
    if stamp(path) not in (seen, None):
        raise ValidationError(
            "train.checkpoint",
            str(path),
            "was written meanwhile, as if by another training",
            "give each training a path (--out) of its own",
        )
    moments = state.optimizer
    extra = {f"weights.{name}": a for name, a in state.weights.items()}
    extra |= {f"first.{name}": a for name, a in moments.first.items()}
    extra |= {f"second.{name}": a for name, a in moments.second.items()}
    told = {
        "identity": about,
        "step": moments.step,
        "best_epoch": state.best_epoch,
        "history": state.history,
    }
    save_params(state.best.updated({}, checkpoint=told), path, extra)
    return stamp(path)


def load_state(path, settings: TrainSettings, about: dict) -> State:
    """Read what `save_state` wrote.

    Raises
    ------
    ParamsFileError
        If the file cannot be read.
    ValidationError
        If it is not of this training.
    """
    try:
        best, extra = load_with_extra(path)
    except ParamsFileError as error:
        way_out = "remove it, or resume=False (--fresh) to overwrite it"
        raise ParamsFileError(f"{error}; {way_out}") from None
    told = best.header.get("checkpoint")
    if not isinstance(told, dict):
        raise ValidationError(
            "train.checkpoint", str(path), "holds parameters but no training"
        )
    was = told.get("identity")
    _same(path, was if isinstance(was, dict) else {}, about)
    groups = {"weights": {}, "first": {}, "second": {}}
    try:
        if not all(isinstance(record, dict) for record in told["history"]):
            raise TypeError("its history is no list of records")
        for name in ("step", "best_epoch"):
            check_whole(f"checkpoint.{name}", told[name], 0)
        for name, array in extra.items():
            group, _, rest = name.partition(".")
            groups[group][rest] = array
        optimizer = Optimizer(settings, told["step"], groups["first"], groups["second"])
        best_epoch, history = told["best_epoch"], told["history"]
    except (KeyError, TypeError, ValueError) as error:
        why = reason(error)
        raise ParamsFileError(f"{path}: is no complete checkpoint: {why}") from None
    header = {k: v for k, v in best.header.items() if k != "checkpoint"}
    best = LMUParams(best.cells, best.D, best.c, best.dt, header)
    return State(groups["weights"], optimizer, best, best_epoch, history)


def _same(path, was: dict, now: dict) -> None:
    """Refuse a checkpoint of another training, and say what differs."""
    now = json.loads(json.dumps(now))
    if was == now:
        return
    before, after = was.get("settings"), now["settings"]
    before = before if isinstance(before, dict) else {}
    names = [n for n in after if before.get(n) != after[n]]
    names += [n for n in ("start", "data") if was.get(n) != now[n]]
    raise ValidationError(
        "train.checkpoint",
        str(path),
        f"is of a training with other {', '.join(names) or 'settings'}",
        f"give another path, or resume=False (--fresh) to overwrite {Path(path).name}",
    )


def _digest(arrays) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(str(array.shape).encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]
