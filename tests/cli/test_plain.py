"""`--plain` as a person types it: recorded and live sessions as lines."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sessions.store.manifest import EndInfo, write
from tests.cli.conftest import Command, child
from tests.sessions.conftest import make
from tests.sessions.summary.summing import stored

LINE = re.compile(r"00:00:\d\d  rate 5\.0 rps  sent ")


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    directory = tmp_path / "sessions/20261103-120000-made"
    directory.mkdir(parents=True)
    run = make(seconds=5.0)
    stored(run, directory)
    run.manifest.end = EndInfo("completed", "2026-11-03T12:01:00+01:00", 5.0)
    write(directory, run.manifest)
    return directory


def test_a_replay_is_a_line_for_each_second_and_needs_no_terminal(typed: Command, recorded: Path):
    done = typed("replay", str(recorded), "--plain")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    seconds = [int(line[6:8]) for line in lines]
    assert seconds[:5] == [1, 2, 3, 4, 5]
    assert seconds[-1] in (len(lines) - 1, len(lines))  # the last second may be a part of one
    assert all(re.match(r"00:00:0\d  rate 20\.0 rps  sent ", line) for line in lines[:4])
    errors = [int(re.search(r"errors (\d+)", line)[1]) for line in lines]  # type: ignore[index]
    assert errors == sorted(errors)


def test_a_line_dated_years_ahead_costs_no_line_a_second(typed: Command, recorded: Path):
    before = typed("replay", str(recorded), "--plain").stdout.splitlines()
    with open(recorded / "host.jsonl", "a") as file:
        file.write('{"kind":"mark","t_ns":100000000000000000,"text":"far"}\n')
    lines = typed("replay", str(recorded), "--plain").stdout.splitlines()
    assert lines[: len(before) - 1] == before[:-1]
    (gap,) = (line for line in lines if "nothing recorded for" in line)
    assert re.fullmatch(r"00:00:0\d  nothing recorded for 2777[67]:\d\d:\d\d", gap)
    assert len(lines) <= len(before) + 2


def test_a_replay_without_a_terminal_says_that_there_are_lines(typed: Command, recorded: Path):
    done = typed("replay", str(recorded))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--plain" in done.stderr


@pytest.mark.slow
def test_a_live_run_is_followed_by_lines_until_it_ends(
    typed: Command, home: Path, simulator_url: str, tmp_path: Path
):
    place = ["--sessions-dir", str(tmp_path / "kept")]
    run = [
        "run",
        simulator_url,
        "--duration",
        "60s",
        "--rate",
        "5",
        "--telemetry",
        "none",
        "--json",
        "--plain",
    ]
    command = [sys.executable, "-m", "tui.cli"]
    with child([*command, *run, *place], stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        assert any(LINE.match(line) for line in running.stderr)  # of a run that is to print JSON
        with child([*command, "attach", "--plain", *place]) as attached:
            assert attached.stdout is not None
            assert any(LINE.match(line) for line in attached.stdout)
            running.send_signal(signal.SIGINT)
            out, _ = running.communicate(timeout=60)
            rest, _ = attached.communicate(timeout=60)
    assert out.startswith("{")
    assert "the session is saved in" in rest
