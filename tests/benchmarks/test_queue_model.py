"""The simulated queue that comparisons are tried on does what its page says."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.common.queue_model import PREFILL_S, SLOTS, TOKENS, TPOT_S, Asked, served
from loadgen.records import Request, Tick


def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    first, again, other = (served(Asked(0.5, 20.0), seed)[0] for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("slower", [1.0, 1.5])
def test_requests_wait_for_one_of_the_slots_and_take_as_long_as_they_should(slower: float) -> None:
    records, _ = served(Asked(0.9, 120.0, slower), 3)
    requests = [record for record in records if isinstance(record, Request)]
    spans = [((r.first_token_ns or 0), r.end_ns) for r in requests]
    edges = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    assert np.cumsum([step for _, step in edges]).max() <= SLOTS
    streamed_s = np.mean([(end - begin) / 1e9 for begin, end in spans])
    assert streamed_s == pytest.approx(slower * TPOT_S * (TOKENS - 1), rel=0.05)
    assert min((r.first_token_ns or 0) - r.due_ns for r in requests) / 1e9 < slower * PREFILL_S
    ticks = [record for record in records if isinstance(record, Tick)]
    assert sum(tick.output_tokens for tick in ticks) == TOKENS * len(requests)
    assert sum(tick.itl[1] if tick.itl else 0 for tick in ticks) > 0
    assert sum(sum(tick.itl[1::2]) for tick in ticks) == (TOKENS - 1) * len(requests)
