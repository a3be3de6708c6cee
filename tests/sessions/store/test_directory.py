from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path

import pytest

from sessions.plan.config import RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store.directory import create, default_root, find, hold_lock, is_live, listing
from sessions.store.manifest import ClockAnchor, Manifest, SessionError, SessionInfo, write
from tests.faults.disk import Disk

NOON = datetime(2026, 11, 3, 12, 0, 0, tzinfo=timezone.utc)


def session(root: Path, name: str, hour: int = 12) -> Path:
    directory = create(root, name, NOON.replace(hour=hour))
    info = SessionInfo(directory.name, name, NOON.isoformat())
    write(directory, Manifest(info, ClockAnchor(0, 0), RunConfig(TargetConfig("http://127.0.0.1:1"))))
    return directory


def test_a_session_is_named_by_time_and_name_and_is_private(tmp_path: Path) -> None:
    directory = create(tmp_path / "deep" / "root", "base line/../x", NOON)
    assert directory.name == "20261103-120000-base-line-..-x"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert directory.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["", "...", "///", "\x1b]0;x\x07", "é" * 200, "a" * 500])
def test_no_name_makes_an_id_outside_the_allowed_characters(tmp_path: Path, name: str) -> None:
    directory = create(tmp_path, name, NOON)
    assert directory.parent == tmp_path
    assert len(directory.name) <= 80
    assert set(directory.name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def test_a_second_session_of_the_same_second_gets_a_suffix(tmp_path: Path) -> None:
    names = [create(tmp_path, "a", NOON).name for _ in range(3)]
    assert names == ["20261103-120000-a", "20261103-120000-a-2", "20261103-120000-a-3"]


def test_a_root_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionError, match=r"file.*(directory|exists)"):
        create(tmp_path / "file" / "sub", "a", NOON)


def test_sessions_are_listed_newest_first_and_nothing_else_is(tmp_path: Path) -> None:
    morning, evening = session(tmp_path, "a", 8), session(tmp_path, "b", 20)
    (tmp_path / "other").mkdir()
    (tmp_path / "file").write_text("")
    assert listing(tmp_path) == [evening, morning]
    assert listing(tmp_path / "nowhere") == []


def test_a_session_is_found_by_path_id_prefix_name_or_as_the_last(tmp_path: Path) -> None:
    first, second = session(tmp_path, "base", 8), session(tmp_path, "tuned", 9)
    assert find(tmp_path, str(first)) == first
    assert find(tmp_path, str(first / "session.toml")) == first
    assert find(tmp_path, first.name) == first
    assert find(tmp_path, "20261103-08") == first
    assert find(tmp_path, "tuned") == second
    assert find(tmp_path, "last") == second


def test_of_two_sessions_of_one_name_the_newer_is_meant(tmp_path: Path) -> None:
    session(tmp_path, "base", 8)
    newer = session(tmp_path, "base", 9)
    assert find(tmp_path, "base") == newer


def test_an_ambiguous_or_unknown_session_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no sessions yet"):
        find(tmp_path, "last")
    session(tmp_path, "a", 8)
    session(tmp_path, "b", 9)
    with pytest.raises(SessionError, match="2 sessions begin so"):
        find(tmp_path, "20261103")
    with pytest.raises(SessionError, match="zzz: no session of that id, name or path"):
        find(tmp_path, "zzz")


def test_a_session_is_live_while_its_supervisor_lives(tmp_path: Path) -> None:
    assert not is_live(tmp_path)
    code = (
        "import sys; from pathlib import Path; from sessions.store.directory import hold_lock;"
        "hold_lock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "held\n"
        assert is_live(tmp_path)
        assert is_live(tmp_path)
        with pytest.raises(SessionError, match="another ttftop"):
            hold_lock(tmp_path)
    finally:
        supervisor.kill()
        supervisor.communicate(timeout=30)
    assert not is_live(tmp_path)
    os.close(hold_lock(tmp_path))


def test_the_default_place_follows_the_user_directories(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_root() == tmp_path / "ttftop" / "sessions"


def test_a_session_of_somebody_else_is_listed_and_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = session(tmp_path, "bob", 8), session(tmp_path, "alice", 20)
    real = Path.stat

    def guarded(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.parent == theirs:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", guarded)  # the tests run as root, whom no mode keeps out
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != theirs)
    assert listing(tmp_path) == [theirs, mine]
    assert find(tmp_path, "last") == mine


def test_a_root_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(SessionError, match="Permission denied"):
        listing(tmp_path)


def test_who_asks_whether_a_session_is_live_keeps_nobody_from_recording_it(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with open(tmp_path / "lock") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        threading.Timer(0.03, fcntl.flock, (asking, fcntl.LOCK_UN)).start()
        held = hold_lock(tmp_path)
        assert is_live(tmp_path)
        os.close(held)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
def test_without_locks_a_session_is_live_while_its_owner_is(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(fd: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    directory = session(tmp_path, "a")
    assert not is_live(directory)
    fd = hold_lock(directory)
    assert is_live(directory)
    os.close(fd)
    (directory / "lock").write_text("1 0\n")
    assert not is_live(directory), "a process of that number, but another one"


def test_a_disk_too_full_for_the_owners_number_is_no_harm_to_a_lock_that_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    directory = session(tmp_path, "a")
    with monkeypatch.context() as patch:
        Disk(patch, tmp_path).refuses(errno.ENOSPC)
        fd = hold_lock(directory)
        assert is_live(directory)
        os.close(fd)
        patch.setattr(fcntl, "flock", lambda fd, operation: full())
        with pytest.raises(SessionError, match="lock: No space left on device"):
            hold_lock(directory)


def test_a_link_in_place_of_a_lock_or_a_manifest_leads_nowhere(tmp_path: Path) -> None:
    live, linked = session(tmp_path, "live"), session(tmp_path, "linked")
    fd = hold_lock(live)
    (linked / "lock").symlink_to(live / "lock")
    assert not is_live(linked)
    with pytest.raises(SessionError, match="lock"):
        hold_lock(linked)
    os.close(fd)
    (linked / "session.toml").unlink()
    (linked / "session.toml").symlink_to(live / "session.toml")
    assert linked in listing(tmp_path), "so that it can be told"
