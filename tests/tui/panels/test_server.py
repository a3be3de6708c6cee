"""What the server says of itself, in the second column."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessions.frame.schema import Server, Stat
from tests.tui.made_up_run import S, ramped
from tui.draw.theme import Theme
from tui.panels.server import server
from tui.plots.scale import Scale


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (60, " server's TTFT ms p50 ≤250  p95 841  p99 961"),
        (41, " server's TTFT p50 ≤250  p95 841  p99 961"),
        (40, " server's TTFT p50 ≤250  p99 961"),
        (31, " server's TTFT p50 ≤250"),
    ],
)
def test_a_latency_that_has_no_room_is_left_out_and_not_cut(width: int, said: str):
    stat = Stat(9, 250.0, 841.0, 961.0, bounds=frozenset({"p50"}))
    frame = ramped(lambda: 30.0).frame(30 * S, 60 * S, 60)
    said_by = replace(frame, server=Server(running=4.0, waiting=0.0, ttft=stat))
    rows = server(said_by, Scale(0.0, 5.0), 60, width, 6, Theme()).rows
    assert said in ["".join(text for text, _ in row).rstrip() for row in rows]


@pytest.mark.parametrize(
    ("kv_pct", "figure", "full"),
    [
        (None, "   -", False),
        (0.0, "  0%", False),
        (94.9, " 95%", False),
        (95.0, " 95%", True),
        (100.0, "100%", True),
    ],
)
@pytest.mark.parametrize("width", [40, 60])
def test_the_meter_of_the_kv_cache_is_of_one_colour_and_full_from_95_percent_on(kv_pct, figure, full, width):
    frame = ramped(lambda: 30.0).frame(30 * S, 60 * S, 60)
    of = replace(frame, server=Server(running=4.0, waiting=0.0, kv_pct=kv_pct, kv=frame.ttft.p50 * 0 + 50.0))
    row = next(
        row for row in server(of, Scale(0.0, 5.0), 60, width, 6, Theme()).rows if row[0][0].startswith(" KV")
    )
    assert row[1] == (figure, "bad" if full else "server")
    assert (row[-1] == (" FULL", "bad")) == full
    filled = {role for text, role in row[2:] if "━" in text}
    assert filled == ({"bad"} if full else {"server_fill"} if kv_pct else set())
