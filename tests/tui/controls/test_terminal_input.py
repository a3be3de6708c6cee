"""What a terminal sends, cut into keys: whole sequences and nothing else."""

from __future__ import annotations

import random

import pytest

from tui.controls.terminal_input import ESCAPE_S, FORGET_S, PASTE_LIMIT, PASTE_S, Paste, TerminalInput


def keys_of(*pieces: bytes | float) -> list[str | Paste]:
    """What `pieces` come to; a number is a silence of so many seconds, with a look every 50 ms."""
    terminal, now_s, out = TerminalInput(), 0.0, []
    for piece in (*pieces, 10.0):
        if isinstance(piece, bytes):
            out += terminal.feed(piece, now_s)
            continue
        for _ in range(round(piece / 0.05)):
            now_s += 0.05
            out += terminal.due(now_s)
    return out


UP = "\x1b[A"


@pytest.mark.parametrize(
    ("pieces", "keys"),
    [
        ((b"k",), ["k"]),
        ((b"\r\x7f\x03",), ["\r", "\x7f", "\x03"]),
        ((b"\x1b[A\x1bOA\x1b[1;2D\x1b[3~",), [UP, "\x1bOA", "\x1b[1;2D", "\x1b[3~"]),
        ((b"\x1b",), ["\x1b"]),
        ((b"\x1b\x1b[A",), ["\x1b", UP]),
        # Escape and a key at once: two keys, as tmux sends them when they were pressed one after the other.
        ((b"\x1bq",), ["\x1b", "q"]),
        ((b"\x1b[[A",), ["\x1b[[A"]),  # F1 of the Linux console
        (("模".encode(),), ["模"]),
        ((b"\xe6", b"\xa8", 0.3, b"\xa1"), ["模"]),
    ],
)
def test_keys_come_one_by_one_and_sequences_whole(pieces, keys):
    assert keys_of(*pieces) == keys


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff",
        b"\xe4",
        b"\x80",
        b"\xc3",
        bytes(range(128, 256)),
        b"\xed\xa0\x80",  # a surrogate
        "\x90q\x9c".encode(),
        b"\x1b[M !!",  # a mouse report of X10
        b"\x1b[M \xff\xfe",
        b"\x1b[M " + "\xe9\xe8".encode(),  # the same by mode 1005
        b"\x1b[M#\x78\x71",  # button up at x, q
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1b]52;c;" + b"x" * 5000 + b"\x07",
        b"\x1bP>|xterm.js(5.5)\x1b\\",
        b"\x1b_Gi=1;OK\x1b\\",
        b"\x1b[" + b"1;" * 5000 + b"A",
        b"\x1b[1\x18",
    ],
)
def test_what_is_no_key_is_ignored_and_the_next_key_is_not(junk):
    assert keys_of(junk, b"k") == ["k"]
    assert keys_of(junk, 3.0, b"k") == ["k"]


@pytest.mark.parametrize("report", [b"\x1b[32;10;10M", b"\x1b[<0;10;10M", b"\x1b[?2026;2$y", b"\x1b[?1;2c"])
def test_a_report_stays_in_one_piece_for_the_driver_to_know(report):
    assert keys_of(report) == [report.decode()]
    assert keys_of("\x9b".encode() + report[2:]) == [report.decode()], "opened by one character"


@pytest.mark.parametrize("half", [b"\x1b[", b"\x1b[<0;1", b"\x1b]11;rgb", b"\x1bP>|xt", b"\x1b[M ", b"\x1bO"])
def test_half_a_sequence_is_forgotten_after_a_while(half):
    assert keys_of(half, FORGET_S + 0.1, b"k") == ["k"]


@pytest.mark.parametrize(
    ("rest", "keys"),
    [
        (b"[A", [UP]),
        (b"OA", ["\x1bOA"]),
        (b"[?2026;2$y", ["\x1b[?2026;2$y"]),
        (b"P>|xterm.js(5.5)\x1b\\", []),
        (b"]11;rgb:0/0/0\x07", []),
    ],
)
def test_a_sequence_that_comes_late_after_its_escape_is_one_still(rest, keys):
    assert keys_of(b"\x1b", 0.3, rest, b"k") == ["\x1b", *keys, "k"]
    for at in range(1, len(rest)):
        assert keys_of(b"\x1b", 0.3, rest[:at], 0.3, rest[at:], b"k") == ["\x1b", *keys, "k"]


def test_the_escape_key_alone_is_told_soon():
    terminal = TerminalInput()
    assert terminal.feed(b"\x1b", 0.0) == []
    assert terminal.due(ESCAPE_S - 0.01) == []
    assert terminal.due(ESCAPE_S + 0.01) == ["\x1b"]
    assert terminal.due(9.0) == []


def test_a_paste_is_one_text_in_which_nothing_is_a_key():
    pasted = b"x q \x1b[A\nkkk"
    assert keys_of(b"\x1b[200~", pasted, b"\x1b[201~", b"k") == [Paste(pasted.decode()), "k"]
    assert keys_of(b"\x1b[200~a\xffb\x1b", 0.3, b"[201~k") == [Paste("ab"), "k"]


def test_a_paste_is_bounded_and_one_without_an_end_ends_by_silence():
    long = keys_of(b"\x1b[200~" + b"A" * 300_000 + b"\x1b[201~k")
    assert long == [Paste("A" * PASTE_LIMIT), "k"]
    assert keys_of(b"\x1b[200~ab", PASTE_S + 0.1, b"k") == [Paste("ab"), "k"]


def test_however_a_stream_is_split_its_keys_are_the_same():
    rng = random.Random(1)
    stream = (
        b"k\x1b[A\xffj\x1b[M !!\x1b[200~x\x1b[Aq\x1b[201~"
        + "é模".encode()
        + b"\x1b[1;2D\x1bP>|x\x1b\\q\x1b[107;;107u"
    )
    whole = keys_of(stream)
    for _ in range(200):
        cuts = sorted(rng.randrange(len(stream)) for _ in range(rng.randrange(1, 9)))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert keys_of(*pieces) == whole


def test_no_bytes_whatever_break_it():
    rng = random.Random(2)
    for _ in range(300):
        terminal, now_s = TerminalInput(), 0.0
        for _ in range(20):
            now_s += rng.choice((0.0, 0.01, 0.2, 3.0))
            terminal.feed(
                rng.choice((rng.randbytes(8), b"\x1b", b"\x1b[", b"\x1b[200~", b"\x1b[201~")), now_s
            )
            terminal.due(now_s)
        terminal.due(now_s + 9.0)
        assert terminal.feed(b"k", now_s + 9.0)[-1:] == ["k"]
