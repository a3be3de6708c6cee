"""benchmarks/gpu_node.sh as a process, on machines without a GPU: over the stand-in library and the simulator."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "gpu_node.sh"
TOOLS = (
    *("sh", "dirname", "date", "sed", "awk", "df", "grep", "head", "tail", "uname", "mkdir", "sleep", "cat"),
    *("setsid", "cksum"),
)


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A machine with the usual tools and nothing else: `node.has(name, script)` gives it another."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        if found is None:
            pytest.skip(f"no {tool} here")
        (folder / tool).symlink_to(found)

    class Node:
        out = tmp_path / "out"

        def has(self, name: str, script: str) -> Path:
            path = folder / name
            path.unlink(missing_ok=True)
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
            return path

        def python(self) -> None:
            self.has("python3", f'exec {sys.executable} "$@"')

        def runs(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
            names = ("LD_LIBRARY_PATH", "TTFTOP_FAKE_NVML")
            kept = {name: os.environ[name] for name in names if name in os.environ}
            environment = {
                "PATH": str(folder),
                "HOME": str(tmp_path),
                "TTFTOP_GPU_NODE": str(tmp_path / "gpu"),
                **kept,
            }
            return subprocess.run(
                ["sh", str(SCRIPT), "--out", str(self.out), *words],
                cwd=tmp_path,
                env={**environment, **more},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )

    return Node()


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_machine_without_a_gpu_is_told_so_in_one_line(node):
    node.python()
    node.has("nvidia-smi", 'echo "NVIDIA-SMI has failed because it could not communicate"; exit 9')
    done = node.runs()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ttftop: error: no NVIDIA GPU here (nvidia-smi -L: NVIDIA-SMI has failed because it could not "
        "communicate); --no-gpu tries the script without\n"
    )
    assert not node.out.exists()


def test_a_machine_without_python_is_told_what_to_install(node):
    node.has("nvidia-smi", 'echo "GPU 0: NVIDIA H100 (UUID: GPU-1)"')
    done = node.runs()
    assert done.returncode == 2
    assert done.stderr.startswith("ttftop: error: no python3 found, ttftop needs Python 3.10 or newer")
    assert done.stderr.count("\n") == 1


def test_a_machine_without_room_is_told_how_much_is_needed(node, tmp_path):
    node.python()
    node.has("nvidia-smi", 'echo "GPU 0: NVIDIA H100 (UUID: GPU-1)"')
    node.has("df", 'echo "Filesystem 1024-blocks Used Available"; echo "/dev/x 99 99 5242880 95% /"')
    done = node.runs()
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "gpu_node: 1 GPU(s), the first is GPU 0: NVIDIA H100 (UUID: GPU-1)",
        f"ttftop: error: {tmp_path} has 5 GiB free, installing a server needs 12",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--shape", "70b"], "--shape: got '70b', need 8b or tiny"),
        (["--server", "ollama"], "--server: got 'ollama', need auto, vllm or transformers"),
        (["--port", "http"], "--port: got 'http', need a number"),
        (["--fast"], "unknown option '--fast'; see"),
        (["--ramp"], "--ramp needs a value"),
    ],
)
def test_a_wrong_option_is_one_line(node, words, sentence):
    node.python()
    done = node.runs(*words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"ttftop: error: {sentence}")
    assert done.stderr.count("\n") == 1


def test_a_dry_run_says_what_would_be_done_and_does_nothing(node, tmp_path):
    node.python()
    done = node.runs("--no-gpu", "--dry-run", "--server", "vllm", "--ramp", "1..8/10s")
    assert done.returncode == 0, done.stderr
    assert "would start vllm with a Llama of shape 8b and random weights, on port 8123" in done.stderr
    assert "would run: ttftop run http://127.0.0.1:8123 --headless --ramp 1..8/10s" in done.stderr
    assert not node.out.exists()
    assert not (tmp_path / "gpu").exists()


@pytest.fixture
def ttftop(node) -> str:
    """The command under test, with this checkout and this Python."""
    return str(node.has("ttftop", f'cd "{ROOT}" && exec {sys.executable} -m tui.cli "$@"'))


def test_a_whole_run_leaves_its_session_its_summary_and_no_server(node, ttftop, port, nvml):
    node.python()
    node.has("simulate", f'cd "{ROOT}" && exec {sys.executable} -m loadgen.simulator "$@"')
    nvml.says("count 2; util 91; gpm 1; gpm2 50000; energy 1000")
    done = node.runs(
        *("--server-command", "simulate --profile small --port {port}", "--port", str(port)),
        *("--ramp", "5..10/3s"),
        *("--input-tokens", "16", "--output-tokens", "8", "--telemetry", "nvml"),
        TTFTOP_COMMAND=ttftop,
        TTFTOP_VENV=sys.prefix,
        LD_LIBRARY_PATH=str(nvml.library.parent),
    )
    assert done.returncode == 0, done.stderr
    left = {path.name for path in node.out.iterdir()}
    assert left == {
        *("sessions", "summary.txt", "summary.json", "fields.txt", "progress.log", "run.txt"),
        *("server.log", "machine.txt"),
    }
    summary = json.loads((node.out / "summary.json").read_text())
    assert summary["requests"]["succeeded"] == summary["requests"]["due"] > 5
    assert [(gpu["source"], gpu["util_pct"]["max"]) for gpu in summary["gpus"]] == [("nvml", 91.0)] * 2
    assert (node.out / "summary.txt").read_text() == done.stdout
    fields = (node.out / "fields.txt").read_text().splitlines()
    assert fields[0].startswith("nvml: ")
    said = {line.split()[0]: line.split(maxsplit=4)[-1] for line in fields[1:]}
    assert (said["util_pct"], said["sm_active_pct"]) == ("91 to 91", "50 to 50")
    assert said["memory_temperature_c"].endswith("never")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the server still listens"


def test_a_server_that_ends_before_it_answers_is_told_with_its_last_words(node, ttftop, port):
    node.python()
    done = node.runs(
        *("--server-command", "sh -c 'echo out of memory >&2; exit 3'", "--port", str(port)),
        TTFTOP_COMMAND=ttftop,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2:] == [
        "out of memory",
        f"ttftop: error: the server ended before it answered; all it said is in {node.out}/server.log",
    ]


def test_a_server_that_never_answers_is_ended_when_patience_is(node, ttftop, port, tmp_path):
    node.python()
    mark = tmp_path / "pid"
    done = node.runs(
        *("--server-command", f"sh -c 'sleep 1000 & echo $! >{mark}; wait'", "--port", str(port)),
        *("--patience", "2"),
        TTFTOP_COMMAND=ttftop,
    )
    assert done.returncode == 2
    assert f"no answer from http://127.0.0.1:{port} within 2 s" in done.stderr
    assert not Path(f"/proc/{mark.read_text().strip()}").exists(), "a child of the server lives on"


def test_a_server_that_is_there_already_is_used_and_left_alone(node, ttftop, simulator_url):
    node.python()
    done = node.runs(
        *("--server-url", simulator_url, "--ramp", "5..10/2s", "--telemetry", "none"),
        *("--input-tokens", "16", "--output-tokens", "8"),
        TTFTOP_COMMAND=ttftop,
        TTFTOP_VENV=sys.prefix,
    )
    assert done.returncode == 0, done.stderr
    assert (node.out / "fields.txt").read_text() == "no GPU samples\n"
    host, port = simulator_url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) == 0
