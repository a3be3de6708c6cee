"""What a session of many hours takes of memory: columns, and no objects of Python's that grow with it."""

from __future__ import annotations

import gc
import io
import sys
from typing import Any

import pytest

from loadgen.records import TICK_NS, FailureCause, TargetTick, Tick
from sessions.timeline import columns
from sessions.timeline.columns import PENDING_CAP, Table
from sessions.timeline.kept import put_in_place, rare, timeline_of
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuSample, GpuSamples, Histogram, HostSample, ServerSample
from tests.sessions.timeline.folding import kept_bytes


def said_at(i: int) -> list[Any]:
    """All that comes by the tick, as several targets, a failure each, a GPU, a server and a host say it."""
    t_ns, sketch = i * TICK_NS, [300 + i % 50, 3, 400, 1]
    own = [TargetTick(number, sent=2, failed=1, errors={"http_500": 1}, itl=sketch) for number in (0, 1)]
    histogram = Histogram([0.1, 1.0], [i, 2 * i, 3 * i], 1.5 * i)
    return [
        Tick(
            t_ns, TICK_NS, 0, sent=4, failed=2, errors={"http_500": 2}, causes=[FailureCause("http_500", 2, "no")],
            ttft_from_due=sketch, itl=sketch, chunk_gap=sketch, targets=own,
        ),
        GpuSamples(t_ns, 1000, "nvml", [GpuSample("GPU-0", 50.0 + i % 7, power_w=300.5 + i)]),
        ServerSample(t_ns, 1, "metrics", running=float(i), ttft=histogram, queue=histogram),
        HostSample(t_ns, 1, "host", "here", cpu_pct=i / 100),
    ]  # fmt: skip


def folded(timeline: Timeline, first: int, last: int) -> int:
    """Objects of Python's that are alive once these ticks are taken in."""
    for i in range(first, last):
        for record in said_at(i):
            timeline.apply(record)
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.slow
def test_what_nobody_asks_for_takes_no_more_objects_the_longer_a_run_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(columns, "PENDING_CAP", many := 128)
    timeline = Timeline()
    after_one = folded(timeline, 1, many + 1)
    after_four = folded(timeline, many + 1, 4 * many + 1)
    # A tick with all that comes with it is some sixty objects while it waits.
    assert after_four - after_one < 1000
    assert len(timeline.ticks) == 4 * many
    assert timeline.failures.by_kind(float("inf")) == {"http_500": 8 * many}


def test_rows_that_wait_are_never_very_many_and_stand_where_they_belong() -> None:
    table = Table(("t", "figure"))
    for i in range(3 * PENDING_CAP):
        table.add((float(i % 1000), float(i)))
        assert len(table._pending) < PENDING_CAP
    assert sorted(table["figure"].tolist()) == list(range(3 * PENDING_CAP))
    assert table["t"].tolist() == sorted(i % 1000 for i in range(3 * PENDING_CAP))


def test_before_a_cache_is_written_beside_the_screen_no_row_waits() -> None:
    timeline = Timeline()
    folded(timeline, 1, 50)
    put_in_place(timeline)
    found = tables_of(timeline)
    # Ticks, by worker, a kind and a cause; of two targets ticks and a kind; a GPU, a server, two histograms, a host.
    assert len(found) == 4 + 2 * 2 + 5
    assert not any(table._pending for table in found)


def tables_of(timeline: Timeline) -> list[Table]:
    """However deep."""
    found, seen, looked = [], set(), [vars(timeline)]
    while looked:
        one: Any = looked.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Table):
            found.append(one)
        elif isinstance(one, dict):
            looked += one.values()
        elif isinstance(one, list | tuple):
            looked += one
        elif type(one).__module__.startswith("sessions.timeline") and hasattr(one, "__dict__"):
            looked.append(vars(one))
    return found


def test_no_line_is_kept_of_what_several_targets_and_failures_say_however_many_ticks_there_are() -> None:
    assert [rare(record) for i in range(1, 40) for record in said_at(i)] == [None] * 4 * 39
    timeline = Timeline()
    folded(timeline, 1, 40)
    again = timeline_of(io.BytesIO(kept_bytes(timeline, [])))
    end_ns = 40 * TICK_NS
    assert again.causes(end_ns) == timeline.causes(end_ns)
    assert again.errors(20 * TICK_NS) == {"http_500": 40}
    for number, target in timeline.targets.each.items():
        kept = again.targets.each[number]
        assert kept.ticks.cells().tolist() == target.ticks.cells().tolist()
        assert kept.gaps((0, end_ns)).dense().tolist() == target.gaps((0, end_ns)).dense().tolist()
        assert kept.errors(20 * TICK_NS) == {"http_500": 20}
