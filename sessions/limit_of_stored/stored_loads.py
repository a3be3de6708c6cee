"""The loads that a session was put under, with the requests that say whether each holds its targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sessions.digits import digits
from sessions.metrics import Requests, e2e
from sessions.store.manifest import Manifest
from sessions.summary.schema import Summary
from sessions.timeline.requests import NONE
from sessions.timeline.stage_list import stages_of
from sessions.timeline.timeline import Timeline


class StoredSession(NamedTuple):
    timeline: Timeline
    manifest: Manifest
    summary: Summary


class StoredLoad(NamedTuple):
    name: str
    closed: bool
    load: float
    lengths: tuple[str, str]
    """Of prompts and answers, as they were asked for."""
    from_s: float
    to_s: float
    window: str
    """Its verdict; empty where there is none, as of a ramp."""
    rows: Requests
    not_sent: int

    @property
    def seconds(self) -> float:
        return self.to_s - self.from_s

    @property
    def e2e_s(self) -> float | None:
        took = e2e(self.rows[self.rows["error"] == NONE])
        return float(np.nanmean(took)) / 1e9 if np.isfinite(took).any() else None


def stored_loads(session: StoredSession) -> Iterator[StoredLoad]:
    """The stages of its plan, else the stretches between changes of load; each as far as it is measured."""
    timeline, manifest, summary = session
    plan, work = manifest.config.plan, manifest.config.workload
    if plan is not None and summary.plan is not None:
        asked = stages_of(plan, timeline.stages)
        for stage in summary.plan.stages:
            rate = asked[stage.number - 1].rate_rps or stage.offered_rps
            load = stage.concurrency if stage.concurrency is not None else rate
            if load and stage.state != "running":
                rows = _due(session, stage.measured_from_s, stage.to_s)
                yield StoredLoad(
                    stage.name, stage.concurrency is not None, float(load),
                    (str(stage.input_tokens), str(stage.output_tokens)), stage.measured_from_s, stage.to_s,
                    "" if stage.window is None else stage.window.verdict, rows, stage.not_sent,
                )  # fmt: skip
        return
    lengths = (str(work.input_tokens), str(work.output_tokens))
    for step in summary.stages:
        load = step.concurrency if step.concurrency is not None else step.offered_rps
        if not load:
            continue
        window = step.window
        from_s, to_s = (step.from_s, step.to_s) if window is None else (window.from_s, window.to_s)
        name = f"{digits(load, 4)} {'at a time' if step.concurrency is not None else 'rps'}"
        yield StoredLoad(
            name, step.concurrency is not None, load, lengths, from_s, to_s,
            "" if window is None else window.verdict, _due(session, from_s, to_s),
            _not_sent(session, from_s, to_s),
        )  # fmt: skip


def _due(session: StoredSession, from_s: float, to_s: float) -> Requests:
    rows = session.timeline.requests.rows
    span_ns = (_ns(session, from_s), _ns(session, to_s) + 1)
    due: Requests = rows[slice(*np.searchsorted(rows["due_ns"], span_ns))]
    return due


def _not_sent(session: StoredSession, from_s: float, to_s: float) -> int:
    ticks = session.timeline.ticks
    edges = np.array([_ns(session, from_s), _ns(session, to_s)], dtype=np.float64)
    a, b = ticks.upto(edges).tolist()
    return int(ticks["not_sent"][a:b].sum())


def _ns(session: StoredSession, seconds: float) -> int:
    return session.timeline.first_ns + round(seconds * 1e9)
