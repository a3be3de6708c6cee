"""The figures from A to B, against what is counted from the requests of a made-up run themselves."""

from __future__ import annotations

import random

import numpy as np
import pytest

from loadgen.records import TICK_NS
from sessions.frame.region import region, tick_end
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuSample, GpuSamples
from tests.sessions.conftest import START_NS, MadeRun, Maker
from tests.sessions.timeline.folding import folded

S = 1_000_000_000
FIRST = tick_end(START_NS)


def between(run: MadeRun, a_ns: int, b_ns: int) -> dict[str, list[float] | int]:
    """What came in `(a_ns, b_ns]`, request by request and token by token."""
    ttft_ms, itl_ms, tokens = [], [], 0
    sent = succeeded = failed = 0
    for request in run.requests:
        times = run.tokens_ns[request.index]
        assert request.sent_ns is not None
        sent += a_ns < request.sent_ns <= b_ns
        if a_ns < request.end_ns <= b_ns:
            succeeded += request.error is None
            failed += request.error is not None
        if a_ns < times[0] <= b_ns:
            ttft_ms.append((times[0] - request.due_ns) / 1e6)
        for gap_us, t_ns in zip(request.gaps_us, times[1:], strict=True):
            if a_ns < t_ns <= b_ns:
                itl_ms.append(gap_us / 1e3)
        tokens += sum(a_ns < t_ns <= b_ns for t_ns in times)
    return {
        "ttft": sorted(ttft_ms),
        "itl": sorted(itl_ms),
        "tokens": tokens,
        "sent": sent,
        "succeeded": succeeded,
        "failed": failed,
    }


@pytest.mark.parametrize("seed", range(6))
def test_every_figure_is_that_of_what_came_between(make_run: Maker, seed: int) -> None:
    run = make_run(failing=0.1, seconds=14.0, workers=3)
    timeline = folded(*run.timeline_records)
    draw = random.Random(seed)
    a, b = sorted(draw.sample(range(60), 2))
    a_ns, b_ns = FIRST + a * TICK_NS, FIRST + b * TICK_NS
    found = region(timeline, a_ns + draw.randrange(TICK_NS), b_ns + draw.randrange(TICK_NS), chunk_gaps=False)
    assert found is not None
    assert (found.from_ns, found.to_ns) == (a_ns, b_ns)
    truth, seconds = between(run, a_ns, b_ns), (b - a) / 4
    assert found.seconds == seconds
    assert found.failed == truth["failed"]
    assert found.succeeded_rps == pytest.approx(truth["succeeded"] / seconds)  # type: ignore[operator]
    assert found.sent_rps == pytest.approx(truth["sent"] / seconds)  # type: ignore[operator]
    assert found.output_tps == pytest.approx(truth["tokens"] / seconds)  # type: ignore[operator]
    for stat, values in ((found.ttft, truth["ttft"]), (found.itl, truth["itl"])):
        assert isinstance(values, list)
        assert stat.count == len(values)
        if values:
            exact = np.percentile(values, (50, 95, 99))
            assert (stat.p50_ms, stat.p95_ms, stat.p99_ms) == pytest.approx(exact.tolist(), rel=0.011)
    assert ("p99" in found.ttft.thin) == (len(truth["ttft"]) < 662)  # type: ignore[arg-type]
    again = region(timeline, found.to_ns, found.from_ns, chunk_gaps=False)
    assert again == found, "whichever comes first"


def test_where_nobody_counted_the_tokens_of_chunks_their_gaps_stand_for_itl(make_run: Maker) -> None:
    run = make_run(chunk_tokens="unknown")
    timeline = folded(*run.timeline_records)
    found = region(timeline, FIRST, FIRST + 10 * S, chunk_gaps=True)
    assert found is not None
    assert found.itl.count == len(between(run, FIRST, FIRST + 10 * S)["itl"])  # type: ignore[arg-type]


def test_between_two_instants_of_one_tick_there_is_nothing() -> None:
    assert region(Timeline(), FIRST + 1, FIRST + TICK_NS - 1, chunk_gaps=False) is None
    empty = region(Timeline(), FIRST, FIRST + TICK_NS, chunk_gaps=False)
    assert empty is not None
    assert (empty.ttft.count, empty.ttft.p50_ms, empty.output_tps, empty.j_per_token) == (0, None, 0.0, None)


def test_joules_a_token_are_those_of_exactly_the_region(make_run: Maker) -> None:
    run = make_run()
    # The counter of one GPU, 300 W until 8 s and 600 W from then on.
    samples = []
    for i in range(80):
        t_ns = i * TICK_NS
        joules = 300.0 * min(t_ns, 8 * S) / S + 600.0 * max(t_ns - 8 * S, 0) / S
        samples.append(GpuSamples(t_ns, 0, "nvml:a", [GpuSample("a#0", energy_j=joules)]))
    timeline = folded(*run.timeline_records, *samples)
    found = region(timeline, 6 * S, 9 * S, chunk_gaps=False)
    assert found is not None
    tokens = between(run, 6 * S, 9 * S)["tokens"]
    assert found.j_per_token == pytest.approx((2 * 300 + 600) / tokens)  # type: ignore[operator]
    unknown = region(folded(*run.timeline_records, *samples[:30]), 6 * S, 9 * S, chunk_gaps=False)
    assert unknown is not None
    assert unknown.j_per_token is None
