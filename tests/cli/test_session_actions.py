"""What a person does to sessions that are over: `ttftop sessions rm|rename|note|tag|pack|repair`."""

from __future__ import annotations

import errno
import gzip
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sessions.nodes.mirror import telemetry_file
from sessions.plan.config import LoadConfig
from sessions.plan.node_words import parse_nodes
from sessions.store import change
from sessions.store.directory import hold_lock
from sessions.store.manifest import Manifest, read, write
from sessions.store.notes import NotesFollower, add_note
from sessions.store.pack import pack, unpacked
from sessions.summary.digest import digest
from sessions.summary.read import read_summary
from tui.commands.sessions import Listed, describe

RECORDED = Path(__file__).parents[1] / "sessions" / "store" / "recorded" / "llamacpp"
Typed = Callable[..., Any]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    place = tmp_path / "sessions"
    shutil.copytree(RECORDED, place / "20260101-000000-a")
    shutil.copytree(RECORDED, place / "20260102-000000-b")
    return place


@pytest.fixture
def did(typed: Typed, root: Path) -> Typed:
    return lambda *words: typed("sessions", *words, "--sessions-dir", str(root))


def test_a_name_a_note_and_tags_are_kept_and_told_by_list_and_summary(
    did: Typed, typed: Typed, root: Path
) -> None:
    assert did("rename", "20260101", "base line").returncode == 0
    assert did("note", "base line", "before  the fix").returncode == 0
    assert did("tag", "base line", "gpu=H100", "tp=2").returncode == 0
    assert "20260101-000000-a: gpu=A10, tp=2" in did("tag", "base line", "gpu=A10").stdout
    assert "20260101-000000-a: tp=2" in did("tag", "base line", "gpu=").stdout
    of_a = next(row for row in json.loads(did("--json").stdout) if row["id"].endswith("-a"))
    assert (of_a["name"], of_a["note"], of_a["tags"]) == ("base line", "before the fix", ["tp=2"])
    assert "20260101-000000-a: tp=2; before the fix" in did().stdout
    assert "note: before the fix" in typed("summary", "base line", "--sessions-dir", str(root)).stdout
    assert did("note", "base line", "").returncode == 0
    assert read(root / "20260101-000000-a").session.note == ""


def test_the_list_has_the_load_and_p95_of_each(did: Typed) -> None:
    rows = json.loads(did("--json").stdout)
    summary = read_summary(RECORDED)
    assert [row["ttft_p95_ms"] for row in rows] == [
        pytest.approx(summary.ttft_from_due_ms.p95, abs=0.001)
    ] * 2
    assert all(row["load"].endswith(("rps", "at a time")) for row in rows)


def test_nothing_is_removed_without_a_yes_and_no_live_session_at_all(did: Typed, root: Path) -> None:
    refused = did("rm", "20260101")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "give --yes" in refused.stderr
    lock = hold_lock(root / "20260101-000000-a")
    assert lock >= 0
    assert "still going on" in did("rm", "20260101", "--yes").stderr
    assert "still going on" in did("rename", "20260101", "x").stderr
    assert did("rm", "20260102", "--yes").returncode == 0
    assert sorted(path.name for path in root.iterdir()) == ["20260101-000000-a"]


@pytest.mark.parametrize(
    "words", [("rm", "", "--yes"), ("rename", "", "x"), ("tag", "", "a=b"), ("pack", "")]
)
def test_an_empty_word_means_no_session(did: Typed, root: Path, words: tuple[str, ...]) -> None:
    done = did(*words)
    need = "got an empty word, need an id, the start of one, a name, a path, or last"
    assert done.stderr == f"ttftop: error: sessions {words[0]}: {need}\n"
    assert done.returncode == 2
    assert len(list(root.glob("*/session.toml"))) == 2


def test_a_session_that_cannot_be_read_is_removed_after_the_same_question(did: Typed, root: Path) -> None:
    broken = root / "20260101-000000-a"
    (broken / "session.toml").write_text("no = = toml")
    assert "unreadable" in did().stdout
    assert "20260101-000000-a (unreadable): give --yes" in did("rm", "20260101").stderr
    assert did("rm", "20260101", "--yes").returncode == 0
    assert not broken.exists()


def test_a_directory_that_only_has_a_file_of_that_name_is_no_session_to_remove(
    did: Typed, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "session.toml").write_text("[tool]\nname = 'mine'\n")
    assert "no session" in did("rm", str(project), "--yes").stderr
    assert "no session" in did("rm", str(tmp_path), "--yes").stderr
    assert (project / "session.toml").exists()


