"""Lines of a run without a screen: what becomes of them where they find no place."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import pytest

from tui import cli
from tui.foreground import headless, plain
from tui.foreground.progress import Progress
from tui.options.exit_codes import INTERRUPTED, NOT_VALID, OK

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


@pytest.fixture
def full() -> Iterator[TextIO]:
    file = os.fdopen(os.open(FULL, os.O_WRONLY), "w", buffering=1)
    yield file
    with suppress(OSError):  # what is left in it; Python 3.13 tells of it where nobody closes it
        file.close()


def test_a_terminal_that_goes_away_costs_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setenv("TERM", "xterm")
        progress = Progress()
        assert progress.in_place
        os.close(ours)
        with pytest.raises(OSError):
            os.get_terminal_size(stderr.fileno())
        progress.show("a line")
        progress.close()
        cli.forget_unread_output()


@needs_full
@pytest.mark.parametrize(
    ("json", "code", "raised"),
    [(False, OK, True), (False, NOT_VALID, True), (False, INTERRUPTED, False), (True, OK, False)],
)
def test_only_lost_lines_of_stdout_change_an_exit_code_and_none_that_says_more(
    monkeypatch: pytest.MonkeyPatch, full: TextIO, json: bool, code: int, raised: bool
) -> None:
    monkeypatch.setattr(sys, "stderr" if json else "stdout", full)

    def told(_launched: Any, _interrupts: Any, _options: Any, progress: Progress) -> int:
        progress.show("a line")
        return 0

    monkeypatch.setattr(headless, "_told_until_its_end", told)
    monkeypatch.setattr(headless, "conclude", lambda *_: code)
    run: Any = SimpleNamespace(
        process=SimpleNamespace(terminate=lambda: None), poll_error=lambda: None, directory=Path()
    )
    options = argparse.Namespace(json=json, plain=True)
    if raised:
        with pytest.raises(OSError, match="No space left"):
            headless.follow(run, headless.Interrupts(), options)
    else:
        assert headless.follow(run, headless.Interrupts(), options) == code


@needs_full
@pytest.mark.parametrize(("code", "ended"), [(INTERRUPTED, INTERRUPTED), (OK, NOT_VALID)])
def test_last_words_that_are_lost_leave_the_exit_code_of_what_went_wrong_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int, ended: int
) -> None:
    def dispatch(_: list[str]) -> int:
        print("words")
        return code

    lost = os.fdopen(os.open(FULL, os.O_WRONLY), "w")
    monkeypatch.setattr(sys, "stdout", lost)
    monkeypatch.setattr(cli, "dispatch", dispatch)
    assert cli.main(["any"]) == ended
    with suppress(OSError):
        lost.close()


@pytest.mark.parametrize(
    ("due_s", "now_s", "next_s"), [(5.0, 5.05, 6.0), (5.0, 5.0, 6.0), (5.0, 15.0, 16.0), (5.0, 14.9, 15.0)]
)
def test_missed_lines_are_not_made_up_for(due_s: float, now_s: float, next_s: float) -> None:
    assert plain.next_line_s(due_s, now_s) == next_s


def test_a_live_run_that_was_not_looked_at_for_long_gets_one_line_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import contextlib

    from sessions.frame import session_view
    from tui.foreground import viewer

    class World:
        """A clock that leaps by 30 s at the first look, and a run of five looks."""

        now_s, looks, last_ns = 0.0, 0, 0

        @property
        def live(self) -> bool:
            return self.looks < 5

        def poll(self) -> None:
            self.looks += 1
            self.now_s += 30.0 if self.looks == 1 else 0.0

        def monotonic(self) -> float:
            return self.now_s

        def sleep(self, seconds: float) -> None:
            self.now_s += seconds

        def read_all(self) -> None: ...

        def close(self) -> None: ...

    world = World()
    monkeypatch.setattr(session_view, "SessionView", lambda _: world)
    monkeypatch.setattr(viewer, "Viewer", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(plain, "time", world)
    monkeypatch.setattr(plain, "_judged", lambda *_: None)
    monkeypatch.setattr(plain, "plain_line", lambda _: "a line")
    assert plain.attached(tmp_path)
    assert capsys.readouterr().out == "a line\n"
