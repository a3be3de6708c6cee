"""Machines on which no temporary file can be: a container whose root may only be read, disks that are all full."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from sessions.run.control_server import places
from sessions.store.directory import place_of
from sessions.store.pack import pack
from tests.cli.conftest import Command
from tests.error_texts import assert_whole
from tests.sessions.store.test_released import RELEASED, VERSIONS


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "not there")])


@pytest.mark.usefixtures("nowhere")
def test_a_session_is_where_it_was_recorded(tmp_path: Path) -> None:
    assert place_of(tmp_path) == tmp_path


@pytest.mark.usefixtures("nowhere")
def test_a_socket_has_the_place_beside_its_session_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert [path.parent for path in places(Path("/s"))] == [Path("/s")]


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("words", ["demo --headless", "http://127.0.0.1:9 --trace {trace}"])
def test_a_command_that_needs_one_says_so_in_one_line(typed: Command, tmp_path: Path, words: str) -> None:
    (tmp_path / "trace.jsonl").write_text('{"timestamp": 0, "input_length": 9, "output_length": 9}\n')
    done = typed(*words.format(trace=tmp_path / "trace.jsonl").split())
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert_whole(done.stderr.strip(), "TMPDIR")


def test_a_packed_session_says_so_in_one_line(
    typed: Command, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    file = tmp_path / "one.ttftop"
    pack(shutil.copytree(RELEASED / VERSIONS[0] / "ended", tmp_path / "one"), file)
    request.getfixturevalue("nowhere")
    done = typed("summary", str(file))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert_whole(done.stderr.strip(), str(file), "TMPDIR")
