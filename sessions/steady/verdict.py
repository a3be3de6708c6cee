"""What may be said of a stretch of constant load, as plain values."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["settling", "steady", "drifting_up", "drifting_down", "too_short"]
"""`settling` while it goes on and nothing else can be told yet; `too_short` once it is over."""


DRIFTING: tuple[Verdict, ...] = ("drifting_up", "drifting_down")


class Window(msgspec.Struct, frozen=True):
    """The part of a stretch that is measured, in session time, and whether it is a steady state."""

    verdict: Verdict
    from_ns: int
    to_ns: int
    why: str
    """A few words with the figures that it rests on."""
