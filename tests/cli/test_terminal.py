"""The command on a terminal: a pty of 100x30 on which a person could type."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Command, OnTerminal, read_until_running, tell_to_finish

LIGHT = ["--rate", "10", "--input-tokens", "16", "--output-tokens", "8"]

pytestmark = pytest.mark.slow


def test_a_refused_run_closes_the_screen_and_says_why(on_terminal: OnTerminal) -> None:
    shown = on_terminal("http://127.0.0.1:9")
    assert shown.ended() == 3
    last = shown.output.rpartition(b"ttftop: error: ")[2]
    assert b"http://127.0.0.1:9: connection refused" in last
    assert b"\x1b" not in last
    assert b"Traceback" not in shown.output


@pytest.mark.parametrize("kind", ["dumb", ""])
def test_a_terminal_that_can_show_no_screen_gets_a_line_a_second(
    on_terminal: OnTerminal, simulator_url: str, kind: str
) -> None:
    shown = on_terminal(simulator_url, "--duration", "3s", "--telemetry", "none", *LIGHT, TERM=kind)
    assert shown.ended() in (0, 1)  # so short a run may be too little to be valid
    said = shown.output.decode()
    assert re.search(r"^00:00:0\d  rate 10\.0 rps  sent \S+/s  TTFT p50 ", said, re.M)
    assert "\x1b" not in said
    assert "TTFT from due" in said


def test_a_run_that_is_told_to_finish_stays_on_the_screen_until_its_last_answers_are_there(
    home: Path, on_terminal: OnTerminal, simulator_url: str
) -> None:
    load = ["--concurrency", "3", "--input-tokens", "16", "--output-tokens", "400", "--telemetry", "none"]
    shown = on_terminal(simulator_url, *load)
    read_until_running(shown, home)
    tell_to_finish(shown)
    shown.read_until(b"draining 3 answers, at most ")
    code = shown.ended()  # so short a run may be too little to be valid
    assert b"the session is saved in " in shown.output
    assert (
        shown.output.rpartition(b"ttftop summary ")[2].split(b"\r\n")[1]
        == {0: b"measurement valid: its figures may be relied on", 1: b"NOT VALID"}[code]
    )


def test_a_detached_run_goes_on_and_attach_finds_it(
    typed: Command, home: Path, on_terminal: OnTerminal, simulator_url: str
) -> None:
    first = on_terminal(simulator_url, *LIGHT, "--telemetry", "none")
    first.read_until(b"TTFT")
    first.read_until(b"LIVE")
    first.write(b"q")
    first.read_until(b"detach")
    first.write(b"d")
    assert first.ended() == 0
    assert b"the run goes on: ttftop attach " in first.output
    assert b"it has no end: it stops 60 s after its last viewer has left" in first.output
    (row,) = json.loads(typed("sessions", "--json", XDG_DATA_HOME=str(home)).stdout)
    assert row["state"] == "live"

    second = on_terminal("attach")
    second.read_until(b"LIVE")
    tell_to_finish(second, by=b"Q")
    assert second.ended() == 0
    assert b"the session is saved in " in second.output
    (row,) = json.loads(typed("sessions", "--json", XDG_DATA_HOME=str(home)).stdout)
    assert (row["state"], row["end"]) == ("ended", "finished")

    third = on_terminal("replay")
    third.read_until(b"TTFT")
    third.write(b"q")
    assert third.ended() == 0


def test_a_rate_of_one_key_too_many_is_asked_about_before_anything_is_sent(
    on_terminal: OnTerminal, home: Path
) -> None:
    terminal = on_terminal("http://192.0.2.1:8000", "--rate", "900")
    terminal.read_until(b"900 requests per second for http://192.0.2.1:8000, which is another machine")
    terminal.read_until(b"(--max-rate 900 asks no more)")
    terminal.read_until(b"Start? [y/N] ")
    terminal.write(b"n\n")
    assert terminal.ended() == 130
    assert b"not started, nothing was sent" in terminal.output
    assert b"\x1b[?1049h" not in terminal.output
    assert list(home.rglob("session.toml")) == []