def test_the_marks_set_in_replays_go_with_a_packed_session_and_are_seen_where_it_is_opened(
    did: Typed, root: Path, tmp_path: Path
) -> None:
    place, file = root / "20260101-000000-a", tmp_path / "sent.ttftop"
    assert add_note(place, 1_000_000_000, "here it began") == ""
    assert did("pack", "20260101", "-o", str(file)).returncode == 0
    opened = unpacked(file)
    assert [mark.text for mark in NotesFollower(opened).poll()] == ["here it began"]
    assert not (opened / "notes.jsonl").exists()
    assert add_note(opened, 2_000_000_000, "and ended") == ""
    assert [mark.text for mark in NotesFollower(unpacked(file)).poll()] == ["here it began", "and ended"]
    assert [mark.text for mark in NotesFollower(place).poll()] == ["here it began"]


def test_a_packed_session_is_one_file_that_commands_open_as_it_is(
    did: Typed, typed: Typed, root: Path, tmp_path: Path
) -> None:
    file = tmp_path / "sent.ttftop"
    assert did("pack", "20260101", "-o", str(file)).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    here = typed("summary", "20260101", "--json", "--sessions-dir", str(root)).stdout
    there = typed("summary", str(file), "--json", "--sessions-dir", str(tmp_path / "none")).stdout
    assert json.loads(there) == json.loads(here)
    assert unpacked(file) == unpacked(file)
    assert "is there already" in did("pack", "20260101", "-o", str(file)).stderr
    assert "only read" in did("rename", str(file), "x").stderr


def test_the_files_of_a_runs_nodes_go_with_a_packed_session(tmp_path: Path) -> None:
    place, file = tmp_path / "s", tmp_path / "sent.ttftop"
    place.mkdir()
    words = ["ssh://root@gpu-7.Lab", "local://a_b", "local://a_b", "ssh://" + "n" * 250]
    nodes = {telemetry_file(word.name) for word in parse_nodes(words)}
    for name in {"session.toml", "telemetry.jsonl.gz", "worker-3.jsonl.gz", *nodes}:
        (place / name).write_text(name)
    assert {"telemetry-gpu-7.Lab.jsonl.gz", "telemetry-a_b-2.jsonl.gz"} < nodes
    pack(place, file)
    there = {path.name: path.read_text() for path in unpacked(file).iterdir()}
    assert there == {path.name: path.name for path in place.iterdir()}


@pytest.mark.parametrize("name", ["../../out", "a/../../out", "s/.bashrc", "/etc/x", "s/session.toml/x"])
def test_a_packed_session_of_a_stranger_writes_nothing_but_files_of_a_session(
    typed: Typed, tmp_path: Path, root: Path, name: str
) -> None:
    file = tmp_path / "evil.ttftop"
    with tarfile.open(file, "w") as tar:
        about = tarfile.TarInfo(name)
        about.size = 3
        tar.addfile(about, io.BytesIO(b"evi"))
    refused = typed("summary", str(file))
    assert refused.returncode == 2
    assert "holds what no session does" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_packed_session_is_refused_and_so_is_what_is_no_tar(
    typed: Typed, tmp_path: Path, root: Path
) -> None:
    file = tmp_path / "link.ttftop"
    with tarfile.open(file, "w") as tar:
        about = tarfile.TarInfo("s/session.toml")
        about.type, about.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(about)
    assert "holds what no session does" in typed("summary", str(file)).stderr
    file.write_bytes(b"nothing of the kind")
    assert "no packed session" in typed("summary", str(file)).stderr


