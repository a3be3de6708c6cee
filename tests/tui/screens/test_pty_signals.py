"""Signals to the screen in a real pseudo-terminal: whenever one comes, the terminal is left as it was found."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest

from loadgen.signals import ending_signals
from tests.tui.screens.test_pty import terminal
from tests.tui.terminal import RawTerminal, left_over

pytestmark = pytest.mark.slow


def catching(pid: int) -> int:
    """The signals that a process catches, a bit each."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt"))


def test_every_signal_that_ends_a_process_is_heard_but_for_faults_and_kill():
    names = {signal.Signals(n).name for n in ending_signals() if n in set(signal.Signals)}
    assert {"SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGPROF"} <= names
    assert not names & {
        "SIGKILL",
        "SIGSTOP",
        "SIGSEGV",
        "SIGTSTP",
        "SIGCHLD",
        "SIGWINCH",
        "SIGPIPE",
        "SIGCONT",
    }


def test_a_signal_that_was_ignored_on_purpose_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in ending_signals()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "QUIT", "USR1", "ALRM", "RTMIN"])
def test_a_signal_leaves_the_terminal_as_it_was_and_the_run_alone(name):
    with terminal() as child:
        child.read_until(b"TTFT")
        os.kill(child.process.pid, getattr(signal, f"SIG{name}"))
        assert child.ended() == 0
        assert left_over(child) == []
        assert b"left: interrupted" in child.output


@pytest.mark.parametrize("keys", [b"q", b"mabc", b"?", b"i"])
def test_a_signal_is_obeyed_whatever_the_screen_asks(keys):
    with terminal() as child:
        child.read_until(b"TTFT")
        child.write(keys)
        child.read_for(0.3)
        os.kill(child.process.pid, signal.SIGTERM)
        assert child.ended() == 0
        assert left_over(child) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_a_signal_while_the_screen_is_opened_leaves_the_terminal_as_it_was(number):
    rng = random.Random(int(number))
    for _ in range(4):
        with terminal() as child:
            until = time.monotonic() + 20
            while not catching(child.process.pid) >> (signal.SIGTERM - 1) & 1 and time.monotonic() < until:
                child.read_for(0.005)
            child.read_for(rng.uniform(0, 0.5))
            os.kill(child.process.pid, number)
            assert child.ended() == 0
            assert left_over(child) == []
            assert b"left: interrupted" in child.output


def test_two_signals_at_once_are_one():
    with terminal() as child:
        child.read_until(b"TTFT")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            os.kill(child.process.pid, number)
        assert child.ended() == 0
        assert left_over(child) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_terminal_that_is_stuck_is_left_as_it_was_once_it_goes_on(number):
    with terminal("--from", "60", size=(120, 40), shell=True) as child:
        child.read_until(b"TTFT")
        for _ in range(40):  # so much is drawn that nothing more fits into the pseudo-terminal
            with contextlib.suppress(OSError):
                child.write(b"lwi")
            time.sleep(0.1)
        shell = child.process.pid
        app = int(Path(f"/proc/{shell}/task/{shell}/children").read_text())
        os.kill(app, number)
        until = time.monotonic() + 15
        while Path(f"/proc/{app}").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        child.read_until(b"code 130")
        assert left_over(child) == []
        assert b"\x1b[?1049l" in child.output


def test_a_terminal_of_which_the_screen_is_the_first_process_is_left_as_it_was_too():
    with terminal("--from", "60", size=(120, 40)) as child:
        child.read_until(b"TTFT")
        for _ in range(40):
            with contextlib.suppress(OSError):
                child.write(b"lwi")
            time.sleep(0.1)
        os.kill(child.process.pid, signal.SIGTERM)
        time.sleep(2.6)
        assert child.ended() == 130
        assert left_over(child) == []


def stopped(child: RawTerminal) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        child.read_for(0.1)
        if os.waitpid(child.process.pid, os.WUNTRACED | os.WNOHANG) != (0, 0):
            return True
    return False


def test_a_screen_that_is_suspended_and_told_to_leave_does_so_when_it_goes_on():
    with terminal() as child:
        child.read_until(b"LIVE")
        os.kill(child.process.pid, signal.SIGTSTP)
        assert stopped(child)
        assert left_over(child) == []
        os.kill(child.process.pid, signal.SIGTERM)
        os.kill(child.process.pid, signal.SIGCONT)
        assert child.ended() == 0
        assert left_over(child) == []


def test_a_screen_that_is_told_to_go_on_though_it_was_not_suspended_is_left_as_it_was_found():
    with terminal() as child:
        child.read_until(b"LIVE")
        os.kill(child.process.pid, signal.SIGCONT)
        child.read_for(0.3)
        os.kill(child.process.pid, signal.SIGSTOP)
        assert stopped(child)
        before = len(child.output)
        os.kill(child.process.pid, signal.SIGCONT)
        child.read_until(b"TTFT ms", start=before)
        child.write(b"q")
        child.read_until(b"Leave?")
        child.write(b"d")
        assert child.ended() == 0
        assert left_over(child) == []
