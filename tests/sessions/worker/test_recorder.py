"""What a load worker says of a disk that refuses its records."""

from __future__ import annotations

import errno
import os
import queue
import tempfile
from pathlib import Path

import pytest

from loadgen.records import WorkerNote
from sessions.store.journal import request_file, worker_file
from sessions.worker.recorder import Recorder
from tests.faults.disk import FULL


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_disk_that_stays_full_is_told_once_however_much_comes_to_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    (tmp_path / worker_file(0)).symlink_to(FULL)
    (tmp_path / request_file(0)).symlink_to(FULL)
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    recorder = Recorder(tmp_path, 0, told.put)
    recorder.emit(WorkerNote(1, 0, "started"))
    first = told.get(timeout=20)
    for t_ns in range(2, 200):
        recorder.emit(WorkerNote(t_ns, 0, "started"))
    lost = recorder.close()
    assert os.strerror(errno.ENOSPC) in first
    assert told.empty(), "the bytes kept, which grow, are no news"
    assert os.strerror(errno.ENOSPC) in lost
