"""From an interval to a word, and Student's t against its printed table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sessions.compare.metrics import METRICS
from sessions.compare.schema import ComparedFigure, Word
from sessions.compare.student import LogRatio, t_quantile, together
from sessions.compare.verdict import judged, one_word

TTFT, TPS = METRICS["ttft.p95"], METRICS["output_tps"]


@pytest.mark.parametrize(
    ("tail", "freedom", "table"),
    [
        (0.025, 1, 12.706),
        (0.025, 9, 2.262),
        (0.005, 2, 9.925),
        (0.0005, 9, 4.781),
        (0.025, 30, 2.042),
        (0.0005, 120, 3.373),
        (0.025, 5000, 1.960),
    ],
)
def test_quantiles_of_t_are_those_of_the_printed_tables(tail: float, freedom: float, table: float) -> None:
    assert t_quantile(tail, freedom) == pytest.approx(table, abs=6e-4)


def test_welch_s_freedom_is_that_of_the_textbook() -> None:
    # Variances of the mean 2 (of 5 values) and 3 (of 9): (2 + 3)^2 / (4 / 4 + 9 / 8).
    assert together(0.0, [(2.0, 4.0), (3.0, 8.0)]) == LogRatio(0.0, math.sqrt(5), 25 / (1 + 9 / 8))


def word(low: float, high: float, metric: str = "ttft.p95") -> tuple[Word, float | None]:
    """Of an interval from `low` to `high` at 95 %, of a great many values."""
    middle, half = (math.log(low) + math.log(high)) / 2, (math.log(high) - math.log(low)) / 2
    ratio = LogRatio(middle, half / 1.95996, 1e6)
    figure = judged(METRICS[metric], ratio, 100.0, 100.0 * math.exp(middle), alpha=0.05)
    largest = figure.no_difference_larger_than
    return figure.word, None if largest is None else round(largest, 4)


def test_the_word_follows_from_the_interval_alone() -> None:
    assert word(1.03, 1.20) == ("worse", None)
    assert word(0.80, 0.97) == ("better", None)
    assert word(1.03, 1.20, "output_tps") == ("better", None)
    assert word(0.80, 0.97, "output_tps") == ("worse", None)
    assert word(0.97, 1.04) == ("no difference", 0.04)
    assert word(0.97, 1.06) == ("cannot tell", None)
    # Surely there and too small to matter; there, and more than that.
    assert word(1.005, 1.015) == ("no difference", 0.015)
    assert word(1.005, 1.03) == ("worse", None)


def test_a_figure_that_cannot_be_told_says_why_and_has_no_interval() -> None:
    figure = judged(TTFT, None, 1.0, 2.0, alpha=0.05, because="needs 90 s")
    assert (figure.word, figure.ratio, figure.low, figure.because) == (
        *("cannot tell", 2.0, None, "needs 90 s"),
    )


def said(word: Word, because: str = "") -> ComparedFigure:
    return ComparedFigure(
        "m", "M", 1.0, 1.0, 1.0, None, None, None, None, word, None, because, 1, "blocks"
    )  # fmt: skip


def test_the_gravest_word_is_that_of_the_whole() -> None:
    same, unknown, better, worse = map(said, ("no difference", "cannot tell", "better", "worse"))  # type: ignore[arg-type]
    unmeasured = said("cannot tell", "not measured")
    assert one_word([same, unknown, better, worse]) == "worse"
    assert one_word([same, unknown, better]) == "better"
    assert one_word([same], [same, worse]) == "worse"
    assert one_word([same, same, unmeasured], [unknown]) == "no difference"
    assert one_word([same, unknown]) == "cannot tell"
    assert one_word([unmeasured]) == "cannot tell"


def test_how_wide_no_difference_may_be_is_what_was_asked_for() -> None:
    ratio = LogRatio(math.log(1.02), 0.06 / 1.95996, 1e6)  # 0.961 to 1.083
    words = [
        judged(TTFT, ratio, 100.0, 102.0, alpha=0.05, widest=widest).word for widest in (0.05, 0.08, 0.09)
    ]
    assert words == ["cannot tell", "cannot tell", "no difference"]


def test_what_runs_would_find_is_what_an_interval_of_their_width_tells_in_80_of_100_cases() -> None:
    error, freedom, alpha = 0.03, 20.0, 0.01
    ratio = LogRatio(0.0, error, freedom)
    truth = math.log1p(ratio.found(alpha))
    draw = np.random.default_rng(5)
    estimates = truth + error * draw.standard_normal(20_000)
    errors = error * np.sqrt(draw.chisquare(freedom, 20_000) / freedom)
    told = estimates - errors * t_quantile(alpha / 2, freedom) > 0
    assert told.mean() == pytest.approx(0.8, abs=0.03)


def test_runs_four_times_as_long_find_half_the_difference() -> None:
    ratio = LogRatio(0.0, 0.05, 1000.0)
    times = ratio.times_as_long(0.05, 0.10)
    longer = LogRatio(0.0, 0.05 / times**0.5, 1000.0)
    assert longer.found(0.05) == pytest.approx(0.10, rel=1e-6)
