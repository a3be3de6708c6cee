"""What ticks tell of several targets, folded; and who of them cannot be reached."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest

from loadgen.records import TICK_NS, Request, TargetTick, Tick, WorkerNote
from loadgen.sketch import SketchCounts
from sessions.store.bounds import TARGETS_CAP, fitted
from sessions.store.parse import BadLine, parse, parse_block, parse_packed
from sessions.timeline.kept import timeline_of
from sessions.timeline.requests import NONE
from tests.sessions.timeline.folding import folded, kept_bytes

S = 1_000_000_000


def sketch(*values_ms: float) -> list[int]:
    counts = SketchCounts()
    for value in values_ms:
        counts.add(int(value * 1e6))
    return counts.take()


def ticks(seconds: int = 4, worker: int = 0) -> list[Tick]:
    """Two requests a tick to each of two targets: one answers in 100 ms, the other in 300 ms or not at all."""
    made = []
    for i in range(1, 4 * seconds + 1):
        lost = i > 8
        one = TargetTick(
            0, due=2, sent=2, succeeded=2, output_tokens=10, in_flight=1, ttft_from_due=sketch(100.0, 100.0),
            itl=sketch(10.0),
        )  # fmt: skip
        two = TargetTick(
            1, due=2, sent=1 if lost else 2, failed=1 if lost else 0, succeeded=0 if lost else 2,
            not_sent=1 if lost else 0, in_flight=2, errors={"connect_refused": 1} if lost else {},
            ttft_from_due=[] if lost else sketch(300.0, 300.0), chunk_gap=[] if lost else sketch(30.0),
        )  # fmt: skip
        made.append(
            Tick(i * TICK_NS, TICK_NS, worker, due=4, sent=3 if lost else 4, in_flight=3, targets=[one, two])
        )
    return made


def test_each_target_has_its_own_counts_and_latencies() -> None:
    timeline = folded(*ticks())
    first, second = timeline.targets.each[0], timeline.targets.each[1]
    assert [one.counted("sent", -1, 4 * S) for one in (first, second)] == [32, 24]
    assert [one.counted("sent", 2 * S, 4 * S) for one in (first, second)] == [16, 8]
    assert second.counted("not_sent", -1, 4 * S) == 8
    assert second.errors(4 * S) == {"connect_refused": 8}
    assert first.sketches("ttft_from_due", (-1, 4 * S)).quantiles_ns((0.5,))[0, 0] == pytest.approx(
        1e8, rel=0.01
    )
    assert second.sketches("ttft_from_due", (-1, 4 * S)).quantiles_ns((0.5,))[0, 0] == pytest.approx(
        3e8, rel=0.01
    )
    assert first.gaps((-1, 4 * S)).quantiles_ns((0.5,))[0, 0] == pytest.approx(1e7, rel=0.01)
    assert second.gaps((-1, 4 * S)).quantiles_ns((0.5,))[0, 0] == pytest.approx(3e7, rel=0.01)


def test_in_flight_is_that_of_each_workers_newest_tick() -> None:
    timeline = folded(*ticks(4), *ticks(4, worker=1))
    assert [timeline.targets.each[n].in_flight(4 * S, 2 * S) for n in (0, 1)] == [2, 4]
    assert timeline.targets.each[0].in_flight(9 * S, 2 * S) == 0


def test_with_one_target_there_are_none() -> None:
    timeline = folded(Tick(TICK_NS, TICK_NS, 0, sent=1), Request(0, 0, 5))
    assert timeline.targets.each == {}
    assert timeline.requests.rows["target"].tolist() == [NONE]


def test_a_cache_gives_the_same_targets_again() -> None:
    timeline = folded(*ticks())
    again = timeline_of(io.BytesIO(kept_bytes(timeline, [])))
    for number in (0, 1):
        before, after = timeline.targets.each[number], again.targets.each[number]
        assert before.ticks.cells().tolist() == after.ticks.cells().tolist()
        assert before.gaps((-1, 4 * S)).dense().tolist() == after.gaps((-1, 4 * S)).dense().tolist()
        assert before.errors(4 * S) == after.errors(4 * S)


def test_one_of_several_that_is_lost_is_told_by_its_number_and_all_as_no_server() -> None:
    def note(t_s: int, event: str, target: int, worker: int = 0) -> Any:
        return WorkerNote(t_s * S, worker, event, "x", target)

    timeline = folded(
        *ticks(), note(1, "backing_off", 1), note(2, "backing_off", 1, worker=1), note(3, "backing_off", 0),
        note(5, "reachable_again", 1), note(6, "reachable_again", 1, worker=1),
    )  # fmt: skip
    reach = timeline.reach
    assert reach.lost_at(1 * S) == {1: 1 * S}
    assert reach.unreachable_since(2 * S, 2) is None
    assert reach.unreachable_since(4 * S, 2) == 3 * S
    assert reach.lost_at(5 * S) == {0: 3 * S, 1: 2 * S}  # worker 1 does not reach it yet
    assert reach.lost_at(7 * S) == {0: 3 * S}


def test_workers_that_lost_one_each_still_reach_the_other() -> None:
    def note(t_s: int, event: str, target: int, worker: int) -> Any:
        return WorkerNote(t_s * S, worker, event, "x", target)

    reach = folded(
        *ticks(), note(1, "backing_off", 0, 0), note(2, "backing_off", 1, 1),
        note(4, "backing_off", 0, 1), note(6, "backing_off", 1, 0), note(8, "reachable_again", 1, 1),
    ).reach  # fmt: skip
    found = [reach.unreachable_since(t_s * S, 2) for t_s in range(1, 10)]
    assert found[:3] == [None] * 3
    assert reach.lost_at(3 * S) == {0: 1 * S, 1: 2 * S}
    assert found[3:7] == [4 * S] * 4  # worker 1 reaches neither, later worker 0 as well
    assert found[7:] == [6 * S] * 2  # that one alone


def test_lines_of_targets_come_back_as_they_were_written() -> None:
    for record in (*ticks(3), Request(7, 0, 5, target=3), WorkerNote(1, 0, "backing_off", "no", 2)):
        line = msgspec.json.encode(record)
        assert parse(line) == record
        packed = parse_packed(line)
        assert msgspec.to_builtins(packed) == msgspec.to_builtins(record)
        assert fitted(record) is record
    assert parse_block(b"".join(msgspec.json.encode(tick) + b"\n" for tick in ticks(1))) is not None


@pytest.mark.parametrize(
    "tick",
    [
        Tick(1, 1, 0, targets=[TargetTick(TARGETS_CAP)]),
        Tick(1, 1, 0, targets=[TargetTick(0, itl=[1, 2, 3])]),
        Tick(1, 1, 0, targets=[TargetTick(0, ttft_from_due=[5000, 1])]),
        Tick(1, 1, 0, targets=[TargetTick(0, sent=-1)]),
        Tick(1, 1, 0, targets=[TargetTick(0)] * (TARGETS_CAP + 1)),
    ],
)
def test_what_no_writer_of_ours_writes_of_them_is_refused(tick: Tick) -> None:
    line = msgspec.json.encode(tick)
    for read in (parse, parse_packed):
        with pytest.raises(BadLine):
            read(line)
    assert parse_block(line + b"\n") is None
