"""A live run whose session somebody removes or moves: told at once, there again, nothing lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessions.frame.session_view import SessionView
from sessions.run.commands import Ack, AddMark, FinishRun
from sessions.run.control_client import ControlError, send_once
from sessions.run.launch import Launched
from sessions.store.directory import is_live
from sessions.store.manifest import read
from sessions.summary.read import read_summary
from tests.sessions.run.test_supervisor import ended, host_records, requests_of, start, until

__all__ = ["start"]
pytestmark = pytest.mark.slow


def notes(directory: Path) -> str:
    return "\n".join(getattr(record, "text", "") for record in host_records(directory))


def finished(directory: Path) -> bool:
    """Whether the run took the order to finish."""
    try:
        return isinstance(send_once(directory, FinishRun()), Ack)
    except ControlError:
        return False


def remove(directory: Path) -> None:
    """At one stroke: a run makes it again while what is in it is still being removed."""
    gone = directory.with_name("gone")
    directory.rename(gone)
    shutil.rmtree(gone)


@pytest.mark.parametrize("how", ["removed", "moved"])
def test_a_session_that_is_removed_in_mid_run_is_there_again_and_told(
    start: Callable[..., Launched], how: str
) -> None:
    run = start(rate_rps=60.0)
    until(lambda: len(requests_of(run.directory)) > 10, "ten requests on disk")
    assert isinstance(send_once(run.directory, AddMark("before")), Ack)
    view = SessionView(run.directory)
    view.poll()
    assert view.live
    if how == "removed":
        remove(run.directory)
    else:
        run.directory.rename(run.directory.with_name("elsewhere"))

    def seen() -> bool:
        view.poll()
        assert view.live, "never taken for killed"
        return any("removed or moved" in event.label for event in view.frame(view.last_ns, 10**10, 10).marks)

    until(seen, "the screen is told")
    assert "before" in notes(run.directory)
    until(lambda: is_live(run.directory), "the lock is held again")
    until(lambda: len(requests_of(run.directory)) > 10, "the requests of before and after")
    view.close()
    until(lambda: finished(run.directory), "commands are taken again")
    assert run.process.wait(30) == 0
    summary = read_summary(run.directory)
    assert (summary.valid, summary.notes) == (True, [])
    assert summary.requests.succeeded == summary.requests.sent == len(requests_of(run.directory))
    manifest = read(run.directory)
    assert manifest.end is not None
    assert manifest.end.reason == "finished"
    assert not [path for path in run.directory.iterdir() if path.name.startswith(("reserve", "."))]


def test_a_single_file_that_is_removed_in_mid_run_is_named_and_there_again(
    start: Callable[..., Launched],
) -> None:
    run = start(rate_rps=60.0)
    until(lambda: len(requests_of(run.directory)) > 10, "ten requests on disk")
    for file in ("requests-0.jsonl.gz", "session.toml"):
        (run.directory / file).unlink()
    until(lambda: "written again: requests-0.jsonl.gz" in notes(run.directory), "the file is named")
    assert isinstance(send_once(run.directory, FinishRun()), Ack)
    assert run.process.wait(30) == 0
    summary = read_summary(run.directory)
    assert summary.valid is True
    assert summary.requests.succeeded == summary.requests.sent == len(requests_of(run.directory))


def test_a_session_that_cannot_be_made_again_is_saved_elsewhere(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    run = start(rate_rps=60.0, duration_s=4.0)
    until(lambda: len(requests_of(run.directory)) > 10, "ten requests on disk")
    view = SessionView(run.directory)
    view.poll()
    remove(run.directory)
    run.directory.write_text("in the way")

    def seen() -> bool:
        view.poll()
        return any(
            "cannot be made again" in event.label for event in view.frame(view.last_ns, 10**10, 9).marks
        )

    until(seen, "the screen is told")
    view.close()
    code = run.process.wait(30)
    (saved,) = (tmp_path / "tmp").glob("ttftop-recovered-*/*")
    assert saved.name == run.directory.name
    assert ended(saved) is not None
    assert (code, read_summary(saved).reasons) == (0, [])
    summary = read_summary(saved)
    assert summary.valid is True
    assert summary.requests.succeeded == summary.requests.sent == len(requests_of(saved))
