"""Attainment as the header shows it: of the last seconds, from the ticks' sketches."""

from __future__ import annotations

import msgspec

from loadgen.records import TICK_NS, Tick
from loadgen.sketch import SketchCounts
from sessions.timeline.attained import attained
from tests.sessions.summary.summing import manifest
from tests.sessions.timeline.folding import folded


def test_failed_and_unsent_requests_hold_no_target() -> None:
    ttft = SketchCounts()
    for ms in [100] * 80 + [900] * 10:
        ttft.add(ms * 1_000_000)
    tick = Tick(TICK_NS, TICK_NS, 0, due=100, sent=98, failed=8, not_sent=2, ttft_from_due=ttft.take())
    asked = manifest()
    span = (0, TICK_NS)
    assert attained(folded(tick), asked, span) is None
    asked.config = msgspec.structs.replace(asked.config, slo=["ttft.p95<500ms, errors<1%"])
    assert attained(folded(tick), asked, span) == (0.8, "requests")


def test_of_an_itl_target_it_is_said_that_tokens_were_counted() -> None:
    ttft, itl = SketchCounts(), SketchCounts()
    for _ in range(10):
        ttft.add(100_000_000)
    for ms in [10] * 60 + [90] * 40:
        itl.add(ms * 1_000_000)
    tick = Tick(TICK_NS, TICK_NS, 0, due=12, sent=12, failed=2, ttft_from_due=ttft.take(), itl=itl.take())
    asked, span = manifest(), (0, TICK_NS)
    asked.config = msgspec.structs.replace(asked.config, slo=["ttft.p95<500ms, itl.p95<50ms"])
    assert attained(folded(tick), asked, span) == (0.6, "tokens")
    asked.config = msgspec.structs.replace(asked.config, slo=["ttft.p95<50ms, itl.p95<50ms"])
    assert attained(folded(tick), asked, span) == (0.0, "requests")
