"""The short ``repr`` of our values: key numbers, and the shapes of arrays."""

import dataclasses
import textwrap
from collections.abc import Mapping

import numpy as np

WIDTH, LINES = 88, 3
FEW = 4  # the longest list whose items are shown one by one


def brief(self) -> str:
    """Return the ``repr`` of a dataclass with arrays, in one to three lines.

    The names in the class's ``_told`` (attributes, or methods without arguments) come
    first, then the other fields.  Of a value inside another, only ``_told`` is shown.
    """
    told = {name: _asked(self, name) for name in getattr(self, "_told", ())}
    fields = [f.name for f in dataclasses.fields(self) if f.name not in told]
    shown = told | {name: getattr(self, name, None) for name in fields}
    return textwrap.fill(
        _call(self, shown),
        WIDTH,
        max_lines=LINES,
        placeholder=" ...)",
        subsequent_indent="    ",
        break_long_words=True,
        break_on_hyphens=False,
    )


def _asked(value, name: str):
    """Return an attribute, or the value of a method; None if it raises an error."""
    try:
        found = getattr(value, name)
        return found() if callable(found) else found
    except Exception:  # a ``repr`` must not fail, even if the value is not valid
        return None


def _call(value, shown: dict) -> str:
    inside = ", ".join(f"{name}={_item(item)}" for name, item in shown.items())
    return f"{type(value).__name__}({inside})"


def _item(item) -> str:
    """Return a field in a few words."""
    if isinstance(item, np.ndarray) and item.ndim:
        return f"array{item.shape}".replace(" ", "")
    if isinstance(item, (float, np.floating)):
        return f"{item:.4g}"
    if isinstance(item, Mapping):
        if len(item) > 2 * FEW:
            return f"{{{len(item)} entries}}"
        return "{" + ", ".join(f"{k}: {_item(v)}" for k, v in item.items()) + "}"
    if isinstance(item, (list, tuple)):
        if len(item) > FEW:
            return f"[{len(item)} of {type(item[0]).__name__}]"
        return "[" + ", ".join(map(_item, item)) + "]"
    if dataclasses.is_dataclass(item) and type(item).__repr__ is brief:
        names = getattr(item, "_told", ())
        if not names:
            return f"{type(item).__name__}(...)"
        return _call(item, {name: _asked(item, name) for name in names})
    text = getattr(item, "__name__", None) or " ".join(repr(item).split())
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
