"""What bound when is the same however it is asked for, and costs what is new: no more."""

from __future__ import annotations

import math
import random
import statistics
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from loadgen.records import TICK_NS, Tick
from sessions.bottleneck.evidence_by_second import evidence
from sessions.bottleneck.history import _QUIET, BottleneckHistory, LimitSpan
from sessions.bottleneck.hysteresis import Hysteresis, next_hysteresis
from sessions.bottleneck.judged import Judged
from sessions.bottleneck.rules import IDLE, ROOM, UNJUDGED, Bottleneck
from sessions.frame.build import JUDGED_A_FRAME, build
from sessions.frame.schema import Frame
from sessions.store.records import LoadChange
from sessions.timeline.timeline import Timeline
from telemetry.records import ServerSample
from tests.sessions.bottleneck.random_sessions import S, random_session

TEN_YEARS_NS = 10 * 365 * 86400 * S


def folded(records: list[Any]) -> Timeline:
    timeline = Timeline()
    for record in records:
        timeline.apply(record)
    return timeline


# the reference: every second from the first one on, each looked at alone


def walked(timeline: Timeline, to_ns: int) -> list[tuple[Bottleneck, float]]:
    """What is shown of each, and how many requests are in flight."""
    first, last = max(timeline.first_ns, 0) // S, to_ns // S
    out, before = [], Hysteresis()
    for second in range(first, last):
        (of,) = evidence(timeline, second, second + 1)
        before = next_hysteresis(before, of)
        out.append((before.shown, math.inf if of.in_flight is None else of.in_flight))
    return out


