"""Opens the screen. The only module of the commands that imports Textual, and only when it does so."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.commands.exits import NOT_VALID, OK, CommandError

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
    """Opens the screen on a session. Returns how it was left: `finished`, `detached`, `aborted` or `quit`."""
    if options.no_color:
        os.environ["NO_COLOR"] = "1"
    from sessions.view import SessionView
    from tui.app import run_screen

    more: dict[str, Any] = {} if options.charset is None else {"charset": options.charset}
    view = SessionView(directory)
    if not live:
        return run_screen(view, None, title=directory.name, **more)
    from sessions.control import ControlClient
    from tui.commands.viewer import Viewer

    with Viewer(directory):
        return run_screen(view, ControlClient(directory, viewer=False), title=directory.name, **more)


def after(directory: Path, left: str) -> int:
    """Says where the run went when the screen closed; returns the exit code."""
    from sessions.manifest import SessionError, read
    from sessions.store import default_root, is_live

    # Where sessions are kept elsewhere, only the path finds one without --sessions-dir.
    session = directory.name if directory.parent == default_root() else str(directory)
    if left != "detached":
        wait_for_end(directory)
    if is_live(directory):
        print(f"the run goes on: ttftop attach {session}")
        return OK
    print(f"the session is saved in {directory}\nttftop replay {session}\nttftop summary {session}")
    try:
        end = read(directory).end
    except SessionError as error:
        raise CommandError(str(error)) from None
    return NOT_VALID if end is None else end.exit_code


def wait_for_end(directory: Path) -> None:
    """Stays until a run that was told to finish is over and saved; Ctrl-C leaves it alone."""
    from sessions.store import is_live

    told = False
    try:
        while is_live(directory):
            if not told:
                print(
                    "ttftop: waiting for the last answers (Ctrl-C leaves it to finish alone)", file=sys.stderr
                )
                told = True
            time.sleep(0.1)
    except KeyboardInterrupt:
        print(file=sys.stderr)
