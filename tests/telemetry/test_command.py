"""What `ttftop` itself says of telemetry: the real command, a real supervisor, the stand-in library under it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import tomli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LIGHT = ["--input-tokens", "16", "--output-tokens", "4", "--rate", "10"]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """`command(*words, library=folder)` runs `ttftop` to its end, with a HOME and a session root of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str, library: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        path = {} if library is None else {"LD_LIBRARY_PATH": str(library)}
        return subprocess.run(
            [sys.executable, "-m", "tui.cli", *words],
            cwd=ROOT,
            env={**os.environ, **path, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def dead_port():
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def ssh_here(tmp_path):
    """A folder with an `ssh` that runs the command on this machine, and with this Python as `python3`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(sys.executable)
    ssh = folder / "ssh"
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    return folder


def run_of(home: Path) -> Path:
    """The directory of the only session."""
    (manifest,) = home.rglob("session.toml")
    return manifest.parent


def test_another_node_is_watched_by_a_word_of_the_command_line(
    command, simulator_url, nvml, ssh_here, tmp_path
):
    nvml.says("count 2; util 77")
    done = command(
        *("run", simulator_url, "--headless", "--duration", "3s", *LIGHT, "--telemetry", "ssh://node2"),
        library=nvml.library.parent,
        PATH=f"{ssh_here}:{os.environ['PATH']}",
        PYTHONPATH=os.pathsep.join([str(ROOT), *sys.path[1:]]),
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(command("summary", "--json").stdout)
    assert [(gpu["source"], gpu["index"], gpu["util_pct"]["max"]) for gpu in summary["gpus"]] == [
        ("ssh node2 nvml", 0, 77.0),
        ("ssh node2 nvml", 1, 77.0),
    ]


def test_a_dead_address_is_said_once_while_a_run_goes_on_and_again_in_its_summary(
    command, simulator_url, dead_port, tmp_path
):
    url = f"http://127.0.0.1:{dead_port}"
    done = command("run", simulator_url, "--headless", "--duration", "3s", *LIGHT, "--telemetry", "auto", url)
    assert done.returncode == 0, done.stderr
    sentence = f"127.0.0.1:{dead_port}/metrics: cannot connect (Connection refused); is the server up?"
    assert done.stderr.count(sentence) == 1
    assert " ".join(done.stdout.split()).count(sentence) == 1
    assert "NVML is left alone: the server is simulated and shows GPUs of its own" in done.stderr
    assert "found, with metrics of vLLM and DCGM (simulated)" in done.stderr
    manifest = tomli.loads((run_of(tmp_path) / "session.toml").read_text())
    dead = next(source for source in manifest["telemetry"]["sources"] if str(dead_port) in source["source"])
    assert (dead["ok"], dead["message"]) == (False, sentence)
    assert all(gpu["source"] and gpu["name"] for gpu in manifest["telemetry"]["gpus"])
    assert len(manifest["telemetry"]["gpus"]) > 0


def telemetry_of(text: str) -> list[str]:
    """What `ttftop doctor` says of telemetry and GPUs: `ok  telemetry ...`, `!   telemetry ...`."""
    return [line for line in text.splitlines() if line[4:13] == "telemetry" or line[4:7] == "GPU"]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("init 9", "the NVIDIA driver is installed but not loaded; run nvidia-smi, or sudo modprobe nvidia"),
        (
            "init 18",
            "the NVIDIA driver and its library have different versions (updated while loaded?); reboot",
        ),
        ("init 4", "no permission to talk to the NVIDIA driver; check who may read and write /dev/nvidia*"),
        ("count 0", "driver 999.1 sees no GPU; a container needs --gpus all"),
    ],
)
def test_doctor_says_why_there_is_no_gpu_and_what_else_was_tried(command, nvml, state, sentence):
    nvml.says(state)
    done = command("doctor", library=nvml.library.parent)
    assert done.returncode == 0, done.stderr
    line = telemetry_of(done.stdout)[0]
    assert line[4:].startswith(f"telemetry   NVML: {sentence}; ")
    assert "127.0.0.1:9400/metrics" in line


def test_doctor_says_when_there_is_no_driver_at_all(command, tmp_path):
    # A file that is no library stands before any real driver of this machine.
    (tmp_path / "libnvidia-ml.so.1").write_text("not a library")
    line = telemetry_of(command("doctor", library=tmp_path).stdout)[0]
    why = "no NVIDIA driver on this machine (libnvidia-ml.so.1 not found); a container needs --gpus all"
    assert line[4:].startswith(f"telemetry   NVML: {why}; ")


@pytest.mark.parametrize(
    ("state", "build", "words"),
    [
        ("memory_total 0", "new", "it shares the machine's memory: the memory figures are the machine's"),
        ("", "old", "the driver is too old to tell its own memory apart: used memory includes it"),
        ("", "old", "no instant power: the driver's reading may be the mean of the last second"),
        (
            "gpm 1; error.nvmlGpmSampleGet 4",
            "new",
            "SM, tensor and DRAM activity need permission: run as root, or load the driver with "
            "NVreg_RestrictProfilingToAdminUsers=0",
        ),
    ],
)
def test_doctor_says_what_a_gpu_cannot_do(command, load_nvml, state, build, words):
    nvml = load_nvml(build)
    nvml.says(f"count 1; {state}")
    done = command("doctor", library=nvml.library.parent)
    assert f"ok  telemetry   GPU 0 (Fake GPU?[31m): {words}" in telemetry_of(done.stdout)


def test_doctor_lists_gpus_in_cudas_order_with_what_it_hides_and_mig_instances(command, nvml):
    nvml.says(f"count 3; mig.0 1; memory_total {80 << 30}")
    done = command("doctor", library=nvml.library.parent, CUDA_VISIBLE_DEVICES="2,0")
    host = f"80 GiB, on {os.uname().nodename}"
    assert telemetry_of(done.stdout) == [
        "ok  telemetry   NVML: 3 GPUs (3 x Fake GPU?[31m), driver 999.1, CUDA_VISIBLE_DEVICES shows 2 of them",
        f"ok  GPU 2       Fake GPU?[31m, {host}",
        f"ok  GPU 0       Fake GPU?[31m, {host}",
        f"ok  GPU 0       Fake GPU MIG 1g.10gb, {host}",
        f"ok  GPU 1       Fake GPU?[31m, {host}, hidden by CUDA_VISIBLE_DEVICES",
    ]


def test_doctor_tries_every_word_of_telemetry(command, served, dead_port):
    served.shows("dcgm.txt")
    done = command(
        "doctor", "--telemetry", served.url, f"http://127.0.0.1:{dead_port}", "ssh://node2", PATH=""
    )
    said = telemetry_of(done.stdout)
    assert (
        said[0]
        == f"ok  telemetry   {served.name}: found, with metrics of DCGM; GPU 0 of node-a is split by MIG"
    )
    assert said[1] == "ok  GPU 0       NVIDIA H100 80GB HBM3, 80 GiB, on node-a"
    assert (
        said[-2]
        == f"!   telemetry   127.0.0.1:{dead_port}/metrics: cannot connect (Connection refused); is the server up?"
    )
    assert said[-1].startswith("!   telemetry   ssh node2: there is no ssh on the PATH")


def test_what_happens_to_gpus_in_mid_run_is_said_once_while_it_goes_on_and_stands_in_the_summary(
    simulator_url, nvml, tmp_path, monkeypatch
):
    """GPU 1 is lost, a call about GPU 2 blocks, GPU 0's energy counter goes back and has an XID; then all is well."""
    monkeypatch.setenv("HOME", str(tmp_path))
    nvml.says("count 3; energy 9000")
    words = ["run", simulator_url, "--headless", "--duration", "9s", *LIGHT, "--telemetry", "nvml"]
    run = subprocess.Popen(
        [sys.executable, "-m", "tui.cli", *words],
        cwd=ROOT,
        env={**os.environ, "LD_LIBRARY_PATH": str(nvml.library.parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    trouble = "energy.0 100; energy 9000; error.all.1 15; delay_ms.nvmlDeviceGetClockInfo.2 60000; event 1; event_data 79"
    with run:
        assert run.stderr is not None
        for line in run.stderr:
            said.append(line.rstrip())
            if "NVML: 3 GPUs" in line:
                nvml.says(f"count 3; {trouble}")
            if "GPU 2" in line and "has not answered" in line:
                nvml.says("count 3; energy.0 200; energy 9000; event 1")
    assert run.returncode == 0, said
    gpu = "ttftop: GPU {} (Fake GPU?[31m)"
    for sentence in (
        f"{gpu.format(0)}: its energy counter went back (driver reloaded?): no energy across that instant",
        f"{gpu.format(0)}: XID 79 (the GPU has fallen off the bus)",
        f"{gpu.format(1)} gives no values: GPU is lost; asked again every 5 s, it may need a reset",
        f"{gpu.format(1)} is back",
        f"{gpu.format(2)} has not answered for 1 s: a driver call blocks; the others go on",
    ):
        assert said.count(sentence) == 1, (sentence, said)
    assert sum(line.startswith(f"{gpu.format(2)} answers again, after ") for line in said) == 1
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", "summary", "--json"], cwd=ROOT, capture_output=True, check=True
    )
    summary = json.loads(done.stdout)
    zero, one, two = summary["gpus"]
    assert zero["events"] == {"xid": 1}
    assert 10 < one["lost_pct"] < 100
    assert "lost_pct" not in two
    assert two["samples"] == zero["samples"]
    assert summary["valid"]


def test_a_driver_that_hangs_is_said_while_the_run_goes_on_and_in_its_summary(command, simulator_url, nvml):
    nvml.says("count 2; init_delay_ms 3600000")
    words = ("run", simulator_url, "--headless", "--duration", "4s", *LIGHT, "--telemetry", "nvml")
    done = command(*words, library=nvml.library.parent)
    assert done.returncode == 0, done.stderr
    sentence = "NVML: no answer for 2 s, a driver call blocks; see whether nvidia-smi answers"
    assert done.stderr.count(sentence) == 1
    summary = json.loads(command("summary", "--json").stdout)
    assert [(source["ok"], source["message"]) for source in summary["telemetry"]] == [(False, sentence)]


def test_doctor_says_all_else_at_once_when_a_driver_hangs(nvml, tmp_path):
    nvml.says("count 2; init_delay_ms 3600000")
    doctor = subprocess.Popen(
        [sys.executable, "-u", "-m", "tui.cli", "doctor", "--telemetry", "nvml", "host"],
        cwd=ROOT,
        env={**os.environ, "LD_LIBRARY_PATH": str(nvml.library.parent), "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    with doctor:
        assert doctor.stdout is not None
        lines = iter(doctor.stdout)
        while not next(lines).startswith(("ok  client", "!   client")):
            pass
        nvml.says("count 2")  # only now does it answer
        assert any("NVML: 2 GPUs" in line for line in lines)
    assert doctor.returncode == 0


def test_our_key_in_a_page_stands_in_no_file_of_the_session_nor_in_what_is_printed(
    command, simulator_url, served, tmp_path
):
    key = "sk-canary-0123456789"
    served.says(
        f'DCGM_FI_DEV_GPU_UTIL{{gpu="0",UUID="GPU-{key}",modelName="{"x" * 112}{key}",Hostname="{key}"}} 5\n'
        f'DCGM_FI_DEV_GPU_UTIL{{gpu="1",UUID="GPU-1",Hostname="{key}"}} 5\n'
    )
    words = ("run", simulator_url, "--headless", "--duration", "3s", *LIGHT, "--telemetry", served.url)
    done = command(*words, OPENAI_API_KEY=key)
    assert done.returncode == 0, done.stderr
    shown = command("summary"), command("summary", "--json"), done
    written = b"".join(path.read_bytes() for path in run_of(tmp_path).rglob("*") if path.is_file())
    for text in (written.decode(errors="replace"), *(one.stdout + one.stderr for one in shown)):
        assert key[:11] not in text
    assert b"GPU-***" in written
