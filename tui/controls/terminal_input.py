"""Cuts what a terminal sends into keys and pastes. Pure: bytes and the time in, texts out.

The rules are those of ECMA-48: a sequence is taken whole or not at all, so that no letter inside of one is
ever a key. Terminals also send what nobody asked for: reports of a mouse that an earlier program left on,
answers to questions of an earlier program, sequences that a slow line has torn, bytes of another encoding.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

ESCAPE_S = 0.1
"""An ESC followed by nothing for so long is the escape key."""
FORGET_S = 1.0
"""What has begun and does not go on for so long is dropped; the next character is a new one."""
PASTE_S = 2.0
"""A paste whose end does not come is over after a silence of so long."""
PASTE_LIMIT = 10_000
"""Characters of a paste that are kept."""
_LONGEST = 64
"""Characters of a sequence that are kept; a longer one is read to its end, and dropped."""

_PASTE_END = "\x1b[201~"
_STRINGS = "P]X^_"
"""After an ESC, these open a text for programs, which ends with BEL or with ESC and a backslash."""
_OPENINGS = f"[O{_STRINGS}"
_C1 = {"\x8f": "O", "\x90": "P", "\x98": "X", "\x9b": "[", "\x9d": "]", "\x9e": "^", "\x9f": "_"}
"""The same in one character each."""


class Paste(NamedTuple):
    text: str


class TerminalInput:
    """`feed` takes what was read, `due` says that time has passed. Both return what is complete by now:
    single characters and whole sequences as they are, the escape key as ESC alone, pastes as `Paste`."""

    def __init__(self) -> None:
        # A byte that is not of UTF-8 becomes a lone surrogate, which a mouse report of X10 may hold.
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._pending = ""
        """What was read of a sequence, from its ESC on; empty between two."""
        self._pasted: list[str] | None = None
        self._escape_told = False
        """The ESC of `_pending` was given out as the escape key."""
        self._heard_s = 0.0
        self._out: list[str | Paste] = []

    def feed(self, data: bytes, now_s: float) -> list[str | Paste]:
        out = self.due(now_s)
        self._heard_s = now_s
        for character in self._decoder.decode(data):
            self._take(character)
        return out + self._taken()

    def due(self, now_s: float) -> list[str | Paste]:
        silent_s = now_s - self._heard_s
        if self._pasted is not None:
            if silent_s >= PASTE_S:
                self._end_paste()
        elif self._pending == "\x1b" and not self._escape_told and silent_s >= ESCAPE_S:
            self._out.append("\x1b")
            self._escape_told = True
        elif self._pending and silent_s >= FORGET_S:
            self._forget()
        return self._taken()

    def _taken(self) -> list[str | Paste]:
        out, self._out = self._out, []
        return out

    def _forget(self) -> None:
        self._pending, self._escape_told = "", False

    def _take(self, character: str) -> None:
        if self._pasted is not None:
            self._take_pasted(character)
        elif not self._pending:
            self._begin(character)
        elif self._pending == "\x1b":
            self._after_escape(character)
        elif self._pending[1] in _STRINGS:
            self._in_string(character)
        elif self._pending[1] == "O":
            self._in_key(character, "0123456789;")
        elif self._pending.startswith("\x1b[M"):
            self._in_mouse_report(character)
        else:
            self._in_control(character)

    def _begin(self, character: str) -> None:
        if character == "\x1b":
            self._pending = character
        elif character in _C1:
            self._pending = f"\x1b{_C1[character]}"
        elif not ("\x80" <= character <= "\x9f" or "\ud800" <= character <= "\udfff"):
            self._out.append(character)

    def _after_escape(self, character: str) -> None:
        if character in _OPENINGS:
            self._pending += character
            return
        if not self._escape_told:
            self._out.append("\x1b")
        self._forget()
        self._begin(character)

    def _in_string(self, character: str) -> None:
        if self._pending[-1] == "\x1b":  # only the two ends of it are kept
            opened_another = character != "\\"
            self._forget()
            if opened_another:
                self._pending = "\x1b"
                self._escape_told = True  # that ESC was no key in any case
                self._take(character)
        elif character in "\x07\x9c":
            self._forget()
        elif character == "\x1b":
            self._pending += character
        elif character < " ":
            self._abort(character)

    def _in_key(self, character: str, parameters: str) -> None:
        if character in parameters:
            self._keep(character)
        else:
            self._end(character)

    def _in_control(self, character: str) -> None:
        # After ESC [, a second [ is of the Linux console's F1 to F5, and M begins a report of the mouse.
        if " " <= character <= "?" or (self._pending == "\x1b[" and character in "[M"):
            self._keep(character)
        else:
            self._end(character)

    def _in_mouse_report(self, character: str) -> None:
        # Its three characters may be any, but an ESC is more likely the next report's after half a one.
        if character == "\x1b":
            self._abort(character)
        else:
            self._pending += character
            if len(self._pending) == 6:
                self._forget()

    def _keep(self, character: str) -> None:
        if len(self._pending) <= _LONGEST:
            self._pending += character

    def _end(self, character: str) -> None:
        """`character` is the last of the sequence, or no part of it at all."""
        if not "@" <= character <= "~":
            self._abort(character)
            return
        sequence = self._pending + character
        self._forget()
        if sequence == "\x1b[200~":
            self._pasted = []
        elif len(sequence) <= _LONGEST:
            self._out.append(sequence)

    def _abort(self, character: str) -> None:
        self._forget()
        if character not in "\x18\x1a":  # CAN and SUB, which say no more than that
            self._begin(character)

    def _take_pasted(self, character: str) -> None:
        assert self._pasted is not None
        if character == "\x1b" or (self._pending and _PASTE_END.startswith(self._pending + character)):
            if character == "\x1b":
                self._keep_pasted(self._pending)
                self._pending = ""
            self._pending += character
            if self._pending == _PASTE_END:
                self._pending = ""
                self._end_paste()
            return
        self._keep_pasted(self._pending + character)
        self._pending = ""

    def _keep_pasted(self, text: str) -> None:
        assert self._pasted is not None
        self._pasted += [one for one in text if one != "\x00" and not "\ud800" <= one <= "\udfff"]
        del self._pasted[PASTE_LIMIT:]

    def _end_paste(self) -> None:
        assert self._pasted is not None
        self._out.append(Paste("".join(self._pasted)))
        self._pasted = None
        self._forget()
