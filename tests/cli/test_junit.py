"""`--junit`: for its owner alone, whole or not at all; what keeps it from being written costs no result."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from sessions.store.manifest import read, write
from sessions.summary.read import read_summary
from tests.cli.conftest import Command
from tui.foreground.headless import conclude
from tui.foreground.results import told_to_ci, write_junit

RECORDED = Path(__file__).parents[1] / "sessions" / "store" / "recorded" / "llamacpp"


@pytest.fixture
def session(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RECORDED, tmp_path / "s"))


def test_the_file_is_private_and_takes_the_place_of_an_old_one(typed: Command, tmp_path: Path) -> None:
    file = tmp_path / "out.xml"
    file.write_text("old")
    file.chmod(0o644)
    assert typed("summary", str(RECORDED), "--junit", str(file)).returncode == 0
    assert ElementTree.parse(file).getroot().tag == "testsuite"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out.xml"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gone/out.xml", "No such file or directory"),
        (".", "there is something else than a file; need another name"),
    ],
)
def test_a_file_that_cannot_be_written_after_all_is_one_line_behind_the_result_and_exit_code_1(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, why: str
) -> None:
    """As where its directory was removed, or the disk is full, while the run went on."""
    file = tmp_path / name
    for as_json in (False, True):
        assert conclude(session, argparse.Namespace(junit=None, fail_if_undecided=False, json=as_json)) == 0
        result, _ = capsys.readouterr()
        assert conclude(session, argparse.Namespace(junit=file, fail_if_undecided=False, json=as_json)) == 1
        out, err = capsys.readouterr()
        assert out == result
        assert err.splitlines()[-1] == f"ttftop: error: --junit: {file}: {why}"


def test_a_worse_exit_code_stays(session: Path, tmp_path: Path) -> None:
    assert write_junit(read_summary(session), tmp_path / "gone" / "out.xml", 130) == 130
    assert write_junit(read_summary(session), tmp_path / "out.xml", 0) == 0


@pytest.mark.parametrize("name", ["gone/out.xml", ".", "link.xml"])
def test_a_place_where_it_never_can_be_written_is_refused_before_anything_is_sent(
    typed: Command, tmp_path: Path, name: str
) -> None:
    (tmp_path / "link.xml").symlink_to("/etc/hostname")
    done = typed("run", "http://127.0.0.1:9", "--headless", "--junit", str(tmp_path / name))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(", need a file in a directory that is there\n")
    assert done.stderr.count("\n") == 1


def test_an_undecided_target_fails_where_that_is_asked_for(
    typed: Command, session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recorded session has too few requests for a p99.9, whatever they took."""
    thin, file = "ttft.p99.9<1m", tmp_path / "out.xml"
    told = ("summary", str(session), "--slo", thin, "--junit", str(file))

    def counted() -> tuple[str | None, str | None]:
        suite = ElementTree.parse(file).getroot()
        return suite.get("failures"), suite.get("skipped")

    assert (typed(*told).returncode, counted()) == (0, ("0", "1"))
    strict = typed(*told, "--fail-if-undecided")
    assert (strict.returncode, counted()) == (1, ("1", "0"))
    assert "SLO UNDECIDED" in strict.stdout

    summary = read_summary(session, slo=[thin])
    assert summary.slo is not None
    for asked, code, after in ((False, 0, 0), (True, 0, 1), (True, 130, 130)):
        assert told_to_ci(summary, argparse.Namespace(junit=None, fail_if_undecided=asked), code) == after


def test_it_is_refused_where_no_target_could_be_undecided(typed: Command, session: Path) -> None:
    for command in (("run", "http://127.0.0.1:9", "--headless"), ("summary", str(session))):
        done = typed(*command, "--fail-if-undecided")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("ttftop: error: --fail-if-undecided: need targets: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("judged", "code"), [(True, 1), (False, 0)])
def test_targets_that_judge_nothing_are_told_and_leave_the_exit_code(
    session: Path, capsys: pytest.CaptureFixture[str], judged: bool, code: int
) -> None:
    """Those that a demo without a screen has of its own."""
    manifest = read(session)
    manifest.config = msgspec.structs.replace(manifest.config, slo=["ttft.p50<0.001ms"])
    write(session, manifest)
    options = argparse.Namespace(junit=None, fail_if_undecided=False, json=False, targets_judge=judged)
    assert conclude(session, options) == code
    assert "SLO MISSED" in capsys.readouterr().out
