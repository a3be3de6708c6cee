"""A frame with columns narrower than the ticks that all its series are made of: each tick in several."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from sessions.frame.schema import Frame


def stretched(frame: Frame, by: int, slots: int) -> Frame:
    """`slots` columns of a `by`-th of the frame's, the first `by` of them showing its first, and so on."""
    slot_ns = frame.slot_ns // by
    marks = [replace(mark, slot=_slot(mark.t_ns - frame.start_ns, slot_ns, slots)) for mark in frame.marks]
    wide: Frame = _widened(frame, by, slots)
    return replace(wide, slot_ns=slot_ns, slots=slots, marks=tuple(marks))


def _slot(since_ns: int, slot_ns: int, slots: int) -> int | None:
    slot = (since_ns - 1) // slot_ns
    return slot if 0 <= slot < slots else None


def _widened(value: Any, by: int, slots: int) -> Any:
    """The same with every series in it stretched."""
    if isinstance(value, np.ndarray):
        return np.repeat(value, by)[:slots]
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return tuple(_widened(one, by, slots) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        wide = {name: _widened(part, by, slots) for name, part in parts.items()}
        return replace(value, **{name: part for name, part in wide.items() if part is not parts[name]})
    return value
