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

from tui.cli import take_any_output
from tui.foreground.screen import need_terminal
from tui.options.exit_codes import CommandError

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


def test_an_input_that_is_closed_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    take_any_output()
    with sys.stdin, pytest.raises(CommandError, match=r"^replay: needs a terminal as stdin"):
        need_terminal("replay", "what it says")


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


def without_room(
    arguments: list[str], home: Path, *, full: str, flags: int = os.O_WRONLY
) -> subprocess.CompletedProcess[str]:
    """`ttftop ARGUMENTS` whose `full`, stdout or stderr, is a disk without room; or opened with other `flags`."""
    streams: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    streams[full] = os.open("/dev/full", flags)
    try:
        return subprocess.run(
            [sys.executable, "-m", "tui.cli", *arguments],
            cwd=ROOT,
            env={**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
            check=False,
            **streams,
        )
    finally:
        os.close(streams[full])


LOST = "what was to be printed is lost: No space left on device; need more room there, or another place"


@pytest.mark.parametrize("line", ["--help", "run --help", "sessions"])
def test_what_finds_no_place_is_one_line(line: str, home: Path) -> None:
    done = without_room(line.split(), home, full="stdout")
    assert done.stderr == f"ttftop: error: {LOST}\n"
    assert done.returncode == 1


def test_an_output_that_is_only_to_be_read_from_is_one_line(home: Path) -> None:
    done = without_room(["--version"], home, full="stdout", flags=os.O_RDONLY)
    lost = "what was to be printed is lost: Bad file descriptor; need one that can be written"
    assert done.stderr == f"ttftop: error: {lost}\n"
    assert done.returncode == 1


def test_words_that_find_no_place_change_no_exit_code(home: Path) -> None:
    assert without_room(["summary", "nosuch"], home, full="stderr").returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "full", "code"), [("--headless", "stderr", 0), ("--plain", "stdout", 1)])
def test_a_run_whose_lines_find_no_place_goes_on_to_its_end(
    kind: str, full: str, code: int, home: Path, simulator_url: str
) -> None:
    load = ["--rate", "20", "--requests", "30", "--output-tokens", "4", "--telemetry", "none"]
    done = without_room(["run", simulator_url, kind, *load], home, full=full)
    (manifest,) = home.rglob("session.toml")
    assert 'reason = "completed"' in manifest.read_text()
    assert done.returncode == code
    if full == "stdout":
        assert done.stderr.endswith(f"ttftop: error: {LOST}\n")


@pytest.mark.parametrize(
    "line", ["sessions --sessions-dir here", "run http://127.0.0.1:9 --prompts here", "replay here"]
)
def test_a_working_directory_that_is_gone_is_one_line(
    line: str, typed: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rmdir()
    done = typed(*line.split())
    assert done.returncode == 2
    assert done.stderr.startswith("ttftop: error: ")
    assert done.stderr.count("\n") == 1


def test_no_memory_left_is_one_line(typed: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("tui.commands.sessions.parser", exhausted)
    done = typed("sessions")
    line = "no memory is left for ttftop: need more of it (ulimit -a, free)"
    assert done.stderr == f"ttftop: error: {line}\n"
    assert done.returncode == 1
