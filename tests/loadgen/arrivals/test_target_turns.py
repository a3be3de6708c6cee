"""Which target a request goes to: exact shares, in every worker alike, for any number of workers."""

from __future__ import annotations

from collections import Counter

import pytest

from loadgen.arrivals.target_turns import TargetTurns, smooth_order

# Worked out by hand for nginx's smooth weighted round robin; nginx's own example is 5:1:1.
NGINX = [0, 0, 1, 0, 2, 0, 0]


def test_the_order_is_nginxs() -> None:
    assert smooth_order([5, 1, 1]) == NGINX
    assert smooth_order([1, 1, 1]) == [0, 1, 2]
    assert smooth_order([1, 3]) == [1, 0, 1, 1] or smooth_order([1, 3]).count(1) == 3


@pytest.mark.parametrize("weights", [[1, 1], [1, 2, 3], [5, 1, 1], [1000, 1], [7]])
def test_as_many_requests_as_the_weights_add_up_to_are_shared_exactly(weights: list[int]) -> None:
    turns, total = TargetTurns(weights), sum(weights)
    for block in (0, 1, 17, 10**6, 3 * 10**9):
        got = Counter(turns.of(block * total + place) for place in range(total))
        assert [got[target] for target in range(len(weights))] == weights


@pytest.mark.parametrize("weights", [[1, 1], [1, 1, 1], [1, 2, 3], [3, 1]])
@pytest.mark.parametrize("workers", [2, 3, 4, 6, 8, 16])
def test_no_worker_meets_some_targets_more_than_others(weights: list[int], workers: int) -> None:
    """Its indices lie at equal distances, which may be a multiple of what the weights add up to."""
    turns = TargetTurns(weights)
    for worker in range(workers):
        got = Counter(turns.of(worker + workers * turn) for turn in range(3000))
        for target, weight in enumerate(weights):
            assert abs(got[target] / 3000 - weight / sum(weights)) < 0.02


def test_equal_targets_never_get_three_in_a_row() -> None:
    targets = [TargetTurns([1, 1]).of(index) for index in range(10_000)]
    assert not any(len({*targets[at : at + 3]}) == 1 for at in range(len(targets) - 2))
