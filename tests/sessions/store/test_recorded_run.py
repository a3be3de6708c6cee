"""A recorded real run says the same for ever: stored, read back, and replayed byte by byte."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadgen.records import Request
from sessions.frame.session_view import SessionView
from sessions.store.follow import SessionFollower, following
from sessions.store.journal import request_paths
from sessions.store.manifest import read
from sessions.summary.quantile_schema import ExactQuantiles
from sessions.summary.read import read_summary
from sessions.summary.schema import plain
from sessions.summary.summarise import summarise
from sessions.timeline.timeline import Timeline

RECORDED = Path(__file__).parent / "recorded" / "llamacpp"


def without_none(value: Any) -> Any:
    """As TOML keeps it, which knows no null."""
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    return [without_none(item) for item in value] if isinstance(value, list) else value


def of_the_time(stored: Any, fresh: Any) -> Any:
    """`fresh` without keys that were not known yet when the run was recorded."""
    if isinstance(stored, dict):
        return {key: of_the_time(stored[key], fresh[key]) for key in stored}
    if isinstance(stored, list):
        assert len(stored) == len(fresh)
        return [of_the_time(a, b) for a, b in zip(stored, fresh, strict=True)]
    return fresh


def test_the_summary_stored_at_the_end_of_the_run_is_the_one_read_back_today() -> None:
    stored = read(RECORDED).result
    assert stored is not None
    assert of_the_time(stored, without_none(plain(read_summary(RECORDED)))) == stored


@pytest.mark.parametrize("seed", range(5))
def test_replaying_the_files_as_they_grew_gives_the_same_summary_to_the_digit(
    tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    growing = tmp_path / "session"
    growing.mkdir()
    shutil.copy(RECORDED / "session.toml", growing)
    parts = {path.name: path.read_bytes() for path in RECORDED.iterdir() if ".jsonl" in path.name}
    follower, timeline = SessionFollower(growing, requests=True), Timeline()
    while parts:
        name = draw.choice(sorted(parts))
        cut = draw.randrange(1, 4000)
        with (growing / name).open("ab") as file:
            file.write(parts[name][:cut])
        parts[name] = parts[name][cut:]
        if not parts[name]:
            del parts[name]
        for record in follower.poll():
            timeline.apply(record)
    while follower.behind:
        for record in follower.poll():
            timeline.apply(record)
    assert summarise(timeline, read(growing)) == read_summary(RECORDED)


def test_its_figures_are_numpys_over_the_request_lines() -> None:
    requests = [
        r for path in request_paths(RECORDED) for r in following(path).poll() if isinstance(r, Request)
    ]
    good = [r for r in requests if r.error is None]
    summary = read_summary(RECORDED)
    ttft = np.array([r.first_token_ns - r.due_ns for r in good]) / 1e6  # type: ignore[operator]
    tpot = [
        (r.last_token_ns - r.first_token_ns) / (r.output_tokens - 1) / 1e6  # type: ignore[operator]
        for r in good
    ]
    for name, values in (("ttft_from_due_ms", ttft), ("tpot_ms", tpot)):
        said: ExactQuantiles = getattr(summary, name)
        assert said.count == len(good)
        for q in (50, 90, 95, 99):
            assert getattr(said, f"p{q}") == pytest.approx(np.percentile(values, q), rel=1e-6)
    assert summary.tokens.output == sum(r.output_tokens or 0 for r in good) == 24 * len(good)
    assert summary.requests.due == len(requests)


def test_live_and_replay_draw_the_same_frame_for_the_same_instant(tmp_path: Path) -> None:
    whole = SessionView(RECORDED)
    while whole.poll() or whole.behind:
        pass
    at = whole.first_ns + 7_000_000_000
    frame = whole.frame(at, 30_000_000_000, 60)
    assert (frame.rate_rps, frame.in_flight) == (0.0, 0)  # held, and all that was sent is answered
    assert [mark.label for mark in frame.marks if mark.kind in ("load", "mark")] == [
        "start at 4 rps",
        "4 > 8 rps",
        "here",
        "hold",
    ]
    assert np.nanmax(frame.ttft.p50) < 100
