"""Where a person's machine lacks what most have: a home, a wide character set, a pipe that waits."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
HOMELESS = """
import os, pwd, sys
def nobody(uid): raise KeyError(uid)
pwd.getpwuid = nobody
os.environ.pop("HOME", None)
from tui.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""A container that runs as a user id of no one, without HOME."""


def homeless(*arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_DATA_HOME")}
    return subprocess.run(
        [sys.executable, "-c", HOMELESS, *arguments],
        cwd=ROOT,
        env=kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("arguments", [["sessions"], ["demo", "--headless", "--requests", "1"]])
def test_without_a_home_one_line_says_what_to_give(arguments: list[str]) -> None:
    done = homeless(*arguments)
    assert done.returncode == 2
    line = "no home directory is known (HOME is not set): give --sessions-dir DIR"
    assert done.stderr.splitlines()[-1] == f"ttftop: error: {line}"
    assert "Traceback" not in done.stderr


def test_without_a_home_a_run_takes_place_where_it_is_told(tmp_path: Path) -> None:
    place = ["--sessions-dir", str(tmp_path / "sessions")]
    done = homeless("demo", "--headless", "--requests", "3", "--rate", "20", "--telemetry", "none", *place)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "sessions").iterdir())) == 1
    assert "~" not in {path.name for path in ROOT.iterdir()}


def test_without_a_home_doctor_says_so_and_goes_on() -> None:
    done = homeless("doctor", "--telemetry", "none")
    assert "no home directory is known" in done.stdout
    assert "Traceback" not in done.stderr


def test_what_a_terminal_cannot_show_is_replaced(ttftop: Command, home: Path) -> None:
    (home / "é").mkdir()
    done = ttftop("sessions", "--sessions-dir", str(home / "é"), PYTHONIOENCODING="ascii:strict")
    assert done.returncode == 0, done.stderr
    assert "no sessions in" in done.stdout


def test_a_pipe_that_does_not_wait_gets_all_of_the_output(ttftop: Command, home: Path) -> None:
    for number in range(300):
        directory = home / "sessions" / f"20261103-120000-{'x' * 60}-{number}"
        directory.mkdir(parents=True)
        (directory / "session.toml").write_text("")
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETFL, fcntl.fcntl(write, fcntl.F_GETFL) | os.O_NONBLOCK)
    command = [
        sys.executable,
        "-m",
        "tui.cli",
        "sessions",
        "--json",
        "--sessions-dir",
        str(home / "sessions"),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        time.sleep(0.1)  # a reader that is slow: the pipe is full by then, or will be
        with os.fdopen(read, "rb") as file:
            text = file.read()
        assert process.wait(30) == 0
    assert len(json.loads(text)) == 300


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_an_output_that_is_closed_is_no_error(closed: str, home: Path) -> None:
    line = f'"{sys.executable}" -m tui.cli sessions --sessions-dir "{home}" {closed}'
    done = subprocess.run(
        ["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "code"), [("--help", 0), ("run --rate 0", 2), ("summary nosuch", 2), ("", 2)]
)
def test_what_nobody_reads_changes_no_exit_code(line: str, code: int, home: Path) -> None:
    done = on_closed_pipes([*line.split()], home)
    assert done.wait(30) == code


def on_closed_pipes(arguments: list[str], home: Path) -> subprocess.Popen[bytes]:
    """`ttftop ARGUMENTS` whose stdout and stderr have no reader any more."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "tui.cli", *arguments],
            cwd=ROOT,
            env={**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
        )
    finally:
        os.close(writing)


@pytest.mark.slow
@pytest.mark.parametrize("signalled", [True, False])
def test_a_run_that_nobody_listens_to_ends_with_the_code_of_the_run(
    signalled: bool, home: Path, simulator_url: str
) -> None:
    end = ["--duration", "10m"] if signalled else ["--requests", "3"]
    with on_closed_pipes(
        [
            "run",
            simulator_url,
            "--headless",
            "--rate",
            "10",
            *end,
            "--output-tokens",
            "4",
            "--telemetry",
            "none",
        ],
        home,
    ) as process:
        while signalled and not any(path.stat().st_size for path in home.rglob("worker-0.jsonl.gz")):
            assert process.poll() is None
            time.sleep(0.05)
        if signalled:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == (130 if signalled else 0)


def test_what_finds_no_place_is_one_line(home: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tui.cli", "--help"],
            cwd=ROOT,
            env={**os.environ, "HOME": str(home)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    lost = "what was to be printed is lost: No space left on device; need more room there, or another place"
    assert done.stderr == f"ttftop: error: {lost}\n"
    assert done.returncode == 1
