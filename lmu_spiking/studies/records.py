"""Results as files: one line of JSON, or a table in parquet; whole or not at all.

pandas is slow to import, and the shell needs only JSON: so it is imported where used.
"""

import io
import json
import math

from lmu_spiking.errors import StudyFileError
from lmu_spiking.files import write_atomically


def to_json(record) -> str:
    """One line of JSON; what is not finite becomes null."""
    return json.dumps(_plain(record), allow_nan=False)


def write_json(path, record) -> None:
    """Write a record and a line feed."""
    write_atomically(path, f"{to_json(record)}\n".encode())


def write_kept(path, data: bytes) -> None:
    """Write a file of a study, or say in a line that the others are kept."""
    try:
        write_atomically(path, data)
    except OSError as error:
        raise StudyFileError(
            f"{path}: cannot be written ({error.strerror or error}); finished trials "
            "are kept: make room and run this again to go on"
        ) from None


def write_parquet(path, frame) -> None:
    """Write a DataFrame, as a file of a study."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    write_kept(path, buffer.getvalue())


def to_frame(rows):
    """A DataFrame of rows, nested keys joined by dots; missing predictions are NaN."""
    import pandas as pd

    frame = pd.json_normalize(list(rows))
    predicted = [name for name in frame if name.startswith("predicted_")]
    return frame.astype(dict.fromkeys(predicted, float))


def _plain(value):
    """What JSON knows: numpy scalars and arrays become numbers and lists."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
