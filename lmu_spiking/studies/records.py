"""Results as files: one line of JSON, or a table in parquet; whole or not at all."""

import io
import json
import math

import pandas as pd

from lmu_spiking.spec import write_atomically


def to_json(record) -> str:
    """One line of JSON; what is not finite becomes null."""
    return json.dumps(_plain(record), allow_nan=False)


def write_json(path, record) -> None:
    """Write a record and a line feed."""
    write_atomically(path, f"{to_json(record)}\n".encode())


def write_parquet(path, frame: pd.DataFrame) -> None:
    """Write a table."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    write_atomically(path, buffer.getvalue())


def to_frame(rows) -> pd.DataFrame:
    """A table of rows, nested keys joined by dots; missing predictions are NaN."""
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
