"""A run without a screen, from the command to its summary."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Command, child

LIGHT = ["--input-tokens", "16", "--output-tokens", "8", "--telemetry", "auto"]
LATENCIES = (
    "ttft_from_due_ms",
    "ttft_from_sent_ms",
    "chunk_gap_ms",
    "itl_ms",
    "tpot_ms",
    "e2e_ms",
    "send_lag_ms",
)


def last_line(text: str) -> str:
    """Where the probe has to wait, lines that say so stand before the error."""
    assert "Traceback" not in text
    return text.splitlines()[-1]


@pytest.mark.slow
def test_a_run_prints_progress_then_what_it_says_and_where_it_is(
    ttftop: Command, typed: Command, simulator_url: str
) -> None:
    done = ttftop(simulator_url, "--rate", "20", "--duration", "3s", "--name", "first", *LIGHT)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(r"^ *\d\.\d s  running  rate 20\.00 .*  in flight \d+ .*SIMULATED$", done.stderr, re.M)
    assert re.search(
        r"^requests +due \d+   sent \d+   succeeded \d+   failed 0   not sent 0$", done.stdout, re.M
    )
    assert re.search(r"^TTFT from due +\d+( +~?[\d.,]+){6}$", done.stdout, re.M)
    assert "SIMULATED" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    session = re.search(r"^session (\S+) in (\S+)$", done.stdout, re.M)
    assert session is not None
    assert (Path(session[2]) / session[1] / "session.toml").is_file()

    summary = json.loads(typed("summary", "first", "--json").stdout)
    requests = summary["requests"]
    assert requests["due"] == requests["sent"] == requests["succeeded"] > 30
    assert requests["failed"] == requests["not_sent"] == 0
    assert summary["tokens"]["output"] == 8 * requests["succeeded"]
    assert summary["tokens"]["source"] == "usage"
    assert (summary["simulated"], summary["valid"], summary["errors"]) == (True, True, {})
    for latency in LATENCIES:
        assert set(summary[latency]) >= {"count", "mean", "p50", "p90", "p95", "p99", "min", "max"}
    assert {"offered_rps", "achieved_rps"} <= set(summary["rate"])
    assert {"request_rps", "output_tps", "total_tps"} <= set(summary["throughput"])
    assert summary["gpus"][0]["power_w"]["max"] > 0

    rows = json.loads(typed("sessions", "--json").stdout)
    assert [(row["id"], row["state"], row["valid"]) for row in rows] == [(session[1], "ended", True)]
    assert session[1] in typed("sessions").stdout

    charts = ttftop("summary", "first", "--charts").stdout
    assert "TTFT from due, ms, over time" in charts
    assert "\x1b" not in charts


@pytest.mark.slow
def test_a_run_without_an_end_gets_one_and_says_so(ttftop: Command, simulator_url: str) -> None:
    done = ttftop(simulator_url, "--ramp", "5..10/1s", *LIGHT)
    assert "ttftop: this run ends after 1 s (the length of its ramp)" in done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_closed_loop_run_ends_after_its_requests(ttftop: Command, simulator_url: str) -> None:
    done = ttftop(simulator_url, "--concurrency", "2", "--requests", "12", *LIGHT)
    assert done.returncode == 0, done.stderr
    assert "due 12   sent 12   succeeded 12" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1]
)
def test_an_interrupted_run_is_saved_within_five_seconds(
    simulator_url: str, home: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "tui.cli", simulator_url, "--rate", "10", "--duration", "10m", *LIGHT]
    with child(
        command,
        env={**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stderr:
            if " running " in line:
                break
        process.send_signal(number)
        told = time.monotonic()
        out, err = process.communicate(timeout=30)
        took_s = time.monotonic() - told
    assert process.returncode == 130, err
    assert "ending the run" in err
    assert re.search(r"^NOT VALID$", out, re.M)
    assert "interrupted" in out
    assert took_s < 6.0


@pytest.mark.slow
def test_a_server_that_wants_a_key_is_exit_code_3_until_it_gets_it(ttftop: Command, home: Path) -> None:
    key = home / "key"
    key.write_text("sk-CANARY\n", encoding="utf-8")
    key.chmod(0o600)
    command = [sys.executable, "-m", "tui.cli", "simulate", "--port", "0", "--profile", "small"]
    with child([*command, "--api-key-file", str(key)]) as server:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None
        run = [found[0], "--rate", "10", "--duration", "1s", *LIGHT]
        refused = ttftop(*run)
        assert refused.returncode == 3
        assert re.fullmatch(r"ttftop: error: [^\n]*401[^\n]*", last_line(refused.stderr))
        by_file = ttftop(*run, "--api-key-file", str(key))
        by_variable = ttftop(*run, TTFTOP_API_KEY="sk-CANARY")
    assert (by_file.returncode, by_variable.returncode) == (0, 0), by_file.stderr
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file() and path != key)
    assert b"CANARY" not in kept
    assert "CANARY" not in by_file.stdout + by_file.stderr + by_variable.stdout + by_variable.stderr


@pytest.mark.slow
def test_an_unknown_model_is_named_beside_those_there_are(ttftop: Command, simulator_url: str) -> None:
    done = ttftop(simulator_url, "--model", "gpt-nine", "--duration", "1s")
    assert done.returncode in (2, 3)
    assert re.fullmatch(r"ttftop: error: [^\n]*gpt-nine[^\n]*sim-small[^\n]*", last_line(done.stderr))


@pytest.mark.slow
def test_the_demo_runs_its_own_server_and_leaves_none_behind(ttftop: Command) -> None:
    done = ttftop("demo", "--profile", "small", "--rate", "20", "--duration", "2s", *LIGHT)
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stdout
    url = re.search(r"http://127\.0\.0\.1:\d+", done.stdout)
    assert url is not None
    assert ttftop("doctor", url[0]).returncode == 3


@pytest.mark.slow
def test_doctor_shows_what_a_server_can_do(ttftop: Command, simulator_url: str) -> None:
    done = ttftop("doctor", simulator_url)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^  takes prompts as token ids +yes$", done.stdout, re.M)
    assert "SIMULATED" in done.stdout
