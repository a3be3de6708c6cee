"""Whatever a disk does to the files of a run: told in its words, no line torn or lost, and the load never waits."""

from __future__ import annotations

import os
import queue
from pathlib import Path
from typing import Any

import pytest

from loadgen.records import Request, WorkerNote
from sessions.store.follow import Follower, following
from sessions.store.journal import JournalWriter, request_file, worker_file
from sessions.store.records import Mark
from sessions.worker.recorder import Recorder
from tests.faults.disk import KINDS, Disk


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch, tmp_path)


def everything(path: Path) -> list[Any]:
    """All records of a file that is whole."""
    file, found = following(path), []
    while records := file.poll():
        found += records
    assert file.corrupt_count == 0
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_refuses_is_told_in_its_words_and_loses_nothing_once_it_takes_again(
    tmp_path: Path, disk: Disk, kind: str
) -> None:
    path = tmp_path / "a.jsonl"
    writer = JournalWriter(path)
    writer.append(Mark(t_ns=0))
    disk.refuses(KINDS[kind])
    for t_ns in range(1, 20):
        writer.append(Mark(t_ns=t_ns))
        writer.sync()
    assert writer.error is not None
    assert writer.error.startswith(f"{path}: {os.strerror(KINDS[kind])}")
    disk.takes_again()
    writer.append(Mark(t_ns=20))
    assert writer.error is None
    writer.close()
    assert Follower(path).poll() == [Mark(t_ns=t_ns) for t_ns in range(21)]


@pytest.mark.parametrize("whole_bytes", range(1, 80, 6))
def test_a_write_that_is_torn_leaves_no_torn_line(tmp_path: Path, disk: Disk, whole_bytes: int) -> None:
    path = tmp_path / "a.jsonl"
    writer, follower = JournalWriter(path), Follower(path)
    disk.tears(whole_bytes)
    seen = []
    for t_ns in range(8):
        writer.append(Mark(t_ns=t_ns))
        seen += follower.poll()
        assert path.read_bytes()[-1:] in (b"", b"\n")
    assert writer.error is not None
    disk.takes_again()
    writer.close()
    seen += follower.poll()
    assert seen == [Mark(t_ns=t_ns) for t_ns in range(8)]
    assert follower.corrupt_count == 0


def test_a_torn_write_that_cannot_be_cut_off_is_seen_by_no_reader_as_a_line(
    tmp_path: Path, disk: Disk
) -> None:
    path = tmp_path / "a.jsonl"
    writer, follower = JournalWriter(path), Follower(path)
    writer.append(Mark(t_ns=0))
    disk.tears(10, KINDS["read-only"], "write", "ftruncate")
    writer.append(Mark(t_ns=1))
    assert path.read_bytes()[-1:] != b"\n"
    assert follower.poll() == [Mark(t_ns=0)]
    disk.takes_again()
    writer.append(Mark(t_ns=2))
    writer.close()
    assert follower.poll() == [Mark(t_ns=1), Mark(t_ns=2)]
    assert follower.corrupt_count == 0


def test_the_load_waits_for_no_disk_that_hangs(tmp_path: Path, disk: Disk) -> None:
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    recorder = Recorder(tmp_path, 0, told.put)
    disk.hangs()
    recorder.emit(WorkerNote(0, 0, "started"))
    assert disk.waiting.wait(20)
    for t_ns in range(1, 2000):  # in this thread, which is the load's: it would wait for ever
        recorder.emit(WorkerNote(t_ns, 0, "started"))
        recorder.emit(Request(index=t_ns, worker=0, due_ns=t_ns))
    disk.takes_again()
    assert recorder.close() == ""
    notes, requests = everything(tmp_path / worker_file(0)), everything(tmp_path / request_file(0))
    assert [note.t_ns for note in notes] == list(range(2000))
    assert [request.index for request in requests] == list(range(1, 2000))
    assert told.empty()


def test_a_disk_that_hangs_to_the_end_is_told(tmp_path: Path, disk: Disk) -> None:
    recorder = Recorder(tmp_path, 0, lambda line: None)
    disk.hangs()
    recorder.emit(WorkerNote(0, 0, "started"))
    assert recorder.close(timeout_s=0.1) == "the disk did not answer for 0.1 s"
    disk.takes_again()
    recorder.close()
