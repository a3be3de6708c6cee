"""The terminal as it was found, to be left so, also where Textual cannot do it any more."""

from __future__ import annotations

import os
import signal
import termios
import time
from contextlib import suppress
from typing import Any

RESET = (
    "\x18"  # gives up half a sequence that may stand before this one
    "\x1b[?2026l"  # shows at once what is drawn
    "\x1b[<u"  # the keys of the keyboard protocol, which go with the alternate screen
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # the mouse
    "\x1b[?2004l\x1b[?1004l\x1b[?2048l"  # pastes, focus and sizes are not told of
    "\x1b[?7h\x1b[0m"
    "\x1b[?1049l\x1b[?25h"  # the main screen, with its cursor
)
_TRY_S = 1.0
_READ_S = 1.5
"""So long a terminal that is stuck has to go on and read the last that is written to it."""


class SavedTerminal:
    """Made before anything is changed. Harmless where `fd` is no terminal."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._modes = _modes(fd)

    def restore(self) -> None:
        """If it is not as it was found, after what was still to be written to it."""
        if self._modes is not None and _modes(self._fd) not in (None, self._modes):
            self._put_back()
            with suppress(OSError):
                os.write(self._fd, RESET.encode())

    def restore_and_end(self) -> None:
        """Also where the terminal takes no more: what waits for it is dropped, and no thread of this process
        writes anything to it any more. The process is to end then."""
        if self._modes is None:
            return
        with suppress(OSError, termios.error):
            own = os.open(os.ttyname(self._fd), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            until_s = time.monotonic() + _TRY_S
            while time.monotonic() < until_s:
                # A thread that is stuck in a write goes on with the rest of it, until it has none left. Linux
                # does not wake it for the room that is made, but for output that was off and is on.
                termios.tcflush(own, termios.TCOFLUSH)
                termios.tcflow(own, termios.TCOOFF)
                termios.tcflow(own, termios.TCOON)
                with suppress(BlockingIOError):
                    if os.write(own, RESET.encode()) == len(RESET):
                        break
                time.sleep(0.005)
        self._put_back()
        if os.getsid(0) == os.getpid():
            # The end of a session's first process takes with it what its terminal has not read yet.
            time.sleep(_READ_S)

    def _put_back(self) -> None:
        # Else this would stop us where the shell has the terminal.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        with suppress(termios.error):
            assert self._modes is not None
            termios.tcsetattr(self._fd, termios.TCSANOW, self._modes)
            termios.tcflush(self._fd, termios.TCIFLUSH)


def _modes(fd: int) -> list[Any] | None:
    try:
        return termios.tcgetattr(fd)
    except termios.error:
        return None
