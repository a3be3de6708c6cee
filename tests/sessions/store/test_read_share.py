"""How much of a session is read, while it is read a bounded amount at a time."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from loadgen.records import TICK_NS, Tick
from sessions.store.follow import SessionFollower


def test_the_share_that_is_read_is_of_the_bytes_on_disk_and_ends_at_one(tmp_path: Path) -> None:
    line = msgspec.json.encode(Tick(t_ns=TICK_NS, dt_ns=TICK_NS, worker=0)) + b"\n"
    (tmp_path / "ticks-0.jsonl").write_bytes(line * 1000)
    (tmp_path / "ticks-1.jsonl").write_bytes(line * 100)
    files = SessionFollower(tmp_path, requests=False, most=100 * len(line))
    told = []
    for _ in range(12):
        files.poll()
        told.append(files.read_share)
    # The second is read with the first poll, of the first a tenth with each; the last poll finds nothing more.
    assert told[:9] == pytest.approx([(100 * i + 100) / 1100 for i in range(1, 10)], rel=0.01)
    assert told[-1] == 1.0
    files.close()


def test_nothing_to_read_is_all_of_it(tmp_path: Path) -> None:
    files = SessionFollower(tmp_path, requests=True)
    files.poll()
    assert files.read_share == 1.0