def lively(timeline: Timeline, second: int) -> bool:
    """A tick came, or the server was lost or found, or the load began, in it or in the 20 s or so before it."""
    happened = [*timeline.ticks["t"].tolist(), *timeline.reach.changes_ns(0, (second + 1) * S)]
    known = {(int(t_ns) - 1) // S for t_ns in happened} | {max(timeline.first_ns, 0) // S}
    return any(second - _QUIET <= at <= second for at in known)


def walked_spans(timeline: Timeline, start_ns: int, end_ns: int) -> list[LimitSpan]:
    """The figures of a stretch are those of its median second, by requests in flight, the earlier of equals first;
    where the run is silent nothing changes, and no second of it counts."""
    walk, first = walked(timeline, end_ns), max(timeline.first_ns, 0) // S
    cuts = [i for i, (found, _) in enumerate(walk) if not i or found.limit != walk[i - 1][0].limit]
    length_s, out = max(end_ns - start_ns, 0) / 1e9, []
    for i, j in pairwise([*cuts, len(walk)]):
        from_s, to_s = (((first + place + 1) * S - start_ns) / 1e9 for place in (i, j))
        from_s, to_s = from_s if i else 0.0, length_s if j == len(walk) else min(to_s, length_s)
        if to_s > from_s:
            looked_at = [place for place in range(i, j) if lively(timeline, first + place)]
            median = statistics.median_low((walk[place][1], place) for place in looked_at)[1]
            limit, why = walk[median][0]
            out.append(LimitSpan(round(from_s, 3), round(to_s, 3), limit, why))
    return out


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_the_history_is_that_of_a_walk_over_every_second(seed):
    """With silences in it, and an end long after the last record."""
    timeline = folded(random_session(seed, seconds=60))
    end_ns = timeline.newest_ns + (seed % 3) * 40 * S
    shown, first = [found for found, _ in walked(timeline, end_ns)], max(timeline.first_ns, 0) // S
    history = BottleneckHistory(timeline)
    assert history.spans(timeline.first_ns, end_ns) == walked_spans(timeline, timeline.first_ns, end_ns)
    assert [history.at((first + i + 1) * S) for i in range(len(shown))] == shown


@pytest.mark.parametrize("seed", range(8))
def test_a_bounded_walk_comes_to_the_same_wherever_it_stops(seed):
    timeline = folded(random_session(seed))
    whole = BottleneckHistory(timeline).spans(timeline.first_ns, timeline.newest_ns)
    draw = random.Random(seed)
    history, calls = BottleneckHistory(timeline), 0
    while not history.judge(timeline.newest_ns, most=draw.choice((1, 7, 40))):
        calls += 1
    assert calls > 3
    assert history.spans(timeline.first_ns, timeline.newest_ns) == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_what_the_last_seconds_tell_alone_is_what_the_whole_run_says(seed):
    timeline = folded(random_session(seed))
    history = BottleneckHistory(timeline)
    draw = random.Random(seed)
    instants = [draw.randrange(timeline.newest_ns) for _ in range(15)]
    near = [BottleneckHistory(timeline).near(at_ns) for at_ns in instants]
    told = [(found, history.at(at_ns)) for found, at_ns in zip(near, instants, strict=True) if found]
    assert len(told) > 5
    assert all(found == whole for found, whole in told)


def drawn(timeline: Timeline, at_ns: int, history: BottleneckHistory | None = None) -> Frame:
    return build(
        timeline, None, at_ns=at_ns, window_ns=60 * S, slots=30, live=False, killed=False, history=history
    )


def settled(timeline: Timeline, at_ns: int, history: BottleneckHistory) -> Frame:
    """The frame that a screen shows in the end."""
    for _ in range(1000):
        frame = drawn(timeline, at_ns, history)
        if not frame.limits_pending:
            return frame
    raise AssertionError("a frame never knew all it was to know")


def run_of(seconds: int) -> Timeline:
    """A quiet load, more of it than one frame judges."""
    records: list[Any] = [LoadChange(t_ns=0, change="start", rate_rps=8.0)]
    for i in range(1, 4 * seconds + 1):
        full = (i // 400) % 2
        records.append(Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, due=2, sent=2, succeeded=2 - full,
                            failed=full, output_tokens=128, in_flight=8, rate_rps=8.0))  # fmt: skip
    return folded(records)


def test_a_frame_judges_a_bounded_number_of_seconds_and_says_when_there_are_more():
    timeline = run_of(1000)
    history = BottleneckHistory(timeline)
    frames = [drawn(timeline, 1000 * S, history)]
    while frames[-1].limits_pending:
        frames.append(drawn(timeline, 1000 * S, history))
    # The first one looks at the last seconds, each later one at as many as it may.
    assert 1000 / JUDGED_A_FRAME < len(frames) - 1 <= 1 + -(-1000 // (JUDGED_A_FRAME - 20))
    assert {frame.limit.name for frame in frames} == {BottleneckHistory(timeline).at(1000 * S).limit}
    assert {frame.limit.since_ns for frame in frames[:-1]} == {0}, "not known yet"
    assert frames[-1].limit.since_ns == BottleneckHistory(timeline).since_ns(1000 * S) > 0
    counts = [sum(mark.kind == "limit" for mark in frame.marks) for frame in frames]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, len(BottleneckHistory(timeline).events(1000 * S)))


def test_where_the_last_seconds_do_not_tell_what_binds_a_frame_says_that_it_is_not_judged_yet():
    timeline = Timeline()
    timeline.apply(LoadChange(t_ns=0, change="start", rate_rps=8.0))
    for i in range(1, 4 * 500 + 1):  # the KV cache is full at first, then just what is not enough to say so
        timeline.apply(Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, due=20, sent=20, succeeded=20,
                            output_tokens=99, in_flight=9, rate_rps=80.0, e2e=[400, 20]))  # fmt: skip
    for i in range(4 * 500):
        timeline.apply(ServerSample(i * TICK_NS, 1, "m", waiting=0.0, kv_pct=99.0 if i < 100 else 92.0))
    history = BottleneckHistory(timeline)
    first = drawn(timeline, 500 * S, history)
    assert (first.limit.name, first.limits_pending) == (UNJUDGED, True)
    assert settled(timeline, 500 * S, history).limit.name == "KV cache"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_moment_looks_the_same_whatever_was_looked_at_before(seed):
    timeline = folded(random_session(seed, seconds=400))
    draw = random.Random(seed)
    instants = [draw.randrange(timeline.newest_ns) for _ in range(12)]
    one, other = BottleneckHistory(timeline), BottleneckHistory(timeline)
    forth = {at_ns: settled(timeline, at_ns, one) for at_ns in instants}
    for at_ns in reversed(instants):
        glance = drawn(timeline, at_ns, other)
        for frame in (glance, settled(timeline, at_ns, other), drawn(timeline, at_ns)):
            known = forth[at_ns]
            if not frame.limits_pending:
                assert (frame.limit, frame.marks) == (known.limit, known.marks)
            elif frame.limit.name != UNJUDGED:
                assert replace(frame.limit, since_ns=0) == replace(known.limit, since_ns=0)
            np.testing.assert_array_equal(frame.achieved, known.achieved)
            np.testing.assert_array_equal(frame.ttft.p99, known.ttft.p99)


