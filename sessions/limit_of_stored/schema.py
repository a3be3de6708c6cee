"""What stored sessions say of a limit, as one typed value: `ttftop limit SESSION --json`."""

from __future__ import annotations

from typing import Any

import msgspec

from sessions.plan.slo import Verdict
from sessions.summary.plan_schema import Limit


class RestsOn(msgspec.Struct, frozen=True):
    """One stage, or one stretch of constant load, of a session."""

    session: str
    name: str
    load: float
    """Requests per second, or at a time."""
    from_s: float
    """Since its load began: the part that was judged."""
    to_s: float
    window: str
    """The verdict of its window: `steady`, `drifting_up`, ...; empty where none was given."""
    verdict: Verdict | None
    """None where it counts for nothing."""
    why: str
    """Why it counts for nothing; empty where it counts."""


class StoredLimit(msgspec.Struct, frozen=True):
    targets: list[str]
    sessions: list[str]
    limit: Limit
    """Never certified: no load was tried for it."""
    rests_on: list[RestsOn]
    notes: list[str]
    """What may make it wrong: sessions that are not valid, or that differ in more than their load."""
    badges: list[str]


def plain(found: StoredLimit) -> dict[str, Any]:
    """As dictionaries, lists and plain values."""
    made: dict[str, Any] = msgspec.to_builtins(found)
    return made
