"""The benchmark of `ttftop limit` in small: a known limit is found, and a naive search ends above it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.common.virtual_search import naive, search
from benchmarks.common.virtual_servers import single_queue, single_queue_limit, slots_32, slots_limit
from sessions.limit.search import Ask
from sessions.plan.slo import parse_slo


@pytest.mark.slow
def test_a_known_limit_is_found_and_seldom_exceeded() -> None:
    for serve, slo, truth in (
        (single_queue, "ttft.p95<900ms", single_queue_limit(0.9, 0.05)),
        (slots_32, "ttft.p95<500ms", slots_limit(0.5, 0.05)),
    ):
        ask = Ask(parse_slo(slo), closed=False, most=1e4)
        found = [search(ask, serve, seed).answer for seed in range(12)]
        over = [(answer.estimate or 0.0) / truth for answer in found]
        assert sum(each > 1.05 for each in over) <= 3
        assert 0.94 < np.median(over) < 1.05
        assert sum((answer.passed or 0.0) > 1.05 * truth for answer in found) <= 1
        too_high = sum(naive(ask, serve, seed, 100)[0] > 1.05 * truth for seed in range(12))
        assert too_high >= 8


def test_the_known_limits_are_what_long_runs_measure() -> None:
    for serve, limit_s, truth in (
        (single_queue, 0.9, single_queue_limit(0.9, 0.05)),
        (slots_32, 0.5, slots_limit(0.5, 0.05)),
    ):
        ttft = np.array(serve(np.random.default_rng(1), truth, 100_000).ttft_s[2000:])
        assert abs((ttft > limit_s).mean() - 0.05) < 0.015
