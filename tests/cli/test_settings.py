"""`ttftop settings`, and what a mistake in the file does to a screen and to a run without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command, OnTerminal


def written(home: Path, text: str) -> dict[str, str]:
    """The environment in which `text` are the settings."""
    directory = home / "config/ttftop"
    directory.mkdir(parents=True)
    (directory / "settings.toml").write_text(text)
    return {"XDG_CONFIG_HOME": str(home / "config")}


def test_it_says_what_holds_and_where_it_is(typed: Command, home: Path) -> None:
    here = written(home, 'theme = "safe"\n[keys]\nmark = ["f5"]\n')
    assert typed("settings", **here).stdout.splitlines() == [
        'theme = "safe"',
        "# charset: by the terminal",
        "fps = 10",
        'window = "1m"',
        "log = true",
        "mouse = false",
        "[keys]",
        'mark = ["f5"]',
    ]
    assert typed("settings", "--path", **here).stdout == f"{home}/config/ttftop/settings.toml\n"
    assert typed("settings", "--check", **here).stdout.endswith("settings.toml: fine\n")
    assert "mark            f5\n" in typed("settings", "--actions", **here).stdout


def test_without_a_file_it_says_so(typed: Command, home: Path) -> None:
    done = typed("settings", "--check", XDG_CONFIG_HOME=str(home / "none"))
    assert (done.returncode, done.stdout.endswith("not there, all is as it comes\n")) == (0, True)


def test_a_mistake_is_one_line_and_exit_code_2(typed: Command, home: Path) -> None:
    here = written(home, 'theme = "drak"\n')
    done = typed("settings", **here)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"ttftop: error: {home}/config/ttftop/settings.toml, line 1: theme = 'drak', did you mean dark?\n"
    )
    # A run without a screen has no use for them.
    assert "settings.toml" not in typed("http://127.0.0.1:9", "--rate", "-1", "--headless", **here).stderr


@pytest.mark.slow
def test_a_mistake_is_told_before_a_load_is_put_on_anything(on_terminal: OnTerminal, home: Path) -> None:
    shown = on_terminal("http://127.0.0.1:9", **written(home, "fps = 60\n"))
    assert shown.ended() == 2
    assert b"settings.toml, line 1: fps = 60, need one of 10, 5, 2, 1" in shown.output
    assert not list((home / "ttftop").glob("sessions/*"))
