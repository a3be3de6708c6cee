"""Opens the screen. The only module of the commands that imports Textual, and only when it does so."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.commands.exits import INTERRUPTED, NOT_VALID, OK, CommandError

if TYPE_CHECKING:
    from sessions.launch import Launched


def is_terminal() -> bool:
    """A person sits at both ends: keys come in, a screen goes out."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def need_terminal(command: str, instead: str) -> None:
    """Raises:
    CommandError: there is no terminal to open a screen on.
    """
    if not is_terminal():
        raise CommandError(f"{command}: needs a terminal; without one, {instead}")


def watch(launched: Launched, options: argparse.Namespace) -> int:
    """The screen on a run that was just started; returns the exit code."""
    from sessions.launch import LaunchError

    try:
        # The host starts while Textual is being imported; both take a few tenths of a second.
        from tui.app import run_screen  # noqa: F401
    finally:
        error = launched.poll_error()
    if error is None:
        left = show(launched.directory, options, live=True)
        error = launched.poll_error()
    if isinstance(error, LaunchError):
        raise CommandError(str(error), error.exit_code)
    return after(launched.directory, left)


def show(directory: Path, options: argparse.Namespace, *, live: bool) -> str:
    """Opens the screen on a session, and returns how it was left: `finish`, `detach`, `abort` or `quit`."""
    if options.no_color:
        os.environ["NO_COLOR"] = "1"
    from sessions.view import SessionView
    from tui.app import run_screen

    more: dict[str, Any] = {} if options.charset is None else {"charset": options.charset}
    control = None
    if live:
        from sessions.control import ControlClient

        control = ControlClient(directory)
    return str(run_screen(SessionView(directory), control, title=directory.name, **more))


def after(directory: Path, left: str) -> int:
    """Says where the run went when the screen closed; returns the exit code."""
    from sessions.manifest import read
    from sessions.store import is_live

    session = directory.name
    if left == "detach" and is_live(directory):
        print(f"session {session} goes on; ttftop attach {session}, ttftop summary {session}")
        return OK
    end = read(directory).end
    code = end.exit_code if end is not None else NOT_VALID
    print(f"session {session} is saved in {directory}; ttftop replay {session}, ttftop summary {session}")
    return INTERRUPTED if left == "abort" else code
