"""A run cut at its changes of load; expected figures are numpy's on the requests of each stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from loadgen.records import TICK_NS, Tick
from sessions.store.records import End, LoadChange
from sessions.summary.schema import Stage
from sessions.summary.summarise import summarise
from tests.sessions.summary.summing import SECOND, START_S, manifest, summed
from tests.sessions.timeline.folding import folded

MakeRun = Callable[..., Any]
START_NS = round(START_S * SECOND)


def stages_of(*records: Any) -> list[Stage]:
    return summarise(folded(*records), manifest()).stages


def test_each_stretch_of_constant_load_is_a_stage_with_figures_of_its_own(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0, rate_rps=20.0, changes=((6.0, 60.0),))
    first, second = summed(run).stages
    assert summed(run).load_changes == 1
    assert (first.from_s, first.to_s, second.from_s, second.to_s) == (0.0, 6.0, 6.0, 12.0)
    cut = START_NS + 6 * SECOND
    for stage, due in (
        (first, [r for r in run.requests if r.due_ns < cut]),
        (second, [r for r in run.requests if r.due_ns >= cut]),
    ):
        ttft = [(r.first_token_ns - r.due_ns) / 1e6 for r in due]
        assert stage.count == len(due)
        assert stage.ttft_p50_ms == pytest.approx(np.percentile(ttft, 50), abs=1e-6)
        assert stage.ttft_p99_ms == pytest.approx(np.percentile(ttft, 99), abs=1e-6)
    assert first.achieved_rps == pytest.approx(first.offered_rps, rel=0.2)
    assert second.offered_rps == pytest.approx(60, rel=0.1)
    gaps = [
        g / 1e3
        for r in run.requests
        for g, t in zip(r.gaps_us, run.tokens_ns[r.index][1:], strict=True)
        if t <= cut
    ]
    assert first.itl_p50_ms == pytest.approx(np.percentile(gaps, 50), rel=0.03)


def test_a_stretch_in_which_nothing_was_due_yet_is_a_stage_all_the_same(make_run: MakeRun) -> None:
    run = make_run(seconds=8.0, rate_rps=0.01, changes=((3.0, 40.0),))
    assert all(r.due_ns > START_NS + 3 * SECOND for r in run.requests)
    first, second = summed(run).stages
    assert (first.from_s, first.to_s, first.count, first.ttft_p50_ms) == (0.0, 3.0, 0, None)
    assert first.offered_rps == pytest.approx(0.01)
    assert second.from_s == 3.0


def test_what_a_stage_sent_is_counted_by_its_requests_and_not_by_whole_ticks(make_run: MakeRun) -> None:
    # The change falls into the middle of a tick, of which more than half belongs to the first stage.
    run = make_run(seconds=8.0, rate_rps=8.0, changes=((4.15, 80.0),))
    cut = START_NS + round(4.15 * SECOND)
    first, second = summed(run).stages
    before = sum(r.sent_ns < cut for r in run.requests)
    assert first.achieved_rps == pytest.approx(before / 4.15, rel=1e-6)
    assert second.achieved_rps == pytest.approx((len(run.requests) - before) / 3.85, rel=1e-6)


def test_what_a_stage_sent_is_known_to_a_tick_while_requests_are_under_way(make_run: MakeRun) -> None:
    run = make_run(seconds=8.0, rate_rps=8.0, changes=((4.15, 80.0),))
    first, _ = summed(run, [*run.timeline_records, *run.requests[:-1]], live=True).stages
    ticks = [tick for tick in run.ticks if tick.t_ns <= START_NS + round(4.15 * SECOND)]
    assert first.achieved_rps == pytest.approx(sum(tick.sent for tick in ticks) / 4.15, rel=1e-6)


def test_a_held_stage_offers_nothing_whatever_its_first_tick_shows() -> None:
    ticks = [
        Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, due=1, in_flight=1, rate_rps=4.0 if i <= 9 else 0.0)
        for i in range(1, 17)
    ]
    found = stages_of(
        LoadChange(t_ns=0, change="start", rate_rps=4.0),
        *ticks,
        LoadChange(t_ns=2 * SECOND, change="hold", rate_rps=0.0),
        LoadChange(t_ns=3 * SECOND + 1, change="resume", rate_rps=4.0),
        End(t_ns=4 * SECOND, reason="finished"),
    )
    assert found[1].offered_rps == 0.0


def test_stages_keep_gaps_and_itl_apart_where_chunks_bore_unknown_numbers_of_tokens(
    make_run: MakeRun,
) -> None:
    run = make_run(seconds=12.0, rate_rps=20.0, changes=((6.0, 60.0),))
    run.ticks[:] = [msgspec.structs.replace(tick, itl_unknown=tick.succeeded) for tick in run.ticks]
    stages = summed(run).stages
    assert len(stages) == 2
    for stage in stages:
        assert stage.itl_p50_ms is stage.itl_p99_ms is None
        assert (stage.chunk_gap_p50_ms or 0) > 0


def test_a_last_tick_that_finds_the_load_over_does_not_make_a_ramp(make_run: MakeRun) -> None:
    run = make_run(seconds=8.0, rate_rps=20.0)
    load_end_ns = START_NS + 8 * SECOND
    last = max((tick for tick in run.ticks if tick.t_ns < load_end_ns), key=lambda tick: tick.t_ns)
    run.ticks[run.ticks.index(last)] = msgspec.structs.replace(last, rate_rps=0.0)
    (stage,) = summed(run).stages
    assert stage.offered_rps == 20.0


def test_a_ramp_is_cut_into_pieces_and_short_or_empty_stretches_are_left_out() -> None:
    ticks = []
    for i in range(1, 241):
        rate = min(i * 0.25 + 1, 31.0) if i <= 120 else 0.0
        ticks.append(
            Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, due=int(rate > 0), sent=1, rate_rps=rate)
        )
    found = stages_of(
        LoadChange(t_ns=0, change="start", rate_rps=1.0),
        *ticks,
        LoadChange(t_ns=30 * SECOND, change="hold", rate_rps=0.0),
        LoadChange(t_ns=30 * SECOND + SECOND // 2, change="resume", rate_rps=31.0),
        LoadChange(t_ns=31 * SECOND, change="hold", rate_rps=0.0),
        End(t_ns=60 * SECOND, reason="finished"),
    )
    assert [stage.from_s for stage in found] == [2.5 * i for i in range(12)]
    offered = [stage.offered_rps or 0.0 for stage in found]
    assert offered == sorted(offered)
