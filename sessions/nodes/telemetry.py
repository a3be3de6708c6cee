"""The poller of one node: its GPUs and the machine, in session time, into a file of the node's own.

`python -m sessions.nodes.telemetry DIRECTORY`: what to watch comes as one line on stdin, a `StartTelemetry`
as JSON. It ends with stdin, and has written all by then.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import msgspec

from loadgen.decoding import ready
from sessions.nodes.messages import StartTelemetry
from sessions.nodes.mirror import telemetry_file
from sessions.store.journal import JournalWriter
from telemetry.discover import resolve
from telemetry.of_node import named_after, with_role
from telemetry.poller import Poller
from telemetry.records import SourceNote, TelemetryRecord
from telemetry.source import TelemetryError

STOP_S = 1.0
WORDS = ("nvml", "host")
"""What is asked on a node: addresses of `/metrics` are asked from where the run is."""


def words_for_nodes(asked: list[str]) -> list[str]:
    """The words of `--telemetry` that each node watches itself; [] where none does."""
    return [word for word in WORDS if word in asked or "auto" in asked]


def watch(directory: Path, asked: StartTelemetry, ended: threading.Event) -> bool:
    """Polls until `ended`; False where a source would not stop."""

    def now_ns() -> int:
        return time.monotonic_ns() - asked.origin_ns

    journal = JournalWriter(directory / telemetry_file(asked.node))

    def emit(record: TelemetryRecord) -> None:
        named_after(record, f"node {asked.node}", asked.node, host=asked.node)
        with_role(record, {asked.node: asked.role})
        journal.append(record)

    try:
        sources = resolve(asked.sources, asked.target_url)
    except TelemetryError as error:
        emit(SourceNote(now_ns(), "telemetry", False, str(error)))
        sources = []
    poller = Poller(sources, emit, now_ns)
    poller.start()
    ended.wait()
    blocked = poller.stop(STOP_S)
    journal.close()
    return not blocked


def main() -> int:
    line = sys.stdin.buffer.readline()
    if not line:
        return 0
    ended = threading.Event()

    def until_the_end() -> None:
        while sys.stdin.buffer.read(1 << 12):
            pass
        ended.set()

    threading.Thread(target=until_the_end, daemon=True).start()
    stopped = watch(Path(sys.argv[1]), msgspec.json.decode(line, type=ready(StartTelemetry)), ended)
    sys.stderr.flush()
    # A driver that blocks would hold up the interpreter's end.
    os._exit(0 if stopped else 1)


if __name__ == "__main__":
    sys.exit(main())
