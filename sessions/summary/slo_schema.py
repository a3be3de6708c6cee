"""What a run, or a stage of a plan, says of its targets, as typed values."""

from __future__ import annotations

import msgspec

from sessions.plan.slo import Verdict


class TargetResult(msgspec.Struct, frozen=True):
    """One target."""

    target: str
    """As it was typed."""
    figure: float | None
    """In ms, per second, joules, or a share; None where it was not measured. A percentile is of the requests
    that succeeded."""
    verdict: Verdict
    limit: float = 0.0
    """In the unit of `figure`."""
    misses: int | None = None
    """Scheduled requests that did not hold a percentile's limit, failed ones among them; None of what counts
    no requests."""
    of: int | None = None
    """Of so many."""
    allowed: float | None = None
    """Share of them that may miss."""
    needs: int | None = None
    """How many more requests would decide what is undecided; None where it is decided, was not measured, or
    is too close to tell."""


class Slo(msgspec.Struct, frozen=True):
    """All targets together. Its requests are all that were scheduled and are not in flight."""

    verdict: Verdict
    """`fail` where one target fails, `pass` where all pass."""
    scheduled: int
    good: int | None
    """Those that held every limit that a percentile asks of one request; None where no target asks that.
    What failed or was not sent did not."""
    attainment: float | None
    """`good` of `scheduled`."""
    goodput_rps: float | None
    """`good` per second."""
    targets: list[TargetResult]
    """Of a plan each stage has its own, and none are here."""
