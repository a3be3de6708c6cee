"""Latency targets beside what the last seconds were, from the ticks' sketches; by hand."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from loadgen.records import TICK_NS, Tick
from loadgen.sketch import SketchCounts
from sessions.frame.build import build
from sessions.frame.targets import targets_at, unjudged
from tests.sessions.summary.summing import manifest
from tests.sessions.timeline.folding import folded


def counted(ms_of: list[float]) -> list[int]:
    sketch = SketchCounts()
    for ms in ms_of:
        sketch.add(int(ms * 1e6))
    return sketch.take()


def asked(*slo: str):
    found = manifest()
    found.config = msgspec.structs.replace(found.config, slo=list(slo))
    return found


def test_each_metric_has_its_targets_with_what_it_is_lately_the_missed_one_first() -> None:
    tick = Tick(TICK_NS, TICK_NS, 0, ttft_from_due=counted([100] * 90 + [900] * 60), itl=counted([20] * 999))
    found = targets_at(folded(tick), asked("ttft.p50<2s, ttft.p95<500ms, itl.p99<50ms"), (0, TICK_NS))
    first, second = found["ttft"]
    assert (first.statistic, first.limit_ms, first.met, first.thin) == ("p95", 500.0, False, False)
    assert first.now_ms == pytest.approx(900, rel=0.01)
    assert (second.statistic, second.met) == ("p50", True)
    (itl,) = found["itl"]
    assert itl.now_ms == pytest.approx(20, rel=0.01)
    assert (itl.met, itl.thin) == (True, False)


def test_what_rests_on_few_samples_says_so_and_what_was_not_observed_says_neither() -> None:
    tick = Tick(TICK_NS, TICK_NS, 0, ttft_from_due=counted([100] * 129))
    for slo, thin in (
        ("ttft.p95<1s", True),
        ("ttft.p50<1s", False),
        ("ttft.p93<1s", True),
        ("ttft.p60<1s", False),
    ):
        (target,) = targets_at(folded(tick), asked(slo), (0, TICK_NS))["ttft"]
        assert target.thin is thin
    (none,) = targets_at(folded(tick), asked("itl.p95<1s"), (0, TICK_NS))["itl"]
    assert (none.now_ms, none.met, none.thin) == (None, None, False)


def test_a_mean_and_the_most_are_figures_of_the_same_seconds() -> None:
    tick = Tick(TICK_NS, TICK_NS, 0, ttft_from_due=counted([100] * 90 + [900] * 10))
    found = targets_at(folded(tick), asked("ttft.mean<150ms, ttft.max<2s"), (0, TICK_NS))["ttft"]
    assert [(one.statistic, one.quantile, one.met) for one in found] == [
        ("mean", 0.5, False),
        ("max", 1.0, True),
    ]
    assert [one.now_ms for one in found] == pytest.approx([180.0, 900.0], rel=0.01)


def test_what_is_no_latency_of_a_sketch_is_no_line_on_a_chart() -> None:
    slo = asked("output_tps>100, errors<1%")
    assert targets_at(folded(), slo, (0, TICK_NS)) == {}
    assert targets_at(folded(), None, (0, TICK_NS)) == {}


def test_a_target_of_tpot_stands_in_the_chart_of_itl_and_is_not_judged_by_it() -> None:
    tick = Tick(TICK_NS, TICK_NS, 0, itl=counted([20] * 999))
    found = targets_at(folded(tick), asked("itl.p99<50ms, tpot.p95<30ms"), (0, TICK_NS))
    (tpot,) = found["tpot"]
    assert (tpot.name, tpot.statistic, tpot.limit_ms, tpot.met) == ("TPOT", "p95", 30.0, None)
    axis = {"at_ns": TICK_NS, "window_ns": TICK_NS, "slots": 1}
    frame = replace(build(folded(tick), None, live=False, killed=False, **axis), targets=found)
    assert unjudged(frame, "itl") == (tpot,)
    gaps = replace(frame, itl_is_chunk_gap=True)
    assert unjudged(gaps, "chunk_gap") == (*found["itl"], tpot), "nor ITL, where only gaps are known"
    assert unjudged(frame, "ttft") == unjudged(frame, "chunk_gap") == ()
