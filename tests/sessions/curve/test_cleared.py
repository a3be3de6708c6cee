"""What a load left behind stays out of the figures of the next: against single requests of a queue worked out
one by one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from loadgen.records import TICK_NS, Tick
from loadgen.sketch import SketchCounts
from sessions.curve.cleared import cleared_ns
from sessions.curve.loads import loads_upto
from sessions.curve.point import BEHIND, Point, point_of
from sessions.frame.build import build
from sessions.frame.latency import latency_now
from sessions.store.records import LoadChange
from sessions.timeline.timeline import Timeline
from tests.sessions.timeline.folding import folded

S = 1_000_000_000
SERVED_NS = S // 10
"""One request after the other: 10 rps."""


class Asked(NamedTuple):
    due_ns: int
    first_ns: int
    end_ns: int


def queue(*loads: tuple[int, int, float]) -> list[Asked]:
    """Requests of loads (from second, to second, rps), each answered when those before it are."""
    found, free_ns = [], 0
    for begin_s, end_s, rps in loads:
        for due_ns in np.arange(begin_s * S, end_s * S, S / rps).astype(int).tolist():
            free_ns = max(free_ns, due_ns) + SERVED_NS
            found.append(Asked(due_ns, free_ns, free_ns + S // 2))
    return found


def run(
    loads: tuple[tuple[int, int, float], ...], requests: list[Asked], to_s: int, **lost: bool
) -> Timeline:
    """`failed`: every fifth fails in place of its first token; `empty`: every fifth ends without any token."""
    records = [LoadChange(begin_s * S, "rate", rate_rps=rps) for begin_s, _, rps in loads]
    ticks = []
    for t_ns in range(TICK_NS, to_s * S + 1, TICK_NS):
        rate = next((rps for a, b, rps in loads if a * S < t_ns <= b * S), 0.0)
        tick, counts = Tick(t_ns, TICK_NS, 0, rate_rps=rate), SketchCounts()
        for i, one in enumerate(requests):
            odd, here = i % 5 == 4, range(t_ns - TICK_NS + 1, t_ns + 1)
            failed, empty = odd and lost.get("failed", False), odd and lost.get("empty", False)
            tick.due += one.due_ns in here
            tick.failed += failed and one.first_ns in here
            tick.succeeded += not failed and one.end_ns in here
            tick.in_flight += one.due_ns <= t_ns < (one.first_ns if failed else one.end_ns)
            if one.first_ns in here and not failed and not empty:
                counts.add(one.first_ns - one.due_ns)
        tick.ttft_from_due = counts.take()
        ticks.append(tick)
    return folded(*sorted([*records, *ticks], key=lambda record: record.t_ns))


def points_at(timeline: Timeline, at_s: int) -> list[Point]:
    return [point_of(timeline, None, stage) for stage in loads_upto(timeline, None, at_s * S)]


OVERLOADED = ((1, 21, 13.0), (21, 51, 3.0))


@pytest.mark.parametrize("lost", [{}, {"failed": True}, {"empty": True}])
def test_a_queue_that_another_load_left_is_in_no_figure_of_the_next(lost: dict[str, bool]) -> None:
    requests = queue(*OVERLOADED)
    timeline = run(OVERLOADED, requests, 60, **lost)
    old_ns = max(one.first_ns for one in requests if one.due_ns < 21 * S)
    assert old_ns > 26 * S, "there is a queue: the last of it is answered late"
    found = cleared_ns(timeline, 21 * S, 51 * S)
    alone_ns = next(
        one.due_ns for one in requests if one.due_ns > 21 * S and one.first_ns - one.due_ns == SERVED_NS
    )
    assert found is not None
    assert old_ns < found <= alone_ns + 8 * TICK_NS
    high, low = points_at(timeline, 51)
    assert high.ttft_p95.value is not None
    assert high.ttft_p95.value > 4000
    # What the server does at that rate, where nothing was before it.
    alone = [one.first_ns - one.due_ns for one in queue((21, 51, 3.0))]
    assert low.ttft_p95.value == pytest.approx(np.percentile(alone, 95) / 1e6, rel=0.02)
    assert low.due == sum(21 * S < one.due_ns <= 51 * S for one in requests)


def test_while_the_queue_is_there_the_next_load_has_no_figures_and_says_why() -> None:
    timeline = run(OVERLOADED, queue(*OVERLOADED), 60)
    high, low = points_at(timeline, 24)
    assert high.ttft_p95.value is not None
    assert low.why == BEHIND
    figures = (low.ttft_p50, low.ttft_p95.value, low.output_tps.value, low.done_rps, low.attained)
    assert figures == (None,) * 5
    assert low.goodput_rps is None
    assert cleared_ns(timeline, 21 * S, 24 * S) is None


def test_where_no_queue_was_left_a_load_loses_next_to_nothing() -> None:
    loads = ((1, 11, 3.0), (11, 31, 5.0))
    timeline = run(loads, queue(*loads), 40)
    found = cleared_ns(timeline, 11 * S, 31 * S)
    assert found is not None
    assert 11 * S <= found <= 11 * S + 3 * TICK_NS
    assert cleared_ns(timeline, 1 * S, 11 * S) == 1 * S, "nothing was due before the first load"


def test_a_queue_stays_out_of_what_is_known_of_an_instant_live_and_in_a_replay() -> None:
    timeline = run(OVERLOADED, queue(*OVERLOADED), 60)
    for at_s in (22, 25, 29, 34):
        live = run(OVERLOADED, queue(*OVERLOADED), at_s)
        assert points_at(live, at_s) == points_at(timeline, at_s)


def test_nor_is_it_in_the_latencies_of_the_next_load_beside_those_of_the_last() -> None:
    timeline = run(OVERLOADED, queue(*OVERLOADED), 60)
    frame = build(timeline, None, at_ns=51 * S, window_ns=51 * S, slots=51, live=False, killed=False)
    found = latency_now(timeline, loads_upto(timeline, None, 51 * S), frame, "ttft")
    assert found.now is not None
    assert found.before is not None
    assert found.now.stat.p99_ms == pytest.approx(SERVED_NS / 1e6, rel=0.02)
    assert (found.before.stat.p99_ms or 0) > 4000
    growing = latency_now(timeline, loads_upto(timeline, None, 24 * S), frame, "ttft").now
    assert growing is not None
