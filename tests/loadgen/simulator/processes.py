"""Simulators as real processes on free ports of the loopback."""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

START_S = 30.0
ROOT = Path(__file__).parents[3]


@dataclass
class Running:
    """A simulator that listens."""

    process: subprocess.Popen[bytes]
    url: str
    said: str
    """The line it printed."""

    def client(self) -> httpx.Client:
        """Straight to it, whatever proxy the environment names."""
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False)


def simulator(*flags: str, key: str | None = None) -> contextlib.AbstractContextManager[Running]:
    return started([sys.executable, "-m", "loadgen.simulator", "--port", "0", *flags], key)


@contextlib.contextmanager
def started(command: list[str], key: str | None = None) -> Iterator[Running]:
    environment = {name: value for name, value in os.environ.items() if name != "TTFTOP_SIM_API_KEY"}
    if key is not None:
        environment["TTFTOP_SIM_API_KEY"] = key
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        try:
            said = _first_line(process.stdout.fileno())
            found = re.search(r"http://\S+", said)
            assert found is not None, f"it said {said!r} and {process.stderr.read()!r}"
            yield Running(process, found[0], said)
        finally:
            process.kill()
            process.wait()


def _first_line(descriptor: int) -> str:
    deadline, heard = time.monotonic() + START_S, b""
    while not heard.endswith(b"\n"):
        assert select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0], (
            "it said nothing"
        )
        data = os.read(descriptor, 4096)
        if not data:
            break
        heard += data
    return heard.decode()
