"""What people start (runs, plans, searches, imports, screens), and the processes that come of it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.sessions.interchange.made_results import vllm

COMMAND = [sys.executable, "-m", "tui.cli"]
ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tests" / "sessions" / "store" / "recorded" / "llamacpp"
MARK = "TTFTOP_BENCHMARK_JOB"
"""In the environment of a job, and so of all that came of it, whoever their parent is by now."""
_MODULES = {
    b"sessions.run": "supervisor",
    b"sessions.worker.process": "worker",
    b"sessions.nodes.agent": "agent",
}
_LOAD = ["--input-tokens", "16", "--output-tokens", "20", "--telemetry", "none"]
_PLAN = """
name = "killed"

[run]
input_tokens = 16
output_tokens = 20

[[stages]]
rate = [20, 30, 40, 30, 20, 30]
duration = "2s"
"""
IMPORTED_REQUESTS = 20_000
"""So many that an import takes a second or two."""


class Jobs:
    """`argv(name, root)`: the command of that job, whose sessions go into `root`."""

    def __init__(self, url: str, place: Path, recorded: Path) -> None:
        """`place` holds the plan and the result file; `recorded` is a session that a replay shows."""
        self._url, self._place = url, place
        self._plan, self._result = place / "plan.toml", place / "result.json"
        self._recorded = recorded
        self._plan.write_text(_PLAN, encoding="utf-8")
        self._result.write_text(json.dumps(_result()), encoding="utf-8")

    @contextmanager
    def a_run(self) -> Iterator[None]:
        """Something for `attach` to show: a run of a request a second, which goes on all the while."""
        load = ["--rate", "1", "--duration", "24h", "--yes", "--headless", "--sessions-dir", str(self._place)]
        nothing = subprocess.DEVNULL
        run = subprocess.Popen(
            [*COMMAND, "run", self._url, *_LOAD, *load],
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            cwd=ROOT,
        )
        try:
            while not any(path.stat().st_size for path in self._place.glob("*/worker-*")):
                if run.poll() is not None:
                    raise SystemExit("the run to attach to did not begin")
                time.sleep(0.1)
            yield
        finally:
            run.terminate()
            run.wait()

    def argv(self, name: str, root: Path) -> list[str]:
        """Raises KeyError: no such job."""
        run = [*COMMAND, "run", self._url, *_LOAD, "--rate", "20", "--duration", "30s", "--yes"]
        kept = ["--sessions-dir", str(root)]
        headless = ["--headless", "--yes", "--telemetry", "none", *kept]
        return {
            "run": [*run, "--workers", "2", "--headless", *kept],
            "drain": [*run, "--output-tokens", "4000", "--headless", *kept],
            "nodes": [*run, "--nodes", "local://", "--headless", *kept],
            "screen": [*run, *kept],
            "plan": [*COMMAND, "run", self._url, "--plan", str(self._plan), *headless],
            "limit": [*COMMAND, "limit", self._url, *_LOAD[:4], "--slo", "ttft.p95<2s", *headless],
            "import": [*COMMAND, "import", str(self._result), *kept],
            "replay": [*COMMAND, "replay", str(self._recorded), *kept],
            "attach": [*COMMAND, "attach", "--sessions-dir", str(self._place)],
            "doctor": [*COMMAND, "doctor", self._url],
            "compare": [*COMMAND, "compare", str(self._recorded), str(self._recorded)],
            "report": [*COMMAND, "report", str(self._recorded), "-o", str(root / "report.html")],
        }[name]


SCREENS = ("screen", "replay", "attach")
"""Jobs that need a terminal."""


def _result() -> dict[str, Any]:
    """Of vLLM's benchmark: answers of three tokens, ten a second."""
    many = IMPORTED_REQUESTS
    return vllm(
        num_prompts=many,
        completed=many,
        failed=0,
        duration=many / 10,
        input_lens=[10] * many,
        output_lens=[3] * many,
        ttfts=[0.1] * many,
        itls=[[0.04, 0.06]] * many,
        start_times=[100 + number / 10 for number in range(many)],
        errors=[""] * many,
        latencies=[0.2] * many,
        queue_times=[0.0] * many,
    )


def processes(mark: str) -> dict[int, str]:
    """Those that came of the job with that mark, and live: what each is of a run; else `command`."""
    found = {}
    wanted = f"{MARK}={mark}".encode()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if wanted not in Path(f"/proc/{entry.name}/environ").read_bytes().split(b"\0"):
                continue
            words = Path(f"/proc/{entry.name}/cmdline").read_bytes().split(b"\0")
            # A zombie has no words left.
            if any(words):
                names = [name for module, name in _MODULES.items() if module in words]
                found[int(entry.name)] = names[0] if names else "command"
    return found


@contextmanager
def simulator() -> Iterator[str]:
    """A simulated server in a process of its own: its URL."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    command = [*COMMAND, "simulate", "--profile", "small", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()
