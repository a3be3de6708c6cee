"""Why requests failed, in words."""

from __future__ import annotations

from collections.abc import Mapping

from loadgen.errors import cause_words
from sessions.summary.schema import Cause
from sessions.timeline.timeline import Timeline


def causes_of(timeline: Timeline, errors: Mapping[str, int]) -> list[Cause]:
    """One for each kind of `errors`, the failures of a run by kind, in their order."""
    said = {cause.kind: cause for cause in timeline.causes(float("inf"))}
    failed = sum(errors.values())
    found = []
    for kind, count in errors.items():
        cause = said.get(kind)
        text, text_count = ("", 0) if cause is None else (cause.text, cause.said)
        found.append(Cause(kind, count, count / failed, text, text_count, cause_words(kind, text)))
    return found
