"""Whether a run's figures may be relied on, and why not. docs/figures/metrics.md says the same in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessions.bottleneck.client_saturation import Saturation
from sessions.summary.schema import Cause, RequestCounts

FAILED_SHARE = 0.01
"""Of what was sent, that may fail."""
CUT_SHARE = 0.01
"""Of what was sent, that the end of the run may cut off: long answers above all, so percentiles lack them."""
SENT_SHARE = 0.95
"""Of what was due, that must be sent."""
SATURATED_SHARE = 0.01
"""Of the seconds, in which the client itself may be the limit."""

_OURS = ("unfinished", "lost_record")
"""Kinds of failures that are told apart: the server has no part in them."""

_SPOILED = {
    "interrupted": "the run was interrupted",
    "aborted": "the run was aborted",
    "gave_up": "the run gave up, since every request failed from the first on",
    "worker_lost": "a load worker died",
    "failed": "the run failed",
    "unsaved": "part of what was measured could not be saved",
    "killed": "the run was killed",
}
"""Reasons of an end after which the figures do not stand for what was asked."""


def cut_off(counts: RequestCounts) -> str:
    """What the end of the run cut off, in words that a parenthesis is still to end."""
    share = f"{counts.cut_off / max(counts.sent, 1):.1%}"
    return (
        f"the end of the run cut off {counts.cut_off} of {counts.sent} answers, above all long ones ({share}"
    )


def reasons_against(
    counts: RequestCounts,
    errors: Mapping[str, int],
    end_reason: str | None,
    live: bool,
    saturation: Saturation,
    damaged: Sequence[str],
    missing: Sequence[str] = (),
    causes: Sequence[Cause] = (),
    sought: int = 0,
) -> list[str]:
    """Why the result should not be relied on, a sentence each; [] when it may be.

    Args:
        end_reason: None while the run goes on.
        live: it goes on, so what is due may be sent yet.
        damaged: names of files of which something is lost.
        missing: what the session's files should tell and do not, a sentence each.
        causes: why requests failed, the most frequent first.
        sought: how many of the failures are what the run was made for: no reason against it.
    """
    lost = errors.get("lost_record", 0)
    due, sent, failed = counts.due, counts.sent, counts.failed - lost
    reasons = []
    if end_reason is None:
        reasons.append("the run is still going on")
    elif end_reason in _SPOILED:
        reasons.append(_SPOILED[end_reason])
    if not sent:
        reasons.append("nothing was sent")
    if failed - sought > FAILED_SHARE * sent:
        reasons.append(
            f"{failed} of {sent} requests failed ({failed / max(sent, 1):.1%}, allowed {FAILED_SHARE:.0%})"
            + _most_often([cause for cause in causes if cause.kind not in _OURS], failed)
        )
    if counts.cut_off > CUT_SHARE * sent and not live:
        reasons.append(f"{cut_off(counts)}, allowed {CUT_SHARE:.0%})")
    if lost:
        reasons.append(f"what became of {lost} of {sent} requests is not known: their lines are lost")
    if sent < SENT_SHARE * due and not live:
        reasons.append(f"{sent} of {due} due requests were sent ({sent / due:.1%}, needed {SENT_SHARE:.0%})")
    if saturation.seconds > SATURATED_SHARE * saturation.of_seconds:
        seconds = f"{saturation.seconds} of {saturation.of_seconds} s"
        reasons.append(f"the client was saturated for {seconds}: {saturation.note}")
    if damaged:
        reasons.append(f"part of the session is lost: {', '.join(damaged)}")
    return [*reasons, *missing]


def _most_often(causes: Sequence[Cause], failed: int) -> str:
    if not causes:
        return ""
    most = causes[0]
    return f", {'all' if most.count == failed else most.count} of them: {most.words}"
