"""What happened once in a session, as marks and the list of events show it."""

from __future__ import annotations

from typing import NamedTuple


class Event(NamedTuple):
    """Something that happened once. Sorts by time; equal times sort the same whatever came first."""

    t_ns: int
    kind: str
    """As `sessions.frame.schema.ChartMark.kind`."""
    label: str
