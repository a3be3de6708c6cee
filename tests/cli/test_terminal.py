"""The program as a person uses it: in a real terminal that is killed, stalls, or comes back."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from loadgen.records import Request, Tick
from sessions.control import ControlError, send_once
from sessions.follow import Follower, GzipFollower
from sessions.journal import request_paths, timeline_paths
from sessions.store import is_live, listing
from tests.terminal import Terminal

TTFTOP = [sys.executable, "-m", "tui.cli"]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for directory in listing(tmp_path):
        if is_live(directory):
            try:
                send_once(directory, {"cmd": "abort"})
            except ControlError:
                continue
            until_over(directory)


def until_over(directory: Path) -> None:
    deadline = time.monotonic() + 20
    while is_live(directory):
        assert time.monotonic() < deadline, "the run did not end"
        time.sleep(0.05)


def live_session(root: Path) -> Path:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = [directory for directory in listing(root) if is_live(directory)]
        if found and ticks(found[0]):
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no live session")


def ticks(directory: Path) -> list[Tick]:
    return [r for path in timeline_paths(directory) for r in Follower(path).poll() if isinstance(r, Tick)]


def requests(directory: Path) -> list[Request]:
    return [
        r for path in request_paths(directory) for r in GzipFollower(path).poll() if isinstance(r, Request)
    ]


def run_command(url: str, root: Path, *more: str) -> list[str]:
    small = ["--input-tokens", "32", "--output-tokens", "8", "--telemetry", "none"]
    return [*TTFTOP, url, "--sessions-dir", str(root), *small, *more]


def test_killing_the_screen_leaves_the_run_going_and_attach_shows_it_again(
    simulator_url: str, root: Path
) -> None:
    with Terminal(run_command(simulator_url, root, "--rate", "20")) as terminal:
        terminal.wait_for("LIVE")
        session = live_session(root)
        terminal.process.kill()
        terminal.process.wait()
    before = len(ticks(session))
    deadline = time.monotonic() + 10
    while len(ticks(session)) < before + 8:
        assert time.monotonic() < deadline, "the run stood still"
        time.sleep(0.05)
    assert is_live(session)
    with Terminal([*TTFTOP, "attach", "--sessions-dir", str(root)]) as terminal:
        assert "TTFT" in terminal.wait_for("LIVE")
        terminal.press("q")
        terminal.wait_for("detach")
        terminal.press("d")
        terminal.process.wait(20)
    assert is_live(session)


def test_keys_change_the_load_and_show_as_marks_and_q_f_finishes_saved(
    simulator_url: str, root: Path
) -> None:
    with Terminal(run_command(simulator_url, root, "--rate", "10"), size=(120, 40)) as terminal:
        terminal.wait_for("LIVE")
        session = live_session(root)
        terminal.press("K")
        terminal.wait_for("10 > 20 rps")
        terminal.press(" ")
        terminal.wait_for("hold")
        terminal.press("=")
        terminal.press("5\r")
        terminal.wait_for("0 > 5 rps")
        terminal.press("q")
        terminal.wait_for("finish")
        terminal.press("f")
        assert terminal.process.wait(30) == 0
    assert not is_live(session)


@pytest.mark.slow
def test_a_terminal_that_stops_reading_for_10_s_changes_no_measured_figure(
    simulator_url: str, root: Path
) -> None:
    with Terminal(run_command(simulator_url, root, "--rate", "40"), size=(120, 40)) as terminal:
        terminal.wait_for("LIVE")
        session = live_session(root)
        time.sleep(6)
        stalled_from = ticks(session)[-1].t_ns
        terminal.stall()
        time.sleep(10)
        stalled_to = ticks(session)[-1].t_ns
        terminal.go_on()
        terminal.wait_for("LIVE")
        send_once(session, {"cmd": "finish"})
        until_over(session)
    assert stalled_to - stalled_from > 9_000_000_000
    during = [t for t in ticks(session) if stalled_from < t.t_ns <= stalled_to]
    # the worker never stood still, and all that was due was sent
    assert sum(t.dt_ns for t in during) == stalled_to - stalled_from
    assert max(t.dt_ns for t in during) <= 500_000_000
    assert sum(t.due for t in during) == sum(t.sent for t in during) > 250
    assert sum(t.failed for t in during) == 0
    rows = [r for r in requests(session) if r.error is None and r.first_token_ns and r.sent_ns]
    calm = [r for r in rows if r.due_ns <= stalled_from]
    stall = [r for r in rows if stalled_from < r.due_ns <= stalled_to]
    for name, figure in (
        ("TTFT", lambda r: r.first_token_ns - r.due_ns),
        ("ITL", lambda r: np.mean(r.gaps_us) * 1000),
        ("send lag", lambda r: r.sent_ns - r.due_ns),
    ):
        before, after = (np.array([figure(r) for r in part]) / 1e6 for part in (calm, stall))
        # noise on a shared machine: twice, or two milliseconds
        assert np.median(after) < max(2 * np.median(before), np.median(before) + 2), name
