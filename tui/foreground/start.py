"""Starts a run and stays with it: on a screen, or headless with a progress line."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sessions.plan.config import RunConfig
from tui.foreground import headless, screen
from tui.foreground.debug_log import debug_log
from tui.foreground.results import told_to_ci
from tui.options.exit_codes import CommandError, is_unicode, one_line, tell
from tui.options.packages import OF_A_SCREEN, need


class Outcome(NamedTuple):
    exit_code: int
    goes_on: bool
    """The run was left by detaching, and is live still."""


def has_screen(options: argparse.Namespace) -> bool:
    """A screen will be opened: there is a terminal on both ends, and nothing else was asked for.

    A terminal that can show none gets plain lines.
    """
    if options.headless or options.json or options.plain or not screen.is_terminal():
        return False
    if not screen.has_able_terminal():
        options.plain = True
        return False
    need(OF_A_SCREEN, "; or give --headless for lines instead")
    from tui.options.settings import asked_settings

    asked_settings(options)  # what is wrong with them is said before a load is put on anything
    return True


def root(options: argparse.Namespace) -> Path:
    """Where sessions are kept; it need not be there yet.

    Raises:
        CommandError: what is there, or on the way there, is no directory.
    """
    from sessions.store.directory import default_root

    chosen: Path | None = options.sessions_dir
    place = default_root() if chosen is None else _expanded(chosen).absolute()
    if place is None:
        raise CommandError("no home directory is known (HOME is not set): give --sessions-dir DIR")
    if not is_unicode(str(place)):
        raise CommandError(f"--sessions-dir: got {one_line(place)}, need a path in UTF-8")
    for part in (place, *place.parents):
        if os.path.lexists(part):
            if not part.is_dir():
                raise CommandError(
                    f"--sessions-dir: got {place}, but {part} is no directory; need a directory"
                )
            break
    return place


def _write_results(directory: Path, options: argparse.Namespace, code: int) -> int:
    """What a run left behind that ended on its screen; the exit code, which was `code` before."""
    from sessions.store.directory import is_live, place_of
    from sessions.summary.read import read_summary

    if (options.junit is None and not options.fail_if_undecided) or is_live(directory):
        return code
    return told_to_ci(read_summary(place_of(directory)), options, code)


def _check_targets(config: RunConfig, options: argparse.Namespace) -> None:
    """What is never decided for want of targets would never fail.

    Raises:
        CommandError: a verdict on none is asked for.
    """
    if options.fail_if_undecided and not config.slo and not (config.plan and config.plan.targets):
        raise CommandError("--fail-if-undecided: need targets: give --slo, or a plan that has some")


def _metrics_socket(host: str, port: int) -> socket.socket:
    """Bound before anything is sent: a port that is taken is a mistake, not half a run.

    Raises:
        CommandError: it cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(16)
    except OSError as error:
        listening.close()
        raise CommandError(f"--metrics-port: {one_line(host)}:{port}: {error.strerror}") from None
    return listening


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # nobody knows where that home is
        raise CommandError(
            f"--sessions-dir: got {one_line(path)}, and no home directory is known; give a whole path"
        ) from None


def start(
    config: RunConfig,
    options: argparse.Namespace,
    api_key: str | None,
    headers: Sequence[tuple[str, str]] = (),
) -> Outcome:
    """Starts the run in a process of its own, shows it, and says where it is kept.

    `headers`: what a person added to every request.

    Raises:
        CommandError: the run could not be started.
    """
    from sessions.run.launch import launch
    from sessions.store.directory import is_live
    from sessions.store.manifest import SessionError

    _check_targets(config, options)
    sentence = ""
    if not config.interactive:
        config, sentence = headless.with_end(config)
    metrics = None if options.metrics_port is None else _metrics_socket(*options.metrics_port)
    with headless.counted_interrupts(enabled=not config.interactive) as interrupts:
        place = root(options)
        try:
            launched = launch(
                config,
                root=place,
                api_key=api_key,
                supervisor=options.prestarted.take,
                debug=options.debug,
                headers=headers,
                traces=options.traces,
            )
        except SessionError as error:
            reason = str(error).removeprefix(f"{place}: ")
            raise CommandError(
                f"--sessions-dir: got {place}: {reason}; need a directory that can be written"
            ) from None
        if sentence:
            tell(f"ttftop: {sentence}")
        if metrics is not None:
            from sessions.exporter.start import start_exporter

            host, port = metrics.getsockname()[:2]
            tell(f"ttftop: metrics at http://{f'[{host}]' if ':' in host else host}:{port}/metrics")
            start_exporter(launched.directory, metrics)
        with debug_log(options, launched.directory, "command", api_key=api_key, headers=headers) as say:
            if config.interactive:
                code = screen.watch(launched, options)
                code = _write_results(launched.directory, options, code)
            else:
                code = headless.follow(launched, interrupts, options)
            say(f"exit code {code}")
    return Outcome(code, is_live(launched.directory))
