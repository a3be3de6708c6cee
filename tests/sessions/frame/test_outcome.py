"""A run that is over, at its end: one verdict, and figures of all of it; a moment before, those of then."""

from __future__ import annotations

import msgspec
import pytest

from loadgen.records import TICK_NS, Tick
from sessions.frame.build import build
from sessions.frame.outcome import Outcome, outcome_of
from sessions.plan.config import LimitConfig
from sessions.store.records import End
from tests.sessions.frame.test_targets import asked, counted
from tests.sessions.timeline.folding import folded

S = 1_000_000_000
RESULT = {
    "valid": True,
    "reasons": [],
    "slo": {
        "verdict": "fail",
        "attainment": 0.75,
        "targets": [{"target": "ttft.p95<500ms", "figure": 2345.0, "verdict": "fail"}],
    },
}


def ended():
    """A minute at 100 ms, then as long at 900 ms; over 10 s after that."""
    ticks = [
        Tick(n * S, TICK_NS, 0, due=1, sent=1, succeeded=1, ttft_from_due=counted([100 if n <= 60 else 900]))
        for n in range(1, 121)
    ]
    return folded(*ticks, End(130 * S, "completed"))


def frame(at_s: int, result=RESULT):
    manifest = asked("ttft.p95<500ms")
    manifest.result = result
    return build(ended(), manifest, at_ns=at_s * S, window_ns=60 * S, slots=60, live=False, killed=False)


def test_at_its_end_a_run_has_the_verdict_and_the_figures_that_its_summary_has() -> None:
    over = frame(130)
    assert over.state == "ended"
    assert over.outcome is not None
    assert (over.outcome.slo, over.outcome.valid) == ("fail", True)
    assert over.attained == (0.75, "requests")
    assert over.targets["ttft"][0].now_ms == 2345.0
    assert over.ttft_recent == over.ttft_run
    assert over.ttft_recent.count == 120


def test_before_its_end_the_figures_are_of_the_last_ten_seconds_and_there_is_no_verdict() -> None:
    before = frame(100)
    assert (before.outcome, before.recent_s, before.ttft_recent.count) == (None, 10.0, 10)
    assert before.targets["ttft"][0].now_ms == pytest.approx(900, rel=0.01)


def test_a_run_without_a_summary_has_figures_of_all_of_it_and_no_verdict() -> None:
    killed = frame(130, None)
    assert (killed.outcome, killed.ttft_recent.count) == (None, 120)
    assert killed.targets["ttft"][0].now_ms == pytest.approx(900, rel=0.01)


def test_a_search_for_the_limit_has_no_verdict_on_the_targets() -> None:
    manifest = asked("ttft.p95<500ms")
    manifest.result = RESULT
    manifest.config = msgspec.structs.replace(manifest.config, limit=LimitConfig(False, None, None))
    assert outcome_of(manifest, over=True) == Outcome("", True)
