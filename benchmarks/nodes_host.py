"""What a host spends on what its nodes send: ticks and records of 4, 16 and 64 load workers.

The nodes are processes that only send (`benchmarks/common/node_sender.py`); channels, frames and the mirror
into a session's directory are the real ones.
`python benchmarks/nodes_host.py [--records 100] [--seconds 8] [--ray] [--docs docs/measured/nodes.md]`.
`--ray`: four nodes by Ray as well, over hosts as namespaces (root). CPU time is that of the collecting
process (of Ray: of its bridge as well), so that a busy machine spoils it little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common.section import machine, write
from sessions.nodes.channel import Channel
from sessions.nodes.launchers import introduced
from sessions.nodes.messages import HelloAnswer
from sessions.nodes.mirror import Mirror
from sessions.nodes.node import Node, NodeEvents
from sessions.nodes.stream import open_stream

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = str(Path(__file__).resolve())
SENDER = ROOT / "benchmarks" / "common" / "node_sender.py"
LAYOUTS = ((4, 1), (16, 1), (16, 4), (64, 1))
"""Nodes, and workers on each."""
STREAMS, TOKENS_PER_S, ANSWER_TOKENS, STREAMS_A_WORKER = 1_000_000, 20, 400, 2350
RECORD_BYTES, TICK_BYTES = 505, 1000


class Row(NamedTuple):
    way: str
    nodes: int
    workers: int
    records_per_s: float
    seconds: float
    read_bytes: int
    cpu_s: float
    bridge_cpu_s: float

    @property
    def core_pct(self) -> float:
        return 100 * (self.cpu_s + self.bridge_cpu_s) / self.seconds

    @property
    def ms_a_read(self) -> float:
        """A node is read about four times a second."""
        return 1e3 * (self.cpu_s + self.bridge_cpu_s) / (4 * self.nodes * self.seconds)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def collected(
    opened: Sequence[tuple[Channel, HelloAnswer]], workers: int, seconds: float, bridge: int | None
) -> dict[str, float]:
    """What following them costs this process."""
    with tempfile.TemporaryDirectory() as folder:
        events = NodeEvents(*[lambda *_: None] * 5)
        nodes = []
        for channel, hello in opened:
            own = tempfile.mkdtemp(dir=folder)  # all of them have workers of the same numbers
            mirror = Mirror(Path(own), channel.name)
            node = Node(channel, hello, mirror, events)
            node.expect(list(range(workers)))
            nodes.append((node, mirror))
        for node, _ in nodes:
            node.follow()
        await asyncio.sleep(2)
        before_s, began_s = time.process_time(), time.monotonic()
        bridge_s = cpu_s(bridge) if bridge else 0.0
        had = sum(mirror.taken_bytes for _, mirror in nodes)
        await asyncio.sleep(seconds)
        found = {
            "seconds": time.monotonic() - began_s,
            "cpu_s": time.process_time() - before_s,
            "bridge_cpu_s": cpu_s(bridge) - bridge_s if bridge else 0.0,
            "read_bytes": sum(mirror.taken_bytes for _, mirror in nodes) - had,
        }
        await asyncio.gather(*(node.leave() for node, _ in nodes))
        return found


async def by_streams(nodes: int, workers: int, records: float, seconds: float) -> dict[str, float]:
    command = [sys.executable, str(SENDER), str(workers), str(records)]
    opening = [open_stream(f"n{number}", command) for number in range(nodes)]
    channels = await asyncio.gather(*opening)
    hellos = await asyncio.gather(*(introduced(channel) for channel in channels))
    opened = list(zip(channels, hellos, strict=True))
    return await collected(opened, workers, seconds, None)


async def by_ray(workers: int, records: float, seconds: float) -> dict[str, float]:
    from sessions.nodes.ray.launcher import BridgeProcess, open_ray

    command = [sys.executable, SCRIPT, "--bridge", str(workers), str(records)]
    bridge = BridgeProcess(command)
    opened = await open_ray("auto", bridge=bridge)
    return await collected(opened, workers, seconds, bridge.pid)


def as_bridge(workers: str, records: str) -> None:
    """The real bridge, whose agents only send."""
    from sessions.nodes.ray import actor, bridge

    actor.AGENT_COMMAND = [sys.executable, str(SENDER), workers, records]
    bridge.main()


def in_one_process(arguments: list[str], prefix: Sequence[str] = ()) -> dict[str, Any]:
    done = subprocess.run(
        [*prefix, sys.executable, str(Path(__file__).resolve()), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def on_a_cluster(records: float, seconds: float) -> Row:
    from tests.sessions.nodes.hosts import hosts
    from tests.sessions.nodes.ray_cluster import ENVIRONMENT, ray_cluster

    with tempfile.TemporaryDirectory(prefix="tth-") as name:
        folder = Path(name)
        with hosts(folder, [0, 1000, -300, 123456]) as made, ray_cluster(made, folder):
            prefix = made[0].command([], {**ENVIRONMENT, "PYTHONPATH": str(ROOT)})
            found = in_one_process(["--one-ray", str(records), str(seconds)], prefix)
    return Row("Ray", 4, 4, records, **found)


def table(rows: Sequence[Row]) -> list[str]:
    lines = [
        "| way | nodes | workers | records/s in all | MB/s | CPU of the host, % of a core | "
        "ms a node and read |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        shown = f"{row.core_pct:.1f}"
        if row.bridge_cpu_s:
            shown += f" (of it the bridge {100 * row.bridge_cpu_s / row.seconds:.1f})"
        lines.append(
            f"| {row.way} | {row.nodes} | {row.workers} | {row.workers * row.records_per_s:,.0f} | "
            f"{row.read_bytes / row.seconds / 1e6:.2f} | {shown} | {row.ms_a_read:.2f} |"
        )
    return lines


def on_paper(rows: Sequence[Row]) -> list[str]:
    """What the largest measured layout comes to at a million streams."""
    workers = -(-STREAMS // STREAMS_A_WORKER)
    requests_per_s = STREAMS * TOKENS_PER_S / ANSWER_TOKENS
    mb_per_s = (requests_per_s * RECORD_BYTES + workers * 4 * TICK_BYTES) / 1e6
    streams = [row for row in rows if row.way == "process"]
    few, many = streams[0], streams[-1]
    # Two unknowns, a cost a read and a cost a byte, from the layouts with one and with four workers a node.
    one, four = streams[1], streams[2]
    per_byte = (four.cpu_s / four.seconds - one.cpu_s / one.seconds) / (
        four.read_bytes / four.seconds - one.read_bytes / one.seconds
    )
    per_read = max(0.0, one.cpu_s / one.seconds - per_byte * one.read_bytes / one.seconds) / (4 * one.nodes)
    nodes = -(-workers // 16)
    reads = max(4 * nodes, mb_per_s * 1e6 / 80_000)
    core = reads * per_read + mb_per_s * 1e6 * max(0.0, per_byte)
    ten_min = requests_per_s * 600
    return [
        f"On paper, from these: {STREAMS:,} streams at {TOKENS_PER_S} tokens/s need {workers} workers of "
        f"{STREAMS_A_WORKER:,} streams, {nodes} nodes of 16. Answers of {ANSWER_TOKENS} tokens are "
        f"{requests_per_s:,.0f} requests/s, {mb_per_s:.0f} MB/s of records and ticks. A read costs "
        f"{per_read * 1e3:.2f} ms, a MB {max(0.0, per_byte) * 1e9:.1f} ms: {reads:,.0f} reads of at most 80 "
        f"KB a second take {100 * core:.0f} % of a core (measured: {few.core_pct:.1f} % at {few.workers} "
        f"workers, {many.core_pct:.1f} % at {many.workers}).",
        "",
        "The next bottleneck is not the collecting but the reading back: ten minutes are "
        f"{ten_min / 1e6:.0f} M records, {ten_min * RECORD_BYTES / 1e9:.0f} GB, which a summary parses one "
        "by one and holds in memory (`benchmarks/summary_cost.py` says what a request costs). It needs sums "
        "made on each node.",
    ]


def main() -> None:
    if sys.argv[1:2] == ["--bridge"]:
        as_bridge(*sys.argv[2:4])
        return
    if sys.argv[1:2] == ["--one"]:
        nodes, workers, records, seconds = sys.argv[2:6]
        found = asyncio.run(by_streams(int(nodes), int(workers), float(records), float(seconds)))
        print(json.dumps(found))
        return
    if sys.argv[1:2] == ["--one-ray"]:
        print(json.dumps(asyncio.run(by_ray(1, float(sys.argv[2]), float(sys.argv[3])))))
        return
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--records", type=float, default=100)
    arguments.add_argument("--seconds", type=float, default=8)
    arguments.add_argument("--ray", action="store_true")
    arguments.add_argument("--docs", type=Path)
    asked = arguments.parse_args()
    where = machine()
    rows = []
    for nodes, workers in LAYOUTS:
        found = in_one_process(["--one", str(nodes), str(workers), str(asked.records), str(asked.seconds)])
        rows.append(Row("process", nodes, nodes * workers, asked.records, **found))
        print(rows[-1], flush=True)
    if asked.ray:
        rows.append(on_a_cluster(asked.records, asked.seconds))
    text = "\n".join([f"{where}.", "", *table(rows), "", *on_paper(rows)])
    print(text)
    if asked.docs is not None:
        write(asked.docs, "nodes_host", text)


if __name__ == "__main__":
    main()
