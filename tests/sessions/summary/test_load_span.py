"""When the load ended: what rates and stages of a summary are counted over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from loadgen.records import TICK_NS, Tick
from sessions.plan.config import LoadConfig
from sessions.store.records import End, LoadChange, State
from sessions.summary.summarise import summarise
from tests.sessions.summary.summing import SECOND, START_S, last_end_s, manifest
from tests.sessions.timeline.folding import folded

MakeRun = Callable[..., Any]
START_NS = round(START_S * SECOND)


def test_load_that_was_held_for_good_ended_when_it_was_held(make_run: MakeRun) -> None:
    run = make_run(ended=False, seconds=10.0)
    held_ns = START_NS + 10 * SECOND
    extra = [
        LoadChange(t_ns=held_ns, change="stop", rate_rps=0.0, label="stop"),
        *(Tick(t_ns=held_ns + i * TICK_NS, dt_ns=TICK_NS, worker=0, rate_rps=0.0) for i in range(20, 100)),
        End(t_ns=held_ns + 30 * SECOND, reason="finished"),
    ]
    result = summarise(folded(*run.records, *extra), manifest())
    assert result.rate.offered_rps == len(run.requests) / 10
    assert result.duration_s == pytest.approx(last_end_s(run) - START_S)


def test_load_of_a_number_of_requests_ended_with_the_last_one_due(make_run: MakeRun) -> None:
    run = make_run(ended=False, seconds=10.0)
    n = len(run.requests)
    extra = [State(t_ns=60 * SECOND, state="draining"), End(t_ns=60 * SECOND, reason="completed")]
    result = summarise(folded(*run.records, *extra), manifest(LoadConfig(requests=n)))
    assert result.rate.offered_rps == pytest.approx(n / 10, rel=0.05)
