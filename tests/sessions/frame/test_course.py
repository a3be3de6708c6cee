"""The course of a session that is over: a few columns, against its requests counted one by one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from loadgen.records import TICK_NS, Tick
from sessions.frame import course as module
from sessions.frame.course import course
from tests.sessions.conftest import make
from tests.sessions.summary.summing import stored
from tests.sessions.timeline.folding import folded


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    stored(make(seconds=8.0, rate_rps=20.0), tmp_path)
    return tmp_path


def test_a_course_has_every_request_once_and_the_p95_of_its_time(recorded: Path) -> None:
    run = make(seconds=8.0, rate_rps=20.0)
    found = course(recorded)
    assert found is not None
    assert len(found.sent_rps) == len(found.ttft_p95_ms) == int(found.seconds)
    column_s = found.seconds / len(found.sent_rps)
    assert float(found.sent_rps.sum()) * column_s == pytest.approx(
        sum(one.sent_ns is not None for one in run.requests), rel=0.05
    )  # each column's rate is over the time of its own ticks
    ttfts = [(r.first_token_ns - r.due_ns) / 1e6 for r in run.requests if r.first_token_ns is not None]
    known = found.ttft_p95_ms[np.isfinite(found.ttft_p95_ms)]
    assert len(known)
    assert min(ttfts) * 0.98 <= known.min() <= known.max() <= max(ttfts) * 1.02


def test_a_steady_rate_is_a_flat_course_whatever_part_of_a_tick_a_column_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = [
        Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, due=5, sent=5, rate_rps=20.0) for i in range(1, 81)
    ]
    for columns in (7, 11, 13, 20):
        monkeypatch.setattr(module, "COLUMNS", columns)
        view = SimpleNamespace(first_ns=0, last_ns=80 * TICK_NS, timeline=folded(*ticks))
        found = module._columns(view)
        assert found is not None
        assert found.sent_rps.tolist() == pytest.approx([20.0] * columns)


def test_what_takes_long_to_read_and_has_no_cache_is_not_read(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    assert course(recorded) is None


def test_of_a_directory_that_is_none_there_is_no_course(tmp_path: Path) -> None:
    assert course(tmp_path / "nowhere") is None
    (tmp_path / "worker-0.jsonl").write_bytes(b"\xff\x00 no lines")
    assert course(tmp_path) is None
