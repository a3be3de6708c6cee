"""The pages about the command say what the command does."""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path

import pytest

from tui.commands import COMMANDS
from tui.options import exit_codes

DOCS = Path(__file__).parents[2] / "docs"


def sections() -> dict[str, str]:
    """Command to its section of docs/guide/commands.md."""
    text = (DOCS / "guide" / "commands.md").read_text(encoding="utf-8")
    found = re.split(r"^## ttftop (\w+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def options(command: str) -> set[str]:
    """Every option that the command's help shows, but `--help`."""
    parser = importlib.import_module(COMMANDS[command][0]).parser()
    return {
        action.option_strings[-1]
        for action in parser._actions
        if action.option_strings and action.help != argparse.SUPPRESS and action.dest != "help"
    }


def documented(section: str) -> set[str]:
    return set(re.findall(r"^\| `(--[\w-]+)", section, flags=re.MULTILINE))


def test_every_command_has_a_section() -> None:
    assert list(sections()) == list(COMMANDS)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "demo"])
def test_a_section_lists_the_options_of_its_command(command: str) -> None:
    assert documented(sections()[command]) == options(command)


def test_demo_takes_what_run_takes_but_the_connection() -> None:
    connection = {"--api-key-file", "--ca", "--insecure", "--proxy", "--cert", "--cert-key", "--path"}
    connection |= {"--header", "--plain-header", "--resume", "--target", "--source-address"}
    assert documented(sections()["demo"]) == options("demo") - options("run")
    assert options("run") - options("demo") == connection


def test_every_exit_code_is_documented() -> None:
    text = (DOCS / "guide" / "exit-codes.md").read_text(encoding="utf-8")
    codes = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, flags=re.MULTILINE)} == codes


def test_the_readme_points_only_at_files_that_are_there() -> None:
    root = DOCS.parent
    links = re.findall(r"\]\(([^)#]+)\)", (root / "README.md").read_text(encoding="utf-8"))
    pictures = {link for link in links if link.endswith(".png")}
    assert [link for link in links if link not in pictures and not (root / link).exists()] == []
