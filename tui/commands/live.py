"""Starts a run and stays with it: on a screen, or headless with a progress line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from sessions.config import RunConfig
from tui.commands import headless, screen
from tui.commands.exits import CommandError


class Outcome(NamedTuple):
    exit_code: int
    goes_on: bool
    """The run was left by detaching, and is live still."""


def has_screen(options: argparse.Namespace) -> bool:
    """A screen will be opened: there is a terminal on both ends, and `--headless` was not asked for."""
    return not options.headless and screen.is_terminal()


def root(options: argparse.Namespace) -> Path:
    """Where sessions are kept."""
    from sessions.store import default_root

    chosen: Path | None = options.sessions_dir
    return default_root() if chosen is None else chosen.expanduser().absolute()


def start(config: RunConfig, options: argparse.Namespace, api_key: str | None) -> Outcome:
    """Starts the run in a process of its own, shows it, and says where it is kept.

    Raises:
        CommandError: the run could not be started.
    """
    from sessions.launch import launch
    from sessions.manifest import SessionError
    from sessions.store import is_live

    if not config.interactive:
        config, sentence = headless.with_end(config)
        if sentence:
            print(f"ttftop: {sentence}", file=sys.stderr)
    with headless.Interrupts(enabled=not config.interactive) as interrupts:
        try:
            launched = launch(config, root=root(options), api_key=api_key)
        except SessionError as error:
            raise CommandError(str(error)) from None
        if config.interactive:
            code = screen.watch(launched, options)
        else:
            code = headless.follow(launched, interrupts)
    return Outcome(code, is_live(launched.directory))
