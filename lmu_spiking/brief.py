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

    Returns
    -------
    str
    """
    shown = _key_numbers(self)
    for field in dataclasses.fields(self):
        shown.setdefault(field.name, getattr(self, field.name, None))
    style = {"max_lines": LINES, "placeholder": " ...)", "subsequent_indent": "    "}
    return textwrap.fill(_call(self, shown), WIDTH, break_on_hyphens=False, **style)


def _key_numbers(value) -> dict:
    """Return what the class's ``_told`` names; None for what raises an error."""
    numbers = {}
    for name in getattr(value, "_told", ()):
        try:
            item = getattr(value, name)
            numbers[name] = item() if callable(item) else item
        except Exception:  # a ``repr`` must not fail, even if the value is not valid
            numbers[name] = None
    return numbers


def _call(value, shown: dict) -> str:
    """Return a call of the class, with the items that are shown."""
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
        numbers = _key_numbers(item)
        return _call(item, numbers) if numbers else f"{type(item).__name__}(...)"
    text = getattr(item, "__name__", None) or " ".join(repr(item).split())
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
