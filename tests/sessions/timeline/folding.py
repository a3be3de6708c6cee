"""A timeline out of records."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from sessions.store.records import AnyRecord
from sessions.timeline.kept import keep
from sessions.timeline.timeline import Timeline


def folded(*records: Any) -> Timeline:
    timeline = Timeline()
    for record in records:
        timeline.apply(record)
    return timeline


def kept_bytes(timeline: Timeline, rare_records: Iterable[AnyRecord]) -> bytes:
    """What is kept of it, in one."""
    columns = io.BytesIO()
    return keep(timeline, rare_records, columns) + columns.getvalue()
