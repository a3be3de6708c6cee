"""Marks beside a session that is over: written for their owner alone, read as any file of a stranger."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sessions.frame.session_view import SessionView
from sessions.store import notes
from sessions.store.notes import NotesFollower, add_note, notes_path, remove_notes
from sessions.store.records import Mark

S = 1_000_000_000


@pytest.fixture
def session(tmp_path: Path) -> Path:
    directory = tmp_path / "sessions" / "20261103-120000-made"
    directory.mkdir(parents=True)
    return directory


def test_what_is_set_is_read_back_beside_the_session_and_private(session: Path) -> None:
    follower = NotesFollower(session)
    assert follower.poll() == []
    assert add_note(session, 5 * S, "warm now") == ""
    assert follower.poll() == [Mark(5 * S, "warm now")]
    assert add_note(session, 2 * S, "\x1b[2J" + "x" * 500) == ""
    assert follower.poll() == [Mark(2 * S, ("\x1b[2J" + "x" * 500)[:200])]
    assert NotesFollower(session).poll()[0] == Mark(5 * S, "warm now")
    path = notes_path(session)
    assert path == session.parent / "notes" / "20261103-120000-made.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(session.iterdir()) == []


def test_they_are_marks_of_the_replay_and_move_no_end(session: Path) -> None:
    view = SessionView(session)
    view.poll()
    add_note(session, 5 * S, "here")
    assert view.poll()
    assert [event[:3] for event in view.timeline.events] == [(5 * S, "mark", "here")]
    assert view.timeline.newest_ns == 0
    assert not view.poll()
    assert view.set_mark(6 * S, "") == ""
    assert view.poll()
    assert view.timeline.events[-1] == (6 * S, "mark", "mark")


def test_several_at_once_lose_none(session: Path) -> None:
    def write(worker: int) -> None:
        for i in range(50):
            assert add_note(session, worker * 1000 + i, f"{worker}") == ""

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(mark.t_ns for mark in NotesFollower(session).poll()) == sorted(
        worker * 1000 + i for worker in range(4) for i in range(50)
    )


def test_a_link_or_a_fifo_in_the_place_of_the_file_or_folder_is_refused(
    session: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    victim = elsewhere / notes_path(session).name
    victim.write_text('{"kind":"mark","t_ns":1,"text":"stolen"}\n')
    before = victim.read_bytes()
    folder = notes_path(session).parent
    folder.symlink_to(elsewhere)
    assert "cannot be kept" in add_note(session, 1, "x")
    assert NotesFollower(session).poll() == []
    folder.unlink()
    folder.mkdir()
    notes_path(session).symlink_to(victim)
    assert "cannot be kept" in add_note(session, 1, "x")
    assert NotesFollower(session).poll() == []
    notes_path(session).unlink()
    os.mkfifo(notes_path(session))
    assert "cannot be kept" in add_note(session, 1, "x")
    assert NotesFollower(session).poll() == []
    assert victim.read_bytes() == before


def test_lines_that_are_no_marks_are_left_out_and_a_torn_one_is_ended(session: Path) -> None:
    path = notes_path(session)
    path.parent.mkdir()
    path.write_bytes(
        b'{"kind":"end","t_ns":1,"reason":"completed"}\n{"kind":"mark","t_ns":-5}\nrubbish\n'
        b'{"kind":"mark","t_ns":3,"text":"good"}\n{"kind":"mark","t_'
    )
    follower = NotesFollower(session)
    assert follower.poll() == [Mark(3, "good")]
    assert add_note(session, 4, "after") == ""
    assert follower.poll() == [Mark(4, "after")]


def test_the_file_does_not_grow_without_end_and_is_not_read_beyond(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "FILE_CAP_BYTES", 400)
    said = [add_note(session, i, "x" * 20) for i in range(20)]
    assert said[0] == ""
    assert said[-1].startswith("the mark cannot be kept")
    assert notes_path(session).stat().st_size <= 400
    with notes_path(session).open("ab") as file:
        file.write(b'{"kind":"mark","t_ns":99}\n' * 100)
    assert len(NotesFollower(session).poll()) < 20


def test_where_the_folder_cannot_be_made_it_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("in the way")
    said = add_note(tmp_path / "session", 1, "x")
    assert said.startswith("the mark cannot be kept: ")
    assert "\n" not in said


def test_they_go_with_their_session(session: Path) -> None:
    add_note(session, 1, "x")
    other = session.with_name("20261103-120001-other")
    add_note(other, 1, "y")
    remove_notes(session)
    assert not notes_path(session).exists()
    assert NotesFollower(other).poll() == [Mark(1, "y")]
    remove_notes(other)
    assert not notes_path(other).parent.exists()
    remove_notes(other)