def test_what_is_no_whole_line_is_left_out_and_the_original_kept(did: Typed, root: Path) -> None:
    assert "every file is whole" in did("repair", "20260101").stdout
    place = root / "20260101-000000-a"
    before = read_summary(place)
    (ticks,) = place.glob("worker-*.jsonl.gz")
    torn = ticks.read_bytes() + gzip.compress(b'no line\n{"kind":"tick","t_ns":1')[:-9]
    ticks.write_bytes(torn)
    assert read_summary(place).notes != before.notes
    assert f"what it was is {ticks.name}.damaged" in did("repair", "20260101").stdout
    after = read_summary(place)
    assert (after.notes, after.requests, after.tokens) == (before.notes, before.requests, before.tokens)
    assert (place / f"{ticks.name}.damaged").read_bytes() == torn


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_repaired_again_and_without_links_each_time_with_its_original_kept(
    did: Typed, root: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # as on FAT

    if not links:
        monkeypatch.setattr("os.link", refused)
    (ticks,) = (root / "20260101-000000-a").glob("worker-*.jsonl.gz")
    for number in ("", "-2", "-3"):
        torn = ticks.read_bytes() + gzip.compress(b"no line" + number.encode() + b"\n")
        ticks.write_bytes(torn)
        done = did("repair", "20260101")
        assert f"what it was is {ticks.name}.damaged{number}\n" in done.stdout, done.stderr
        original = ticks.with_name(f"{ticks.name}.damaged{number}")
        assert original.read_bytes() == torn
        assert links or original.stat().st_mode & 0o777 == 0o600
        assert "every file is whole" in did("repair", "20260101").stdout


@pytest.mark.parametrize("name", ["my run (copy)", "träge", "-x", ".hidden", "a:b", "漢字", "a" * 150])
def test_a_session_that_was_renamed_by_hand_is_packed_and_opened(root: Path, name: str) -> None:
    place = (root / "20260101-000000-a").rename(root / name)
    add_note(place, 1, "beside it")
    pack(place, root / "one.ttftop")
    opened = unpacked(root / "one.ttftop")
    assert read_summary(opened).requests == read_summary(place).requests
    assert [mark.text for mark in NotesFollower(opened).poll()] == ["beside it"]


@pytest.mark.parametrize("here", [".", "./.", "../20260101-000000-a", "sub/.."])
def test_a_session_that_is_the_working_directory_has_its_name(
    did: Typed, root: Path, monkeypatch: pytest.MonkeyPatch, here: str
) -> None:
    place = root / "20260101-000000-a"
    (place / "sub").mkdir()
    monkeypatch.chdir(place)
    assert did("tag", here, "a=b").stdout.startswith(f"{place.name}: ")
    assert did("pack", here).stdout.startswith(f"{place.name}.ttftop: ")
    gone = did("rm", here, "--yes")
    assert (gone.stdout, place.exists()) == (f"removed {place.name}\n", False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rm"], "need a session"),
        (["rename", "20260101"], "got 0 words after the session, need S NAME"),
        (["tag", "20260101", "gpu"], "need NAME=VALUE"),
        (["pack", "20260101", "-o", "x.tar"], "need a name that ends in .ttftop"),
        (["note", "20260101", "x" * 2001], "allowed are 2,000"),
        (["remove", "20260101"], "invalid choice"),
    ],
)
def test_what_cannot_be_done_is_one_line(did: Typed, words: list[str], said: str) -> None:
    refused = did(*words)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_marks_beside_a_session_go_when_it_is_removed(did: Typed, root: Path) -> None:
    add_note(root / "20260101-000000-a", 1, "a name of a customer")
    add_note(root / "20260102-000000-b", 1, "stays")
    assert did("rm", "--yes", "20260101").returncode == 0
    assert [path.name for path in (root / "notes").iterdir()] == ["20260102-000000-b.jsonl"]


def test_a_few_bytes_that_come_to_gigabytes_of_nothing_are_refused(
    typed: Typed, tmp_path: Path, root: Path
) -> None:
    """A sparse member of a tar: its header says how long it is, its map that nothing of it is there."""
    file = tmp_path / "sparse.ttftop"
    head = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(1 << 20)}
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        about = tarfile.TarInfo("s/host.log")
        about.pax_headers = {**head, "GNU.sparse.map": f"{1 << 20},0"}
        tar.addfile(about)
    assert "holds what no session does" in typed("summary", str(file)).stderr


def test_a_session_that_is_named_twice_is_removed_once(did: Typed, root: Path) -> None:
    removed = did("rm", "--yes", "20260101", "20260101-000000-a")
    assert (removed.returncode, removed.stdout) == (0, "removed 20260101-000000-a\n")


def test_words_may_stand_behind_an_option(did: Typed, root: Path) -> None:
    tagged = did("tag", "--sessions-dir", str(root), "20260101", "gpu=H100")
    assert tagged.stdout == "20260101-000000-a: gpu=H100\n"
    refused = did("tag", "20260101", "--yse", "gpu=H100")
    assert "unknown option --yse" in refused.stderr


@pytest.mark.parametrize(
    ("load", "said"),
    [({"concurrency": 1500}, "1,500 at a time"), ({"rate_rps": 2.5}, "2.5 rps"), ({}, "1 rps")],
)
def test_the_list_and_the_home_screen_say_a_load_in_the_same_words(
    root: Path, load: dict[str, Any], said: str
) -> None:
    place = root / "20260101-000000-a"
    manifest = read(place)
    manifest.config = msgspec.structs.replace(manifest.config, load=LoadConfig(**load))
    write(place, manifest)
    row = describe(place)
    assert isinstance(row, Listed)
    assert (row.load, digest(place).load) == (said, said)


def test_what_two_people_change_of_a_session_at_once_is_kept_of_both(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has read the manifest and not written it yet when the other comes, who waits for the first."""
    directory, others = root / "20260101-000000-a", list[threading.Thread]()

    def read_while_another_comes(where: Path) -> Manifest:
        manifest = read(where)
        if not others:
            others.append(threading.Thread(target=change.tag, args=(where, ["tp=2"])))
            others[0].start()
            others[0].join(0.2)
        return manifest

    monkeypatch.setattr(change, "read", read_while_another_comes)
    change.tag(directory, ["gpu=H100"])
    others[0].join(30)
    assert read(directory).config.tags == ["gpu=H100", "tp=2"]


def test_a_session_of_more_files_than_a_pack_holds_is_refused_and_leaves_none(
    did: Typed, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.store.pack.FILES_CAP", 2)
    done = did("pack", "20260101", "-o", str(tmp_path / "a.ttftop"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "files, a pack holds fewer than 2; send its directory" in done.stderr
    assert not (tmp_path / "a.ttftop").exists()
