from __future__ import annotations

import queue
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.poller import Poller, next_tick_ns
from telemetry.records import ServerSample, SourceNote

TICK = 1_000_000


@pytest.mark.parametrize(
    ("tick", "now", "expected"),
    [
        (-1, 0, 250),
        (-1, 249, 250),
        (-1, 250, 500),
        (250, 260, 500),
        (500, 499, 750),  # woken a little early: not the same tick again
        (250, 1010, 1250),  # three ticks missed: skipped
    ],
)
def test_the_next_tick_is_the_next_multiple_of_the_interval(tick, now, expected):
    assert next_tick_ns(tick, now, 250) == expected


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(1, 10**10))
def test_a_tick_is_a_multiple_later_than_now_and_than_the_last_by_no_more_than_one_interval(
    tick, now, interval
):
    following = next_tick_ns(tick, now, interval)
    assert following % interval == 0
    assert max(tick, now) < following <= max(tick, now) + interval


class Scripted:
    """A source that hands its samples to the test, and obeys it."""

    def __init__(self, name, interval_ns=TICK):
        self.name = name
        self.interval_ns = interval_ns
        self.sampled = queue.Queue()
        self.closed = threading.Event()
        self.blocks = threading.Event()
        self.free = threading.Event()
        self.fails = False

    def open(self, now_ns):
        return [SourceNote(now_ns(), self.name, True, "found")]

    def sample(self, now_ns):
        if self.blocks.is_set():
            self.sampled.put("blocked")
            self.free.wait(60)
        if self.fails:
            self.sampled.put("failed")
            raise RuntimeError("secret sk-123")
        record = ServerSample(now_ns(), 0, self.name)
        self.sampled.put(record.t_ns)
        return [record]

    def close(self):
        self.closed.set()


def test_records_of_all_sources_reach_emit_with_times_of_the_given_clock():
    origin = time.monotonic_ns()
    got = queue.Queue()
    poller = Poller([Scripted("a"), Scripted("b")], got.put, lambda: time.monotonic_ns() - origin)
    poller.start()
    seen = {"a": [], "b": []}
    while min(map(len, seen.values())) < 4:
        record = got.get(timeout=30)
        seen[record.source].append(record)
    assert poller.stop(10) == []
    for records in seen.values():
        assert [type(record) for record in records[:2]] == [SourceNote, ServerSample]
        ticks = [record.t_ns // TICK for record in records[1:]]
        assert ticks == sorted(set(ticks))
        assert ticks[0] >= 1


def test_a_source_that_blocks_costs_only_itself_and_stop_returns():
    blocked, alive = Scripted("blocked"), Scripted("alive")
    blocked.blocks.set()
    got = []
    poller = Poller([blocked, alive], got.append, time.monotonic_ns)
    poller.start()
    assert blocked.sampled.get(timeout=30) == "blocked"
    for _ in range(20):
        alive.sampled.get(timeout=30)
    assert poller.stop(timeout_s=0.2) == ["blocked"]
    assert alive.closed.is_set()
    assert not blocked.closed.is_set()
    count = len(got)
    blocked.free.set()
    assert blocked.closed.wait(30)
    assert len(got) == count, "an answer after stop must not be emitted"


def test_ticks_missed_while_blocked_are_not_made_up_for():
    clock = time.monotonic_ns
    source = Scripted("s", interval_ns=20_000_000)
    source.blocks.set()
    poller = Poller([source], lambda record: None, clock)
    poller.start()
    assert source.sampled.get(timeout=30) == "blocked"
    source.blocks.clear()
    threading.Event().wait(0.2)  # ten ticks pass
    freed_ns = clock()
    source.free.set()
    times = [source.sampled.get(timeout=30) for _ in range(4)]
    poller.stop(10)
    # The first is the late answer itself; after it, at most one sample a tick.
    assert times[0] >= freed_ns
    ticks = [t // source.interval_ns for t in times[1:]]
    assert len(set(ticks)) == 3


def test_a_source_with_nothing_to_sample_is_opened_closed_and_left():
    source = Scripted("s", interval_ns=None)
    got = []
    poller = Poller([source], got.append, time.monotonic_ns)
    poller.start()
    assert source.closed.wait(30)
    assert poller.stop(10) == []
    assert [type(record) for record in got] == [SourceNote]
    assert source.sampled.empty()


def test_a_rate_may_change_while_polling():
    source = Scripted("s", interval_ns=3_600_000_000_000)
    first = source.open

    def quicken(now_ns):
        source.interval_ns = TICK
        return first(now_ns)

    source.open = quicken
    poller = Poller([source], lambda record: None, time.monotonic_ns)
    poller.start()
    source.sampled.get(timeout=30)
    poller.stop(10)


def test_a_bug_in_a_source_is_one_note_without_its_text_and_polling_goes_on():
    source = Scripted("s")
    source.fails = True
    got = queue.Queue()
    poller = Poller([source], got.put, time.monotonic_ns)
    poller.start()
    for _ in range(3):
        assert source.sampled.get(timeout=30) == "failed"
    source.fails = False
    messages = []
    while not isinstance(record := got.get(timeout=30), ServerSample):
        messages += [] if record.ok else [record.message]
    poller.stop(10)
    (message,) = messages
    assert message.startswith("s: no values because of a bug in ttftop (RuntimeError at test_poller.py:")
    assert "sk-123" not in message


def test_emit_is_never_entered_by_two_sources_at_once():
    inside, most, count = [0], [0], [0]
    enough = threading.Event()

    def emit(record):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.0005)  # room for another thread to come in, were there no lock
        inside[0] -= 1
        count[0] += 1
        if count[0] > 60:
            enough.set()

    poller = Poller([Scripted(str(number)) for number in range(4)], emit, time.monotonic_ns)
    poller.start()
    assert enough.wait(60)
    poller.stop(10)
    assert most == [1]


def test_stop_before_start_is_harmless():
    assert Poller([Scripted("s")], lambda record: None, time.monotonic_ns).stop(0.1) == []


def test_a_source_that_comes_and_goes_is_told_seldom_and_its_last_word_is_kept():
    class Flaps(Scripted):
        def sample(self, now_ns):
            said = super().sample(now_ns)
            self.number = getattr(self, "number", 0) + 1
            return [
                *said,
                SourceNote(now_ns(), self.name, self.number % 2 == 0, f"word {self.number % 2}"),
            ]

    source, got = Flaps("a"), []
    poller = Poller([source], got.append, time.monotonic_ns)
    poller.start()
    for _ in range(101):
        source.sampled.get(timeout=30)
    assert poller.stop(30) == []
    words = [record for record in got if isinstance(record, SourceNote) and record.message.startswith("word")]
    assert len(words) <= 11
    assert words[-1].message.startswith(f"word {source.number % 2}")
