"""Sessions of every released version are read for ever, with the figures that they were summed up to then."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadgen.records import Request
from sessions.frame.session_view import SessionView
from sessions.store.follow import following
from sessions.store.journal import request_paths
from sessions.store.manifest import read
from sessions.store.repair import repair
from sessions.summary.read import read_summary
from sessions.summary.schema import plain
from tests.sessions.store.test_recorded_run import of_the_time, without_none

RELEASED = Path(__file__).parent / "released"
VERSIONS = sorted(path.name for path in RELEASED.iterdir() if path.is_dir())
CHANGELOG = Path(__file__).parents[3] / "CHANGELOG.md"


def _requests(directory: Path) -> list[Request]:
    return [r for path in request_paths(directory) for r in following(path).poll() if isinstance(r, Request)]


def test_every_version_in_the_changelog_has_sessions_here() -> None:
    assert re.findall(r"^## \[(\d[^\]]*)\]", CHANGELOG.read_text(), re.MULTILINE) == VERSIONS[::-1]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_of_a_released_version_sums_up_to_what_that_version_said(version: str) -> None:
    session = RELEASED / version / "ended"
    stored: dict[str, Any] | None = read(session).result
    assert stored is not None
    then, now = stored.pop("limits"), read_summary(session).limits
    assert (now[0].from_s, now[-1].to_s) == (then[0]["from_s"], then[-1]["to_s"])
    fresh = of_the_time(stored, without_none(plain(read_summary(session))))
    assert fresh == stored, "what bound may be judged by better rules, a figure never changes"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_killed_run_of_a_released_version_shows_what_was_on_disk(version: str) -> None:
    session = RELEASED / version / "killed"
    summary, requests = read_summary(session), _requests(session)
    good = [r for r in requests if r.error is None]
    ttft_ms = [(r.first_token_ns - r.due_ns) / 1e6 for r in good if r.first_token_ns is not None]
    assert len(ttft_ms) == len(good) > 3
    assert summary.ttft_from_due_ms.count == len(ttft_ms)
    assert summary.ttft_from_due_ms.p50 == pytest.approx(np.percentile(ttft_ms, 50), rel=1e-6)
    assert summary.end.reason == "killed"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("which", ["ended", "killed"])
def test_a_session_of_a_released_version_is_replayed_and_needs_no_repair(
    version: str, which: str, tmp_path: Path
) -> None:
    session = tmp_path / which
    shutil.copytree(RELEASED / version / which, session)
    view = SessionView(session)
    view.read_all()
    frame = view.frame(view.last_ns, view.last_ns - view.first_ns, 60)
    view.close()
    assert np.nanmax(frame.ttft.p50) > 0
    assert len(frame.gpus) > 0
    assert repair(session) == []
