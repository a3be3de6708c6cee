"""What a node gives is written as it comes, where it belongs, and nowhere else."""

from __future__ import annotations

import errno
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from sessions.nodes.mirror import MOST_LOG_BYTES, Mirror
from sessions.nodes.node_files import LOG_FILE
from sessions.store.append_file import AppendFile
from tests.faults.disk import Disk

TICKS = "worker-3.jsonl.gz"


def mirror(directory: Path) -> Mirror:
    return Mirror(directory, "b", [3])


def test_bytes_are_taken_once_each_and_in_order(tmp_path: Path) -> None:
    copy = mirror(tmp_path)
    assert copy.take([(TICKS, 0, b"one ")])
    assert not copy.take([(TICKS, 0, b"one ")]), "an answer to a question that was asked before"
    assert not copy.take([(TICKS, 9, b"later")])
    assert copy.take([(TICKS, 4, b"two"), ("requests-3.jsonl.gz", 0, b"r")])
    assert copy.close() == []
    assert copy.have == {TICKS: 7, "requests-3.jsonl.gz": 1}
    assert (tmp_path / TICKS).read_bytes() == b"one two"
    assert (tmp_path / TICKS).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "name",
    [
        "session.toml",
        "host.jsonl",
        "../worker-3.jsonl.gz",
        "/etc/passwd",
        "worker-4.jsonl.gz",
        "requests-03.jsonl.gz",
        "telemetry.jsonl.gz",
        "telemetry-a.jsonl.gz",
        "telemetry-../b.jsonl.gz",
        "log/supervisor.log",
        "log/worker-4.log",
        "lock",
    ],
)
def test_a_node_writes_no_file_but_its_own(name: str, tmp_path: Path) -> None:
    session = tmp_path / "session"
    session.mkdir()
    copy = mirror(session)
    assert copy.take([(name, 0, b"x"), (TICKS, 0, b"y")]), "what is none of ours is passed over"
    copy.close()
    assert [path.name for path in session.iterdir()] == [TICKS]


def test_its_own_files_are_those_of_its_workers_its_telemetry_and_its_logs(tmp_path: Path) -> None:
    copy = mirror(tmp_path)
    names = [TICKS, "requests-3.jsonl.gz", "telemetry-b.jsonl.gz", "log/worker-3.log"]
    assert copy.take([*((name, 0, b"x") for name in names), (LOG_FILE, 0, b"trouble")])
    copy.close()
    assert all((tmp_path / name).read_bytes() == b"x" for name in names)
    assert (tmp_path / "log" / "node-b.log").read_bytes() == b"trouble"


def test_complaints_of_a_node_are_kept_up_to_a_bound(tmp_path: Path) -> None:
    copy = mirror(tmp_path)
    part = b"x" * 80_000
    for number in range(20):
        assert copy.take([(LOG_FILE, number * len(part), part)])
    copy.close()
    assert 0 < (tmp_path / "log" / "node-b.log").stat().st_size <= MOST_LOG_BYTES
    assert copy.have[LOG_FILE] == 20 * len(part), "and not asked for again"


def test_a_full_disk_here_leaves_bytes_there_until_it_takes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = mirror(tmp_path)
    assert copy.take([(TICKS, 0, b"one ")])
    disk = Disk(monkeypatch, tmp_path)
    disk.refuses(errno.ENOSPC)
    assert not copy.take([(TICKS, 4, b"two "), ("requests-3.jsonl.gz", 0, b"r")])
    assert "No space left" in copy.error
    had = dict(copy.have)
    assert not copy.take([(TICKS, had[TICKS], b"three ")])
    assert copy.have == had, "nothing more is taken than what was in hand"
    disk.takes_again()
    assert copy.take([(TICKS, had[TICKS], b"three "), ("requests-3.jsonl.gz", 0, b"r")])
    assert (copy.error, copy.close()) == ("", [])
    assert (tmp_path / TICKS).read_bytes() == b"one two three "
    assert (tmp_path / "requests-3.jsonl.gz").read_bytes() == b"r"


def test_a_file_that_somebody_removes_is_written_again_and_told(tmp_path: Path) -> None:
    copy = mirror(tmp_path)
    copy.take([(TICKS, 0, b"one ")])
    (tmp_path / TICKS).unlink()
    copy.close()  # looks, too
    assert (tmp_path / TICKS).read_bytes() == b"one "
    assert copy.take_written_again() == [TICKS]


def test_it_is_closed_behind_what_it_takes_and_takes_nothing_behind_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited for it in a thread may have been cancelled; the thread goes on."""
    copy = mirror(tmp_path)
    assert copy.take([(TICKS, 0, b"one ")])
    append, close = AppendFile.append, AppendFile.close
    writes, goes_on, done = threading.Event(), threading.Event(), []

    def slowly(file: AppendFile, block: bytes = b"") -> None:
        writes.set()
        assert goes_on.wait(10)
        append(file, block)
        done.append("taken")

    monkeypatch.setattr(AppendFile, "append", slowly)
    monkeypatch.setattr(AppendFile, "close", lambda file: (done.append("closed"), close(file)))
    with ThreadPoolExecutor(2) as threads:
        takes = threads.submit(copy.take, [(TICKS, 4, b"two")])
        assert writes.wait(10)
        closes = threads.submit(copy.close)
        done_early, _ = wait([closes], timeout=0.05)
        goes_on.set()
        assert takes.result(10)
        assert closes.result(10) == []
    monkeypatch.undo()
    assert not done_early
    assert done[:2] == ["taken", "closed"]
    assert not copy.take([(TICKS, 7, b"late")])
    assert (tmp_path / TICKS).read_bytes() == b"one two"
