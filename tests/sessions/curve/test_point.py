"""A point's figures; expected ones are numpy's on the single requests of made-up runs."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from loadgen.records import TICK_NS, Tick
from sessions.curve.curve import aligned, curve_of
from sessions.curve.loads import loads_upto
from sessions.curve.memory import CurveMemory
from sessions.curve.point import Point, point_of, with_intervals
from sessions.store.records import LoadChange
from sessions.timeline.attained import Attained
from tests.sessions.conftest import START_NS
from tests.sessions.timeline.folding import folded

MakeRun = Callable[..., Any]
S = 1_000_000_000


def points_of(run: Any) -> list[Point]:
    timeline = folded(*run.timeline_records)
    return [
        point_of(timeline, run.manifest, stage)
        for stage in loads_upto(timeline, run.manifest.config, timeline.newest_ns)
    ]


def test_latencies_are_those_that_came_in_the_measured_part(make_run: MakeRun) -> None:
    run = make_run(seconds=40.0, rate_rps=20.0, changes=((20.0, 50.0),))
    low, high = points_of(run)
    assert (low.stage.load, high.stage.load) == (20.0, 50.0)
    assert low.from_ns >= START_NS
    assert high.to_ns == START_NS + 40 * S
    for point in (low, high):
        # A tick belongs to the span in which it ends.
        begin, end = (t_ns // 250_000_000 * 250_000_000 for t_ns in (point.from_ns, point.to_ns))
        ttft = [r.first_token_ns - r.due_ns for r in run.requests if begin < r.first_token_ns <= end]
        times = [t for r in run.requests for t in run.tokens_ns[r.index] if begin < t <= end]
        done = [r for r in run.requests if begin < r.end_ns <= end]
        gaps = [
            b - a
            for r in run.requests
            for a, b in zip(run.tokens_ns[r.index], run.tokens_ns[r.index][1:], strict=False)
            if begin < b <= end
        ]
        seconds = (point.to_ns - point.from_ns) / S
        assert point.first_tokens == len(ttft)
        assert point.ttft_p50 == pytest.approx(np.percentile(ttft, 50) / 1e6, rel=0.015)
        assert point.ttft_p95.value == pytest.approx(np.percentile(ttft, 95) / 1e6, rel=0.015)
        assert point.itl_p95.value == pytest.approx(np.percentile(gaps, 95) / 1e6, rel=0.015)
        assert point.output_tps.value == pytest.approx(len(times) / seconds)
        assert point.done_rps == pytest.approx(len(done) / seconds)
        assert point.user_tps == pytest.approx(1e9 / np.mean(gaps), rel=0.015)
        assert point.attained is None
        assert point.gpu_tps is None, "nobody told of a GPU"


def test_an_interval_holds_the_true_figure_and_is_none_where_it_cannot_be_told(make_run: MakeRun) -> None:
    true_p95_ms, missed = 120 * np.exp(0.5 * 1.6449), 0
    for seed in range(1, 5):
        run = make_run(seconds=40.0, rate_rps=15.0, seed=seed)
        (point,) = points_of(run)
        assert (point.ttft_p95.low, point.ttft_p95.high) == (None, None)
        sure = with_intervals(folded(*run.timeline_records), point)
        assert (
            sure._replace(ttft_p95=point.ttft_p95, itl_p95=point.itl_p95, output_tps=point.output_tps)
            == point
        )
        low, high = sure.ttft_p95.low, sure.ttft_p95.high
        assert low is not None
        assert high is not None
        assert low < (sure.ttft_p95.value or 0) < high
        missed += not low <= true_p95_ms <= high
    assert missed <= 1, "5 of 100 are expected"
    short = make_run(seconds=4.0, rate_rps=20.0)
    (point,) = points_of(short)
    assert with_intervals(folded(*short.timeline_records), point).ttft_p95.low is None


def test_chunks_of_unknown_numbers_of_tokens_have_gaps_and_nobody_reads_along(make_run: MakeRun) -> None:
    run = make_run(seconds=20.0, rate_rps=20.0, chunk_tokens="unknown")
    (point,) = points_of(run)
    assert point.itl_is_gap
    assert point.user_tps is None
    assert point.itl_p95.value is not None


def test_points_are_those_of_the_instant_whether_or_not_more_is_known(make_run: MakeRun) -> None:
    run = make_run(seconds=24.0, rate_rps=20.0, changes=((12.0, 40.0),))
    whole, growing = folded(*run.timeline_records), folded()

    class Source:
        manifest = run.manifest
        live = False
        requests = whole.requests

        def __init__(self, timeline: Any) -> None:
            self.timeline = timeline

    replay, live = CurveMemory(Source(whole)), CurveMemory(Source(growing))
    records = run.timeline_records
    for at_s in (3, 9, 15, 17, 22):
        at_ns = START_NS + at_s * S
        while records and records[0].t_ns <= at_ns:
            growing.apply(records.pop(0))
        while replay.poll() | live.poll():
            pass
        assert replay.at(at_ns).points == live.at(at_ns).points
        assert [p.stage.load for p in live.at(at_ns).points] == [20.0, 40.0][: 1 + (at_s > 12)]
        assert (live.at(at_ns).growing is not None) is (at_s < 24)


def test_polls_bring_the_intervals_that_a_frame_has_no_time_for(make_run: MakeRun) -> None:
    run = make_run(seconds=40.0, rate_rps=15.0)
    view = SimpleNamespace(timeline=folded(*run.timeline_records), manifest=run.manifest, live=False)
    memory = CurveMemory(view)  # type: ignore[arg-type]
    at_ns = view.timeline.newest_ns
    assert memory.at(at_ns).points[0].output_tps.low is None
    assert memory.poll()
    assert memory.at(at_ns).points[0].output_tps.low is not None
    assert not memory.poll(), "no more is to be seen"


def test_the_knee_lies_between_the_highest_load_that_was_steady_and_the_lowest_that_piles_up(
    make_run: MakeRun,
) -> None:
    (like,) = points_of(make_run(seconds=20.0, rate_rps=20.0))

    def point(load: float, verdict: str) -> Point:
        return like._replace(stage=like.stage._replace(load=load), verdict=verdict)

    def knee(*of: tuple[float, str]) -> Any:
        return curve_of(folded(), None, [point(*one) for one in of], 1).knee

    assert knee((4, "steady"), (8, "steady")) is None
    assert knee((8, "steady"), (4, "steady"), (16, "drifting_up"), (12, "drifting_up")) == (8, 12)
    assert knee((8, "steady"), (10, "too_short"), (6, "drifting_up")) is None, (
        "the other way round says nothing"
    )
    assert knee((8, "steady"), (12, "ramp"), (16, "drifting_up")) == (8, 16)


def test_points_of_another_session_are_those_of_the_same_load(make_run: MakeRun) -> None:
    (like,) = points_of(make_run(seconds=20.0, rate_rps=20.0))
    steady = like._replace(stage=like.stage._replace(load=8.0), verdict="steady")
    short = steady._replace(verdict="too_short")
    assert aligned([short, steady], 8.1, False) == steady
    assert aligned([short, steady], 8.3, False) is None
    assert aligned([short, steady], 8.0, True) is None


def test_of_very_many_loads_the_newest_are_there_at_once_and_the_others_soon() -> None:
    records: list[Any] = []
    for i in range(100):
        begin_ns = (1 + 2 * i) * S
        records.append(LoadChange(begin_ns, "rate", rate_rps=4.0 + i))
        records += [
            Tick(begin_ns + j * TICK_NS, TICK_NS, 0, due=1, succeeded=1, rate_rps=4.0 + i)
            for j in range(1, 9)
        ]
    view = SimpleNamespace(timeline=folded(*records), manifest=None, live=False)
    memory = CurveMemory(view)  # type: ignore[arg-type]
    first = [point.stage.load for point in memory.at(201 * S).points]
    assert first == [4.0 + i for i in range(70, 100)]
    polls = 0
    while memory.poll():
        memory.at(201 * S)
        polls += 1
    assert [point.stage.load for point in memory.at(201 * S).points] == [4.0 + i for i in range(100)]
    assert polls <= 70


def test_goodput_is_never_above_what_was_due_in_the_same_time(make_run: MakeRun) -> None:
    (point,) = points_of(make_run(seconds=20.0, rate_rps=9.0))
    due = point.due_rps
    assert due is not None
    backlog = point._replace(attained=Attained(1.0), done_rps=due + 3.0)
    assert backlog.goodput_rps == due
    assert point._replace(attained=Attained(0.5), done_rps=due - 1.0).goodput_rps == (due - 1.0) / 2
