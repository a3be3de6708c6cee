"""A timeline out of records."""

from __future__ import annotations

from typing import Any

from sessions.timeline.timeline import Timeline


def folded(*records: Any) -> Timeline:
    timeline = Timeline()
    for record in records:
        timeline.apply(record)
    return timeline
