"""A node's clock, asked over a channel that takes its time; the other clock is one that the test makes."""

from __future__ import annotations

import asyncio
import random

import pytest

from sessions.nodes import clock
from sessions.nodes.channel import NodeLost
from sessions.nodes.clock import AT_THE_ENDS, BETWEEN, AskedClock
from sessions.nodes.messages import ClockAnswer, Refusal
from sessions.store.node_clocks import session_ns, within_ns
from sessions.summary.node_clocks import clock_notes

S, MS = 1_000_000_000, 1_000_000
ORIGIN_NS = 7_000 * S


class FakeNode:
    """Both clocks stand still but for what a round trip takes and what the test lets pass."""

    name = "a"

    def __init__(self, way_ns: int = 300_000) -> None:
        self.here_ns, self.way_ns = ORIGIN_NS + S, way_ns
        self.offset_ns, self.drift = 500 * MS, 50e-6
        self.silent: type[Exception] | None = None
        self.asked = 0
        self.rng = random.Random(1)

    def now_ns(self) -> int:
        return self.here_ns

    def there_ns(self, here_ns: int) -> int:
        return here_ns + self.offset_ns + round(here_ns * self.drift)

    async def ask(self, question, timeout_s):
        self.asked += 1
        if self.silent is not None:
            raise self.silent
        self.here_ns += round(self.way_ns * self.rng.lognormvariate(0, 0.5))
        answer = ClockAnswer(self.there_ns(self.here_ns))
        self.here_ns += round(self.way_ns * self.rng.lognormvariate(0, 0.5))
        return answer

    async def close(self) -> None: ...


class Told:
    def __init__(self, node: FakeNode) -> None:
        self.node, self.clock = node, AskedClock(node, node.now_ns)
        self.records, self.notes = [], []

    def asks(self, times: int) -> bool:
        return asyncio.run(
            self.clock.note_down(
                times, ORIGIN_NS, [2, 3], self.records.append, lambda *note: self.notes.append(note)
            )
        )

    def run(self, seconds: int) -> None:
        """A run of so long: 40 before, 5 every 5 s, 40 after."""
        asyncio.run(self.clock.ask(AT_THE_ENDS))
        self.clock.begin()
        self.asks(0)
        for _ in range(seconds // 5):
            self.node.here_ns += 5 * S
            self.asks(BETWEEN)
        self.asks(AT_THE_ENDS)


@pytest.mark.parametrize("way_ns", [10_000, 300_000])
def test_what_is_written_of_a_clock_puts_all_of_a_run_within_the_bound_that_is_said(way_ns):
    node = FakeNode(way_ns)
    told = Told(node)
    told.run(60)
    assert {record.node for record in told.records} == {"a"}
    assert told.records[0].workers == [2, 3]
    assert told.records[0].correction_ns == pytest.approx(0, abs=2 * way_ns)
    for t_ns in range(0, 70 * S, 777 * MS):
        own_ns = node.there_ns(ORIGIN_NS + t_ns) - ORIGIN_NS - told.clock.offset_ns  # as its files have it
        assert abs(session_ns(told.records, own_ns) - t_ns) <= within_ns(told.records, t_ns)
    assert told.records[-1].drift_ppm == pytest.approx(50, abs=5)
    assert told.records[-1].within_ns < 40_000 + 2 * way_ns
    assert told.clock.widest_ns == max(record.within_ns for record in told.records)
    assert told.notes == []


def test_a_bound_above_1_ms_is_said_and_one_above_10_ms_warned_of_each_once():
    told = Told(FakeNode(way_ns=2 * MS))
    told.run(20)
    assert [level for level, _ in told.notes] == ["info"]
    assert "the clock of node a is known within " in told.notes[0][1]
    told = Told(FakeNode(way_ns=60 * MS))
    told.run(20)
    assert [level for level, _ in told.notes] == ["warning"]
    assert told.notes[0][1].endswith("what lies less far apart on two nodes cannot be compared")


def test_a_clock_that_steps_is_written_and_told_now_as_in_the_summary():
    node = FakeNode()
    told = Told(node)
    told.run(10)
    node.offset_ns -= 3 * S  # the node slept
    node.here_ns += 5 * S
    told.asks(BETWEEN)
    assert told.records[-1].moved_ns == pytest.approx(-3 * S, abs=2 * MS)
    assert told.records[-1].correction_ns == pytest.approx(3 * S, abs=2 * MS)
    ((level, text),) = told.notes
    assert level == "warning"
    assert text.startswith("node a: its clock moved by -")
    assert text.endswith("may be wrong by as much")
    assert clock_notes({"a": told.records})[0] == text
    told.asks(BETWEEN)
    assert told.records[-1].moved_ns is None


def test_while_a_network_is_away_the_bound_grows_and_a_lost_node_is_asked_no_more(monkeypatch):
    node = FakeNode()
    told = Told(node)
    told.run(20)
    before_ns = told.records[-1].within_ns
    node.silent = asyncio.TimeoutError
    node.here_ns += 30 * S
    assert told.asks(BETWEEN)
    assert told.records[-1].within_ns > before_ns + 30 * 15_000
    node.silent = NodeLost
    monkeypatch.setattr(clock, "FIRST_WAITS_S", (0.0,) * 9)
    asked, written = node.asked, len(told.records)
    asyncio.run(told.clock.keep_known(ORIGIN_NS, [2, 3], told.records.append, lambda *note: None))
    assert (node.asked, len(told.records)) == (asked + 1, written)


def test_a_refusal_is_no_time():
    node = FakeNode()

    async def refuse(question, timeout_s):
        return Refusal("not\x1b[2J now")

    node.ask = refuse
    with pytest.raises(NodeLost, match=r": not\?\[2J now; need the same ttftop"):
        asyncio.run(AskedClock(node, node.now_ns).ask(1))
