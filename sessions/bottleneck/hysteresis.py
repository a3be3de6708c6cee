"""What is shown while rules come and go. Pure.

Until a limit has been named since load began, the line waits for nothing: what says more than it does is
said at once. From then on another takes the place of what is shown when it was found in `HOLD` of the last
`WINDOW` seconds, so that one that comes and goes does not flicker; where these found others in turn and never
what is shown, the one of them that was found most often. The beginning and the end of load are
shown at once, and no limit outlives what it limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sessions.bottleneck.evidence import Evidence
from sessions.bottleneck.rules import IDLE, NAMES, ROOM, UNKNOWN, Bottleneck, bottleneck_of

HOLD, WINDOW = 4, 6
"""Seconds that must agree, of so many."""
_RANK = {IDLE: 0, UNKNOWN: 1, ROOM: 2}
"""The higher, the more is told by it; a limit is above them all."""


class Hysteresis(NamedTuple):
    """What is shown at the end of one second, and what may take its place."""

    shown: Bottleneck = Bottleneck(IDLE, "")
    named: bool = False
    """A limit was shown since load began."""
    lately: tuple[str, ...] = ()
    """What was found since the shown one took the line, in the last `WINDOW` seconds from the first of them
    in which it was something else; empty where it was in none."""


def next_hysteresis(before: Hysteresis, of: Evidence) -> Hysteresis:
    """One second on."""
    shown = before.shown.limit
    found = bottleneck_of(of, shown)
    lately = (*before.lately, found.limit)[-WINDOW:]
    if found.limit == shown:
        return Hysteresis(found, before.named, _from_the_first_other(lately, shown))
    if (
        IDLE in (found.limit, shown)
        or (not of.under_way and found.limit in (ROOM, UNKNOWN))
        or (not before.named and _rank(found.limit) > _rank(shown))
        or lately.count(found.limit) >= HOLD
        or (len(lately) == WINDOW and shown not in lately and _none_more_often(found.limit, lately))
    ):
        is_limit = found.limit not in _RANK
        return Hysteresis(found, is_limit or (before.named and found.limit != IDLE))
    return Hysteresis(before.shown, before.named, _from_the_first_other(lately, shown))


def _rank(name: str) -> int:
    return _RANK.get(name, 3)


def _none_more_often(name: str, lately: tuple[str, ...]) -> bool:
    return lately.count(name) == max(map(lately.count, lately))


def _from_the_first_other(lately: tuple[str, ...], shown: str) -> tuple[str, ...]:
    first = next((i for i, name in enumerate(lately) if name != shown), len(lately))
    return lately[first:]


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


def shown_after(evidence: Iterable[Evidence]) -> Bottleneck | None:
    """What is shown after these seconds whatever was shown before them; None where they do not tell.

    `WINDOW` seconds in a row in which the same is found whichever limit is in force leave no trace of what
    was before them but whether a limit had been named, nor does one without load.
    """
    may_be: set[Hysteresis] = set()
    same: list[str] = []
    for second in evidence:
        if may_be:
            may_be = {next_hysteresis(one, second) for one in may_be}
            continue
        found = {bottleneck_of(second, in_force) for in_force in NAMES}
        if len(found) > 1:
            same = []
            continue
        (only,) = found
        same = [*same, only.limit] if same[-1:] == [only.limit] else [only.limit]
        if len(same) >= WINDOW or only.limit == IDLE:
            # Under `no load` none has been named, under a limit one has.
            named = {only.limit not in _RANK, only.limit != IDLE}
            may_be = {Hysteresis(only, one) for one in named}
    shown = {one.shown for one in may_be}
    return shown.pop() if len(shown) == 1 else None
