"""Every mistake a person can type gets one line on stderr and the documented exit code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command

URL = "http://127.0.0.1:9"
"""Nobody listens at the discard port; what is refused before a request never gets there."""
RECORDED = Path(__file__).parents[1] / "sessions" / "store" / "recorded" / "llamacpp"

WRONG = [
    # no command, no such command
    ("rnu", "unknown command 'rnu', did you mean run?"),
    ("replya", "did you mean replay?"),
    ("frobnicate", "unknown command 'frobnicate'"),
    # no address
    ("run", "no server address given, need a URL such as http://localhost:8000"),
    ("--rate 3", "no server address given"),
    (f"run --telemetry none {URL}", "write the server before it"),
    ("localhost:8000/v1", "needs a scheme: http://localhost:8000/v1"),
    ("localhost", "needs a scheme: http://localhost"),
    ("ftp://node7", "need http or https"),
    ("http://", "names no host"),
    ("http://node7:abc", "the port is 'abc', need a number from 1 to 65535"),
    ("http://node7:99999", "the port is '99999'"),
    ("http://node7:0", "the port is '0'"),
    ("http://user:secret@node7", "a user name or password in the URL is refused"),
    # options
    (f"{URL} --ratee 5", "unknown option --ratee, did you mean --rate?"),
    (f"{URL} --api-key sk-CANARY", "TTFTOP_API_KEY or OPENAI_API_KEY, or give --api-key-file"),
    (f"{URL} --api-key=sk-CANARY", "--api-key-file"),
    (f"{URL} --secret sk-CANARY", "unknown option --secret"),
    (f"{URL} --token=sk-CANARY", "unknown option --token"),
    (f"{URL} --rat 5", "unknown option --rat"),
    (f"{URL} extra", "one argument too many: 'extra'"),
    (f"{URL} --rate", "--rate: expected one argument"),
    ("sessions --foo", "unknown option --foo (see ttftop sessions --help)"),
    # values
    (f"{URL} --rate -1", "--rate: got '-1', need a number above 0"),
    (f"{URL} --rate 1..4", "--rate: got '1..4', need one number such as 8; from one to another is --ramp"),
    (f"{URL} --rate 0", "--rate: got '0'"),
    (f"{URL} --rate nan", "--rate: got 'nan'"),
    (f"{URL} --rate inf", "--rate: got 'inf'"),
    (f"{URL} --rate 64,5", "--rate: got '64,5'"),
    (f"{URL} --rate 1e9", "--rate: got 1e+09, need a number above 0 and at most 1000"),
    (f"{URL} --rate 20 --max-rate 10", "at most 10"),
    (f"{URL} --duration 0", "--duration: got '0', need a length of time above 0 such as 90, 60s, 5m or 1h"),
    (f"{URL} --duration -5s", "--duration"),
    (f"{URL} --drain 0", "--drain: got '0', need a length of time above 0"),
    (f"{URL} --duration five", "--duration: got 'five'"),
    (f"{URL} --requests 0", "--requests: got '0', need a whole number of at least 1"),
    (f"{URL} --concurrency 1.5", "--concurrency: got '1.5'"),
    (f"{URL} --workers none", "--workers: got 'none'"),
    (f"{URL} --input-tokens -4", "--input-tokens: got '-4'"),
    (f"{URL} --seed x", "--seed: got 'x'"),
    (f"{URL} --ramp 1..64", "--ramp: got '1..64', need FROM..TO/TIME"),
    (f"{URL} --ramp 1..64/120s:cubic", "--ramp: got '1..64/120s:cubic'"),
    (f"{URL} --ramp 0..64/120s", "--ramp: in '0..64/120s': got '0', need a number above 0"),
    (f"{URL} --ramp 1..4000/120s", "--ramp: got 4000, need a number above 0 and at most 1000"),
    (f"{URL} --ramp 1..8/9s --rate 3", "give --rate or --ramp, not both"),
    (f"{URL} --ramp 1..8/9s --concurrency 3", "it cannot stand beside --concurrency"),
    (f"{URL} --concurrency 9 --max-in-flight 8", "--concurrency: got 9, need at most 8 (--max-in-flight)"),
    (f"{URL} --rate 3 --concurrency 3", "give --rate or --concurrency, not both"),
    (f"{URL} --arrivals bursts", "--arrivals: invalid choice: 'bursts'"),
    (f"{URL} --endpoint grpc", "--endpoint: invalid choice: 'grpc'"),
    (f"{URL} --telemetry nvidia", "--telemetry: got 'nvidia', need auto, none, nvml, host, ssh://host"),
    (f"{URL} --ca /no/such/file", "--ca: cannot read /no/such/file: No such file or directory"),
    (f"{URL} --api-key-file /no/such/file", "--api-key-file /no/such/file: cannot read it"),
    ("simulate --port 70000", "--port: got '70000', need a port from 0"),
    (f"{URL} --duration 0s", "--duration: got '0s', need a length of time above 0"),
    (f"{URL} --sessions-dir /etc/passwd", "--sessions-dir: got /etc/passwd, but /etc/passwd is no directory"),
    (
        f"{URL} --sessions-dir /etc/passwd/x",
        "--sessions-dir: got /etc/passwd/x, but /etc/passwd is no directory",
    ),
    (f"{URL} --sessions-dir /proc/none", "--sessions-dir: got /proc/none: No such file or directory; need a"),
    ("sessions --sessions-dir /etc/passwd", "--sessions-dir: got /etc/passwd, but"),
    ("summary --sessions-dir /etc/passwd", "--sessions-dir: got /etc/passwd, but"),
    ("simulate --host 203.0.113.1 --port 0", "simulate: --host 203.0.113.1 --port 0: cannot listen there"),
    ("simulate --profile tpu", "--profile: invalid choice: 'tpu'"),
    ("demo --profile tpu", "--profile: invalid choice: 'tpu'"),
    # sessions
    ("summary nosuch", "summary: nosuch: no session of that id, name or path"),
    ("summary", "no sessions yet"),
    ("replay nosuch", "replay: nosuch: no session"),
    ("replay /etc/passwd", "replay: /etc/passwd"),
    ("summary /etc", "no ttftop session"),
    ("attach", "attach: no live session in"),
    ("attach nosuch", "attach: nosuch: no session"),
]


def assert_one_line(stderr: str, expected: str) -> None:
    assert expected in stderr
    assert stderr.startswith("ttftop: error: ")
    assert stderr.count("\n") == 1
    assert stderr.endswith("\n")


@pytest.mark.parametrize(("line", "expected"), WRONG, ids=[line for line, _ in WRONG])
def test_a_mistake_is_one_line_and_exit_code_2(typed: Command, line: str, expected: str) -> None:
    done = typed(*line.split(" "))
    assert_one_line(done.stderr, expected)
    assert (done.returncode, done.stdout) == (2, "")
    assert "CANARY" not in done.stderr
    assert "secret@" not in done.stderr


def test_a_mistake_ends_the_process_as_it_ends_the_call(ttftop: Command) -> None:
    done = ttftop("run", URL, "--rate", "-1")
    assert_one_line(done.stderr, "--rate: got '-1', need a number above 0")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_screen_without_a_terminal_is_refused_with_what_to_do_instead(typed: Command) -> None:
    done = typed("replay", str(RECORDED))
    assert_one_line(done.stderr, "replay: needs a terminal as stdin and stdout; without one, ttftop summary")
    assert (done.returncode, done.stdout) == (2, "")


def test_an_address_with_a_space_is_refused(typed: Command) -> None:
    done = typed("http://node 7")
    assert_one_line(done.stderr, "the URL has a space in it")
    assert done.returncode == 2


def test_nothing_to_do_prints_the_short_help(ttftop: Command) -> None:
    done = ttftop()
    assert (done.returncode, done.stdout) == (2, "")
    assert "ttftop URL" in done.stderr
    assert len(done.stderr.splitlines()) < 10


def test_a_closed_port_is_exit_code_3_and_leaves_no_session(ttftop: Command, home: Path) -> None:
    done = ttftop(URL, "--duration", "1s", "--sessions-dir", str(home / "kept"))
    # On a busy machine a line of progress may come first.
    assert_one_line(done.stderr.splitlines(keepends=True)[-1], "127.0.0.1:9")
    assert (done.returncode, done.stdout) == (3, "")
    assert list((home / "kept").iterdir()) == []


@pytest.mark.parametrize("text", ["", "not = [toml", 'format = "something-else"\nversion = "1.0"\n'])
def test_a_foreign_or_broken_session_is_named(typed: Command, home: Path, text: str) -> None:
    directory = home / "20260101-000000-odd"
    directory.mkdir()
    (directory / "session.toml").write_text(text, encoding="utf-8")
    for command in ("summary", "replay", "attach"):
        done = typed(command, str(directory))
        assert_one_line(done.stderr, str(directory))
        assert done.returncode == 2


def test_a_key_file_that_holds_no_key_does_not_show_it(typed: Command, home: Path) -> None:
    path = home / "key"
    path.write_text("sk-CANARY with a space\nand a second line", encoding="utf-8")
    done = typed(URL, "--api-key-file", str(path))
    assert_one_line(done.stderr, "--api-key-file")
    assert "CANARY" not in done.stderr + done.stdout
    assert done.returncode == 2


def test_a_key_given_in_place_of_its_file_is_not_shown(typed: Command) -> None:
    done = typed(URL, "--api-key-file", "sk-CANARY-abc123XYZ")
    assert_one_line(done.stderr, "--api-key-file ***: cannot read it: No such file or directory")
    assert "CANARY" not in done.stderr


@pytest.mark.parametrize("option", ["--name", "--model", "--ca", "--sessions-dir"])
def test_bytes_that_are_not_utf_8_are_refused_before_a_session_is_made(
    typed: Command, home: Path, option: str
) -> None:
    done = typed(URL, "--headless", option, os.fsdecode(b"n\xff"))
    assert_one_line(done.stderr, "n\\udcff: need arguments in UTF-8")
    assert done.returncode == 2
    assert list(home.rglob("session.toml")) == []


def test_a_home_that_is_not_utf_8_is_refused_in_words(typed: Command, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/h\xff"))
    odd.mkdir()
    done = typed(URL, "--headless", XDG_DATA_HOME=str(odd))
    assert_one_line(done.stderr, "need a path in UTF-8")
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("option", "words"),
    [("--requests", "from 1 to 999999999999"), ("--seed", "from 0 to 9223372036854775807")],
)
def test_a_number_that_is_too_large_is_told_the_largest(typed: Command, option: str, words: str) -> None:
    done = typed(URL, option, "9" * 20)
    assert_one_line(done.stderr, words)


def test_what_was_typed_cannot_command_the_terminal(typed: Command) -> None:
    for arguments in (
        ["\x1b]0;owned\x07"],
        ["http://x", "--rate", "\x1b[2J"],
        ["summary", "\x1b[31m"],
        ["simulate", "--host", "\x1b[31m"],
    ):
        done = typed(*arguments)
        assert "\x1b" not in done.stderr
        assert "\x07" not in done.stderr
        assert done.returncode == 2
