"""Textual's terminal driver, less what in it an odd byte, an odd size or a stuck terminal can break.

Where it leans on what Textual keeps private, `tests/tui/screens/test_driver.py` says what it must be.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.keys import Keys
from textual.message import Message
from textual.messages import TerminalSupportsSynchronizedOutput

from tui.controls.terminal_input import Paste, TerminalInput

if TYPE_CHECKING:
    from textual.app import App

MOST_COLUMNS, MOST_ROWS = 1000, 400
"""Of a terminal that claims to be larger, so much is drawn on."""
_LOOK_S = 0.05
_KITTY = re.compile(r"\x1b\[([\d:;]*)([u~ABCDEFHPQRS])", re.ASCII)

_MOUSE = re.compile(r"\x1b\[<\d{1,3};\d{1,4};\d{1,4}[Mm]", re.ASCII)


class TerminalDriver(LinuxDriver):
    """Keys come in by rules of our own (`TerminalInput`): whatever else a terminal sends is ignored."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        # Textual writes to stderr, which a person may have put in a file (`2>log`): stdout is the terminal.
        if sys.__stdout__ is not None and not (sys.__stderr__ is not None and sys.__stderr__.isatty()):
            self._file = sys.__stdout__
        # Else the first size of all is Rich's, who believes COLUMNS.
        self._size = size or terminal_size(self.fileno)

        self._suspended = False
        self._asks_mouse = mouse

    def _get_terminal_size(self) -> tuple[int, int]:
        return terminal_size(self.fileno)

    def stop_application_mode(self) -> None:
        # Nothing of ours is left for the terminal to keep: tmux puts rows of an alternate screen that has
        # grown above those of the shell, and a terminal without one would keep all of it.
        self.write("\x1b[H\x1b[J")
        super().stop_application_mode()

    # A signal may come while this very thread puts something into the driver's queue, which is locked then:
    # the loop does what is to be done. And Textual gives up a terminal that it has not taken yet, and takes
    # again one that it has not given up, whose raw mode would be the one to go back to.

    def _sigtstp_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._suspend)

    def _sigcont_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._resume)

    def _suspend(self) -> None:
        if self._writer_thread is not None and self._auto_restart and not self._suspended:
            self._suspended = True
            super()._sigtstp_application()
        else:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _resume(self) -> None:
        if self._suspended:
            self._suspended = False
            super()._sigcont_application()
        elif self._writer_thread is not None:
            self.send_message(self.SignalResume())  # what was stopped by SIGSTOP is drawn anew

    def run_input_thread(self) -> None:
        """Until Textual wants no more input, or the terminal is gone."""
        terminal = TerminalInput()
        parser = XTermParser()
        while not self.exit_event.is_set():
            arrived, _, _ = select.select([self.fileno], [], [], _LOOK_S)  # macOS cannot poll a terminal
            now_s = monotonic()
            if arrived:
                try:
                    data = os.read(self.fileno, 4096)
                except (BlockingIOError, InterruptedError):
                    continue
                except OSError:
                    return
                if not data:
                    return
                taken = terminal.feed(data, now_s)
            else:
                taken = terminal.due(now_s)
            for one in taken:
                for message in messages_of(one, parser, mouse=self._asks_mouse):
                    self.process_message(message)


def terminal_size(fd: int) -> tuple[int, int]:
    """Columns and rows of the terminal behind `fd`, which knows better than the environment does.

    One that does not say is asked for by `COLUMNS` and `LINES`, and is 80x24 without.
    """
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        columns, rows = 0, 0
    columns = columns or _in_environment("COLUMNS") or 80
    rows = rows or _in_environment("LINES") or 24
    return min(columns, MOST_COLUMNS), min(rows, MOST_ROWS)


def correct_environment(fd: int) -> None:
    """Has `COLUMNS` and `LINES`, where they are set, say what the terminal behind `fd` does.

    Rich believes them, whatever they say.
    """
    for name, cells in zip(("COLUMNS", "LINES"), terminal_size(fd), strict=True):
        if name in os.environ:
            os.environ[name] = str(cells)


def _in_environment(name: str) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def messages_of(taken: str | Paste, parser: XTermParser, *, mouse: bool = False) -> Iterator[Message]:
    """What Textual is told of a key, a sequence or a paste; nothing of one that it has no use for.

    A report of the terminal's size is of no use, nor one of the mouse without `mouse`: we ask for none.
    """
    if isinstance(taken, Paste):
        yield events.Paste(taken.text)
    elif taken == "\x1b":
        yield events.Key("escape", taken)
    elif taken == "\x1b[I":
        yield events.AppFocus()
    elif taken == "\x1b[O":
        yield events.AppBlur()
    elif taken in ("\x1b[?2026;1$y", "\x1b[?2026;2$y"):
        yield TerminalSupportsSynchronizedOutput()
    elif _MOUSE.fullmatch(taken):
        if mouse and (reported := parser.parse_mouse_code(taken)) is not None:
            yield reported
    elif (sequence := _pressed(taken)) is not None:
        for key in parser._sequence_to_key_events(sequence):
            if key.key != Keys.Ignore:
                yield key


def _pressed(sequence: str) -> str | None:
    """A key's sequence less what Textual cannot read in it; None of a key that was let go, or never was.

    By the keyboard protocol of kitty: `CSI code:shifted:base ; modifiers:event ; text:text final`.
    """
    if (match := _KITTY.fullmatch(sequence)) is None:
        return sequence
    parameters: list[str] = [*str(match[1]).split(";"), "", "", ""]
    code, modifiers, text, *more = parameters
    modifiers, _, event = modifiers.partition(":")
    code = code.partition(":")[0]
    if any(more) or event.partition(":")[0] == "3":
        return None
    if len(modifiers) > 3 or not all(_is_character(number) for number in (code, *text.split(":"))):
        return None
    return f"\x1b[{';'.join((code, modifiers, text)).rstrip(';')}{match[2]}"


def _is_character(number: str) -> bool:
    """Also of nothing at all, and of the numbers of keys that have no character."""
    if len(number) > 7:
        return False
    code = int(number or "0")
    return code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF
