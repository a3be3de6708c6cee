"""`settings.toml`: what it sets, what stands above it, and each mistake as one line with the file and the line."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import tomli

from tui.commands.settings import as_toml
from tui.controls.keys import KEYS, action_for
from tui.options.exit_codes import CommandError
from tui.options.settings import Settings, asked_settings, default_path, read_settings


def said(tmp_path: Path, text: str) -> str:
    """Why it is refused, without the directory."""
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError) as refused:
        read_settings(path)
    assert refused.value.exit_code == 2
    return str(refused.value).replace(f"{tmp_path}/", "")


def test_without_a_file_all_is_as_it_comes(tmp_path: Path):
    assert read_settings(tmp_path / "settings.toml") == read_settings(None) == Settings()
    assert Settings().keymap is KEYS


def test_what_is_written_holds(tmp_path: Path):
    path = tmp_path / "settings.toml"
    path.write_text(
        'theme = "safe"\ncharset = "ascii"\nfps = 5\nwindow = "all"\nlog = false\nmouse = true\n[keys]\nmark = ["f5"]\n'
    )
    found = read_settings(path)
    assert (found.theme, found.charset, found.fps, found.window_s, found.log) == (
        "safe",
        "ascii",
        5,
        None,
        False,
    )
    assert found.mouse is True
    assert action_for("f5", None, True, keymap=found.keymap) == "mark"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('\nthem = "dark"\n', "settings.toml, line 2: unknown setting 'them', did you mean theme?"),
        ('theme = "drak"\n', "settings.toml, line 1: theme = 'drak', did you mean dark?"),
        (
            "theme = 3\n",
            "settings.toml, line 1: theme = 3, need one of auto, terminal, dark, light, safe, safe-light",
        ),
        ("fps = 60\n", "settings.toml, line 1: fps = 60, need one of 10, 5, 2, 1"),
        ("fps = true\n", "settings.toml, line 1: fps = true, need one of 10, 5, 2, 1"),
        ('window = "2m"\n', "settings.toml, line 1: window = '2m', need one of 30s, 1m, 5m, all"),
        ('log = "yes"\n', "settings.toml, line 1: log = 'yes', need true or false"),
        (
            "# x\nkeys = 1\n",
            'settings.toml, line 2: keys: need a table, such as [keys] and below it mark = ["m"]',
        ),
        (
            '[keys]\nmark = "m"\n',
            'settings.toml, line 2: mark = \'m\', need a list of keys such as ["m", "f5"]',
        ),
        (
            '[keys]\nstop = ["s"]\n"mark" = ["s"]\n',
            "settings.toml, line 3: 's' is the key of stop too: give one of them another",
        ),
        (
            'log = true\n[keys]\nlog = ["pgup"]\n',
            "settings.toml, line 3: unknown key 'pgup', did you mean pageup?",
        ),
        ('theme = "dark"\ntheme = "light"\n', "settings.toml: not TOML: "),
        ("theme = \n", "settings.toml: not TOML: Invalid value (at line 1, column 9)"),
        ("a=" + "[" * 5000, "settings.toml: not TOML"),
    ],
)
def test_a_mistake_is_one_line_that_says_where_and_what_is_allowed(tmp_path: Path, text: str, line: str):
    assert said(tmp_path, text).startswith(line)
    assert "\n" not in said(tmp_path, text)


def test_a_mistake_cannot_steer_the_terminal(tmp_path: Path):
    assert "\x1b" not in said(tmp_path, '"x\\u001b[2J" = 1\n')


@pytest.mark.parametrize("data", [b"\xff\xfe", b"x = 1\n" * 20_000])
def test_what_is_no_such_file_is_one_line(tmp_path: Path, data: bytes):
    path = tmp_path / "settings.toml"
    path.write_bytes(data)
    with pytest.raises(CommandError):
        read_settings(path)


def test_what_is_typed_stands_above_what_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = default_path()
    assert path == tmp_path / "ttftop/settings.toml"
    path.parent.mkdir()
    path.write_text('theme = "safe"\nfps = 2\n')
    typed = argparse.Namespace(theme="light", charset=None)
    assert asked_settings(typed) == Settings(theme="light", fps=2)
    assert asked_settings(argparse.Namespace(theme=None, charset="ascii")).theme == "safe"


def test_what_is_shown_can_be_read_again(tmp_path: Path):
    held = Settings("safe", "ascii", 5, "5m", False, True, {"mark": ["'", '"', "f5"], "stop": []})
    text = "\n".join(as_toml(held))
    assert tomli.loads(text)["keys"] == {"mark": ["'", '"', "f5"], "stop": []}
    path = tmp_path / "settings.toml"
    path.write_text(text)
    assert read_settings(path) == held
