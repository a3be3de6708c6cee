"""Clocks that are set and machines that stand still in mid-run, for the processes of a run as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from loadgen.records import WorkerNote
from sessions.run.commands import Ack, FinishRun
from sessions.run.control_client import send_once
from sessions.run.launch import Launched
from sessions.store.follow import following
from sessions.store.journal import worker_file
from sessions.summary.read import read_summary
from tests.faults.clock import FaultClock, why_none
from tests.sessions.run.test_supervisor import requests_of, start, until

__all__ = ["start"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_none()), reason=why_none())]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultClock]:
    """The clock of all processes that are started from here on."""
    with FaultClock() as made:
        for name, value in made.environment({}).items():
            monkeypatch.setenv(name, value)
        yield made


def events(run: Launched) -> list[str]:
    file, found = following(run.directory / worker_file(0)), []
    while records := file.poll():
        found += [record.event for record in records if isinstance(record, WorkerNote)]
    return found


@pytest.mark.parametrize("hours", [1, -1, 24 * 365])
def test_a_wall_clock_that_is_set_in_mid_run_is_told_and_moves_no_figure(
    clock: FaultClock, start: Callable[..., Launched], hours: int
) -> None:
    run = start(rate_rps=60.0)
    until(lambda: len(requests_of(run.directory)) > 20, "requests on disk")
    clock.step(hours * 3600)
    until(lambda: "clock_stepped" in events(run), "a word of it")
    before = len(requests_of(run.directory))
    until(lambda: len(requests_of(run.directory)) > before + 20, "requests after it")
    assert isinstance(send_once(run.directory, FinishRun()), Ack)
    assert run.process.wait(30) == 0
    summary = read_summary(run.directory)
    assert (summary.valid, summary.requests.failed) == (True, 0)
    assert summary.requests.sent == summary.requests.succeeded == len(requests_of(run.directory))
    assert summary.duration_s < 60


def test_a_machine_that_stood_still_for_ten_minutes_makes_the_run_not_valid_and_ends_in_order(
    clock: FaultClock, start: Callable[..., Launched]
) -> None:
    # With an end of its own: a run without one, and without a viewer for so long, is an orphan.
    run = start(rate_rps=60.0, duration_s=3600.0)
    until(lambda: len(requests_of(run.directory)) > 20, "requests on disk")
    clock.leap(600)
    before = len(requests_of(run.directory))
    until(lambda: len(requests_of(run.directory)) > before + 20, "requests after it")
    assert isinstance(send_once(run.directory, FinishRun()), Ack)
    assert run.process.wait(60) == 1
    summary = read_summary(run.directory)
    assert summary.valid is False
    assert any("the client stood still for 600" in reason for reason in summary.reasons)
    assert summary.requests.sent == len(requests_of(run.directory))
