"""`ttftop replay`: the same screen on a recorded run, with a playhead to move."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from tui.foreground import plain, screen, start
from tui.foreground.debug_log import debug_log
from tui.options import run_options
from tui.options.exit_codes import OK, CommandError
from tui.options.parser import Parser

WHICH = "its id, the start of it, its name or its path (last: the one that started last)"


def parser() -> Parser:
    parser = Parser(
        "ttftop replay",
        "[S] [options]",
        "Open the screen on a recorded run: play, step, seek, change the speed.",
    )
    parser.add_argument("session", nargs="?", default="last", metavar="S", help=WHICH)
    run_options.sessions_dir(parser)
    run_options.screen_arguments(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    directory = session("replay", start.root(options), options.session)
    if screen.wants_lines(options):
        plain.replayed(directory)
        return OK
    screen.need_terminal("replay", f"ttftop summary {directory.name} prints what the run says")
    with debug_log(options, directory, f"replay-{os.getpid()}", own_time=True):
        return screen.show_replay(directory, options)


def listed(command: str, root: Path) -> list[Path]:
    """The directories of the sessions under `root`, newest first.

    Raises:
        CommandError: they cannot be listed.
    """
    from sessions.store.directory import listing
    from sessions.store.manifest import SessionError

    try:
        return listing(root)
    except SessionError as error:
        raise CommandError(f"{command}: {error}") from None


def session(command: str, root: Path, text: str) -> Path:
    """The directory of the session that `text` names, known to be readable.

    Raises:
        CommandError: there is none, or it is no session that this version reads.
    """
    from sessions.store.directory import find
    from sessions.store.manifest import SessionError, read
    from sessions.store.pack import is_pack, unpacked

    try:
        directory = find(root, text)
        if is_pack(directory):
            directory = unpacked(directory)
        read(directory)
    except SessionError as error:
        raise CommandError(f"{command}: {error}") from None
    return directory
