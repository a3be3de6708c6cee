"""Runs of ttftop by a real Ray cluster over three hosts: started, and read back."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from loadgen.arrivals.load import Beginning, OpenLoad
from loadgen.arrivals.open_loop import OpenLoop
from loadgen.arrivals.rate_curve import steady
from tests.sessions.nodes.hosts import Host, hosts
from tests.sessions.nodes.ray_cluster import ENVIRONMENT, ray_cluster

ROOT = Path(__file__).parents[3]
SEED = 7
CLOCKS_AHEAD_S = (0, 1000, -300)
ENVIRON = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}


@dataclass
class Cluster:
    hosts: list[Host]
    folder: Path
    url: str

    def ttftop(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """On the head, as a person would type it there."""
        return subprocess.Popen(
            self.hosts[0].command([sys.executable, "-m", "tui.cli", *arguments], {**ENVIRON, **environment}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextlib.contextmanager
def ray_cluster_of(folder: Path, **environment: str) -> Iterator[Cluster]:
    """h0 to h2, and a simulated server on the head. `folder` is empty, and its name short: the names of Ray's
    sockets must fit into 107 bytes. `environment`: Ray's on all three."""
    with hosts(folder, CLOCKS_AHEAD_S) as made, ray_cluster(made, folder, **environment):
        log = folder / "simulator.log"
        made[0].start(
            *(sys.executable, "-m", "loadgen.simulator", "--host", "0.0.0.0", "--port", "8000"),
            *("--profile", "small"),
            log=log,
            **ENVIRON,
        )
        while "listening" not in log.read_text():
            time.sleep(0.1)
        yield Cluster(made, folder, f"http://{made[0].ip}:8000")


def lines(path: Path) -> list[dict[str, Any]]:
    """Of a journal, compressed or not; a last line that is torn is left out."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        out = b""
        while data:
            stream = zlib.decompressobj(wbits=31)
            out += stream.decompress(data)
            data = stream.unused_data
        data = out
    whole = data[: data.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]


def due_of(directory: Path, worker: int) -> list[int]:
    """When the requests of a worker were due, in order."""
    found = lines(directory / f"requests-{worker}.jsonl.gz")
    return sorted(record["due_ns"] for record in found if record.get("kind") == "request")


def by_local_workers(changes: list[tuple[int, float]], worker: int, workers: int, until_ns: int) -> list[int]:
    """What is due at a worker that hears of these rates, up to `until_ns`: arrivals alone, no processes."""
    (start_ns, rate), *rest = changes
    model = OpenLoop(
        OpenLoad("poisson", [steady(start_ns, rate)]),
        Beginning(start_ns, worker, workers, next_index=worker, in_flight=0, cap=4096, seed=SEED),
    )
    due: list[int] = []
    for at_ns, rate_rps in [*rest, (until_ns, None)]:
        while (next_ns := model.due_ns(None)) is not None and next_ns < at_ns:
            due.append(next_ns)
            model.take()
        if rate_rps is not None:
            assert model.change(at_ns, OpenLoad("poisson", [steady(at_ns, rate_rps)]))
    return due


def client_of(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomli.loads((directory / "session.toml").read_text())["client"]
    return found
