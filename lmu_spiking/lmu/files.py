"""Parameters as a file: an ``.npz`` of named arrays with a header in JSON, no pickle.

The header is an array of bytes under ``header``: format, cells, ``dt`` and what the
training said of itself.  Any program that reads ``.npz`` reads it.
"""

import io
import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lmu_spiking.errors import ParamsFileError, ValidationError
from lmu_spiking.files import json_of, open_arrays, reading, reason, write_atomically
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.neurons.chip import ChipUnits

FORMAT = "lmu_spiking parameters 1"
OURS = ("CellParams", "LMUParams", "ChipUnits")  # errors that are the file's fault


def save_params(params: LMUParams, path, extra=None) -> None:
    """Write parameters, whole or not at all.

    Parameters
    ----------
    params : LMUParams
    path : str or Path
        Ends in ``.npz``.
    extra : dict of str to ndarray, optional
        Further arrays, kept under ``extra.*`` (optimizer state, for one).

    Raises
    ------
    ValidationError
        If the path has another ending, or header or arrays cannot be stored.
    ParamsFileError
        If the file cannot be written.
    """
    path, extra = check_name("save_params.path", path), extra or {}
    cells = [_settings(cell) for cell in params.cells]
    header = {"format": FORMAT, "dt": params.dt, "cells": cells, "about": params.header}
    try:
        text = json.dumps(header, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        problem = f"cannot become JSON ({error})"
        raise ValidationError("LMUParams.header", params.header, problem) from None
    for name, value in extra.items():
        if np.asarray(value).dtype.hasobject:
            problem = "holds objects, which take a pickle"
            raise ValidationError("save_params.extra", name, problem)
    arrays: dict[str, Any] = {"header": np.frombuffer(text, np.uint8)}
    if params.mean is not None:
        arrays |= {"input.mean": params.mean, "input.scale": params.scale}
    arrays |= params.arrays() | {f"extra.{name}": a for name, a in extra.items()}
    # compress in memory, so that the file is written at once
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise ParamsFileError(f"{path}: {problem}") from None


def check_name(attribute: str, path) -> Path:
    """Return the path of a file of parameters, or raise a ValidationError.

    Parameters
    ----------
    attribute : str
        Named in the message.
    path : str or Path

    Returns
    -------
    Path
        Ends in ``.npz``.
    """
    path = Path(path)
    if path.suffix != ".npz":
        problem, remedy = "must end in .npz", f"use {path.stem}.npz"
        raise ValidationError(attribute, str(path), problem, remedy)
    return path


def load_params(path) -> LMUParams:
    """Read what `save_params` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    LMUParams
        With the header as it was saved.

    Raises
    ------
    ParamsFileError
        If the file is missing, corrupt or something else.
    """
    return load_with_extra(path)[0]


def load_with_extra(path) -> tuple[LMUParams, dict[str, np.ndarray]]:
    """Return the parameters and the further arrays of a file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    LMUParams
        With the header as it was saved.
    dict of str to ndarray
        The further arrays, by name.

    Raises
    ------
    ParamsFileError
        If the file is missing, corrupt or something else.
    """
    with reading(path, ParamsFileError, own=OURS):
        try:
            with open_arrays(path) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (ValueError, EOFError, BadZipFile, KeyError) as error:
            problem = "is not a parameter file: give a model.npz that train has written"
            raise ParamsFileError(f"{problem} ({reason(error)})") from None
        try:
            return _params(arrays)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            problem = f"does not hold LMU parameters: {reason(error)}"
            raise ParamsFileError(problem) from None


def _params(arrays: dict[str, Any]) -> tuple[LMUParams, dict[str, np.ndarray]]:
    """Return parameters and further arrays, from the arrays of a file."""
    header = json_of(arrays.pop("header").tobytes())
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']!r}, not {FORMAT!r}")
    D, c = arrays.pop("readout.D"), arrays.pop("readout.c")

    def take(start: str) -> dict[str, Any]:
        """Take the arrays whose names have a beginning, without it."""
        names = [name for name in arrays if name.startswith(start)]
        return {name.removeprefix(start): arrays.pop(name) for name in names}

    # the header says how many cells there are, and what they are beside arrays
    extra, cells, of_input = take("extra."), [], take("input.")
    for i, settings in enumerate(header["cells"]):
        if "chip" in settings:
            settings["chip"] = ChipUnits(**settings["chip"])
        cells.append(CellParams(**settings, **take(f"cell{i}.")))
    if arrays:
        raise ValueError(f"unknown arrays {', '.join(sorted(arrays))}")
    rest = D, c, header["dt"], header["about"]
    return LMUParams(tuple(cells), *rest, **of_input), extra


def _settings(cell: CellParams) -> dict[str, Any]:
    """Return what a cell is beside its arrays, for JSON."""
    about = {"order": cell.order, "theta": cell.theta, "activation": cell.activation}
    return about if cell.chip is None else about | {"chip": cell.chip.to_dict()}
