"""What the trials at length make of what they saw: bounds, and tables with their dates."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import kill_loop, signals, soak
from tests.fuzz import __main__ as fuzz

KILL = kill_loop.Kill("run", "worker", True, 0, 0.2, 0, 0)
MOMENT = signals.Moment("run", "starting", "HUP", 1.9, [], True, 99.0, 0)


@pytest.mark.parametrize(
    "worse", [{"unopened": 1}, {"lost_s": 1.01}, {"open_to_others": 1}, {"left_running": 1}], ids=str
)
def test_a_kill_that_cost_more_than_it_may_fails(worse: dict[str, float]) -> None:
    assert kill_loop.within(KILL)
    assert kill_loop.within(KILL._replace(lost_s=None))
    assert not kill_loop.within(KILL._replace(**worse))


@pytest.mark.parametrize(
    "worse",
    [{"took_s": 2.1}, {"left_over": ["?1049"]}, {"saved": False}, {"request_ms": 101.0}, {"left_running": 1}],
    ids=str,
)
def test_a_moment_that_was_not_as_it_should_be_fails(worse: dict[str, object]) -> None:
    assert signals.within(MOMENT)
    assert not signals.within(MOMENT._replace(job="drain", took_s=2.1)), "no longer for answers to wait for"
    assert signals.within(MOMENT._replace(request_ms=None))
    assert not signals.within(MOMENT._replace(**worse))  # type: ignore[arg-type]


def test_tables_say_the_worst_and_when() -> None:
    kills = kill_loop.report(
        [
            KILL,
            KILL._replace(lost_s=0.7, victim="supervisor"),
            KILL._replace(unopened=1),
            KILL._replace(session=False),
        ],
        3,
    )
    assert re.match(
        r"4 kills, seed 3, 20\d\d-\d\d-\d\d; .* Lost at most 0\.70 s of records; 1 sessions", kills
    )
    assert "1 came before there was a session, 3 after." in kills
    assert "| supervisor | 1 | 0 | 1 | 0.70 | 0 | 0 | 0 |" in kills
    assert "| worker | 3 | 1 | 2 | 0.20 | 1 | 0 | 0 |" in kills
    moments = signals.report([MOMENT, MOMENT._replace(signal="INT", request_ms=-3.0, saved=False)], 0)
    assert re.match(r"2 moments, seed 0, 20\d\d-\d\d-\d\d; ", moments)
    assert "| INT | 1 | 1.90 | 0 | 1 | 0 | 0 |" in moments


def test_by_a_fast_clock_no_time_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = np.array([[60.0 * minute, 5.0, 600.0] for minute in range(480)])
    monkeypatch.setattr(soak, "sent_requests", lambda directory: sent)
    memory = {"screen": 70.0, "supervisor": 40.0, "worker": 36.0}
    samples = [soak.Sample(1800.0 * n, memory, dict.fromkeys(memory, 14), 1.0) for n in range(1, 17)]
    fast, within = soak.report(tmp_path, samples, 480.0, 10)
    assert within
    assert "clock x10" in fast
    assert "10 events/s" in fast
    assert "lag" not in fast
    assert "send lag p99" in soak.report(tmp_path, samples, 480.0, 1)[0].replace("p50 ms | ", "")
    growing = [s._replace(memory_mb={**memory, "worker": 36.0 + s.at_s / 100}) for s in samples]
    assert not soak.report(tmp_path, growing, 480.0, 10)[1]


def test_an_hour_is_not_taken_to_a_day_and_is_held_against_what_it_came_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "sent_requests", lambda directory: np.zeros((0, 3)))
    memory = {"screen": 70.0, "supervisor": 40.0, "worker": 99.0}
    samples = [soak.Sample(225.0 * n, memory, dict.fromkeys(memory, 14), 1.0) for n in range(1, 17)]
    told, within = soak.report(tmp_path, samples, 60.0, 1)
    assert within
    assert "Too short to be taken to 24 h" in told
    samples[3] = samples[3]._replace(memory_mb={**memory, "worker": 101.0})
    assert not soak.report(tmp_path, samples, 60.0, 1)[1]


def test_what_broke_a_reader_is_counted_and_named() -> None:
    told = fuzz.report(
        [fuzz.Tried("sse", 1200, 60, 7, broke=False), fuzz.Tried("http", 30, 360, None, broke=True)], "led"
    )
    assert re.match(
        r"1,230 inputs to 2 readers of foreign bytes, 20\d\d-\d\d-\d\d; led\. 1 of them broke\.", told
    )
    assert "| sse | 1,200 | 60 | 7 | no |\n| http | 30 | 360 | - | yes |" in told


def test_a_page_keeps_what_it_told_of_readers_that_were_not_tried_again() -> None:
    before = [fuzz.Tried("sse", 64_671, 60, 86, broke=False), fuzz.Tried("http", 5, 360, None, broke=True)]
    page = f"# A page\n\n{fuzz.report(before, 'led')}\n\n| other | 1 | 2 | 3 | no |\n"
    assert fuzz.told_in(page) == before
    assert fuzz.told_in("# A page of something else\n") == []
