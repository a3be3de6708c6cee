"""Whether the files of a session tell of the whole run: what is missing from them, or stands there twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sessions.store.journal import SUPERVISOR_FILE, request_file, worker_file
from sessions.store.manifest import Manifest
from sessions.summary.schema import RequestCounts
from sessions.summary.stored import stored_summary
from sessions.timeline.requests import Requests
from sessions.timeline.timeline import Timeline

_NAMED = 3
"""Files that are named; of more there is a count."""


def workers_without_lines(timeline: Timeline) -> list[int]:
    """Workers whose ticks tell of requests that ended, and of which there is not one request line."""
    ticks = timeline.ticks
    ended = ticks["worker"][ticks["succeeded"] + ticks["failed"] > 0].astype(np.int64)
    workers: list[int] = np.setdiff1d(ended, timeline.requests.rows["worker"]).tolist()
    return workers


def what_is_missing(timeline: Timeline, manifest: Manifest, without_lines: Sequence[int]) -> list[str]:
    """A sentence for each thing that the files of an ended run should tell and do not.

    `without_lines`: what `workers_without_lines` found.
    """
    if manifest.end is None or manifest.end.reason == "failed":
        return []
    said = []
    planned = manifest.client.get("workers")
    if isinstance(planned, int) and not isinstance(planned, bool):
        silent = sorted(set(range(min(planned, 1000))) - set(timeline.workers))
        if silent and timeline.ticks["sent"].sum() + len(timeline.requests):
            said.append(f"ticks of load workers are missing: {_named([worker_file(n) for n in silent])}")
    if not timeline.states:
        said.append(f"what the run was told is missing: {SUPERVISOR_FILE}")
    if without_lines:
        said.append(f"request lines are missing: {_named([request_file(n) for n in without_lines])}")
    if twice := _repeated(timeline.requests.rows):
        said.append(f"{twice} of {len(timeline.requests)} request lines stand more than once")
    return said


def _repeated(rows: Requests) -> int:
    """How many rows are of a request that another row tells of, too, the first of each not counted."""
    order = np.lexsort((rows["index"], rows["worker"]))  # `np.unique` of both takes ten times as long
    same = (np.diff(rows["worker"][order]) == 0) & (np.diff(rows["index"][order]) == 0)
    return int(same.sum())


def other_than_kept(manifest: Manifest, counts: RequestCounts) -> list[str]:
    """What the run's own summary said when it ended, if the files tell of other requests now."""
    stored = stored_summary(manifest)
    if stored is None or stored.requests.sent is None:
        return []
    then = stored.requests.sent, (stored.requests.failed or 0) + (stored.requests.cut_off or 0)
    if (counts.sent, counts.failed + counts.cut_off) == then:
        return []
    p50 = stored.ttft_from_due_ms.p50
    ttft = "" if p50 is None else f", TTFT p50 {p50:.1f} ms"
    return [
        f"the run's own summary (session.toml) said when it ended: {then[0]} sent, {then[1]} failed{ttft}"
    ]


def _named(files: list[str]) -> str:
    more = len(files) - _NAMED
    return ", ".join(files[:_NAMED]) + (f" and {more} more" if more > 0 else "")
