"""Each example does what it says, as a person runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
RECORDED = ROOT / "tests" / "sessions" / "store" / "recorded" / "llamacpp"


def run(*command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def summary(session: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(
        run(sys.executable, "-m", "tui.cli", "summary", "--json", session).stdout
    )
    return read


def test_there_is_no_example_that_is_not_run_here() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == {
        "read_a_session.py",
        "timed_httpx.py",
        "slurm.sh",
    }


def test_the_p95_read_from_request_lines_is_the_one_that_the_summary_says() -> None:
    done = run(sys.executable, EXAMPLES / "read_a_session.py", RECORDED)
    said = summary(RECORDED)["ttft_from_due_ms"]
    assert done.stdout == (
        f"TTFT p95 {said['p95']:.2f} ms from due, over {said['count']} requests that succeeded\n"
    ), done.stderr


def test_the_httpx_example_prints_a_time_for_each_piece_that_came(simulator_url: str) -> None:
    done = run(sys.executable, EXAMPLES / "timed_httpx.py", simulator_url, "sim-small")
    times = [float(line.split()[0]) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert times == sorted(times)
    assert len(times) >= 1, "on a busy machine all of so quick an answer may come in one piece"
    assert times[0] > 0


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """A PATH with stand-ins: `srun` runs its command here, `vllm serve M --port P` is the simulator."""
    tools = tmp_path / "bin"
    tools.mkdir()
    stand_ins = {
        "srun": 'while [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"',
        "vllm": f'exec "{sys.executable}" -m loadgen.simulator --profile small --port "$4"',
        "ttftop": f'exec "{sys.executable}" -m tui.cli "$@"',
    }
    for name, text in stand_ins.items():
        path = tools / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
    return tmp_path


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def test_the_slurm_job_of_many_nodes_loads_from_a_cluster_that_ends_with_it(cluster: Path) -> None:
    """Stand-ins for ray and ttftop: what is started with which words, in which order, and that nothing is left."""
    stand_ins = {
        "scontrol": "printf 'n1\\nn2\\nn3\\n'",
        "ray": 'echo "ray $*" >>said\nfor node in 1 2; do echo "Ray runtime started."; done\nexec sleep 600',
        "ttftop": 'echo "ttftop $*" >>said\n[ "$1" = doctor ] || exit 4',
    }
    for name, text in stand_ins.items():
        path = cluster / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
    job = subprocess.run(
        ["sh", str(EXAMPLES / "slurm" / "ray.sh"), "http://gpu1:8000", "--rate", "20"],
        cwd=cluster,
        env={
            **os.environ,
            "HOME": str(cluster),
            "PATH": f"{cluster / 'bin'}:{os.environ['PATH']}",
            "RAY_HEAD_IP": "10.0.0.1",
            "SLURM_JOB_NODELIST": "n[1-3]",
            "SLURM_JOB_NUM_NODES": "3",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert job.returncode == 4, job.stderr
    assert [line.split(" --")[0] for line in (cluster / "said").read_text().splitlines()] == [
        "ray start",
        "ray start",
        "ttftop doctor http://gpu1:8000",
        "ttftop run http://gpu1:8000",
    ]
    said = (cluster / "said").read_text()
    assert "--head --block --node-ip-address 10.0.0.1 --port 6379 --num-cpus 0" in said
    assert "ray start --block --address 10.0.0.1:6379 --num-cpus 0" in said
    assert "--ray 10.0.0.1:6379 --headless --sessions-dir ttftop-sessions --rate 20" in said


@pytest.mark.slow
def test_the_slurm_job_starts_a_server_loads_it_and_ends_both(cluster: Path, free_port: int) -> None:
    job = subprocess.run(
        [
            "sh",
            str(EXAMPLES / "slurm.sh"),
            "sim-small",
            "--rate",
            "20",
            "--duration",
            "1s",
            "--output-tokens",
            "4",
        ],
        cwd=cluster,
        env={
            **os.environ,
            "HOME": str(cluster),
            "PATH": f"{cluster / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PORT": str(free_port),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert job.returncode == 0, job.stderr
    (session,) = (cluster / "ttftop-sessions").iterdir()
    result = summary(session)
    assert result["requests"]["succeeded"] > 0
    assert result["simulated"]
    # The job waits for its server: nobody listens there any more.
    refused = run(cluster / "bin" / "ttftop", "doctor", f"http://127.0.0.1:{free_port}", HOME=str(cluster))
    assert (refused.returncode, "connection refused" in refused.stderr) == (3, True)


def test_a_slurm_job_whose_server_dies_says_so_and_ends(cluster: Path, free_port: int) -> None:
    (cluster / "bin" / "vllm").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    job = run(
        "sh",
        EXAMPLES / "slurm.sh",
        "sim-small",
        HOME=str(cluster),
        PATH=f"{cluster / 'bin'}:{os.environ['PATH']}",
        PORT=str(free_port),
    )
    assert job.returncode == 1
    assert "the server ended before it answered" in job.stderr


@pytest.mark.slow
def test_the_ci_workflow_holds_its_targets_and_a_missed_one_fails_its_step(tmp_path: Path) -> None:
    """Its commands as a runner would give them to a shell, on a port and a HOME of their own."""
    workflow = (EXAMPLES / "ci" / "ttftop.yml").read_text()
    scripts = re.findall(r"run: \|\n((?: {10}.*\n)+)", workflow)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tools = tmp_path / "bin"
    tools.mkdir()
    ttftop = tools / "ttftop"
    ttftop.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tui.cli "$@"\n')
    ttftop.chmod(0o755)
    shutil.copytree(EXAMPLES / "ci", tmp_path / "examples" / "ci")
    more = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "page.md"),
    }

    def step(script: str) -> subprocess.CompletedProcess[str]:
        text = script.replace("8000", str(port)) + "\necho $! > started\n" * ("&" in script)
        return subprocess.run(
            ["sh", "-e", "-c", text],
            cwd=tmp_path,
            env={**os.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    start, hold, page = scripts
    try:
        assert step(start).returncode == 0
        done = step(hold)
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / "summary.json").read_text())["slo"]["verdict"] == "pass"
        assert 'failures="0" errors="0"' in (tmp_path / "targets.xml").read_text()
        assert step(page).returncode == 0
        assert "SLO HELD" in (tmp_path / "page.md").read_text()
        slower = hold.replace("--yes", "--yes --slo ttft.p95<1us").replace("ttft.p95<1us", "'ttft.p95<1us'")
        assert step(slower).returncode == 1
        assert 'failures="1" errors="0"' in (tmp_path / "targets.xml").read_text()
    finally:
        os.kill(int((tmp_path / "started").read_text()), signal.SIGTERM)
