"""A session as lines: what a line says, and what a recorded and a live run come to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessions.frame.schema import Limit, Stat
from tests.tui.made_up_run import S, ramped
from tui.foreground.plain import plain_line


class Clock:
    def __call__(self) -> float:
        return 50.0


def frame(**changes: object):
    view = ramped(Clock())
    return replace(view.frame(50 * S, 60 * S, 10), **changes)  # type: ignore[arg-type]


def test_a_line_says_the_same_things_in_the_same_order():
    said = frame(
        first_ns=2 * S,
        rate_rps=14.0,
        achieved_rps=13.94,
        ttft_recent=Stat(100, 158.2, 1246.0, 2000.0, thin=frozenset({"p95"})),
        itl_recent=Stat(100, 21.0, 31.04, 44.0),
        failed=3,
        limit=Limit("room", "queue 0", 0),
        simulated=False,
    )
    assert plain_line(said) == (
        "00:00:48  rate 14.0 rps  sent 13.9/s  TTFT p50 158 ms p95 ~1.25 s  ITL p95 31.0 ms  errors 3  binds headroom"
    )


def test_what_is_not_known_is_a_dash_and_never_0():
    said = plain_line(frame(ttft_recent=Stat(), itl_recent=Stat(), achieved_rps=None))
    assert "sent -/s  TTFT p50 - p95 -  ITL p95 -" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"closed_loop": True, "concurrency": 16}, "concurrency 16"),
        ({"state": "draining"}, "draining"),
        ({"client_saturated": True}, "CLIENT SATURATED"),
        ({"simulated": True}, "SIMULATED"),
        ({"imported": True}, "IMPORTED"),
        ({"itl_is_chunk_gap": True}, "gap p95"),
    ],
)
def test_what_must_not_be_missed_is_said(changes, words):
    assert words in plain_line(frame(**changes))


def test_a_line_cannot_steer_a_terminal():
    assert "\x1b" not in plain_line(frame(limit=Limit("x\x1b[2J", "", 0)))
