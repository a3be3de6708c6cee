"""What binds is told in the figures of the panels beside it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from sessions.bottleneck.history import BottleneckHistory
from sessions.bottleneck.rules import IDLE, ROOM
from sessions.frame.build import build
from sessions.frame.limit_now import limit_now
from sessions.frame.schema import Limit, Server
from sessions.store.records import End
from telemetry.records import ServerSample
from tests.sessions.bottleneck.test_history import S, folded, ramp
from tests.tui.made_up_run import ramped


def test_the_line_has_the_cache_and_the_queue_that_the_panels_show():
    timeline = folded(ramp())
    history = BottleneckHistory(timeline)
    seen = set()
    for at_s in range(4, 60):
        at_ns = at_s * S + 400_000_000
        frame = build(
            timeline, None, at_ns=at_ns, window_ns=60 * S, slots=60, live=False, killed=False, history=history
        )
        seen.add(frame.limit.name)
        if frame.limit.name in (ROOM, "KV cache"):
            assert f"{frame.server.kv_pct:.0f} %" in frame.limit.why, at_s
            assert f"{frame.server.waiting:.0f}" in frame.limit.why, at_s
            assert frame.limit.since_ns == history.since_ns(at_ns)
    assert {ROOM, "KV cache"} <= seen <= {ROOM, "KV cache", IDLE}


def test_of_a_run_that_is_over_it_has_the_figures_with_which_it_bound_last():
    """The cache has emptied since."""
    records = ramp(38)
    full = next(one for one in reversed(records) if isinstance(one, ServerSample))
    emptied = msgspec.structs.replace(full, t_ns=39 * S, running=0.0, waiting=0.0, kv_pct=2.0)
    timeline = folded([*records, emptied, End(39 * S + S // 2, "completed")])
    history = BottleneckHistory(timeline)
    over = build(
        timeline, None, at_ns=40 * S, window_ns=60 * S, slots=60, live=False, killed=False, history=history
    )
    assert over.state == "ended"
    shown = history.shown(40 * S, 1000)
    assert shown is not None
    assert over.server.kv_pct == 2.0
    assert (over.limit.name, over.limit.why) == tuple(shown)
    assert "KV 2 %" not in over.limit.why


@pytest.mark.parametrize("label", ["{}", "node2:{}"])
def test_the_gpu_that_draws_most_is_the_one_whose_shown_power_is_the_most(label):
    one = ramped(lambda: 90.0, gpus=1).frame(90 * S, 60 * S, 60).gpus[0]
    watts = (424.0, 610.0, None, 614.0, 690.0)
    gpus = [replace(one, label=label.format(i), power_w=power) for i, power in enumerate(watts)]
    gpus[4] = replace(gpus[4], excluded="not serving")
    why = limit_now(Limit(ROOM, "", 0), Server(waiting=1.0), gpus).why
    name = "GPU3" if label == "{}" else "node2:3"
    assert f"{name} draws most: 614/" in why


def test_a_limit_of_which_the_panels_have_not_all_figures_is_told_as_it_was_judged():
    judged = Limit("power", "694/700 W, capped 40 % of the time", 5 * S)
    assert limit_now(judged, Server(waiting=3.0), ()) == judged
