"""Whatever is typed for an option of any command: it is taken, or refused in one clean line with exit code 2.

The options come from the parsers themselves, so that a new one is tried as well.
"""

from __future__ import annotations

import argparse
import importlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tui.commands import COMMANDS
from tui.options.parser import Parser, Refuse

if TYPE_CHECKING:
    from tests.cli.conftest import Command

URL = "http://127.0.0.1:9"
MOST_CHARS = 700
NUMBERS = [
    *("nan", "NaN", "inf", "-inf", "Infinity", "-1", "-0", "0", "1e400", "1e400s", "1e-400", "-1s", "0x10"),
    *("9" * 30, "9" * 400, "9" * 300 + "h", "." + "0" * 400 + "1s", "1e308", "1_000", "1,5", "--", "+5e-324"),
]
"""None of these is a sensible figure of anything that is counted or timed, but for the 0 of a seed or a port."""
TEXTS = [
    *("", " ", "\t", "a\nb\r\n", "\x1b]0;CANARY\x07\x1b[2J", "\x9b31m", "\u202eCANARY\u200b", "x" * 100_000),
    *("%s%n{0}", "@", "@/", "~nobody-there/x", "/", ".", "/dev/null/x", "=", ":", "../" * 2000),
    os.fsdecode(b"\xff\xfe"),
]
SECRETS = ["sk-CANARY0123", "joe:CANARY@node7", "Authorization: Bearer CANARY012345"]
HOSTILE = [*NUMBERS, *TEXTS, *SECRETS]


class Taken(Exception):
    """The command would go on from here: nothing that was typed was refused."""


def _taken(*_: object, **__: object) -> NoReturn:
    raise Taken


def parsers() -> Iterator[tuple[str, Parser]]:
    for name, (module, _) in COMMANDS.items():
        yield name, importlib.import_module(module).parser()


def options() -> Iterator[tuple[str, argparse.Action]]:
    for name, parser in parsers():
        for action in parser._actions:
            if action.nargs != 0 and not isinstance(action, Refuse):
                yield name, action


def is_figure(action: argparse.Action) -> bool:
    """It is given in a number: what is no sensible one has to be refused."""
    return getattr(action.type, "__module__", "") == "tui.options.value_types" and action.dest not in (
        *("telemetry", "body", "model", "name", "trace", "conversation_header", "by", "junit"),
    )


def flag_of(action: argparse.Action) -> str:
    return action.option_strings[-1] if action.option_strings else ""


@pytest.fixture
def tried(typed: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """As `typed`; raises `Taken` where a process would be started, a server asked, or a machine looked at."""
    monkeypatch.chdir(home)
    monkeypatch.setattr("tui.commands.demo.Simulator", _taken)
    monkeypatch.setattr("tests.cli.conftest.NoSupervisor.take", _taken)
    monkeypatch.setattr("tui.commands.doctor.findings", _taken)
    monkeypatch.setattr("loadgen.simulator.serve.serve", _taken)
    monkeypatch.setattr("sessions.calibration.measure.sweep", _taken)
    return typed


def refused(tried: Command, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """What was said, or None where nothing of it was refused."""
    try:
        done: subprocess.CompletedProcess[str] = tried(*arguments)
    except Taken:
        return None
    if done.returncode == 0:  # a command that only reads
        return None
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ttftop: error: ")
    assert done.stderr.endswith("\n")
    assert done.stderr[:-1].isprintable()
    assert len(done.stderr) < MOST_CHARS
    return done


@pytest.mark.parametrize(
    ("name", "action"),
    [pytest.param(name, action, id=f"{name} {flag_of(action) or action.dest}") for name, action in options()],
)
def test_no_value_of_an_option_breaks_the_command(tried: Command, name: str, action: Any) -> None:
    flag = flag_of(action)
    positional = [URL] if name == "run" and flag else []
    # What `run` takes as well is made by the same lines.
    again = name != "run" and any(flag and flag == flag_of(other) for of, other in options() if of == "run")
    for value in HOSTILE[::5] if again else HOSTILE:
        words = [f"{flag}={value}"] if flag else ["--", value]
        done = refused(tried, name, *positional, *words)
        if value in SECRETS and done is not None:
            assert "CANARY" not in done.stderr
        if (
            value in NUMBERS
            and is_figure(action)
            and (value != "0" or action.dest not in ("seed", "port", "metrics_port"))
        ):
            assert done is not None, f"{flag} took {value[:40]}"
            assert flag in done.stderr
            assert "need" in done.stderr


@pytest.mark.parametrize(
    ("name", "action"),
    [
        pytest.param(name, action, id=f"{name} {flag_of(action)}")
        for name, action in options()
        if action.type is Path or action.dest == "header"
    ],
)
def test_no_file_that_is_none_is_waited_for(
    tried: Command, monkeypatch: pytest.MonkeyPatch, home: Path, name: str, action: Any
) -> None:
    monkeypatch.setattr("loadgen.small_file.PIPE_DEADLINE_S", 0.05)
    os.mkfifo(home / "fifo")
    with (home / "huge").open("wb") as huge:
        huge.truncate(1 << 40)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    at = "@" if action.dest == "header" else ""
    positional = [URL] if name in ("run", "doctor", "limit") else []
    positional += ["--slo=ttft.p95<1s"] if name == "limit" else []
    positional += {"report": ["--output=x.md"], "export": ["--as=csv"]}.get(name, [])
    # A key of our own has to have a certificate.
    more = [f"--cert={__file__}"] if action.dest == "cert_key" else []
    for odd in ("fifo", "huge", "socket", "/dev/zero", "/dev/ptmx", "none"):
        done = refused(tried, name, *positional, *more, f"{flag_of(action)}={at}{odd}")
        if action.dest not in ("sessions_dir", "output"):  # made where there is none
            assert done is not None
            assert flag_of(action) in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_is_given_twice_or_without_its_value_breaks_nothing(tried: Command, name: str) -> None:
    parser = dict(parsers())[name]
    positional = [URL] if name == "run" else []
    for action in parser._actions:
        flag = flag_of(action)
        if not flag or flag in ("--help", "-h"):
            continue
        refused(tried, name, *positional, flag, flag)
        refused(tried, name, *positional, flag)
        refused(tried, name, *positional, f"{flag}=")
        refused(tried, name, *positional, f"{flag}=1", f"{flag}=2")


def test_what_a_session_could_not_keep_is_refused(tried: Command) -> None:
    fields = [word for number in range(8) for word in ("--body", f"f{number}={'x' * 10_000}")]
    done = refused(tried, "run", URL, *fields)
    assert done is not None
    assert "what was asked for is longer than 64 KiB" in done.stderr


@pytest.mark.parametrize("least", ["1ms", "0.001s", "87660h"])
def test_the_shortest_and_the_longest_time_are_taken(tried: Command, least: str) -> None:
    assert refused(tried, "run", URL, "--duration", least) is None
