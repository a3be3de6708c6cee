"""Standard errors by blocks of time, against what theory says of series whose law is known."""

from __future__ import annotations

import numpy as np
import pytest

from sessions.compare.blocks import Estimate, Sums, correlation_cells, counts_of, estimate, sums_of

CELLS = 240


def known(found: Estimate | None) -> tuple[float, float]:
    assert found is not None
    assert found.error is not None
    return found.value, found.error


def independent(seed: int, n: int = 24_000) -> tuple[np.ndarray, np.ndarray]:
    """Exponential values with mean 100, the same number in each cell of time."""
    return np.random.default_rng(seed).exponential(100.0, n), np.arange(n) * CELLS // n


def autocorrelated(seed: int, memory: float, cells: int = CELLS) -> np.ndarray:
    """Means by cell around 100 with a standard deviation of 10: an AR(1)."""
    draw = np.random.default_rng(seed)
    z = np.empty(cells)
    z[0] = draw.normal()
    for i in range(1, cells):
        z[i] = memory * z[i - 1] + np.sqrt(1 - memory**2) * draw.normal()
    return 100 + 10 * z


def test_a_mean_of_independent_values_is_as_sure_as_theory_says() -> None:
    errors = [known(estimate(sums_of(*independent(seed), CELLS), 1))[1] for seed in range(10)]
    # Standard deviation = mean of an exponential: the log of the mean is off by 1 / sqrt(n).
    assert np.mean(errors) == pytest.approx(1 / np.sqrt(24_000), rel=0.15)


def test_a_percentile_of_independent_values_is_as_sure_as_theory_says() -> None:
    found = [known(estimate(counts_of(*independent(seed), CELLS, 0.95), 1)) for seed in range(10)]
    assert np.mean([value for value, _ in found]) == pytest.approx(100 * np.log(20), rel=0.01)
    # sqrt(q (1 - q) / n) / (density * value), the density of an exponential at its p95 being 0.05 / 100.
    theory = np.sqrt(0.95 * 0.05 / 24_000) / (0.05 / 100) / (100 * np.log(20))
    assert np.mean([error for _, error in found]) == pytest.approx(theory, rel=0.2)


@pytest.mark.parametrize("memory", [0.0, 0.4, 0.6])
def test_what_follows_each_other_alike_is_less_sure(memory: float) -> None:
    """The long-run variance of an AR(1) is (1 + memory) / (1 - memory) times that of independent values."""
    theory = 0.1 * np.sqrt((1 + memory) / (1 - memory) / CELLS)
    ones = np.ones(CELLS)
    errors = [known(estimate(Sums(autocorrelated(seed, memory), ones), 1))[1] for seed in range(40)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(theory, rel=0.2)


def test_the_same_figures_give_the_same_error() -> None:
    values, cell = independent(1)
    assert estimate(counts_of(values, cell, CELLS, 0.5), 3) == estimate(
        counts_of(values, cell, CELLS, 0.5), 3
    )


def test_a_run_of_a_few_blocks_says_a_figure_and_no_error() -> None:
    found = estimate(sums_of(*independent(1), CELLS), CELLS // 3)
    assert found is not None
    assert (found.error, found.blocks) == (None, 3.0)
    assert found.value == pytest.approx(100, rel=0.05)


def test_a_run_that_drifts_all_along_is_one_block() -> None:
    found = estimate(Sums(np.linspace(50, 150, CELLS), np.ones(CELLS)), 1)
    assert found is not None
    assert found.error is None


def test_a_tail_that_one_moment_made_rests_on_that_moment() -> None:
    values, cell = np.full(2400, 100.0), np.arange(2400) * CELLS // 2400
    values[:200] = 500.0  # all of the tail came in the first twelfth
    found = estimate(counts_of(values + np.arange(2400) % 7, cell, CELLS, 0.95), 10)
    assert found is not None
    assert found.blocks < 3
    assert found.error is None


def test_nothing_is_no_figure() -> None:
    empty = np.empty(0)
    assert estimate(sums_of(empty, empty.astype(int), CELLS), 1) is None
    assert estimate(counts_of(empty, empty.astype(int), CELLS, 0.5), 1) is None
    assert estimate(Sums(np.zeros(CELLS), np.ones(CELLS)), 1) is None


def test_values_that_are_all_the_same_differ_by_nothing() -> None:
    values, cell = np.full(2400, 20.0), np.arange(2400) * CELLS // 2400
    value, error = known(estimate(counts_of(values, cell, CELLS, 0.95), 1))
    assert value == pytest.approx(20, rel=0.001)
    assert error < 0.001


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_the_correlation_time_of_an_ar1_is_the_textbooks(memory: float) -> None:
    series = [Sums(autocorrelated(seed, memory, 4000), np.ones(4000)) for seed in range(20)]
    found = np.mean([correlation_cells(each) for each in series])
    assert found == pytest.approx((1 + memory) / (1 - memory), rel=0.2)
