"""Files and directories that are removed while they are written: they are there again, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from loadgen.records import Request, WorkerNote
from sessions.store import append_file
from sessions.store.directory import make_refuge, place_of, refuge
from sessions.store.follow import following
from sessions.store.journal import JournalWriter, RequestJournalWriter
from sessions.store.records import Mark
from sessions.worker.recorder import Recorder


@pytest.fixture(autouse=True)
def looked_at_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(append_file, "LOOK_S", 0.0)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


def session(root: Path) -> Path:
    made = root / "sessions" / "20261103-120000-a"
    made.mkdir(mode=0o700, parents=True)
    return made


def remove_file(path: Path) -> None:
    path.unlink()


def remove_directory(path: Path) -> None:
    shutil.rmtree(path.parent)


def remove_root(path: Path) -> None:
    shutil.rmtree(path.parent.parent)


def move_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def replace_file(path: Path) -> None:
    other = path.with_name("edited")
    other.write_bytes(b"something else\n")
    other.replace(path)


@pytest.mark.parametrize("remove", [remove_file, remove_directory, remove_root, move_directory, replace_file])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_what_was_removed_is_written_again_and_a_reader_reads_on(
    tmp_path: Path, name: str, remove: object
) -> None:
    path = session(tmp_path) / name
    writer, follower = JournalWriter(path), following(path)
    writer.append([Mark(t_ns=1), Mark(t_ns=2)])
    assert follower.poll() == [Mark(t_ns=1), Mark(t_ns=2)]
    assert writer.take_written_again() == ""
    remove(path)  # type: ignore[operator]
    writer.append(Mark(t_ns=3))
    assert (writer.take_written_again(), writer.take_written_again()) == (name, "")
    assert writer.error is None
    read_on = follower.poll() + follower.poll()
    assert read_on == [Mark(t_ns=3)]
    assert following(path).poll() == [Mark(t_ns=n) for n in (1, 2, 3)]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    if remove is remove_root:
        assert path.parent.parent.stat().st_mode & 0o777 == 0o700
    writer.append(Mark(t_ns=4))
    writer.close()
    assert writer.unsaved == ""
    assert follower.poll() == [Mark(t_ns=4)]


def test_a_file_that_is_removed_after_the_last_block_is_there_once_it_is_closed(tmp_path: Path) -> None:
    path = session(tmp_path) / "requests-0.jsonl.gz"
    writer = RequestJournalWriter(path)
    writer.append(Request(1, 0, 5))
    writer.flush()
    shutil.rmtree(path.parent)
    writer.close()
    assert writer.unsaved == ""
    assert following(path).poll() == [Request(1, 0, 5)]


def test_a_directory_that_cannot_be_made_again_is_told_and_saved_elsewhere_at_the_end(tmp_path: Path) -> None:
    path = session(tmp_path) / "a.jsonl"
    writer = JournalWriter(path)
    writer.append(Mark(t_ns=1))
    shutil.rmtree(path.parent.parent)
    path.parent.parent.write_text("in the way")
    writer.append(Mark(t_ns=2))
    assert writer.error is not None
    assert "removed, and cannot be made again" in writer.error
    writer.append(Mark(t_ns=3))
    writer.close()
    assert writer.unsaved == ""
    saved = refuge(path.parent) / "a.jsonl"
    assert following(saved).poll() == [Mark(t_ns=n) for n in (1, 2, 3)]
    assert saved.parent.stat().st_mode & 0o777 == 0o700
    (saved.parent / "session.toml").touch()
    assert place_of(path.parent) == saved.parent


def test_a_refuge_that_others_may_write_to_is_none(tmp_path: Path) -> None:
    path = session(tmp_path)
    refuge(path).mkdir(parents=True)
    refuge(path).parent.chmod(0o777)
    with pytest.raises(PermissionError):
        make_refuge(path)
    (refuge(path) / "session.toml").touch()
    assert place_of(path) == path


def test_what_somebody_cut_off_is_told_as_lost(tmp_path: Path) -> None:
    path = session(tmp_path) / "a.jsonl"
    writer = JournalWriter(path)
    writer.append([Mark(t_ns=1), Mark(t_ns=2)])
    size = path.stat().st_size
    os.truncate(path, 0)
    writer.append(Mark(t_ns=3))
    writer.close()
    assert writer.unsaved == f"{size} bytes of a.jsonl were lost (cut off by somebody)"
    assert following(path).poll() == [Mark(t_ns=3)]


def test_a_workers_records_outlive_their_directory(tmp_path: Path) -> None:
    place, again = session(tmp_path), []
    recorder = Recorder(place, 0, lambda trouble: None, again.append)
    recorder.emit(WorkerNote(1, 0, "started"))
    recorder.emit(Request(1, 0, 5))
    shutil.rmtree(place)
    recorder.emit(WorkerNote(2, 0, "ended"))
    assert recorder.close() == ""
    assert following(place / "worker-0.jsonl.gz").poll() == [
        WorkerNote(1, 0, "started"),
        WorkerNote(2, 0, "ended"),
    ]
    assert following(place / "requests-0.jsonl.gz").poll() == [Request(1, 0, 5)]
    assert sorted(set(again)) == ["requests-0.jsonl.gz", "worker-0.jsonl.gz"]


def test_a_file_that_is_short_for_a_moment_has_lost_nothing(tmp_path: Path) -> None:
    """A file system may be late with a size: only what is short at two looks was cut off."""
    path = tmp_path / "a"
    file = append_file.AppendFile(path)
    file.append(b"0123456789")
    for _ in range(2):
        os.truncate(path, 4)
        file.look()
        path.write_bytes(b"0123456789")
        file.look()
        assert (file.dropped_bytes, file.size) == (0, 10)
    os.truncate(path, 4)
    file.look()
    file.look()
    assert (file.dropped_bytes, file.size) == (6, 4)
    file.close()
