"""The process of a live run: `python -m sessions.run`, with `sessions.run.launch.Orders` on stdin.

It holds the session's lock for as long as it lives, and ignores SIGHUP: a lost login does not end a run.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import msgspec

from loadgen.decoding import ready
from loadgen.target.redaction import Redactor
from sessions.hidden_stderr import hide_in_stderr
from sessions.own_process import CannotStart
from sessions.run.launch import Orders, SupervisorAnswer
from sessions.run.place import SessionPlace
from sessions.run.supervisor import Supervisor
from sessions.run.threads import start_threads
from sessions.store.directory import LOG_FILE, hold_lock
from sessions.store.manifest import SessionError, read
from sessions.worker.pipes import say_line


def _locked(directory: Path) -> int:
    """The session's lock. A reader that asks whether we live holds it for a moment: try again."""
    for _ in range(50):
        try:
            return hold_lock(directory)
        except SessionError:
            time.sleep(0.02)
    return hold_lock(directory)


def _complain_in(path: Path) -> None:
    """Our stderr, and with it that of our workers, was a terminal's until now."""
    try:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SessionError(f"{path}: {error.strerror}") from None
    os.dup2(log, 2)
    os.close(log)


def _open_debug_log(directory: Path, redactor: Redactor) -> None:
    from sessions.store.debug_log import open_debug_log

    origin_ns = read(directory).clock.origin_monotonic_ns
    open_debug_log(directory, "supervisor", origin_ns, redactor)


def _run(supervisor: Supervisor) -> int:
    """Raises:
    CannotStart: before any load.
    """
    came_to: list[int | CannotStart] = []

    async def whole() -> None:
        try:
            await start_threads()
            came_to.append(await supervisor.run())
        except CannotStart as error:
            came_to.append(error)

    try:
        asyncio.run(whole())
    except RuntimeError:  # to end the others asyncio starts one thread more
        if not came_to:
            raise
    if isinstance(came_to[0], CannotStart):
        raise came_to[0]
    return came_to[0]


def main() -> int:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    said = sys.stdin.buffer.read()
    if not said:  # whoever started us found that there is nothing to run
        return 0
    orders = msgspec.json.decode(said, type=ready(Orders))
    directory = Path(orders.directory)
    place = supervisor = None
    try:
        _complain_in(directory / LOG_FILE)
        redactor = Redactor(*orders.secrets())
        hide_in_stderr(redactor)
        place = SessionPlace(directory, _locked(directory))
        if orders.debug:
            _open_debug_log(directory, redactor)
        supervisor = Supervisor(directory, orders, place)
        return _run(supervisor)
    except SessionError as error:
        # The disk refused: before the load this refuses the run, later only the log can tell.
        say_line(1, SupervisorAnswer("refused", str(error), 1))
        print(error, file=sys.stderr)
        if supervisor is None:
            shutil.rmtree(directory, ignore_errors=True)
        return 1
    except CannotStart as error:  # raised before any load
        shutil.rmtree(directory, ignore_errors=True)
        say_line(1, SupervisorAnswer("refused", str(error), 2))
        return 2
    except Exception:
        # The log is the only place left to speak; locals stay out of it, one of them is the key.
        traceback.print_exc()
        return 1
    finally:
        if place is not None:
            place.close()


if __name__ == "__main__":
    sys.exit(main())
