"""Results as files: one line of JSON, or a table in parquet; whole or not at all.

pandas is slow to import, and the shell needs only JSON: so it is imported where used.
"""

import io
import json
import math

from lmu_spiking.errors import StudyFileError
from lmu_spiking.files import one_line, write_atomically

GROUPED = ("neurons", "order", "tau", "max_rate")
MEASURED = ("state_rmse", "noise_nrmse", "spikes_per_s")
NUMBERS = ("nrmse", "window_noise_nrmse", "spikes", "mean_rate", "theta", "dt")
NUMBERS += ("synops_per_s", "synops_per_s_full", "duration", "seed", "signal_seed")
NUMBERS += ("seconds_build", "seconds_run", "bandwidth", "rms", "input_power_lost")
PREFIXES = ("predicted_", "bound_")
TEXTS = ("digest", "neuron_type", "initial_phases", "tuning", "target", "input")
TEXTS += ("spec", "verdict")


def to_json(record) -> str:
    """Return one line of JSON; what is not finite becomes null.

    Parameters
    ----------
    record : dict, list, number, str or None
        It may hold numpy scalars and arrays.

    Returns
    -------
    str
    """
    return json.dumps(_plain(record), allow_nan=False)


def write_json(path, record) -> None:
    """Write a record and a line feed to a file, whole or not at all."""
    write_atomically(path, f"{to_json(record)}\n".encode())


def write_kept(path, data: bytes) -> None:
    """Write a file of a study, or say in a line that the others are kept.

    Parameters
    ----------
    path : path-like
    data : bytes

    Raises
    ------
    StudyFileError
        If it cannot be written.
    """
    try:
        write_atomically(path, data)
    except OSError as error:
        raise StudyFileError(
            f"{path}: cannot be written ({error.strerror or error}); finished trials "
            "are kept: make room and run this again to go on"
        ) from None


def write_parquet(path, frame) -> None:
    """Write a DataFrame as a file of a study, as `write_kept` does."""
    # in memory first, so that the file is whole or not there
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    write_kept(path, buffer.getvalue())


def to_frame(rows):
    """Return a DataFrame of rows: nested keys are joined by dots.

    Parameters
    ----------
    rows : iterable of dict

    Returns
    -------
    DataFrame
        Missing predictions are NaN.
    """
    import pandas as pd

    frame = pd.json_normalize(list(rows))
    numbers = [n for n in frame if n.startswith("predicted_") or n in MEASURED]
    return frame.astype(dict.fromkeys(numbers, float))


def check_row(row: dict, grouped=GROUPED, measured=MEASURED) -> None:
    """Raise an error that names the wrong field of a row, if there is one.

    Parameters
    ----------
    row : dict
    grouped, measured : tuple of str
        Fields that trials are grouped by, which are positive numbers, and fields of
        what was measured, which are numbers, or None if they were not finite.

    Raises
    ------
    KeyError
        If a field is missing.
    ValueError
        If a field holds what it cannot hold.
    """
    # fields that every row has, then what each field may hold
    for name in (*grouped, *measured):
        if name not in row:
            raise KeyError(name)
    for name, value in row.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        number = number and abs(value) < 2**63
        if name in grouped:
            fine = number and value > 0
        elif name in NUMBERS or name in measured or name.startswith(PREFIXES):
            fine = number or value is None
        elif name in TEXTS:
            fine = isinstance(value, str)
        else:
            fine = name != "aggregated" or isinstance(value, bool)
        if not fine:
            raise ValueError(f"its {name} is {one_line(value, 40)}")


def _plain(value):
    """Return numpy scalars and arrays as numbers and lists, which JSON knows."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
