"""Files of a session that are gone, unreadable, cut or there twice: said, and never called valid."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessions.store.manifest import EndInfo, read, write
from sessions.summary.read import read_summary
from sessions.summary.schema import Summary, plain
from tests.sessions.summary.summing import stored

MakeRun = Callable[..., Any]


@pytest.fixture
def ended(make_run: MakeRun, tmp_path: Path) -> Path:
    """A run of two workers that ended well, its own summary in its manifest."""
    run = make_run(workers=2)
    run.manifest.client = {"workers": 2}
    stored(run, tmp_path)
    manifest = read(tmp_path)
    manifest.end = EndInfo("completed", "2026-11-03T12:01:00+00:00")
    manifest.result = plain(read_summary(tmp_path))
    write(tmp_path, manifest)
    return tmp_path


def reasons(directory: Path) -> str:
    summary: Summary = read_summary(directory)
    assert not summary.valid
    return "\n".join(summary.reasons)


def test_a_session_with_all_its_files_is_valid(ended: Path) -> None:
    summary = read_summary(ended)
    assert summary.reasons == []
    assert summary.valid


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("requests-0.jsonl.gz", "request lines are missing: requests-0.jsonl.gz"),
        ("worker-1.jsonl.gz", "ticks of load workers are missing: worker-1.jsonl.gz"),
        ("host.jsonl", "what the run was told is missing: host.jsonl"),
    ],
)
def test_a_file_that_is_gone_is_named(ended: Path, file: str, words: str) -> None:
    (ended / file).unlink()
    assert words in reasons(ended)


def test_requests_whose_lines_are_gone_did_not_fail(ended: Path) -> None:
    whole = read_summary(ended)
    for path in ended.glob("requests-*"):
        path.unlink()
    said = reasons(ended)
    assert "requests failed" not in said
    assert f"what became of {whole.requests.sent} of {whole.requests.sent} requests is not known" in said
    kept = f"{whole.requests.sent} sent, {whole.requests.failed} failed, TTFT p50 {whole.ttft_from_due_ms.p50:.1f} ms"
    assert f"the run's own summary (session.toml) said when it ended: {kept}" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="a link stands in for a file that may not be read")
def test_a_file_that_cannot_be_read_is_named_with_the_cause(ended: Path) -> None:
    (ended / "requests-0.jsonl.gz").rename(ended / "elsewhere")
    (ended / "requests-0.jsonl.gz").symlink_to(ended / "elsewhere")
    summary = read_summary(ended)
    assert "part of the session is lost: requests-0.jsonl.gz" in summary.reasons
    assert any(note.startswith("requests-0.jsonl.gz: cannot be read: ") for note in summary.notes)


def test_request_lines_that_stand_more_than_once_are_counted(ended: Path) -> None:
    shutil.copy(ended / "requests-0.jsonl.gz", ended / "requests-7.jsonl.gz")
    assert "request lines stand more than once" in reasons(ended)


def test_a_killed_run_is_not_blamed_for_what_it_could_not_write(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(workers=2, ended=False)
    run.manifest.client = {"workers": 2}
    stored(run, tmp_path)
    (tmp_path / "worker-1.jsonl.gz").unlink()
    assert "missing" not in reasons(tmp_path)
