import pytest

from tui.controls.load_increments import Wanted, stepped_concurrency, stepped_rate


@pytest.mark.parametrize(
    ("rate", "steps", "expected"),
    [
        (0.5, 1, 0.6),
        (0.9, 1, 1.0),
        (1.0, 1, 2.0),
        (1.0, -1, 0.9),
        (0.1, -1, 0.1),
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
def test_a_rate_moves_by_the_step_of_its_size(rate, steps, expected):
    assert stepped_rate(rate, steps) == expected


def test_up_and_down_again_returns_to_the_rate_on_every_grid():
    for rate in (0.3, 1.0, 7.0, 99.0, 100.0, 250.0, 1000.0, 1500.0):
        assert stepped_rate(stepped_rate(rate, 1), -1) == rate


def test_concurrency_moves_by_one_and_stays_at_least_one():
    assert stepped_concurrency(8, 1) == 9
    assert stepped_concurrency(3, -10) == 1


def test_presses_count_from_the_last_request_until_the_run_has_caught_up():
    wanted = Wanted().asked(13.0, now_s=1.0)
    assert wanted.base(12.0, now_s=1.1) == 13.0
    assert wanted.seen(12.0).base(12.0, now_s=1.2) == 13.0
    assert wanted.seen(13.0).base(13.5, now_s=1.3) == 13.5


def test_a_request_that_is_never_met_is_forgotten():
    assert Wanted().asked(13.0, now_s=1.0).base(12.0, now_s=9.0) == 12.0
