"""`ttftop` alone: on a terminal the home screen, else what can be typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessions.store.manifest import EndInfo, write
from tests.cli.conftest import Command, OnTerminal
from tests.sessions.conftest import make
from tests.sessions.summary.summing import stored


@pytest.mark.parametrize("kind", ["dumb", "xterm-256color"])
def test_without_a_terminal_it_says_what_can_be_typed(typed: Command, kind: str) -> None:
    done = typed(TERM=kind)
    assert (done.returncode, done.stdout) == (2, "")
    assert "ttftop URL" in done.stderr


@pytest.mark.slow
def test_on_a_terminal_a_replay_is_opened_from_the_list_and_comes_back_to_it(
    on_terminal: OnTerminal, home: Path
) -> None:
    directory = home / "ttftop/sessions/20261103-120000-kept"
    directory.mkdir(parents=True)
    run = make(seconds=2.0)
    stored(run, directory)
    run.manifest.end = EndInfo("completed", "2026-11-03T12:01:00+01:00", 2.0)
    write(directory, run.manifest)
    shown = on_terminal()
    shown.read_until(b"recorded sessions  1")
    shown.read_until(b"made")
    shown.write(b"\r")
    shown.read_until(b"IN FLIGHT")
    before = len(shown.output)
    shown.write(b"q")
    shown.read_until(b"recorded sessions  1", start=before)
    shown.write(b"q")
    assert shown.ended() == 0
    assert b"Traceback" not in shown.output


@pytest.mark.slow
def test_a_signal_closes_it_and_leaves_the_terminal_as_it_was(on_terminal: OnTerminal) -> None:
    shown = on_terminal()
    shown.read_until(b"recorded sessions")
    shown.process.terminate()
    assert shown.ended() == 130
    assert b"\x1b[?1049l" in shown.output
