"""`ttftop calibrate`: the client measured on this machine, and what is kept of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sessions.calibration import result as calibrated
from sessions.calibration.result import Calibration
from tests.cli.conftest import Command, child


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seconds", "100ms"), "--seconds: got 0.1, need at least 0.5"),
        (("--most", "10"), "--most: got 10, need at least 250"),
        (("--most", "many"), "--most: got 'many', need a number of events per second, such as 20000"),
        (("http://localhost:8000",), "one argument too many"),
    ],
)
def test_wrong_options_are_one_line(typed: Command, arguments: tuple[str, ...], words: str) -> None:
    done = typed("calibrate", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_search_that_was_cut_off_prints_its_loads_and_keeps_nothing(ttftop: Command, home: Path) -> None:
    done = ttftop("calibrate", "--seconds", "0.5", "--most", "500", XDG_STATE_HOME=str(home))
    rows = [line for line in done.stdout.splitlines() if line.endswith("clean")]
    if not rows:
        pytest.skip("this machine is too busy to be calibrated at all")
    assert done.returncode == 0, done.stderr
    assert 400 <= float(rows[-1].split()[0].replace(",", "")) <= 600
    assert "not kept" in done.stdout or "beyond: " in done.stdout
    assert not list(home.rglob(calibrated.FILE)) or "kept in" in done.stdout


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({}, "ok  client      clean up to 21,000 events/s a worker"),
        ({"kernel": "2.4"}, "expired: kernel was 2.4, is "),
    ],
)
def test_doctor_shows_the_calibration_and_whether_it_holds(
    ttftop: Command, home: Path, change: dict[str, str], shown: str
) -> None:
    here = calibrated.this_machine()
    machine = type(here)(**{**{n: getattr(here, n) for n in here.__struct_fields__}, **change})
    calibrated.save(
        Calibration(machine, "2026-11-21T10:00:00+00:00", 21_000.0, "cpu"),
        home / "ttftop" / calibrated.FILE,
    )
    assert shown in ttftop("doctor", XDG_STATE_HOME=str(home)).stdout


def test_doctor_says_when_there_is_no_calibration(ttftop: Command, home: Path) -> None:
    assert "not calibrated: ttftop calibrate" in ttftop("doctor", XDG_STATE_HOME=str(home)).stdout


@pytest.mark.slow
def test_a_run_says_how_far_below_the_calibrated_load_it_was(
    ttftop: Command, typed: Command, home: Path, simulator_url: str
) -> None:
    kept = Calibration(calibrated.this_machine(), "2026-11-21T10:00:00+00:00", 5_000.0, "cpu")
    calibrated.save(kept, home / "ttftop" / calibrated.FILE)
    run = ("run", simulator_url, "--headless", "--requests", "120", "--rate", "30", "--output-tokens", "8")
    assert ttftop(*run, XDG_STATE_HOME=str(home)).returncode in (0, 1)
    client = json.loads(typed("summary", "--json").stdout)["client"]
    assert client["calibrated_events_per_s"] == 5000.0
    assert client["headroom"] == pytest.approx(1 - client["peak_events_per_s"] / 5000.0)
    assert 0.9 < client["headroom"] < 1.0


SIGNALS = """
import os, signal, sys
for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(ending, signal.SIG_DFL)
if sys.argv[1] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Whatever the tests run under (`nohup`, a job in the background) may ignore some, and the command inherits that."""


@contextmanager
def calibrating(home: Path, under: str = "") -> Iterator[subprocess.Popen[str]]:
    """A calibration whose first load is under way."""
    with child(
        [
            sys.executable,
            "-SEc",
            SIGNALS,
            under,
            sys.executable,
            "-m",
            "tui.cli",
            "calibrate",
            "--seconds",
            "5s",
        ],
        env={**os.environ, "HOME": str(home), "XDG_STATE_HOME": str(home)},
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert "events/s" in running.stdout.readline()
        while not Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text(encoding="ascii"):
            assert running.poll() is None, "it ended before it had started anything"
        yield running


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells that the first load is under way")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_calibration_that_is_interrupted_ends_with_130_and_keeps_nothing(
    home: Path, how: signal.Signals
) -> None:
    with calibrating(home) as running:
        assert running.stderr is not None
        running.send_signal(how)
        assert running.wait(20) == 130
        assert running.stderr.read() == ""
    assert not (home / "ttftop" / calibrated.FILE).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which signals are ignored")
def test_a_calibration_under_nohup_ignores_a_hang_up(home: Path) -> None:
    with calibrating(home, "nohup") as running:
        status = Path(f"/proc/{running.pid}/status").read_text(encoding="ascii")
        ignored = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
        running.terminate()
        assert running.wait(20) == 130
    assert int(ignored, 16) >> (signal.SIGHUP - 1) & 1
