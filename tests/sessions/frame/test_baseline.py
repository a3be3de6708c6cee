"""A frame beside another session: deltas worked out by hand, and what they are aligned by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sessions.curve.baseline import Baseline
from sessions.frame.baseline import Against, against, latency_delta, rate_delta, share_delta
from sessions.frame.schema import Stat
from sessions.timeline.requests import RequestColumns
from sessions.timeline.sketches import VALUES_NS, Sketches
from tests.sessions.conftest import make
from tests.sessions.timeline.folding import folded
from tests.tui.views.recorded import Recorded


class Read:
    """A view of a baseline that is read at once."""

    behind = live = False

    def __init__(self, run: Any) -> None:
        self.timeline, self.manifest = folded(*run.records), run.manifest

    @property
    def requests(self) -> RequestColumns:
        return self.timeline.requests

    def poll(self) -> bool:
        return False

    def close(self) -> None:
        pass


def beside(run: Any, other: Any) -> Recorded:
    source = Recorded(folded(*run.records), run.manifest, live=True)
    source.curve.baseline = Baseline("base", Read(other), run.manifest)
    while not source.curve.baseline.ready:
        source.poll()
    return source


def frame_at(source: Recorded, seconds: float, slots: int = 20) -> Any:
    return source.frame(source.first_ns + round(seconds * 1e9), 20 * 10**9, slots, source.first_ns)


def held(source: Recorded, seconds: float, by: Any) -> Against:
    found = against(source.curve, frame_at(source, seconds), by)
    assert found is not None
    return found


def flat(low_ms: float, n: int) -> Sketches:
    bucket = int(np.searchsorted(VALUES_NS, low_ms * 1e6))
    return Sketches(bucket, np.array([[n]]))


def test_deltas_of_a_latency_are_relative_and_near_ones_are_equal() -> None:
    of = flat(100.0, 1000)
    was_ms = float(VALUES_NS[of.low]) / 1e6
    stat = Stat(1000, was_ms * 1.04, was_ms * 1.5, was_ms * 0.5)
    p50, p95, p99 = (latency_delta(stat, name, of) for name in ("p50", "p95", "p99"))
    assert p50 is not None
    assert p95 is not None
    assert p99 is not None
    assert [round(each.change, 6) for each in (p50, p95, p99)] == [0.04, 0.5, -0.5]
    assert [each.sense for each in (p50, p95, p99)] == ["equal", "worse", "better"]
    assert latency_delta(Stat(), "p50", of) is None
    assert latency_delta(Stat(5, 1.0, 1.0, 1.0, bounds=frozenset({"p50"})), "p50", of) is None


def test_of_few_requests_what_lies_within_two_standard_errors_is_equal() -> None:
    # 100 values of 10 different lengths: p50 lies between those at 0.5 -+ 2 sqrt(0.25 (1/100 + 1/n)).
    of = Sketches(400, np.full((1, 100), 1))
    was, at_72 = (float(of.quantiles_ns((q,))[0, 0]) / 1e6 for q in (0.5, 0.72))
    assert at_72 / was > 1.05
    few, many = (Stat(n, at_72, at_72, at_72) for n in (20, 10_000))  # 0.5 +- 0.245, +- 0.1005
    assert latency_delta(few, "p50", of).sense == "equal"  # type: ignore[union-attr]
    assert latency_delta(many, "p50", of).sense == "worse"  # type: ignore[union-attr]


def test_more_tokens_and_a_larger_share_are_better() -> None:
    assert rate_delta(150.0, 100.0, 1000, 1000) == (0.5, "better")
    assert rate_delta(50.0, 100.0, 1000, 1000) == (-0.5, "worse")
    assert rate_delta(150.0, 100.0, 10, 10) == (0.5, "equal"), "2 sqrt(0.2) is 0.89"
    assert rate_delta(1.0, None, 1, 1) is None
    found = share_delta(0.80, 0.95, 1000, 1000)
    assert found is not None
    assert round(found.change, 6) == -15.0
    assert found.sense == "worse"
    assert share_delta(0.945, 0.95, 1000, 1000).sense == "equal"  # type: ignore[union-attr]
    assert share_delta(None, 0.9, 10, 10) is None


@pytest.fixture(scope="module")
def source() -> Recorded:
    mine = make(seconds=20.0, rate_rps=20.0, changes=((10.0, 40.0),))
    other = make(seconds=20.0, rate_rps=40.0, changes=((8.0, 20.0), (14.0, 60.0)), seed=9)
    return beside(mine, other)


def test_by_load_the_span_is_of_the_same_load_wherever_it_was(source: Recorded) -> None:
    baseline = source.curve.baseline
    assert baseline is not None
    assert baseline.timeline is not None
    for seconds, load in ((9.0, 20.0), (18.0, 40.0)):
        found = held(source, seconds, "load")
        (point,) = [point for point in baseline.points if point.stage.load == load]
        assert found.point is point
        assert found.span == (point.from_ns, point.to_ns)
        p95_ms = baseline.timeline.sketches("ttft_from_due", found.span).quantiles_ns((0.95,))[0, 0] / 1e6
        delta = found.latencies("ttft", found.frame.ttft_recent)["p95"]
        assert delta is not None
        assert delta.change == pytest.approx(found.frame.ttft_recent.p95_ms / p95_ms - 1)


def test_by_time_the_span_is_as_long_after_load_began(source: Recorded) -> None:
    baseline = source.curve.baseline
    assert baseline is not None
    assert baseline.timeline is not None
    found = held(source, 15.0, "time")
    begin_ns = baseline.timeline.first_ns
    assert found.span == (begin_ns + 5 * 10**9, begin_ns + 15 * 10**9)
    tokens = [
        float(tokens)
        for t_ns, tokens in zip(
            baseline.timeline.ticks["t"].tolist(), baseline.timeline.ticks["output_tokens"], strict=True
        )
        if found.span[0] < t_ns <= found.span[1]
    ]
    assert found.output_tps is not None
    assert found.output_tps.change == pytest.approx(found.frame.output_tps / (sum(tokens) / 10) - 1, rel=0.02)


def test_a_load_that_the_baseline_never_had_and_a_time_after_its_end_are_none() -> None:
    source = beside(make(seconds=30.0, rate_rps=25.0), make(seconds=8.0, rate_rps=20.0))
    by_load, by_time = held(source, 29.0, "load"), held(source, 29.0, "time")
    for found in (by_load, by_time):
        assert found.span is None
        assert set(found.latencies("ttft", found.frame.ttft_recent).values()) == {None}
        assert found.output_tps is None
    assert by_load.ghost("ttft", by_load.frame) is None


def test_the_ghost_is_by_load_a_level_and_by_time_a_course(source: Recorded) -> None:
    baseline = source.curve.baseline
    assert baseline is not None
    assert baseline.timeline is not None
    timeline = baseline.timeline
    frame = frame_at(source, 18.0)
    by_load = against(source.curve, frame, "load").ghost("ttft", frame)  # type: ignore[union-attr]
    level = {point.stage.load: point.ttft_p95.value for point in baseline.points}
    assert by_load is not None
    assert by_load[5] == pytest.approx(level[20.0])
    assert by_load[15] == pytest.approx(level[40.0])
    assert math.isnan(by_load[19]), "nothing is on after the instant"
    by_time = against(source.curve, frame, "time").ghost("ttft", frame)  # type: ignore[union-attr]
    assert by_time is not None
    begin_ns = timeline.first_ns + 6 * 10**9
    p95_ns = timeline.sketches("ttft_from_due", (begin_ns, begin_ns + 10**9)).quantiles_ns((0.95,))[0, 0]
    assert by_time[6] == pytest.approx(p95_ns / 1e6)


def test_what_was_found_is_looked_up_by_the_next_frame(source: Recorded, monkeypatch: Any) -> None:
    frame = frame_at(source, 17.0)
    for by in ("load", "time"):
        found = against(source.curve, frame, by)  # type: ignore[arg-type]
        assert found is not None
        first = found.ghost("ttft", frame), found.latencies("ttft", frame.ttft_recent), found.output_tps
        baseline = source.curve.baseline
        assert baseline is not None
        assert baseline.timeline is not None
        with monkeypatch.context() as patched:
            patched.setattr(baseline.timeline, "sketches", None)
            again = against(source.curve, frame, by)  # type: ignore[arg-type]
            assert again is not None
            assert again.ghost("ttft", frame) is first[0]
            assert (again.latencies("ttft", frame.ttft_recent), again.output_tps) == first[1:]


def test_without_a_baseline_there_is_nothing() -> None:
    run = make(seconds=3.0, rate_rps=5.0)
    source = Recorded(folded(*run.records), run.manifest)
    assert against(source.curve, frame_at(source, 2.0), "load") is None
