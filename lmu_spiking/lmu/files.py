"""Parameters as a file: an ``.npz`` of named arrays with a header in JSON, no pickle.

The header is an array of bytes under ``header``: format, cells, ``dt`` and what the
training said of itself.  Any program that reads ``.npz`` reads it.
"""

import io
import json
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lmu_spiking.errors import ParamsFileError, ValidationError
from lmu_spiking.files import json_of, open_arrays, reading, reason, write_atomically
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.neurons.chip import ChipUnits

FORMAT = "lmu_spiking parameters 1"
HOLDS_NOT = "does not hold LMU parameters"


def save_params(params: LMUParams, path, extra=None) -> None:
    """Write parameters, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Ends in ``.npz``.
    extra : dict of str to ndarray, optional
        Further arrays, kept under ``extra.*`` (optimizer state, for one).
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValidationError(
            "save_params.path", str(path), "must end in .npz", f"use {path.stem}.npz"
        )
    header = {
        "format": FORMAT,
        "dt": params.dt,
        "cells": [_settings(cell) for cell in params.cells],
        "about": params.header,
    }
    try:
        text = json.dumps(header, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise ValidationError(
            "LMUParams.header", params.header, f"cannot become JSON ({error})"
        ) from None
    for name, value in (extra or {}).items():
        if np.asarray(value).dtype.hasobject:
            raise ValidationError(
                "save_params.extra", name, "holds objects, which take a pickle"
            )
    arrays = dict(params.arrays())
    arrays |= {f"extra.{name}": value for name, value in (extra or {}).items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.frombuffer(text, np.uint8), **arrays)
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise ParamsFileError(
            f"{path}: cannot be written ({error.strerror or error})"
        ) from None


def load_params(path) -> LMUParams:
    """Read what `save_params` wrote.

    Raises
    ------
    ParamsFileError
        If the file is missing, corrupt or something else.
    """
    return load_with_extra(path)[0]


def load_with_extra(path) -> tuple[LMUParams, dict[str, np.ndarray]]:
    """Return the parameters and the further arrays of a file."""
    with reading(path, ParamsFileError, own=("CellParams", "LMUParams", "ChipUnits")):
        arrays = _arrays(path)
        try:
            return _params(arrays)
        except KeyError as error:
            raise ParamsFileError(f"{HOLDS_NOT}: it lacks {error}") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise ParamsFileError(f"{HOLDS_NOT}: {reason(error)}") from None


def _params(arrays: dict) -> tuple[LMUParams, dict[str, np.ndarray]]:
    """Return parameters and further arrays, from the arrays of a file."""
    header = json_of(arrays.pop("header").tobytes())
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']!r}, not {FORMAT!r}")
    extra = {
        name.removeprefix("extra."): arrays.pop(name)
        for name in list(arrays)
        if name.startswith("extra.")
    }
    D, c = arrays.pop("readout.D"), arrays.pop("readout.c")
    cells = [
        CellParams(**_from_settings(settings), **_of_cell(arrays, i))
        for i, settings in enumerate(header["cells"])
    ]
    if arrays:
        raise ValueError(f"unknown arrays {', '.join(sorted(arrays))}")
    return LMUParams(tuple(cells), D, c, header["dt"], header["about"]), extra


def _arrays(path) -> dict[str, np.ndarray]:
    try:
        with open_arrays(path) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, BadZipFile, KeyError) as error:
        problem = "is not a parameter file: give a model.npz that train has written"
        raise ParamsFileError(f"{problem} ({reason(error)})") from None


def _settings(cell: CellParams) -> dict:
    """What a cell is beside its arrays."""
    told = {"order": cell.order, "theta": cell.theta, "activation": cell.activation}
    return told if cell.chip is None else told | {"chip": cell.chip.to_dict()}


def _from_settings(told: dict) -> dict:
    return told | {"chip": ChipUnits(**told["chip"])} if "chip" in told else told


def _of_cell(arrays: dict, i: int) -> dict[str, np.ndarray]:
    """Take the arrays of one cell."""
    start = f"cell{i}."
    mine = [name for name in arrays if name.startswith(start)]
    return {name.removeprefix(start): arrays.pop(name) for name in mine}
