"""Steps of the load lead to round figures, worked out by hand."""

from __future__ import annotations

import pytest

from sessions.run.load_increments import stepped_concurrency, stepped_rate


@pytest.mark.parametrize(
    ("rate", "steps", "expected"),
    [
        (0.5, 1, 0.6),
        (0.9, 1, 1.0),
        (1.0, 1, 2.0),
        (1.0, -1, 0.9),
        (0.1, -1, 0.1),
        (0.05, -1, 0.05),
        (0.05, 1, 0.1),
        (99.0, 1, 100.0),
        (100.0, 1, 110.0),
        (100.0, -1, 99.0),
        (990.0, 1, 1000.0),
        (1000.0, 1, 1100.0),
        (1000.0, -1, 990.0),
        (12.0, 10, 22.0),
        (22.0, -10, 12.0),
        (0.5, 10, 6.0),
        (95.0, 10, 150.0),
        (3.0, -10, 0.2),
        (12.5, 1, 13.0),
        (12.5, -1, 12.0),
    ],
)
def test_a_rate_moves_by_the_step_of_its_size(rate: float, steps: int, expected: float) -> None:
    assert stepped_rate(rate, steps) == expected


def test_up_and_down_again_returns_to_the_rate_on_every_grid() -> None:
    for rate in (0.3, 1.0, 7.0, 99.0, 100.0, 250.0, 1000.0, 1500.0):
        assert stepped_rate(stepped_rate(rate, 1), -1) == rate


def test_concurrency_moves_by_one_and_stays_at_least_one() -> None:
    assert stepped_concurrency(8, 1) == 9
    assert stepped_concurrency(3, -10) == 1


def test_ten_steps_are_one_step_ten_times() -> None:
    for rate in (0.07, 0.5, 3.7, 95.0, 104.0, 996.0):
        for way in (1, -1):
            one_by_one = rate
            for _ in range(10):
                one_by_one = stepped_rate(one_by_one, way)
            assert stepped_rate(rate, 10 * way) == one_by_one
