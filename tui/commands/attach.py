"""`ttftop attach`: the live screen on a run that another login, or a detached screen, has started."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from tui.commands.replay import listed, session
from tui.foreground import plain, screen, start
from tui.foreground.debug_log import debug_log
from tui.options import run_options
from tui.options.exit_codes import CommandError
from tui.options.parser import Parser


def parser() -> Parser:
    parser = Parser("ttftop attach", "[S] [options]", "Open the screen on a run that is going on.")
    parser.add_argument("session", nargs="?", metavar="S", help="its id, name or path (the newest live one)")
    run_options.sessions_dir(parser)
    run_options.screen_arguments(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    directory = live_session(start.root(options), options.session)
    if screen.wants_lines(options):
        return screen.after(directory, "quit" if plain.attached(directory) else "detached")
    screen.need_terminal("attach", f"ttftop summary {directory.name} prints what the run says so far")
    with debug_log(options, directory, f"attach-{os.getpid()}"):
        return screen.after(directory, screen.show_live(directory, options, attached=True))


def live_session(root: Path, text: str | None) -> Path:
    """The session to attach to.

    Raises:
        CommandError: there is none, or it is not live any more.
    """
    from sessions.store.directory import is_live

    if text is None:
        for directory in listed("attach", root):
            if is_live(directory):
                return directory
        raise CommandError(f"attach: no live session in {root}; ttftop sessions lists those that ended")
    directory = session("attach", root, text)
    if not is_live(directory):
        raise CommandError(f"attach: session {directory.name} is not live any more; ttftop replay shows it")
    return directory


def resting_session(root: Path, text: str) -> Path:
    """The session of that id, name or path, which is not live.

    Raises:
        CommandError: there is none, or it is still going on.
    """
    from sessions.store.directory import is_live

    directory = session("run --resume", root, text)
    if is_live(directory):
        raise CommandError(
            f"run --resume: session {directory.name} is still going on; ttftop attach shows it"
        )
    return directory
