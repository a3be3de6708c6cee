"""What Textual is told of a key, and how large a terminal is taken to be."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios

import pytest
from textual import events
from textual._xterm_parser import XTermParser
from textual.messages import TerminalSupportsSynchronizedOutput

from tui.controls.terminal_input import Paste
from tui.screens.driver import MOST_COLUMNS, MOST_ROWS, messages_of, terminal_size


def told(taken: str | Paste) -> list:
    return list(messages_of(taken, XTermParser()))


def pressed(sequence: str) -> list[tuple[str, str | None]]:
    return [(key.key, key.character) for key in told(sequence)]


@pytest.mark.parametrize(
    ("sequence", "key", "character"),
    [
        ("k", "k", "k"),
        ("K", "K", "K"),
        ("\r", "enter", "\r"),
        ("\x1b", "escape", "\x1b"),
        ("\x1b[A", "up", None),
        ("\x1bOA", "up", None),
        ("\x1b[1;2D", "shift+left", None),
        ("\x1b[[A", "f1", None),
        # As kitty, ghostty and foot send them.
        ("\x1b[107;;107u", "k", "k"),
        ("\x1b[107;2;75u", "K", "K"),
        ("\x1b[107;65;75u", "K", "K"),
        ("\x1b[61;;61u", "equals_sign", "="),
        ("\x1b[47;2;63u", "question_mark", "?"),
        ("\x1b[13u", "enter", "\r"),
        ("\x1b[27u", "escape", None),
        ("\x1b[1095;;1095u", "ч", "ч"),
        # With what we do not ask for, but some send: a key held down, and the key of another layout.
        ("\x1b[107;1:2;107u", "k", "k"),
        ("\x1b[107:75:108;;107u", "k", "k"),
        ("\x1b[1;1:1A", "up", None),
    ],
)
def test_a_key_is_told(sequence, key, character):
    assert pressed(sequence) == [(key, character)]


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[107;1:3;107u",  # let go
        "\x1b[1;1:3A",
        "\x1b[99999999999u",
        "\x1b[" + "9" * 60 + "u",
        "\x1b[1114112u",
        "\x1b[55296u",  # half a surrogate
        "\x1b[107;;55296u",
        "\x1b[107;99999;107u",
        "\x1b[1;2;3;4u",
        "\x1b[32;10;10M",  # the mouse, by rxvt's and by SGR's way
        "\x1b[<0;10;10M",
        "\x1b[?2048;2$y",
        "\x1b[?2026;0$y",
        "\x1b[48;0;0;0;0t",  # a size, said by whoever likes to
        "\x1b[48;99999;99999;1;1t",
        "\x1b[?1;2c",
    ],
)
def test_what_is_no_key_tells_nothing(sequence):
    assert told(sequence) == []


def test_what_else_textual_is_told():
    assert isinstance(told("\x1b[I")[0], events.AppFocus)
    assert isinstance(told("\x1b[O")[0], events.AppBlur)
    assert isinstance(told("\x1b[?2026;2$y")[0], TerminalSupportsSynchronizedOutput)
    assert told(Paste("a b"))[0].text == "a b"


@pytest.mark.parametrize(
    ("size", "environment", "taken"),
    [
        ((120, 40), {"COLUMNS": "99999", "LINES": "99999"}, (120, 40)),
        ((0, 0), {}, (80, 24)),
        ((0, 0), {"COLUMNS": "100", "LINES": "30"}, (100, 30)),
        ((0, 0), {"COLUMNS": "99999", "LINES": "99999"}, (MOST_COLUMNS, MOST_ROWS)),
        ((0, 0), {"COLUMNS": "9" * 5000, "LINES": "-4"}, (80, 24)),
        ((65535, 65535), {}, (MOST_COLUMNS, MOST_ROWS)),
        ((1, 1), {}, (1, 1)),
    ],
)
def test_the_terminal_knows_its_size_better_than_the_environment_does(monkeypatch, size, environment, taken):
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    master, slave = pty.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        assert terminal_size(slave) == taken
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    ("report", "kind", "place"),
    [
        ("\x1b[<0;11;6M", events.MouseDown, (10, 5)),
        ("\x1b[<0;11;6m", events.MouseUp, (10, 5)),
        ("\x1b[<65;1;1M", events.MouseScrollDown, (0, 0)),
        ("\x1b[<64;1;1M", events.MouseScrollUp, (0, 0)),
    ],
)
def test_a_mouse_that_was_asked_for_is_told_and_no_other(report, kind, place):
    """Source of the form: XTerm Control Sequences, SGR (1006)."""
    (event,) = messages_of(report, XTermParser(), mouse=True)
    assert type(event) is kind
    assert (event.x, event.y) == place
    assert told(report) == []


@pytest.mark.parametrize(
    "report", ["\x1b[<0;0;0M", "\x1b[<;;M", "\x1b[<0;99999999;1M", "\x1b[<1M", "\x1b[<0;1;1;1M"]
)
def test_a_report_of_a_mouse_that_cannot_be_is_no_key(report):
    assert list(messages_of(report, XTermParser(), mouse=True)) == []
