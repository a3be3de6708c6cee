"""What is shown while rules come and go: a limit must hold for some seconds before it takes the place of
another. Pure. The beginning and the end of load are shown at once, and no limit outlives what it limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sessions.bottleneck.evidence import Evidence
from sessions.bottleneck.rules import IDLE, NAMES, ROOM, UNKNOWN, Bottleneck, bottleneck_of

HOLD = 3
"""Seconds that must agree, the first and the last of which lie 2 s apart."""


class Hysteresis(NamedTuple):
    """What is shown at the end of one second, and what may take its place."""

    shown: Bottleneck = Bottleneck(IDLE, "")
    candidate: str = ""
    seconds: int = 0
    """In a row in which the candidate was found."""


def next_hysteresis(before: Hysteresis, of: Evidence) -> Hysteresis:
    """One second on."""
    found = bottleneck_of(of, before.shown.limit)
    if found.limit == before.shown.limit:
        return Hysteresis(found)
    seconds = before.seconds + 1 if found.limit == before.candidate else 1
    over = not of.under_way and found.limit in (ROOM, UNKNOWN)
    if seconds >= HOLD or over or IDLE in (found.limit, before.shown.limit):
        return Hysteresis(found)
    return Hysteresis(before.shown, found.limit, seconds)


def hysteresis_over(
    evidence: Iterable[Evidence],
    before: Hysteresis = Hysteresis(),  # noqa: B008  # a value
) -> list[Hysteresis]:
    """One a second, each from the one before it."""
    out = []
    for second in evidence:
        before = next_hysteresis(before, second)
        out.append(before)
    return out


def hysteresis_after(evidence: Iterable[Evidence]) -> Hysteresis | None:
    """What is shown after these seconds whatever was shown before them; None where they do not tell.

    `HOLD` seconds in a row in which the same is found whichever limit is in force leave no trace of what was
    before them, nor does one without load.
    """
    known: Hysteresis | None = None
    same: list[str] = []
    for second in evidence:
        if known is not None:
            known = next_hysteresis(known, second)
            continue
        found = {bottleneck_of(second, in_force) for in_force in NAMES}
        if len(found) > 1:
            same = []
            continue
        (only,) = found
        same = [*same, only.limit] if same[-1:] == [only.limit] else [only.limit]
        if len(same) >= HOLD or only.limit == IDLE:
            known = Hysteresis(only)
    return known
