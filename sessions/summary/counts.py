"""How many requests were due, sent, answered: from ticks and request lines, which a kill cuts apart."""

from __future__ import annotations

from collections import Counter

import numpy as np

from sessions.summary.schema import RequestCounts
from sessions.timeline.requests import NONE
from sessions.timeline.timeline import Timeline


def request_counts(timeline: Timeline, live: bool, lines_lost: bool) -> tuple[RequestCounts, dict[str, int]]:
    """The counts, and the failures by kind, most frequent first.

    Ticks know what was due and sent, request lines how each ended; after a kill either may know of a little
    more than the other. Of a run that is not `live`, each request sent has succeeded, failed or been cut off:
    those that no line tells of were cut off, or their line was lost where `lines_lost` says that some were.
    """
    ticks, requests = timeline.ticks, timeline.requests.rows
    ended = np.bincount(requests["worker"]).tolist()
    workers = {*timeline.workers, *(worker for worker, count in enumerate(ended) if count)}
    due = sent = not_sent = 0
    for worker in sorted(workers):
        rows = ticks["worker"] == worker
        worker_ended = ended[worker] if worker < len(ended) else 0
        worker_sent = max(int(ticks["sent"][rows].sum()), worker_ended)
        worker_due = max(int(ticks["due"][rows].sum()), worker_sent)
        sent += worker_sent
        due += worker_due
        not_sent += min(int(ticks["not_sent"][rows].sum()), worker_due - worker_sent)
    errors = errors_by_kind(timeline)
    cut_off = errors.pop("unfinished", 0)
    failed = errors.total()
    succeeded = len(requests) - failed - cut_off
    if not live:
        not_sent = due - sent
        untold = sent - succeeded - failed - cut_off
        if untold and lines_lost:
            errors["lost_record"] += untold
            failed += untold
        else:
            cut_off += untold
    counts = RequestCounts(due, sent, succeeded, failed, not_sent, cut_off)
    return counts, dict(sorted(errors.items(), key=lambda item: (-item[1], item[0])))


def errors_by_kind(timeline: Timeline) -> Counter[str]:
    """How many request lines tell of each kind of error."""
    requests = timeline.requests
    error = requests.rows["error"]
    kinds, counts = np.unique(error[error != NONE], return_counts=True)
    pairs = zip(kinds.tolist(), counts.tolist(), strict=True)
    return Counter({requests.error_kinds[kind]: count for kind, count in pairs})
