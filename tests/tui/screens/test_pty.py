"""The screen in a real pseudo-terminal: what reaches it, how much, and how it is left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import struct
import sys
import tempfile
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.tui.terminal import RawTerminal

pytestmark = pytest.mark.slow

APP = str(Path(__file__).with_name("fake_app.py"))
BUDGET_BYTES_PER_S = 16_384

WRITTEN = tempfile.TemporaryDirectory(prefix="ttftop-typed-")
"""Where the key that saves a picture does so, whatever is typed."""


def terminal(
    *args: str, size: tuple[int, int] = (80, 24), env: dict[str, str] | None = None, shell: bool = False
) -> RawTerminal:
    """The screen on a made-up run, on a terminal.

    With `shell` its process is one that outlives the app and says its exit code: the end of a session's first
    process takes with it what its terminal has not read yet.
    """
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLORTERM")}
    more = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
    command = [sys.executable, APP, *args]
    if shell:
        command = ["/bin/sh", "-c", '"$@"; echo "code $?"; read line', "sh", *command]
    return RawTerminal(command, size, kept | more, Path(WRITTEN.name))


# Each is an order, or a reordering, that the evil string of fake_app.py would give a terminal.
ORDERS = [
    b"\x1b[31mR",
    b"\x1b]0;PWN",
    "\x9b".encode(),
    b"\x1bPq",
    b"\x1b\\",
    b"\x1b[2J",
    "\u202e".encode(),
    "\x85".encode(),
    b"\x7f",
    b"\x00",
    b"\xed\xa0\x80",
]


@pytest.mark.parametrize("args", [(), ("--gpus", "8"), ("--gpus", "0", "--saturated"), ("--replay",)])
def test_no_order_hidden_in_foreign_text_reaches_the_terminal(args):
    with terminal("--evil", "--from", "90", *args, size=(120, 40)) as child:
        child.read_until(b"PWN")
        child.write(b"K")
        child.read_for(1.0)
        child.write(b"?")
        child.read_for(0.5)
        child.write(b"??")
        child.read_for(0.5)
        shown = child.output
        assert b"\\x1b]0;PWN" in shown
        for order in ORDERS:
            assert order not in shown, order


def test_ctrl_z_gives_the_terminal_back_and_fg_draws_the_screen_anew():
    with terminal() as child:
        child.read_until(b"LIVE")
        child.write(b"\x1a")
        child.read_until(b"\x1b[?1049l")
        until = time.monotonic() + 10
        stopped = (0, 0)
        while stopped == (0, 0) and time.monotonic() < until:
            child.read_for(0.1)
            stopped = os.waitpid(child.process.pid, os.WUNTRACED | os.WNOHANG)
        assert stopped[0] == child.process.pid
        assert os.WIFSTOPPED(stopped[1])
        before = len(child.output)
        os.kill(child.process.pid, signal.SIGCONT)
        child.read_until(b"quit", start=before)
        again = child.output[before:]
        assert b"\x1b[?1049h" in again
        for word in (b"TTFT ms", b"LIVE", b"TOKENS/S", b"REQ/S"):
            assert word in again
        child.write(b"q")
        child.read_until(b"Leave?")
        child.write(b"d")
        assert child.ended() == 0


def test_a_screen_that_was_resized_leaves_nothing_of_itself_behind():
    """tmux puts above the rows of the shell what stood on an alternate screen that has grown meanwhile."""
    with terminal("--replay") as child:
        child.read_until(b"TTFT")
        fcntl.ioctl(child.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        start = len(child.output)
        child.read_until(b"TTFT", start=start)
        child.write(b"q")
        assert child.ended() == 0
        last, _, _ = child.output.partition(b"\x1b[?1049l")
        after_erased = last.rpartition(b"\x1b[H\x1b[J")[2]
        assert after_erased != last
        assert not re.sub(rb"\x1b\[[?<>0-9;]*[a-zA-Z]", b"", after_erased).strip()


def test_with_stderr_in_a_file_the_screen_stands_on_the_terminal_all_the_same(tmp_path):
    errors = tmp_path / "errors"
    own = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    with RawTerminal(
        ["/bin/sh", "-c", f'exec "$@" 2>{errors}', "sh", sys.executable, APP], (80, 24), own
    ) as child:
        child.read_until(b"TTFT")
        child.write(b"qd")
        assert child.ended() == 0
    assert errors.read_bytes() == b""


def test_a_terminal_that_is_gone_ends_the_screen():
    with terminal() as child:
        child.read_until(b"TTFT")
        os.close(child.fd)
        child.ended(reading=False)


def test_a_screen_that_nobody_reads_still_obeys_sigterm():
    with terminal("--from", "60", size=(120, 40)) as child:
        child.read_until(b"TTFT")
        time.sleep(4)  # long enough for the pseudo-terminal's buffer to be full
        os.kill(child.process.pid, signal.SIGTERM)
        child.ended(reading=False)


def test_a_terminal_that_stops_reading_for_a_while_finds_the_screen_alive():
    with terminal("--from", "60", size=(120, 40)) as child:
        child.read_until(b"TTFT")
        time.sleep(4)
        child.read_for(2.0)
        child.write(b"q")
        child.read_until(b"Leave?")
        child.write(b"d")
        assert child.ended() == 0


def test_a_second_of_the_live_screen_stays_within_the_byte_budget():
    """At three sizes, on three terminals at the same time."""
    with contextlib.ExitStack() as opened, ThreadPoolExecutor(3) as readers:
        children = [
            opened.enter_context(terminal("--from", "60", "--gpus", gpus, size=size))
            for size, gpus in (((80, 24), "1"), ((120, 40), "2"), ((120, 40), "8"))
        ]
        list(readers.map(lambda child: child.read_until(b"TTFT"), children))
        list(readers.map(lambda child: child.read_for(1.0), children))
        sent = [len(read) for read in readers.map(lambda child: child.read_for(8.0), children)]
    assert all(0 < size <= 8 * BUDGET_BYTES_PER_S for size in sent), sent


@pytest.mark.parametrize(
    ("env", "allowed"),
    [
        ({"NO_COLOR": "1"}, {b"0", b"1", b"2", b"7"}),
        (
            {"TERM": "xterm-16color"},
            {b"0", b"1", b"2", b"7"}
            | {b"%d" % n for n in (*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108))},
        ),
    ],
)
def test_a_terminal_of_few_colours_gets_no_others(env, allowed):
    with terminal("--from", "90", env=env) as child:
        child.read_until(b"TTFT")
        child.read_for(0.5)
        used = {
            part for sgr in re.findall(rb"\x1b\[([0-9;]*)m", child.output) for part in sgr.split(b";") if part
        }
        assert used <= allowed | {b"39", b"49"}
        assert b"SIMULATED" in child.output


@pytest.mark.parametrize(
    "env", [{"LC_ALL": "C"}, {"LC_ALL": "", "LC_CTYPE": "", "LANG": "C"}, {"LC_ALL": "de_DE.ISO-8859-1"}]
)
def test_a_terminal_that_is_not_of_utf8_gets_nothing_but_ascii(env):
    with terminal("--from", "90", "--gpus", "2", env=env, size=(120, 40)) as child:
        child.read_until(b"TTFT")
        child.write(b"?")
        child.read_until(b"closes")
        child.write(b"l")
        child.read_for(1.0)
        assert b"SIMULATED" in child.output
        assert child.output.isascii()


def test_a_person_may_ask_for_braille_where_the_locale_does_not_tell_of_it():
    with terminal("--from", "90", "--charset", "braille", env={"LC_ALL": "C"}) as child:
        child.read_until("⠤".encode())


def test_a_crash_prints_a_plain_traceback_without_values():
    with terminal(env={"TTFTOP_FAKE_CRASH": "sk-canary-key"}) as child:
        assert child.ended() == 1
        assert b"RuntimeError: made to fail" in child.output
        assert b"sk-canary-key" not in child.output
