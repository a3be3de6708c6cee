"""One request over its own time; expected values are worked out by hand or by plain Python."""

from __future__ import annotations

import math
import random

import msgspec
import numpy as np
import pytest

from loadgen.records import Request, RequestError
from sessions.frame.waterfall import Gap, Phase, waterfall
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuSample, GpuSamples, ServerSample
from tests.sessions.timeline.folding import folded

MS = 1_000_000
S = 1000 * MS

GOOD = Request(
    4,
    0,
    due_ns=10 * S,
    sent_ns=10 * S + 100 * MS,
    headers_ns=10 * S + 150 * MS,
    first_token_ns=10 * S + 400 * MS,
    last_token_ns=10 * S + 950 * MS,
    end_ns=11 * S,
    chunks=4,
    gaps_us=[50_000, 400_000, 100_000],
)


def test_the_phases_lead_from_due_to_the_end() -> None:
    found = waterfall(GOOD, Timeline(), 20 * S, 100)
    ends_ms = [(0, 100), (100, 150), (150, 400), (400, 950), (950, 1000)]
    names = ("sent", "headers", "first token", "last token", "end")
    assert found.phases == tuple(
        Phase(name, 10 * S + a * MS, 10 * S + b * MS, True)
        for name, (a, b) in zip(names, ends_ms, strict=True)
    )
    assert found.over
    assert (found.start_ns, found.slot_ns, found.slots) == (10 * S, 10 * MS, 100)


def test_chunks_and_gaps_stand_in_their_columns_and_the_longest_are_listed() -> None:
    found = waterfall(GOOD, Timeline(), 20 * S, 10)  # 100 ms a column: chunks at 400, 450, 850, 950
    assert found.chunks.tolist() == [0, 0, 0, 0, 2, 0, 0, 0, 1, 1]
    nan = math.nan
    assert np.array_equal(found.gap_ms, [nan, nan, nan, nan, 400, 400, 400, 400, 400, 100], equal_nan=True)
    assert found.longest == (
        Gap(10 * S + 850 * MS, 400.0, 3),
        Gap(10 * S + 950 * MS, 100.0, 4),
        Gap(10 * S + 450 * MS, 50.0, 2),
    )
    assert found.gaps == 3


def test_what_came_after_the_instant_is_not_in_it() -> None:
    at_ns = 10 * S + 500 * MS
    found = waterfall(GOOD, Timeline(), at_ns, 10)
    assert not found.over
    assert found.phases[-1] == Phase("last token", 10 * S + 400 * MS, at_ns, False)
    assert found.longest == (Gap(10 * S + 450 * MS, 50.0, 2),)
    assert found.chunks.sum() == 2
    later = msgspec.structs.replace(
        GOOD,
        gaps_us=[50_000, 999_000],
        end_ns=60 * S,
        last_token_ns=55 * S,
        error=RequestError("gap_timeout"),
    )
    known_then = msgspec.structs.replace(later, error=None)
    a, b = waterfall(GOOD, Timeline(), at_ns, 10), waterfall(known_then, Timeline(), at_ns, 10)
    assert a.phases == b.phases
    assert (a.longest, a.start_ns, a.slot_ns) == (b.longest, b.start_ns, b.slot_ns)
    before = waterfall(GOOD, Timeline(), 10 * S + 50 * MS, 10)
    assert before.phases == (Phase("sent", 10 * S, 10 * S + 50 * MS, False),)


@pytest.mark.parametrize(
    ("gone", "ends_with"),
    [
        (("sent_ns", "headers_ns", "first_token_ns", "last_token_ns"), ("sent", 0)),
        (("headers_ns", "first_token_ns", "last_token_ns"), ("headers", 100)),
        (("first_token_ns", "last_token_ns"), ("first token", 150)),
        (("last_token_ns",), ("last token", 400)),
    ],
)
def test_a_failure_ends_on_the_way_to_what_it_did_not_reach(
    gone: tuple[str, ...], ends_with: tuple[str, int]
) -> None:
    failed = msgspec.structs.replace(GOOD, gaps_us=[], error=RequestError("x"), **dict.fromkeys(gone))
    name, from_ms = ends_with
    last = waterfall(failed, Timeline(), 20 * S, 10).phases[-1]
    assert last == Phase(name, 10 * S + from_ms * MS, 11 * S, False)


def test_an_answer_without_tokens_is_one_phase_and_headers_nobody_saw_are_none() -> None:
    embedding = msgspec.structs.replace(GOOD, first_token_ns=None, last_token_ns=None, gaps_us=[])
    assert [phase.name for phase in waterfall(embedding, Timeline(), 20 * S, 9).phases] == [
        "sent",
        "headers",
        "answer",
    ]
    bare = msgspec.structs.replace(GOOD, headers_ns=None)
    first = waterfall(bare, Timeline(), 20 * S, 9).phases[1]
    assert first == Phase("first token", 10 * S + 100 * MS, 10 * S + 400 * MS, True)


@pytest.mark.parametrize("seed", range(20))
def test_columns_hold_every_chunk_and_the_longest_gap_that_touches_them(seed: int) -> None:
    draw = random.Random(seed)
    gaps_us = [draw.randrange(1, 10 ** draw.randrange(2, 6)) for _ in range(draw.randrange(0, 200))]
    first_ns = S + draw.randrange(S)
    last_ns = first_ns + sum(gaps_us) * 1000
    request = Request(
        0, 0, S, first_token_ns=first_ns, last_token_ns=last_ns, end_ns=last_ns + 5, gaps_us=gaps_us
    )
    slots = draw.randrange(1, 120)
    found = waterfall(request, Timeline(), 10**12, slots)
    times = [first_ns + sum(gaps_us[:i]) * 1000 for i in range(len(gaps_us) + 1)]
    column = [min((t - S) // found.slot_ns, slots - 1) for t in times]
    assert found.chunks.tolist() == [column.count(i) for i in range(slots)]
    for i in range(slots):
        touching = [g for g, a, b in zip(gaps_us, column, column[1:], strict=False) if a <= i <= b]
        assert found.gap_ms[i] == max(touching) / 1e3 if touching else math.isnan(found.gap_ms[i])


def test_what_gpus_and_server_did_meanwhile_is_on_the_same_axis() -> None:
    records = []
    for i in range(60):
        t_ns = 8 * S + i * 250 * MS
        records.append(
            GpuSamples(
                t_ns, 0, "nvml:a", [GpuSample("a#0", util_pct=10.0 + i), GpuSample("a#1", util_pct=30.0 + i)]
            )
        )
        records.append(ServerSample(t_ns, 0, "s", kv_pct=float(i), waiting=2.0 * i, running=7.0))
    found = waterfall(GOOD, folded(*records), 20 * S, 10)  # samples at 10.0, 10.25, ...: numbers 8 to 12
    assert found.gpus == 2
    assert found.util is not None
    assert found.util_most is not None
    assert found.kv is not None
    assert found.waiting is not None
    # A column (edge, next edge] without a sample shows the one before.
    expected = [8, 8, 9, 9, 10, 10, 10, 11, 11, 12]
    assert found.kv.tolist() == expected
    assert found.waiting.tolist() == [2.0 * i for i in expected]
    assert found.util.tolist() == [20.0 + i for i in expected]
    assert found.util_most.tolist() == [30.0 + i for i in expected]
    alone = waterfall(GOOD, Timeline(), 20 * S, 10)
    assert (alone.gpus, alone.util, alone.kv, alone.waiting, alone.running) == (0, None, None, None, None)
