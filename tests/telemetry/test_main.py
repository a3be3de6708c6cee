"""`python -m telemetry` as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.ssh.protocol import decoded

ROOT = Path(__file__).parents[2]


def start(*words, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "telemetry", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def lines_until(process, kind):
    lines = []
    while True:
        lines.append(json.loads(process.stdout.readline()))
        if lines[-1]["kind"] == kind:
            return lines


def ended(process):
    """Its end: (exit status, stderr)."""
    with process:
        _, errors = process.communicate(timeout=30)
    return process.returncode, errors.decode()


def test_it_prints_gpus_and_the_host_as_json_lines_until_it_is_interrupted(nvml):
    nvml.says("count 2")
    process = start(LD_LIBRARY_PATH=str(nvml.library.parent))
    lines = lines_until(process, "host_sample")
    process.send_signal(signal.SIGINT)
    assert ended(process) == (0, "")
    assert [line["kind"] for line in lines[:4]] == ["hello", "source", "gpu_devices", "gpu"]
    assert len(lines[3]["gpus"]) == 2
    for line in lines:
        assert decoded(json.dumps(line, separators=(",", ":")).encode()) is not None


def test_the_interval_is_that_of_nvml(nvml):
    nvml.says("count 1")
    process = start("nvml", "--interval", "0.1", LD_LIBRARY_PATH=str(nvml.library.parent))
    lines_until(process, "gpu")
    times = [lines_until(process, "gpu")[-1]["t_ns"] for _ in range(5)]
    process.terminate()
    assert ended(process)[0] == 0
    ticks = [t_ns // 100_000_000 for t_ns in times]
    assert ticks == sorted(set(ticks))
    assert min(ticks) >= 1


def test_it_answers_questions_about_its_clock_and_ends_with_its_stdin():
    process = start("host", "--answer")
    lines_until(process, "hello")
    process.stdin.write(b"clock 1\nnonsense\nclock x\nclock 2\n")
    process.stdin.flush()
    first, second = lines_until(process, "clock")[-1], lines_until(process, "clock")[-1]
    assert (first["echo"], second["echo"]) == (1, 2)
    assert 0 < first["t_ns"] <= second["t_ns"]
    process.stdin.close()
    process.stdin = None
    assert ended(process)[0] == 0


def test_it_ends_quietly_when_nobody_reads():
    process = start("host")
    lines_until(process, "hello")
    process.stdout.close()
    process.stdout = None
    assert ended(process) == (0, "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dcgm"], "telemetry: got dcgm; allowed are auto, none, nvml, host"),
        (["--interval", "0"], "argument --interval: got 0, need 0.1 to 60 seconds"),
        (["--interval", "x"], "argument --interval: got x, need 0.1 to 60 seconds"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(words, sentence):
    status, errors = ended(start(*words))
    assert status == 2
    assert sentence in errors
    assert "Traceback" not in errors
