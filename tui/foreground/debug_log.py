"""The debug log of the process that a person started, for as long as it stays with a run or a recording."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tui.options.exit_codes import CommandError, tell


@contextmanager
def debug_log(
    options: argparse.Namespace,
    directory: Path,
    process: str,
    *,
    api_key: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
    own_time: bool = False,
) -> Iterator[Callable[[str], None]]:
    """With `--debug`, what this process does in the block is written to the session in `directory`.

    What it gives takes a line for the log.

    Args:
        process: names the log; one that may run twice on a session has its process id in it.
        api_key: and `headers`: what the log must not hold.
        own_time: seconds count from now: the session was recorded on another clock.

    Raises:
        CommandError: the log cannot be made.
    """
    if not options.debug:
        yield lambda line: None
        return
    import logging  # not before: the first request of a run without --debug would wait for it

    from loadgen.clock import monotonic_ns
    from loadgen.target.redaction import Redactor, secrets_of
    from loadgen.version import VERSION
    from sessions.store.debug_log import DIRECTORY, open_debug_log
    from sessions.store.manifest import SessionError, read

    try:
        origin_ns = monotonic_ns() if own_time else read(directory).clock.origin_monotonic_ns
        open_debug_log(directory, process, origin_ns, Redactor(api_key or "", *secrets_of(headers)))
    except SessionError as error:
        raise CommandError(f"--debug: {error}") from None
    log = logging.getLogger(__name__)
    log.info("ttftop %s, Python %s, pid %d: %s", VERSION, platform.python_version(), os.getpid(), directory)
    try:
        yield log.info
    except BaseException as error:
        log.info("gives up: %s: %s", type(error).__name__, error)
        raise
    finally:
        tell(f"ttftop: what each process did: {directory / DIRECTORY}")
