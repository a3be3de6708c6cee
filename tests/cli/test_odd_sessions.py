"""Among the sessions lies what is none, or a stranger's: each costs itself one line, never the others."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from sessions.store.manifest import EndInfo, write
from sessions.summary.read import read_summary
from sessions.summary.schema import plain
from tests.cli.conftest import Command
from tests.sessions.conftest import make
from tests.sessions.summary.summing import stored

RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("good") / "20261103-120000-good"
    directory.mkdir()
    run = make(seconds=2.0, rate_rps=5.0)
    stored(run, directory)
    run.manifest.session.id, run.manifest.session.name = directory.name, "good"
    run.manifest.end = EndInfo("completed", "2026-11-03T12:01:00+01:00", 2.0)
    run.manifest.result = plain(read_summary(directory))
    write(directory, run.manifest)
    return directory


@pytest.fixture
def root(tmp_path: Path, good: Path) -> Path:
    root = tmp_path / "sessions"
    root.mkdir()
    shutil.copytree(good, root / good.name)
    for name in ("fifo", "directory", "link", "loop", "zero"):
        (root / f"20261103-13000-{name}").mkdir()
    os.mkfifo(root / "20261103-13000-fifo" / "session.toml")
    (root / "20261103-13000-directory" / "session.toml").mkdir()
    (root / "20261103-13000-link" / "session.toml").symlink_to(good / "session.toml")
    (root / "20261103-13000-loop" / "session.toml").symlink_to("session.toml")
    (root / "20261103-13000-zero" / "session.toml").symlink_to("/dev/zero")
    for name in (b"\x1b]0;PWN\x07\x1b[2J", b"\xc2\x9b2J\xe2\x80\xae", b"bad\xff\xfe", b"new\nline", b"-rf"):
        shutil.copytree(os.fsencode(good), os.fsencode(root) + b"/20261103-140000-" + name)
    (root / "empty").mkdir()
    (root / "a file").write_text("x")
    (root / "foreign").mkdir()
    (root / "foreign" / "session.toml").write_text('[project]\nname = "x"\n')
    (root / "dangling").symlink_to("nowhere")
    return root


def test_odd_directories_are_a_line_each_and_cost_no_other(typed: Command, root: Path) -> None:
    done = typed("sessions", "--sessions-dir", str(root))
    assert (done.returncode, done.stderr) == (0, "")
    assert not RAW.search(done.stdout)
    rows = done.stdout.splitlines()
    (mine,) = [row for row in rows if row.startswith("20261103-120000-good ")]
    assert "ended" in mine
    assert mine.endswith("yes")
    assert sum(" unreadable" in row for row in rows) == 4, "three links, and the foreign one"
    assert "a link, which is not followed" in done.stdout
    listed = json.loads(typed("sessions", "--json", "--sessions-dir", str(root)).stdout)
    assert len(listed) == 10


@pytest.mark.parametrize("name", ["fifo", "directory", "link", "loop", "zero"])
def test_a_manifest_that_is_no_regular_file_is_refused_at_once(typed: Command, root: Path, name: str) -> None:
    for command in ("summary", "replay", "attach"):
        done = typed(command, str(root / f"20261103-13000-{name}"))
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1


def test_a_journal_that_is_no_regular_file_is_told_and_the_rest_is_read(typed: Command, root: Path) -> None:
    session = root / "20261103-120000-good"
    for file, make_odd in (
        ("host.jsonl", os.mkfifo),
        ("worker-0.jsonl.gz", os.mkdir),
        ("worker-1.jsonl.gz", lambda path: path.symlink_to("/dev/zero")),
        ("lock", os.mkfifo),
    ):
        (session / file).unlink(missing_ok=True)
        make_odd(session / file)
    done = typed("summary", "--json", str(session))
    said = json.loads(done.stdout)
    assert done.returncode == 0
    assert said["valid"] is False
    assert [note.partition(":")[0] for note in said["notes"][:3]] == [
        "host.jsonl",
        "worker-0.jsonl.gz",
        "worker-1.jsonl.gz",
    ]


def test_names_of_files_are_shown_and_never_obeyed(typed: Command, root: Path) -> None:
    session = os.fsencode(root / "20261103-120000-good")
    for name in (
        b"\x1b]0;PWN\x07.jsonl",
        b"requests-\xc2\x9b2J.jsonl.gz",
        b"bad\xff\xfe.jsonl",
        b"new\nline.jsonl",
    ):
        Path(os.fsdecode(session + b"/" + name)).write_bytes(b"broken\n")
    done = typed("summary", "--charts", os.fsdecode(session))
    assert done.returncode == 0
    assert not RAW.search(done.stdout + done.stderr)
    assert len(json.loads(typed("summary", "--json", os.fsdecode(session)).stdout)["notes"]) >= 4


def test_a_root_that_cannot_be_listed_is_one_line_and_exit_code_2(
    typed: Command, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refused)  # the tests run as root, whom no mode keeps out
    for command in ("sessions", "summary", "attach"):
        done = typed(command, "--sessions-dir", str(root))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith(f"{root}: Permission denied; need a right to it, or another one\n")
