"""Another session behind this one: found, read a little at a time, and cut at its loads."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sessions.curve.baseline import BATCH_BYTES
from sessions.frame.session_view import SessionView
from sessions.store.manifest import SessionError, SessionInfo
from sessions.timeline.attained import Attained
from tests.sessions.summary.summing import stored

MakeRun = Callable[..., Any]


def placed(run: Any, root: Path, name: str, at: str) -> Path:
    directory = root / f"20261103-{at}-{name}"
    directory.mkdir()
    run.manifest = msgspec.structs.replace(run.manifest, session=SessionInfo(directory.name, name, ""))
    stored(run, directory, random.Random(2))
    return directory


def polled(view: SessionView) -> int:
    """How many polls it took until the baseline was there."""
    count = 0
    baseline = view.curve.baseline
    assert baseline is not None
    while not baseline.ready:
        view.poll()
        count += 1
    return count


def test_last_is_the_newest_other_session_and_its_points_come_with_polls(
    make_run: MakeRun, tmp_path: Path
) -> None:
    placed(make_run(seconds=8.0, rate_rps=10.0), tmp_path, "older", "100000")
    placed(make_run(seconds=9.0, rate_rps=10.0, changes=((4.0, 30.0),)), tmp_path, "base", "110000")
    mine = placed(make_run(seconds=8.0, rate_rps=20.0), tmp_path, "mine", "120000")
    view = SessionView(mine)
    view.read_all()
    view.curve.open_baseline("last")
    polled(view)
    baseline = view.curve.baseline
    assert baseline is not None
    assert baseline.name == "base"
    assert [point.stage.load for point in baseline.points] == [10.0, 30.0]
    view.curve.open_baseline("older")
    assert view.curve.baseline is not baseline
    polled(view)
    view.curve.close_baseline()
    assert view.curve.baseline is None
    assert view.curve.at(view.last_ns).points, "its own are untouched"
    view.close()


def test_a_long_session_is_read_in_batches_that_no_poll_waits_for(make_run: MakeRun, tmp_path: Path) -> None:
    base = placed(make_run(seconds=8.0, rate_rps=10.0), tmp_path, "base", "110000")
    mine = placed(make_run(seconds=8.0, rate_rps=20.0), tmp_path, "mine", "120000")
    ticks = base / "worker-0.jsonl.gz"
    lines = ticks.read_bytes()
    ticks.write_bytes(lines * (1 + 4 * BATCH_BYTES // len(gzip.decompress(lines))))
    view = SessionView(mine)
    view.read_all()
    view.curve.open_baseline("base")
    assert polled(view) >= 5
    view.close()


def test_where_itl_is_what_fewest_held_the_requests_of_the_baseline_say_how_many_of_them_held_it(
    make_run: MakeRun, tmp_path: Path
) -> None:
    """Counted by hand: the mean gap of an answer of n tokens is its streaming time over n - 1."""
    base, own = make_run(seconds=9.0, rate_rps=10.0, changes=((4.0, 30.0),)), make_run(seconds=8.0)
    config = msgspec.structs.replace(own.manifest.config, slo=["ttft.p95<60s", "itl.p95<21ms"])
    own.manifest = msgspec.structs.replace(own.manifest, config=config)
    placed(base, tmp_path, "base", "110000")
    view = SessionView(placed(own, tmp_path, "mine", "120000"))
    view.read_all()
    view.curve.open_baseline("base")
    polled(view)
    baseline = view.curve.baseline
    assert baseline is not None
    before = baseline.points
    assert [point.attained and point.attained.of for point in before] == ["tokens", "tokens"]
    assert [point.goodput_rps for point in before] == [None, None]
    while baseline.points is before:
        view.poll()
    assert not baseline.poll(), "it is over"
    for point in baseline.points:
        due = [one for one in base.requests if point.from_ns <= one.due_ns < point.to_ns]
        good = 0
        for one in due:
            if one.error is None and one.output_tokens > 1:
                good += (one.last_token_ns - one.first_token_ns) / (one.output_tokens - 1) <= 21e6
            elif one.error is None:
                good += 1  # no gap, none too long
        assert 0 < good < len(due)
        assert point.attained == Attained(good / len(due))
        assert point.goodput_rps is not None
        seconds = (point.to_ns - point.from_ns) / 1e9
        # As many end in it as are due, but for those at its two ends.
        assert abs(point.goodput_rps - good / seconds) <= 0.25 * good / seconds
    view.close()


@pytest.mark.parametrize("text", ["nothing-like-this", "../..", "2026\x1b[31m"])
def test_what_is_no_session_is_one_line(make_run: MakeRun, tmp_path: Path, text: str) -> None:
    mine = placed(make_run(seconds=8.0, rate_rps=20.0), tmp_path, "mine", "120000")
    view = SessionView(mine)
    with pytest.raises(SessionError) as told:
        view.curve.open_baseline(text)
    assert "\n" not in str(told.value)
    assert view.curve.baseline is None
    view.close()


def test_alone_it_says_that_there_is_no_other(make_run: MakeRun, tmp_path: Path) -> None:
    mine = placed(make_run(seconds=8.0, rate_rps=20.0), tmp_path, "mine", "120000")
    view = SessionView(mine)
    with pytest.raises(SessionError, match="no other session yet"):
        view.curve.open_baseline("")
    os.truncate(mine / "session.toml", 0)
    view.close()
