"""`--debug`: what every process of a run did stands in its session, and nothing that should not."""

from __future__ import annotations

import ast
import logging
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from loadgen.clock import ManualClock
from loadgen.target.redaction import Redactor
from sessions.store.debug_log import PACKAGES, DebugLog
from sessions.store.manifest import read
from tests.cli.conftest import Command, OnTerminal, read_until_running, tell_to_finish
from tests.tui.terminal import RawTerminal

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests" / "sessions" / "store" / "recorded" / "llamacpp"
KEY = "sk-not-to-be-seen-0123456789"
LIGHT = ["--rate", "10", "--input-tokens", "16", "--output-tokens", "8"]
LINE = re.compile(r" *(\d+\.\d{6}) (\S+) ([\w.]+): (.+)")


def lines(session: Path) -> list[tuple[float, str, str, str]]:
    """Every line of a session's debug logs in order of time: seconds, process, logger, text."""
    found = []
    for path in (session / "log").iterdir():
        for line in path.read_text(encoding="utf-8").splitlines():
            match = LINE.fullmatch(line)
            assert match is not None, line
            assert match[2] == path.stem
            found.append((float(match[1]), match[2], match[3], match[4]))
    return sorted(found)


def said(session: Path, process: str) -> str:
    return "\n".join(f"{logger}: {text}" for _, who, logger, text in lines(session) if who == process)


@pytest.fixture
def terminal(on_terminal: OnTerminal, simulator_url: str) -> RawTerminal:
    """A run on a screen, with `--debug`, a key and a source of telemetry that is not there."""
    sources = ["--telemetry", "auto", "http://127.0.0.1:9/metrics"]
    return on_terminal(simulator_url, *LIGHT, "--debug", *sources, TTFTOP_API_KEY=KEY)


@pytest.mark.slow
def test_the_logs_of_a_run_name_each_process_and_what_it_did_from_probe_to_end(
    home: Path, terminal: RawTerminal
) -> None:
    read_until_running(terminal, home)
    terminal.read_until(b"GPU0")  # which telemetry has found
    terminal.write(b"=17\r")
    terminal.read_until("10 → 17 rps".encode())
    tell_to_finish(terminal)
    terminal.ended()
    (session,) = (home / "ttftop" / "sessions").iterdir()
    assert {path.name for path in (session / "log").iterdir()} == {
        "command.log",
        "supervisor.log",
        "worker-0.log",
    }
    command, supervisor, worker = (said(session, name) for name in ("command", "supervisor", "worker-0"))
    assert "the screen is open" in command
    assert "the screen is left: finished" in command
    assert re.search(r"exit code [01]$", command)
    told = [
        r"load worker 0 started, pid \d+",
        r"state: probing",
        r"probe: .*'model': 'sim-small'",
        r"state: running",
        r"telemetry\.poller: .*/metrics: found, with metrics of vLLM and DCGM",
        r"17\.0",
        r"end wanted: .*finished",
        r"load worker 0 is gone, exit code 0",
        r"state: ended",
        r"exit code [01]$",
    ]
    at = 0
    for pattern in told:
        match = re.compile(pattern, re.M).search(supervisor, at)
        assert match is not None, (pattern, supervisor)
        at = match.end()
    assert "127.0.0.1:9/metrics: cannot connect" in supervisor
    for pattern in (r"pid \d+", r"notes: started", r"told: .*17\.0", r"notes: ended"):
        assert re.search(pattern, worker), (pattern, worker)


@pytest.mark.slow
def test_a_replay_logs_in_the_session_that_it_shows_in_seconds_since_it_began(
    on_terminal: OnTerminal, tmp_path: Path
) -> None:
    session = Path(shutil.copytree(RECORDED, tmp_path / "session"))
    replay = on_terminal("replay", str(session), "--debug")
    replay.read_until(b"TTFT")
    replay.write(b"q")
    assert replay.ended() == 0
    told = lines(session)
    assert {who for _, who, _, _ in told} == {f"replay-{replay.process.pid}"}
    assert "the screen is left: quit" in [text for *_, text in told]
    assert 0 <= told[0][0] <= told[-1][0] < 600


@pytest.mark.slow
def test_the_logs_are_for_their_owner_only_and_no_key_is_in_them(
    ttftop: Command, home: Path, simulator_url: str
) -> None:
    done = ttftop(simulator_url, "--headless", "--requests", "3", *LIGHT, "--debug", TTFTOP_API_KEY=KEY)
    (session,) = (home / ".local" / "share" / "ttftop" / "sessions").iterdir()
    assert f"ttftop: what each process did: {session / 'log'}\n" in done.stderr
    assert stat.S_IMODE((session / "log").stat().st_mode) == 0o700
    logs = list((session / "log").iterdir())
    assert len(logs) == 3
    for path in logs:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert KEY not in path.read_text(encoding="utf-8")
    assert (session / "host.log").read_text(encoding="utf-8") == ""


@pytest.mark.slow
def test_a_refused_run_keeps_its_session_for_the_sake_of_its_log(ttftop: Command, home: Path) -> None:
    done = ttftop("http://127.0.0.1:9", "--headless", "--debug")
    assert done.returncode == 3
    (session,) = (home / ".local" / "share" / "ttftop" / "sessions").iterdir()
    assert re.search(r"refused: http://127\.0\.0\.1:9: connection refused", said(session, "supervisor"))
    end = read(session).end
    assert end is not None
    assert (end.reason, "connection refused" in end.message) == ("failed", True)


@pytest.mark.slow
def test_without_the_option_there_is_no_log(ttftop: Command, home: Path, simulator_url: str) -> None:
    done = ttftop(simulator_url, "--headless", "--requests", "3", *LIGHT)
    (session,) = (home / ".local" / "share" / "ttftop" / "sessions").iterdir()
    assert not (session / "log").exists()
    assert "what each process did" not in done.stderr


def test_a_line_hides_the_key_and_is_one_line_whatever_is_said(tmp_path: Path) -> None:
    path = tmp_path / "it.log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    log = DebugLog(fd, "it", ManualClock(1_500_000_000), Redactor(KEY))
    logger = logging.Logger("here")
    logger.addHandler(log)
    logger.info("two\nlines of %s and \x1b[2J", KEY)
    log.close()
    os.close(fd)
    assert path.read_text(encoding="utf-8") == "    1.500000 it here: two lines of *** and \\x1b[2J\n"


def test_what_may_come_before_the_first_request_imports_no_logging_in_the_command() -> None:
    modules = "tui.cli, tui.commands.run, tui.commands.demo, tui.foreground.start, sessions.run.launch"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; print('logging' in sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


@pytest.mark.slow
def test_nothing_is_logged_above_info() -> None:
    """What is above, Python prints to stderr where nobody listens: on the screen, or into host.log."""
    loud = {"warning", "error", "exception", "critical", "fatal"}
    strays = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for room in PACKAGES
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in loud
        and isinstance(node.value, ast.Name)
        and node.value.id in ("_log", "log", "logging", "logger")
    ]
    assert strays == []
