"""Checkpoints: a training on disk between two epochs, from which it goes on.

It stands apart from the loop, because it also reads files that others changed or
damaged.  The file is one of parameters (`lmu.files`): those of the best epoch so far,
and beside them the present weights and the state of the optimizer.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from lmu_spiking.errors import ParamsFileError, ValidationError, check_whole
from lmu_spiking.files import reason, set_aside
from lmu_spiking.lmu.files import load_with_extra, save_params
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.training.settings import TrainSettings

OVERWRITE = "resume=False (--fresh) to overwrite"


@dataclass
class State:
    """A training between two epochs.

    Parameters
    ----------
    weights : dict of str to ndarray
        All arrays, and the logarithms of windows that are trained.
    moments : dict of str to ndarray
        The state of the optimizer; empty before the first epoch.
    best : LMUParams
        Of the best epoch, or of the last one (`TrainSettings.keep`).
    best_epoch : int
        Counted from 1; 0 before the first.
    history : list of dict
        A record of each epoch, as in `Trained.history`.
    """

    weights: dict[str, np.ndarray]
    moments: dict[str, np.ndarray]
    best: LMUParams
    best_epoch: int = 0
    history: list[dict] = field(default_factory=list)


def identity(
    params: LMUParams, settings: TrainSettings, data, engine: str, spikes=None
) -> dict:
    """Return what tells a training from another: settings, and digests of its inputs.

    It does not contain the limit of time nor, where the learning rate does not depend
    on it, the number of epochs: these may change from run to run.

    Parameters
    ----------
    params : LMUParams
        To start from.
    settings : TrainSettings
    data : Sequences
    engine : {"jax", "nengo-dl"}
    spikes : ConvertSettings, optional
        The conversion that it trains through.

    Returns
    -------
    dict
        For JSON.
    """
    # the settings that the parameters depend on
    record = settings.described() | {"engine": engine}
    if spikes is not None:
        record["spikes"] = asdict(spikes)
    del record["seconds"]
    if settings.schedule == "constant":
        del record["epochs"]
    # what it starts from, windows and chips included
    start = [np.array([c.theta for c in params.cells]), *params.arrays().values()]
    chips = [c.chip.to_dict() for c in params.cells if c.chip is not None]
    start += [np.array([*chip.values()]) for chip in chips]
    kinds = [[cell.activation, cell.order, *cell.arrays()] for cell in params.cells]
    if params.mean is not None:
        start += [params.mean, params.scale]
    parts = [data.train.x, data.train.y, data.valid.x, data.valid.y]
    both = data.train, data.valid
    parts += [part.lengths for part in both if part.lengths is not None]
    read = [data.dt, data.last, data.classes, data.augment is not None]
    return {
        "settings": record,
        "start": _digest(start, [params.dt, *kinds]),
        "data": _digest(parts, read),
    }


def stamp(path) -> tuple | None:
    """Return what changes whenever a file is written anew; None without a file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    tuple or None
        Number, size and time of change of the file.
    """
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def make_way(path) -> None:
    """Rename a file that is no checkpoint; a checkpoint is overwritten later.

    Parameters
    ----------
    path : path-like
        An existing file.
    """
    try:
        if "checkpoint" in load_with_extra(path)[0].header:
            return
    except ParamsFileError:
        pass
    set_aside(Path(path), "is no checkpoint")


def save_state(
    path, state: State, about: dict, seen: tuple | None = None
) -> tuple | None:
    """Write a training, whole or not at all.

    Parameters
    ----------
    path : path-like
    state : State
    about : dict
        Its `identity`.
    seen : tuple or None
        The stamp of what this training has read or written there last.

    Returns
    -------
    tuple or None
        The `stamp` of the file.

    Raises
    ------
    ParamsFileError
        If the file cannot be written.
    ValidationError
        If somebody else, another training for one, has written it meanwhile.
    """
    if stamp(path) not in (seen, None):
        problem = "was written meanwhile, as if by another training"
        remedy = "give each training a path (--out) of its own"
        raise ValidationError("train.checkpoint", str(path), problem, remedy)
    extra = {f"weights.{name}": a for name, a in state.weights.items()}
    extra |= {f"moments.{name}": a for name, a in state.moments.items()}
    record = {
        "identity": about,
        "best_epoch": state.best_epoch,
        "history": state.history,
    }
    save_params(state.best.updated({}, checkpoint=record), path, extra)
    return stamp(path)


def load_state(path, about: dict, begun: State) -> State:
    """Read what `save_state` wrote.

    Parameters
    ----------
    path : path-like
    about : dict
        The `identity` of the training that goes on.
    begun : State
        As it was before its first epoch.

    Returns
    -------
    State
        The training, as it was after its last epoch.

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
        raise ParamsFileError(f"{error}; remove it, or {OVERWRITE} it") from None
    record = best.header.get("checkpoint")
    if not isinstance(record, dict):
        problem = "holds parameters but no training"
        raise ValidationError("train.checkpoint", str(path), problem)
    _check_identity(path, record.get("identity"), about)
    # the file may have been changed: nothing in it is taken without a check
    groups: dict[str, dict] = {"weights": {}, "moments": {}}
    try:
        best_epoch = check_whole("checkpoint.best_epoch", record["best_epoch"], 0)
        for name, array in extra.items():
            group, _, rest = name.partition(".")
            groups[group][rest] = array
        weights, moments = groups.values()
        if _shapes(weights) != _shapes(begun.weights):
            raise ValueError("its weights have other names or shapes")
        for name, array in (*weights.items(), *moments.items()):
            if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
                raise ValueError(f"{name} is not of finite numbers")
        history = record["history"]
        _check_history(history, best_epoch)
    except (KeyError, TypeError, ValueError) as error:
        problem = f"is no complete checkpoint: {reason(error)}"
        raise ParamsFileError(f"{path}: {problem}") from None
    header = {k: v for k, v in best.header.items() if k != "checkpoint"}
    return State(weights, moments, replace(best, header=header), best_epoch, history)


def _check_history(history, best_epoch: int) -> None:
    """Raise a ValueError if these are no records of epochs, the best one among them."""
    if not isinstance(history, list) or not 1 <= best_epoch <= len(history):
        raise ValueError("its history does not have the best epoch")
    for record in history:
        numbers = [v for v in dict(record).values() if isinstance(v, (int, float))]
        losses = [name for name in record if name.endswith("_loss")]
        if len(numbers) < len(record) or "seconds" not in record or not losses:
            raise ValueError("a record of its history lacks numbers")


def _shapes(arrays: dict) -> dict[str, tuple]:
    """Return the shapes of arrays by name."""
    return {name: np.shape(array) for name, array in arrays.items()}


def _check_identity(path, before, now: dict) -> None:
    """Refuse a checkpoint of another training, and name what differs."""
    before = before if isinstance(before, dict) else {}
    if before == now:
        return
    # name the settings, the start or the data that differ
    settings = before.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    every = now["settings"] | settings
    names = [n for n in every if settings.get(n) != now["settings"].get(n)]
    names += [n for n in ("start", "data") if before.get(n) != now[n]]
    problem = f"is of a training with other {', '.join(names) or 'settings'}"
    remedy = f"give another path, or {OVERWRITE} {Path(path).name}"
    raise ValidationError("train.checkpoint", str(path), problem, remedy)


def _digest(arrays, about) -> str:
    """Return a digest of arrays and their shapes, and of what JSON can say."""
    digest = hashlib.sha256(json.dumps(about).encode())
    for array in arrays:
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