# damaged time stamps


@pytest.mark.parametrize("in_flight", [0, 5])
@pytest.mark.parametrize("worker", [0, 7])
def test_one_line_of_ten_years_ahead_costs_nothing(in_flight, worker):
    timeline = run_of(60)
    timeline.apply(Tick(t_ns=TEN_YEARS_NS, dt_ns=TICK_NS, worker=worker, in_flight=in_flight, rate_rps=8.0))
    history = BottleneckHistory(timeline)
    tracemalloc.start()
    assert history.judge(TEN_YEARS_NS, most=2 * JUDGED_A_FRAME), "in the work of two frames"
    assert history.at(TEN_YEARS_NS // 2) == ("client", "the client has not run for 157679940.0 s")
    frame = drawn(timeline, TEN_YEARS_NS - S, history)
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most_bytes < 8 << 20
    assert not frame.limits_pending
    assert (frame.limit.name, frame.marks[-1].t_ns) == ("client", frame.limit.since_ns)
    assert 60 * S < frame.limit.since_ns < 65 * S
    last = history.spans(0, TEN_YEARS_NS)[-1]
    assert (last.limit, last.from_s, last.to_s) == ("client", frame.limit.since_ns / S, TEN_YEARS_NS / S)


def test_a_load_that_began_ten_years_ahead_is_no_load_until_then():
    timeline = run_of(60)
    late = folded([LoadChange(t_ns=TEN_YEARS_NS, change="start", rate_rps=8.0)])
    assert BottleneckHistory(late).at(TEN_YEARS_NS - S) == Bottleneck(IDLE, "")
    assert BottleneckHistory(late).judge(2 * TEN_YEARS_NS, most=JUDGED_A_FRAME)
    timeline.apply(LoadChange(t_ns=TEN_YEARS_NS, change="rate", rate_rps=9.0))
    assert BottleneckHistory(timeline).judge(2 * TEN_YEARS_NS, most=2 * JUDGED_A_FRAME)


def test_a_second_that_was_judged_takes_few_bytes_and_says_the_same() -> None:
    found = [
        Hysteresis(
            Bottleneck(ROOM, f"3s: running {i % 977} of {i}, KV {i % 91} %, {i % 13} wait"),
            i % 5 > 0,
            ("queue",) * (i % 3),
        )
        for i in range(4000)
    ]
    tracemalloc.start()
    judged = Judged()
    for second, one in enumerate(found):
        judged.add(2 * second, one)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < 120 * len(found)
    assert [judged[place] for place in range(len(judged))] == found
    assert judged.forget_from(4001) == len(judged) == 2001
    assert (judged.last, judged.second(2000), judged.upto(3999)) == (found[2000], 4000, 2000)
    assert judged.forget_from(-1) == 0
    assert judged.last == Hysteresis()
