"""When the load ended: what rates and stages of a summary are counted over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from loadgen.records import TICK_NS, Request, Tick
from loadgen.trace.figures import TraceFigures
from sessions.plan.config import LoadConfig
from sessions.plan.trace_config import TraceConfig
from sessions.store.records import End, LoadChange, State
from sessions.summary.summarise import summarise
from tests.sessions.summary.summing import SECOND, START_S, last_end_s, manifest
from tests.sessions.timeline.folding import folded

MakeRun = Callable[..., Any]
START_NS = round(START_S * SECOND)


def test_load_that_was_held_for_good_ended_when_it_was_held(make_run: MakeRun) -> None:
    run = make_run(ended=False, seconds=10.0)
    held_ns = START_NS + 10 * SECOND
    extra = [
        LoadChange(t_ns=held_ns, change="stop", rate_rps=0.0, label="stop"),
        *(Tick(t_ns=held_ns + i * TICK_NS, dt_ns=TICK_NS, worker=0, rate_rps=0.0) for i in range(20, 100)),
        End(t_ns=held_ns + 30 * SECOND, reason="finished"),
    ]
    result = summarise(folded(*run.records, *extra), manifest())
    assert result.rate.offered_rps == len(run.requests) / 10
    assert result.duration_s == pytest.approx(last_end_s(run) - START_S)


def test_load_of_a_number_of_requests_ended_with_the_last_one_due(make_run: MakeRun) -> None:
    run = make_run(ended=False, seconds=10.0)
    n = len(run.requests)
    extra = [State(t_ns=60 * SECOND, state="draining"), End(t_ns=60 * SECOND, reason="completed")]
    result = summarise(folded(*run.records, *extra), manifest(LoadConfig(requests=n)))
    assert result.rate.offered_rps == pytest.approx(n / 10, rel=0.05)


def counted_run(due_ns: list[int], took_ns: int, **load: Any) -> Any:
    """The summary of requests that were due then, each answered `took_ns` later."""
    requests = [
        Request(index=i, worker=0, due_ns=at, sent_ns=at, first_token_ns=at + took_ns // 2, chunks=1,
                last_token_ns=at + took_ns, end_ns=at + took_ns, output_tokens=8)
        for i, at in enumerate(due_ns)
    ]  # fmt: skip
    last_ns = max(due_ns) + took_ns
    ticks = [
        Tick(t_ns=end, dt_ns=TICK_NS, worker=0, rate_rps=load.get("rate_rps"), concurrency=load.get("concurrency"),
             due=sum(end - TICK_NS < at <= end for at in due_ns), sent=sum(end - TICK_NS < at <= end for at in due_ns),
             succeeded=sum(end - TICK_NS < at + took_ns <= end for at in due_ns))
        for end in range(START_NS // TICK_NS * TICK_NS + TICK_NS, last_ns + TICK_NS, TICK_NS)
    ]  # fmt: skip
    change = LoadChange(START_NS, "start", rate_rps=load.get("rate_rps"), concurrency=load.get("concurrency"))
    ends = [State(t_ns=last_ns + 1, state="draining"), End(t_ns=last_ns + 2, reason="completed")]
    return summarise(
        folded(change, *ticks, *requests, *ends), manifest(LoadConfig(requests=len(due_ns), **load))
    )


@pytest.mark.parametrize("rate_rps", [0.5, 1.0, 8.0])
@pytest.mark.parametrize("count", [1, 2, 10, 100])
def test_requests_at_a_rate_take_as_many_gaps_as_they_are(rate_rps: float, count: int) -> None:
    """Not one less: ten requests at 1 rps are 1 rps and not 1.11."""
    due_ns = [START_NS + round(i * SECOND / rate_rps) for i in range(count)]
    told = counted_run(due_ns, 30_000_000, rate_rps=rate_rps)
    assert told.load_s == told.duration_s == pytest.approx(count / rate_rps)
    assert told.rate.offered_rps == told.rate.achieved_rps == pytest.approx(rate_rps)
    assert told.throughput.request_rps == pytest.approx(rate_rps)
    assert told.throughput.output_tps == pytest.approx(8 * rate_rps)
    assert [stage.achieved_rps for stage in told.stages] == [pytest.approx(rate_rps)] * (count >= rate_rps)


def test_slots_are_load_until_their_last_answer_has_come() -> None:
    due_ns = [START_NS + turn * SECOND for turn in range(10) for _ in range(4)]
    told = counted_run(due_ns, SECOND, concurrency=4)
    assert told.rate.offered_rps is None
    assert told.rate.achieved_rps == told.throughput.request_rps == pytest.approx(4.0)


def test_joules_of_a_number_of_requests_end_with_what_was_measured() -> None:
    """The last gap after the last request is part of the load, and nothing was read in it."""
    told = counted_run([START_NS + i * 10 * SECOND for i in range(3)], SECOND, rate_rps=0.1)
    assert told.load_s == pytest.approx(30.0)
    assert told.energy.gap_s == pytest.approx(21.0, abs=0.25)


def test_a_trace_lasts_a_mean_gap_longer_than_to_its_last_request(make_run: MakeRun) -> None:
    run = make_run(ended=False, seconds=10.0)
    n = len(run.requests)
    figures = TraceFigures(n, 10.0 * (n - 1) / n, 8, 8, 8, 8, 5.0)
    load = LoadConfig(rate_rps=n / 10, trace=TraceConfig("t", form="azure", figures=figures))
    extra = [State(t_ns=60 * SECOND, state="draining"), End(t_ns=60 * SECOND, reason="completed")]
    result = summarise(folded(*run.records, *extra), manifest(load))
    assert result.rate.offered_rps == pytest.approx(n / 10, rel=0.05)
