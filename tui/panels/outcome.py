"""What a run that is over came to, and of which time the figures in the head are."""

from __future__ import annotations

from sessions.frame.schema import Frame
from tui.draw.rows import Field, Row
from tui.draw.text import safe


def span_of(frame: Frame) -> str:
    """Of which time the figures beside it are."""
    if frame.state in ("ended", "killed"):
        return "whole run"
    return f"last {frame.recent_s:g} s"


_OUTCOMES = {
    "pass": ("SLO HELD", "ok"),
    "fail": (" SLO MISSED ", "alert"),
    "undecided": ("SLO UNDECIDED", "warn"),
}


def verdict_of_run(frame: Frame) -> Row:
    """Of one that is over and had targets, or looked for the limit."""
    if frame.outcome is not None and (limit := frame.outcome.limit) is not None:
        if limit.passed is None:
            return [(" NO LIMIT FOUND ", "alert")]
        return [(f"LIMIT {limit.passed:.4g} {'at a time' if limit.closed else 'rps'}", "ok")]
    return (
        [] if frame.outcome is None else [_OUTCOMES[slo] for slo in [frame.outcome.slo] if slo in _OUTCOMES]
    )


def validity(frame: Frame) -> list[Field]:
    """Of a run that is over, whether its figures may be relied on."""
    if frame.outcome is None:
        return []
    if frame.outcome.valid:
        return [Field(1, ("valid", "ok"))]
    return [
        Field(1, ("not valid", "bad")),
        Field(6, ("; ".join(safe(one, 60) for one in frame.outcome.reasons[:1]), "bad")),
    ]


def attained(frame: Frame, *, narrow: bool) -> list[Field]:
    """How many held the target which fewest held lately; of a run that is over, all that ask of a request."""
    if frame.attained is None:
        return []
    over = frame.state in ("ended", "killed")
    lately = f", {frame.recent_s:g} s" if narrow and not over else ""  # else the row above says it
    of = " of tokens" if frame.attained.of == "tokens" else ""
    return [Field(1, (f"{frame.attained.share * 100:.3g}%", "strong"), (f"{of} in target{lately}", "label"))]
