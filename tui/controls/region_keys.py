"""The stretch of time that `a` marks: from A to B, at the playhead. Pure."""

from __future__ import annotations

from typing import NamedTuple

from sessions.frame.region import tick_end


class Span(NamedTuple):
    a_ns: int
    b_ns: int | None = None
    """None: it goes on to the playhead."""


def after_key(span: Span | None, at_ns: int) -> tuple[Span | None, str]:
    """A, then B, then none; and what is said of it."""
    if span is None:
        return Span(at_ns), "A is here: its figures up to the playhead stand below; a sets B"
    if span.b_ns is not None:
        return None, "A-B is cleared"
    if tick_end(span.a_ns) == tick_end(at_ns):
        return span, "A is here: B is to be another instant"
    return Span(*sorted((span.a_ns, at_ns))), "B is here; a clears both"
