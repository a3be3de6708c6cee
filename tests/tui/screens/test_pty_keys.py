"""Bytes on the real screen in a real pseudo-terminal: what is a key acts, and nothing else ends it."""

from __future__ import annotations

import os
import random

import pytest

from tests.tui.screens.test_pty import terminal
from tests.tui.terminal import RawTerminal
from tui.controls.terminal_input import PASTE_S

pytestmark = pytest.mark.slow


def leave(child: RawTerminal) -> None:
    """By the keys, which must still be heard."""
    child.write(b"q")
    child.read_until(b"Leave?", start=len(child.output))
    child.write(b"d")
    assert child.ended() == 0
    assert b"Traceback" not in child.output
    assert b"left: detached" in child.output


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff",
        bytes(range(128, 256)),
        b"\x1b[M \xff\xfe\x1b[M# x",
        b"\x1b[32;10;10M" * 20,
        b"\x1b[<0;10;10M" * 20 + b"\x1b[<0;10;10m",
        b"\x1b[107;1:3;107u",
        b"\x1b[99999999999u\x1b[107;99999;55296u",
        b"\x1b[48;99999;99999;1;1t\x1b[48;0;0;0;0t",
        b"\x1bP>|xterm.js(5.5)\x1b\\",
        b"\x1b[" + b"1;" * 5000 + b"A",
        b"\x1b[200~x q kkkk\nxx\n\x1b[201~",
        b"\x1b[200~" + b"A" * 50_000 + b"\x1b[201~",
    ],
)
def test_what_is_no_key_changes_nothing_on_the_screen(junk):
    with terminal(size=(120, 40)) as child:
        child.read_until(b"LIVE")
        child.read_for(0.5)
        before = len(child.output)
        for at in range(0, len(junk), 4000):
            child.write(junk[at : at + 4000])
            child.read_for(0.2)
        child.read_for(1.0)
        said = child.output[before:]
        assert b"another key acts" not in said
        assert b"Leave?" not in said
        assert b"the backlog is dropped" not in said
        leave(child)


@pytest.mark.parametrize("keys", [b"an", b"??", b"\x1b[A\x1b[A", b"xx", b"i" * 300])
def test_several_keys_at_once_leave_the_help_and_the_screen_alone(keys):
    with terminal("--replay", "--from", "60", size=(120, 40)) as child:
        child.read_until(b"TTFT")
        child.write(b"?")
        child.read_until(b"another key acts")
        child.write(keys)
        child.read_for(1.0)
        child.write(b"q")
        child.read_for(0.3)
        child.write(b"q")
        assert child.ended() == 0
        assert b"Traceback" not in child.output


@pytest.mark.parametrize("columns", ["99999", "0", "-1", "9" * 5000])
def test_a_screen_is_as_wide_as_its_terminal_whatever_the_environment_says(columns):
    with terminal(env={"COLUMNS": columns, "LINES": columns}) as child:
        child.read_until(b"LIVE", timeout_s=10)
        leave(child)


@pytest.mark.parametrize(
    "kind", ["xterm-kitty", "xterm-ghostty", "foo-bar", "screen", "linux", "vt100", "vt220"]
)
def test_a_terminal_of_any_kind_and_of_no_size_gets_a_screen(kind):
    with terminal(size=(0, 0), env={"TERM": kind}) as child:
        child.read_until(b"LIVE")
        leave(child)


def test_a_terminal_that_claims_to_be_huge_is_drawn_on_all_the_same():
    with terminal(size=(65535, 65535)) as child:
        child.read_until(b"LIVE", timeout_s=20)
        os.kill(child.process.pid, 15)
        child.ended()


PARTS = (
    *(bytes([n]) for n in (*range(0x20, 0x7F), *range(0x80, 0x100)) if n not in b"adf"),
    *(
        b"\x1b[" + final
        for final in (b"A", b"B", b"C", b"D", b"H", b"F", b"1;2C", b"1;2D", b"3~", b"M", b"I", b"O")
    ),
    *(
        b"\x1b",
        b"\x1b[",
        b"\x1bO",
        b"\x1bP",
        b"\x1b]0;",
        b"\x07",
        b"\x1b\\",
        b"\xc2\x9b",
        b"\r",
        b"\n",
        b"\t",
    ),
    *(b"\x1b[M !!", b"\x1b[32;1;1M", b"\x1b[<64;1;1M", b"\x1b[200~", b"\x1b[201~", b"\x1b[?2026;2$y"),
    *(b"\x1b[107;;107u", b"\x1b[113;1:3;113u", b"\x1b[57441;2u", b"\x1b[48;1;1;1;1t", b"\x1b[24;80R"),
    *(b"\x1b[99999999u", b"\x1b[107;;55296u", b"\x1b[?2048;2$y"),
    *(b"\x00", b"\x01", b"\x03", b"\x05", b"\x08", b"\x0c", b"\x11", b"\x12", b"\x15", b"\x7f"),
    *(b"?", b"?", b"i", b"m", b"=", b"l", b"w", b"q", b"q", b"\x1b[A", b"n"),
)
"""What the fuzz is made of: every byte but ctrl+z and the three that leave when they are asked, sequences whole
and torn, and the keys that open something."""
SEQUENCES = int(os.environ.get("TTFTOP_KEY_SEQUENCES", "200"))


def test_no_sequence_of_bytes_ends_the_screen():
    """The screen that a few hundred of them have been typed into is left by its keys; 5,000 with
    `TTFTOP_KEY_SEQUENCES=5000`."""
    rng = random.Random(7)
    exits, done = 0, 0
    while done < SEQUENCES:
        with terminal("--from", "60", size=(120, 40)) as child:
            child.read_until(b"LIVE")
            typed = b""
            try:
                for _ in range(min(500, SEQUENCES - done)):
                    done += 1
                    typed = b"".join(rng.choice(PARTS) for _ in range(rng.randrange(1, 12)))
                    child.write(typed)
                    child.read_for(rng.choice((0.005, 0.02, 0.12)))
                child.read_for(PASTE_S + 0.5)
                for _ in range(3):  # out of the help, a question, a prompt
                    child.write(b"\x1b")
                    child.read_for(0.4)
                leave(child)
            except (AssertionError, OSError) as error:
                exits += 1
                print(f"after {typed!r}: {error!r}: {child.output[-3000:]!r}")
    print(f"{done} sequences, {exits} exits")
    assert exits == 0
