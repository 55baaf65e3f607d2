"""Long reproductions in parts: what is finished is kept, and not done again."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lmu_spiking.files import NOT_OURS, read_json, set_aside
from lmu_spiking.studies.records import to_json, write_json
from lmu_spiking.training.loop import Trained, train
from lmu_spiking.training.recipes import Recipe, start


def kept(out, name: str, about: dict, make: Callable[[], dict]) -> dict:
    """``make()``, or what it gave before for the same ``about``, in plain values.

    Parameters
    ----------
    out : path-like or None
        Folder; its ``parts/NAME.json`` holds both.  None keeps nothing.
    """
    if out is None:
        return json.loads(to_json(make()))
    path, about = Path(out) / "parts" / f"{name}.json", json.loads(to_json(about))
    try:
        was = read_json(path)
        whole = was.get("check") in (None, _check(was["value"]))
        if was["about"] == about and whole and isinstance(was["value"], dict):
            return was["value"]
    except FileNotFoundError:
        pass
    except NOT_OURS:
        set_aside(path, "is no part of a reproduction")
    value = json.loads(to_json(make()))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"about": about, "value": value, "check": _check(value)})
    return value


def _check(value) -> str:
    """Return a checksum of a kept value."""
    return hashlib.sha256(to_json(value).encode()).hexdigest()[:16]


def trained(recipe: Recipe, data, seed: int, out, name: str, bar) -> Trained:
    """Train a recipe, or read what ``out`` has of it; interrupted, it goes on."""
    checkpoint = None
    if out is not None:
        folder = Path(out) / "parts"
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint = folder / f"{name}.npz"
    with bar(f"Epochs of {name}", recipe.settings.epochs) as progress:
        return train(
            start(recipe, data, seed),
            data,
            recipe.settings,
            checkpoint=checkpoint,
            progress=lambda epoch, _, record: progress.advance(record),
        )


def of_lmu(found: Trained) -> dict:
    """Size and course of a training; seconds of its history count from the start."""
    gone = np.cumsum([record["seconds"] for record in found.history]).tolist()
    return {
        "params": found.params.n_params,
        "seconds": found.seconds,
        "epochs": len(found.history),
        "history": [
            record | {"seconds": seconds}
            for record, seconds in zip(found.history, gone, strict=True)
        ],
    }
