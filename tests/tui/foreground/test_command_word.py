"""What is printed to be typed again is what can be typed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tui.foreground.command_word import STARTED_BY, command_word, said_place

SCRIPT = Path(__file__).parents[3] / "scripts" / "ttftop"


def test_it_is_the_script_that_ttftop_was_started_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STARTED_BY, raising=False)
    assert command_word() == "ttftop"
    monkeypatch.setenv(STARTED_BY, "scripts/ttftop")
    assert command_word() == "scripts/ttftop"
    monkeypatch.setenv(STARTED_BY, "my disk/\x1b[2Jttftop")
    assert "\x1b" not in command_word()
    assert command_word()[0] == command_word()[-1] == "'"


def test_the_script_says_by_what_it_was_started(tmp_path: Path) -> None:
    """Run with a made-up environment in place of the real one, whose ttftop prints what it was told."""
    scripts, venv = tmp_path / "scripts", tmp_path / "venv"
    scripts.mkdir()
    (venv / "bin").mkdir(parents=True)
    (scripts / "ttftop").write_text(SCRIPT.read_text())
    (scripts / "environment.sh").write_text("make_environment() { :; }\ncheckout_key() { :; }\n")
    told = venv / "bin" / "ttftop"
    told.write_text(f'#!/bin/sh\necho "${STARTED_BY}"\n')
    for program in (scripts / "ttftop", told):
        program.chmod(0o755)
    for typed in ("scripts/ttftop", "./scripts/ttftop"):
        done = subprocess.run(
            [typed], cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "TTFTOP_VENV": str(venv)}, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        assert done.stdout == f"{typed}\n"


def test_a_path_that_the_terminal_would_break_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert said_place(Path("/s/run")) == "the session is saved in /s/run"
    long = Path("/") / ("a" * 60) / "run"
    assert said_place(long) == f"the session is saved in \n{long}"
