"""Values of ours on a prompt: the numbers a user asks for, and the shapes of arrays."""

import dataclasses
import textwrap
from collections.abc import Mapping

import numpy as np

WIDTH, LINES = 88, 3
FEW = 4  # items that are shown one by one


def brief(value) -> str:
    """The ``repr`` of a dataclass with arrays, in one to three lines.

    What its class names in ``_told`` (attributes, or methods without arguments) comes
    first, and is all that is shown of a value within another; then the fields.
    """
    told = {name: _asked(value, name) for name in getattr(value, "_told", ())}
    fields = [f.name for f in dataclasses.fields(value) if f.name not in told]
    shown = told | {name: getattr(value, name, None) for name in fields}
    return textwrap.fill(
        _call(value, shown),
        WIDTH,
        max_lines=LINES,
        placeholder=" ...)",
        subsequent_indent="    ",
        break_long_words=True,
        break_on_hyphens=False,
    )


def _asked(value, name: str):
    """An attribute, or what a method returns; None where it cannot be had."""
    try:
        found = getattr(value, name)
        return found() if callable(found) else found
    except Exception:  # a prompt shows what there is, whatever is wrong with it
        return None


def _call(value, shown: dict) -> str:
    inside = ", ".join(f"{name}={_item(item)}" for name, item in shown.items())
    return f"{type(value).__name__}({inside})"


def _item(item) -> str:
    """A field in a few words."""
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
