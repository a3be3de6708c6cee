"""What each of several intervals may miss, against laws whose answer is known in closed form or by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from sessions.compare.together import OF_THE_LEAD, correlation, over_loads, shares

ALPHA = 0.05
NAMES = ("ttft.p50", "ttft.p95", "tpot.p50", "output_tps")


def test_what_has_nothing_in_common_is_shared_as_sidak_shares_it() -> None:
    found = shares(NAMES, [True] * 4, np.eye(4), ALPHA)
    assert found == pytest.approx([1 - (1 - ALPHA) ** (1 / 4)] * 4, rel=0.05)


def test_what_is_one_and_the_same_is_asked_once() -> None:
    assert shares(NAMES, [True] * 4, np.ones((4, 4)), ALPHA) == pytest.approx([ALPHA] * 4, rel=0.05)


def test_a_figure_alone_may_be_wrong_as_often_as_all_of_them() -> None:
    assert shares(NAMES, [False, True, False, False], np.eye(4), ALPHA)[1] == ALPHA


def test_any_of_them_is_wrong_as_often_as_was_allowed_and_the_lead_four_times_as_often_as_others() -> None:
    names = ("ttft.p95", "itl.mean", "e2e.p50")
    correlated = np.array([[1.0, 0.6, 0.7], [0.6, 1.0, 0.95], [0.7, 0.95, 1.0]])
    found = shares(names, [True] * 3, correlated, ALPHA)
    assert found[1] == pytest.approx(OF_THE_LEAD * found[0])
    assert found[0] == found[2] > ALPHA / (OF_THE_LEAD + 2)
    # Other draws than its own, and each figure's own share of both tails.
    draws = np.random.default_rng(77).multivariate_normal(np.zeros(3), correlated, 100_000)
    limits = [np.quantile(np.abs(draws[:, i]), 1 - share) for i, share in enumerate(found)]
    assert (np.abs(draws) > limits).any(axis=1).mean() == pytest.approx(ALPHA, rel=0.06)


def test_where_tokens_are_not_timed_the_whole_answer_leads() -> None:
    found = shares(("ttft.p50", "itl.mean", "e2e.p50"), [True, False, True], np.eye(3), ALPHA)
    assert found[2] == pytest.approx(OF_THE_LEAD * found[0])


def test_figures_that_share_a_slow_wave_go_together_and_noise_does_not() -> None:
    draw = np.random.default_rng(3)
    wave = np.repeat(draw.standard_normal(200), 12)
    noise = draw.standard_normal((3, 2400))
    found = correlation([wave + noise[0], wave + noise[1], noise[2], None], 12)
    # Over blocks of 12 the wave has 144, the noise 12 of variance; blocks that straddle two waves have less.
    assert found[0, 1] == pytest.approx(0.9, abs=0.05)
    assert abs(found[0, 2]) < 0.25
    assert found[3].tolist() == [0, 0, 0, 1]


def test_over_loads_those_count_most_that_are_least_sure() -> None:
    alike, unlike = np.ones((2, 2)), np.eye(2)
    found = over_loads([([0.3, 0.3], alike), ([0.1, 0.1], unlike)])
    assert found[0, 1] == pytest.approx(0.09 / 0.10)
    assert over_loads([([0.3, None], alike)]).tolist() == [[1, 0], [0, 1]]
