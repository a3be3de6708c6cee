"""Other targets over stored requests, against a count request by request."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadgen.records import Request
from sessions.curve.loads import loads_upto
from sessions.curve.memory import CurveMemory
from sessions.curve.point import Point, point_of
from sessions.curve.what_if import Held, RequestTimes, capacity
from sessions.frame.session_view import SessionView
from sessions.plan.slo import Target, parse_slo
from tests.sessions.conftest import START_NS
from tests.sessions.summary.summing import stored
from tests.sessions.timeline.folding import folded

MakeRun = Callable[..., Any]
S = 1_000_000_000


def holds(request: Request, target: Target) -> bool:
    """By the definitions of docs/figures/metrics.md, of one request."""
    if request.error is not None:
        return False
    first, last = request.first_token_ns or 0, request.last_token_ns or 0
    if target.metric == "ttft":
        return (first - request.due_ns) / 1e6 <= target.limit
    if target.metric == "e2e":
        return (last - request.due_ns) / 1e6 <= target.limit
    later = (request.output_tokens or 0) - 1
    return later < 1 or request.chunks < 2 or (last - first) / later / 1e6 <= target.limit


@pytest.mark.parametrize(
    "text", ["ttft.p95<150ms", "ttft.p50<120ms, itl.p95<20ms", "e2e.p90<600ms", "ttft.p50<10s"]
)
@pytest.mark.parametrize("at_s", [6.0, 17.3, 40.0])
def test_each_request_that_had_ended_is_counted_where_it_was_due(
    make_run: MakeRun, text: str, at_s: float
) -> None:
    run = make_run(seconds=20.0, rate_rps=30.0, failing=0.1, changes=((10.0, 60.0),))
    timeline = folded(*run.records)
    at_ns = round(START_NS + at_s * S)
    targets = parse_slo(text)
    points = [
        point_of(timeline, run.manifest, stage) for stage in loads_upto(timeline, run.manifest.config, at_ns)
    ]
    found = RequestTimes(timeline.requests.rows).what_if(targets, points, at_ns)
    ended = [request for request in run.requests if request.end_ns <= at_ns]
    spans = [(0, at_ns), *((point.from_ns, point.to_ns) for point in points)]
    for (begin, end), held in zip(spans, [found.whole, *found.points], strict=True):
        here = [request for request in ended if begin <= request.due_ns < end]
        kept = [[holds(request, target) for request in here] for target in targets]
        assert held.of == len(here)
        assert held.good == sum(map(all, zip(*kept, strict=True)))
        assert held.holds == all(
            len(each) and 1 - sum(each) / len(each) <= 1 - (target.quantile or 0) + 1e-9
            for each, target in zip(kept, targets, strict=True)
        )


def test_a_looser_target_is_held_by_no_fewer(make_run: MakeRun) -> None:
    run = make_run(seconds=20.0, rate_rps=30.0, failing=0.1)
    timeline = folded(*run.records)
    times = RequestTimes(timeline.requests.rows)
    shares = [
        times.what_if([Target("", "ttft", "p95", True, limit)], [], 10**12).whole.share or 0.0
        for limit in (1.0, 50.0, 100.0, 150.0, 300.0, 1e9)
    ]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == pytest.approx(0.9, abs=0.03), "those that failed hold none"


def test_capacity_is_the_highest_steady_load_below_the_lowest_that_misses(make_run: MakeRun) -> None:
    run = make_run(seconds=20.0, rate_rps=20.0)
    timeline = folded(*run.records)
    (stage,) = loads_upto(timeline, run.manifest.config, timeline.newest_ns)
    like = point_of(timeline, run.manifest, stage)

    def found(*of: tuple[float, str, bool]) -> Any:
        points: list[Point] = [
            like._replace(stage=stage._replace(load=load), verdict=verdict) for load, verdict, _ in of
        ]
        return tuple(capacity(points, [Held(1, 1, 1.0, kept) for _, _, kept in of]))

    assert found((4, "steady", True), (8, "steady", True), (12, "steady", False)) == (8, 12)
    assert found((4, "steady", True), (8, "drifting_up", True)) == (4, 8), (
        "what piles up holds nothing for long"
    )
    assert found((4, "steady", False), (8, "steady", True)) == (None, 4)
    assert found((4, "too_short", True)) == (None, None)


def test_rows_are_read_once_a_target_is_moved_and_not_before(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(seconds=12.0, rate_rps=30.0)
    stored(run, tmp_path, random.Random(1))
    view = SessionView(tmp_path)
    view.read_all()
    assert len(view.curve.at(view.last_ns).points) == 1
    view.read_all()
    assert len(view.timeline.requests) == 0
    asked = parse_slo("ttft.p95<150ms")
    _, read = view.curve.what_if(asked, view.last_ns)
    assert read == 0.0
    view.read_all()
    found, read = view.curve.what_if(asked, view.last_ns)
    assert (found.whole.of, read) == (len(run.requests), 1.0)
    assert isinstance(view.curve, CurveMemory)
    view.close()
