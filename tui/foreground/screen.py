"""Opens the screen. It alone imports `tui.screens`, and with it Textual, and only when a screen opens."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tui.foreground.reading import reading
from tui.options.exit_codes import INTERRUPTED, NOT_VALID, OK, CommandError, tell

NICER = 5
POLL_BYTES = 2 << 20
"""Of each file, between two keys: what takes longer is read on after the next frame."""
_LINES_ONLY = ("", "dumb", "unknown")
"""Kinds of terminals, by TERM."""

if TYPE_CHECKING:
    from sessions.run.control_client import ControlClient
    from sessions.run.launch import Launched


def is_terminal() -> bool:
    """A person sits at both ends: keys come in, a screen goes out."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def has_able_terminal() -> bool:
    """A person sits there, and the terminal can show more than lines."""
    return is_terminal() and os.environ.get("TERM", "") not in _LINES_ONLY


def wants_lines(options: argparse.Namespace) -> bool:
    """Plain lines were asked for, or the terminal can show nothing else."""
    return bool(options.plain) or (is_terminal() and not has_able_terminal())


def need_terminal(command: str, instead: str) -> None:
    """Raises:
    CommandError: there is no terminal to open a screen on.
    """
    if not is_terminal():
        lines = "--plain prints a line a second"
        which = " and ".join(end for end in ("stdin", "stdout") if not getattr(sys, end).isatty())
        raise CommandError(f"{command}: needs a terminal as {which}; without one, {instead}; {lines}")


def watch(launched: Launched, options: argparse.Namespace) -> int:
    """The screen on a run that was just started; returns the exit code.

    Raises:
        CommandError: the supervisor refused to start the run; the screen is closed again then.
    """
    try:
        # The supervisor starts while Textual is being imported; both take a few tenths of a second.
        import tui.screens.app  # noqa: F401

        error = launched.poll_error()
        if error is None:
            left = show_live(launched.directory, options, gone=lambda: launched.poll_error() is not None)
            error = launched.poll_error()
    except KeyboardInterrupt:  # the screen was not open yet: a run that nobody has seen is not to go on
        # By a signal: what its socket needs (asyncio) may be half imported, and cannot be any more.
        tell("ttftop: ending the run")
        launched.process.terminate()
        raise
    if error is not None:
        raise CommandError(str(error), error.exit_code)
    return after(launched.directory, left)


def give_way() -> None:
    """The screen is drawn when the load leaves time for it, never the other way round."""
    try:
        os.nice(NICER)
    except OSError:
        pass


def show_live(
    directory: Path,
    options: argparse.Namespace,
    gone: Callable[[], bool] = lambda: False,
    *,
    attached: bool = False,
) -> str:
    """Opens the screen on a live run; `attached`: on one that was started elsewhere. Returns how it was left,
    as `run_screen`."""
    from sessions.run.control_client import ControlClient
    from tui.foreground.viewer import Viewer

    with Viewer(directory):
        control = ControlClient(directory, viewer=False)
        return _show(directory, options, control, gone, attached=attached)


def show_replay(
    directory: Path, options: argparse.Namespace, *, nicer: bool = True, against: Path | None = None
) -> int:
    """Opens the screen on a recorded run; returns the exit code.

    `nicer`: no run is to be started by this process after it, which would be as nice as it is.
    `against`: another session of the same place, behind its curve, which is then what is seen first.
    """
    how = _show(directory, options, None, lambda: False, nicer=nicer, against=against)
    return INTERRUPTED if how == "interrupted" else OK


def _show(
    directory: Path,
    options: argparse.Namespace,
    control: ControlClient | None,
    gone: Callable[[], bool],
    *,
    nicer: bool = True,
    attached: bool = False,
    against: Path | None = None,
) -> str:
    from sessions.frame.session_view import SessionView
    from sessions.store.manifest import SessionError
    from tui.options.settings import asked_settings
    from tui.screens.app import run_screen

    if options.no_color:
        os.environ["NO_COLOR"] = "1"
    if nicer:
        give_way()
    with reading(directory.name):
        view = SessionView(directory, most=POLL_BYTES)
    settings, opens = asked_settings(options), "overview"
    if against is not None and against != directory:
        with suppress(SessionError):  # it was there a moment ago
            view.curve.open_baseline(against.name)
            opens = "curve"
    return run_screen(
        view, control, title=directory.name, settings=settings, gone=gone, attached=attached, opens=opens
    )


def _limit_found(directory: Path) -> str:
    """The answer of a search that is over, without its steps."""
    from sessions.summary.read import read_summary
    from tui.report.limit import limit_text

    plan = read_summary(directory).plan
    return limit_text(None if plan is None else plan.limit).partition("\n\n")[0]


def after(directory: Path, left: str) -> int:
    """Says where the run went when the screen closed; returns the exit code."""
    from sessions.store.directory import default_root, is_live, place_of
    from sessions.store.manifest import SessionError, read
    from sessions.summary.stored import stored_summary
    from tui.foreground.command_word import command_word, said_place
    from tui.foreground.last_answers import wait_for_end
    from tui.foreground.plan_left import how_it_goes_on
    from tui.report.slo import slo_line
    from tui.report.text import verdict

    # Where sessions are kept elsewhere, only the path finds one without --sessions-dir.
    session = directory.name if directory.parent == default_root() else str(directory)
    left_alone = left in ("detached", "interrupted")
    interrupted = left == "interrupted" or (
        not left_alone and not wait_for_end(directory, answers=left == "finished")
    )
    if is_live(directory):
        print(f"the run goes on: {command_word()} attach {session}")
        with suppress(SessionError):
            config = read(directory).config
            if not config.has_end:
                print(f"it has no end: it stops {config.orphan_timeout_s:g} s after its last viewer has left")
        return INTERRUPTED if interrupted else OK
    place = place_of(directory)
    if place != directory:
        session = str(place)
    try:
        manifest = read(place)
    except SessionError as error:
        raise CommandError(str(error), NOT_VALID) from None
    command = command_word()
    print(said_place(place))
    print(f"{command} replay {session}\n{command} summary {session}")
    if goes_on := how_it_goes_on(place, manifest.config, session):
        print(goes_on)
    summary = stored_summary(manifest)
    if summary is not None:
        if manifest.config.limit is not None:
            print(_limit_found(place))
        elif targets := slo_line(summary.slo):
            print(targets)
        print(verdict(summary.valid is True, summary.reasons))
    if interrupted:
        return INTERRUPTED
    end = manifest.end
    return NOT_VALID if end is None else end.exit_code
