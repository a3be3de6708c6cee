"""Where a benchmark runs: the server on one core, clients on another, before other work where allowed."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.client.environments import CACHE, ROOT
from benchmarks.client.priority import PREFIX, SAID

HERE = Path(__file__).resolve().parent


def build(directory: Path) -> None:
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise SystemExit("benchmark: no C compiler found, need cc, gcc or clang (or CC)")
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("server", "reader"):
        subprocess.run([compiler, "-O2", "-o", str(directory / name), str(HERE / f"{name}.c")], check=True)


def pinned(core: int) -> list[str]:
    """What to put before a command that leads a session, so that it runs on `core` and before other work."""
    return [*PREFIX, *(["taskset", "-c", str(core)] if shutil.which("taskset") else [])]


@dataclass(frozen=True)
class Stand:
    """A running server and the core of the clients."""

    port: int
    server: subprocess.Popen[str]
    client_core: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, *, post: bool = False) -> Any:
        request = urllib.request.Request(self.url + path, method="POST" if post else "GET")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def configure(self, settings: str) -> None:
        """Sets the server up for a run; what it counted so far is forgotten."""
        self.ask(f"/config?ttft_ms=0&itl_ms=0&pace=own&counted=0&usage=1&{settings}", post=True)


@contextlib.contextmanager
def stand() -> Iterator[Stand]:
    """Builds the server and the reader, and lets the server run as long as the `with` block."""
    cores = sorted(os.sched_getaffinity(0))
    build(CACHE / "bin")
    argv = [*pinned(cores[-1]), str(CACHE / "bin" / "server")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stdout is not None
        try:
            yield Stand(int(server.stdout.readline()), server, cores[0])
        finally:
            server.kill()


def tokenizer() -> Path:
    """A directory with a small tokenizer, for the peers that insist on one."""
    directory = CACHE / "tokenizer"
    if not (directory / "tokenizer.json").exists():
        sys.path.insert(0, str(ROOT / "scripts" / "real_server"))
        from serve_vllm import write_model  # type: ignore[import-not-found]

        write_model(directory)
    return directory


def machine() -> dict[str, str | int]:
    """What figures depend on; results of different machines are not put together."""
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "cpu": model,
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "priority": SAID,
    }
