"""Signals to the command as a person starts it: what it ends with, and what becomes of the run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessions.store.directory import is_live, listing
from sessions.store.manifest import read
from tests.cli.conftest import Command, OnTerminal, child, read_until_running, tell_to_finish
from tests.cli.test_terminal import LIGHT
from tests.tui.terminal import RawTerminal

pytestmark = pytest.mark.slow
RUN = [*LIGHT, "--telemetry", "none", "--orphan-timeout", "2"]


def only_session(home: Path) -> Path:
    (session,) = listing(home / "ttftop" / "sessions")
    return session


def ended(session: Path) -> str:
    """Why the run was over, once it is."""
    until = time.monotonic() + 20
    while is_live(session):
        assert time.monotonic() < until
        time.sleep(0.1)
    end = read(session).end
    assert end is not None
    return end.reason


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_a_signal_to_the_screen_is_130_and_the_run_goes_on_and_is_saved(
    home: Path, on_terminal: OnTerminal, simulator_url: str, number: int
) -> None:
    terminal = on_terminal(simulator_url, *RUN)
    terminal.read_until(b"LIVE")
    terminal.process.send_signal(number)
    assert terminal.ended() == 130
    assert b"the run goes on: ttftop attach " in terminal.output
    assert b"Traceback" not in terminal.output
    assert ended(only_session(home)) == "orphaned"


def test_a_signal_to_a_replay_is_130(
    ttftop: Command, home: Path, on_terminal: OnTerminal, simulator_url: str
) -> None:
    ttftop(simulator_url, *RUN, "--duration", "1s", "--headless", XDG_DATA_HOME=str(home))
    terminal = on_terminal("replay", "last")
    terminal.read_until(b"TTFT")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 130
    assert b"Traceback" not in terminal.output


def test_a_screen_that_loses_its_terminal_is_130(
    home: Path, on_terminal: OnTerminal, simulator_url: str
) -> None:
    terminal = on_terminal(simulator_url, *RUN)
    terminal.read_until(b"LIVE")
    os.close(terminal.fd)
    try:
        assert terminal.process.wait(30) == 130
        assert ended(only_session(home)) == "orphaned"
    finally:
        terminal.process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("after_s", [0.4, 0.7, 1.0])
def test_a_signal_before_the_screen_is_open_leaves_no_run_behind_that_nobody_was_told_of(
    home: Path, on_terminal: OnTerminal, simulator_url: str, number: int, after_s: float
) -> None:
    terminal = on_terminal(simulator_url, *RUN)
    time.sleep(after_s)
    terminal.process.send_signal(number)
    code = terminal.ended()
    # So early that Python itself is only starting: it dies of the signal, or of a `site` that it cannot import.
    starting = code == -number or (code == 1 and b"init_import_site" in terminal.output)
    assert code == 130 or starting, (code, terminal.output)
    for session in listing(home / "ttftop" / "sessions"):
        if b"the run goes on" not in terminal.output:
            until = time.monotonic() + 10
            while is_live(session):
                assert time.monotonic() < until
                time.sleep(0.1)


def waiting_for_answers(home: Path, on_terminal: OnTerminal, url: str) -> RawTerminal:
    """A run that was told to finish, and waits for three long answers."""
    load = ["--concurrency", "3", "--input-tokens", "16", "--output-tokens", "4000", "--telemetry", "none"]
    terminal = on_terminal(url, *load)
    read_until_running(terminal, home)
    tell_to_finish(terminal)
    terminal.read_until(b"cut off what is in flight")
    return terminal


def test_whoever_waits_for_the_end_and_is_ended_is_told_130_and_the_run_goes_on(
    home: Path, on_terminal: OnTerminal, simulator_url: str
) -> None:
    terminal = waiting_for_answers(home, on_terminal, simulator_url)
    # Stopped and told to go on, as by ctrl+z and `fg`, it only waits on.
    terminal.process.send_signal(signal.SIGTSTP)
    time.sleep(0.3)
    terminal.process.send_signal(signal.SIGCONT)
    time.sleep(0.3)
    assert terminal.process.poll() is None
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 130
    assert b"Traceback" not in terminal.output
    assert b"the run goes on: ttftop attach " in terminal.output
    os.kill(read(only_session(home)).session.pid, signal.SIGTERM)
    ended(only_session(home))


@pytest.mark.parametrize("key", [b"a", b"\x03"])
def test_a_key_cuts_off_the_answers_that_a_finished_run_waits_for(
    home: Path, on_terminal: OnTerminal, simulator_url: str, key: bytes
) -> None:
    terminal = waiting_for_answers(home, on_terminal, simulator_url)
    terminal.write(key)
    assert terminal.ended() == 1  # far more than 1 % of them were cut off
    assert b"the session is saved in " in terminal.output
    end = read(only_session(home)).end
    assert end is not None
    assert (end.reason, end.message) == ("finished", "answers in flight were cut off by hand")


def test_an_interrupt_while_python_runs_a_text_is_130_too(ttftop: Command, tmp_path: Path) -> None:
    """As `dataclass` does in an import. `python -m` ends by SIGINT after one, whatever it exits with."""
    text = "import tui.commands.sessions as it; it.run = lambda options: exec('raise KeyboardInterrupt')"
    (tmp_path / "sitecustomize.py").write_text(text, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    assert ttftop("sessions", PYTHONPATH=path).returncode == 130


def test_while_the_probe_waits_a_headless_run_says_for_what_and_ctrl_c_leaves(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:  # which takes connections, and never answers
        url = f"http://127.0.0.1:{busy.getsockname()[1]}"
        command = [sys.executable, "-m", "tui.cli", url, *LIGHT, "--telemetry", "none", "--headless"]
        with child(command, stderr=subprocess.PIPE, env={**os.environ, "HOME": str(home)}) as process:
            assert process.stderr is not None
            said = ""
            while "waiting for the server to answer the probe, no load before it (Ctrl-C leaves)" not in said:
                said = process.stderr.readline()
                assert said
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
