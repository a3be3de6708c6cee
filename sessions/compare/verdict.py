"""From an interval to a word. The rule stands in docs/figures/compare.md; there are no other words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sessions.compare.metrics import Metric
from sessions.compare.schema import ComparedFigure, Word
from sessions.compare.student import LogRatio

ALPHA = 0.05
"""Share of comparisons of a server with itself of which any word at all may be wrong."""
SMALLEST = 0.02
"""A difference that small is none, however surely it is there (MLPerf's line of materiality)."""
USUALLY_SOUGHT = 0.10
"""The difference for which it is said how long runs would have to be."""
NOT_MEASURED = "not measured"
WIDEST = 0.05
"""The largest d of which *no difference larger than d* is said, unless told otherwise."""


def judged(
    metric: Metric,
    ratio: LogRatio | None,
    a: float | None,
    b: float | None,
    *,
    alpha: float,
    widest: float = WIDEST,
    because: str = "",
    interval_from: str = "blocks",
    loads: int = 1,
    apart: float | None = None,
    more: int = 0,
) -> ComparedFigure:
    """One figure with its word. `alpha`: what one interval of all of them may miss. `loads`: it is over.
    `apart`: without an interval, B's nearest part of time against A's where all of B lies beyond all of A.
    `more`: 1 where B was put under more load, -1 where under less: what that may explain is not told."""
    known = a is not None and b is not None and a > 0
    shown = b / a if known and a is not None and b is not None else None
    low = high = low_alone = high_alone = largest = found = longer = None
    word: Word = "cannot tell"
    if ratio is not None and not because:
        shown = math.exp(ratio.value)
        low, high = ratio.interval(alpha)
        low_alone, high_alone = ratio.interval(ALPHA)
        found, longer = ratio.found(alpha), ratio.times_as_long(alpha, USUALLY_SOUGHT)
        reach = max(high - 1, 1 - low)
        if reach <= SMALLEST:
            word, largest = "no difference", reach
        elif low > 1 or high < 1:
            word = "worse" if (low > 1) == metric.lower_is_better else "better"
        elif reach <= widest:
            word, largest = "no difference", reach
    elif apart is not None:
        word = "worse" if (apart > 1) == metric.lower_is_better else "better"
    if more and word != "cannot tell" and word != ("better" if more > 0 else "worse"):
        word, largest, apart, because = (
            "cannot tell",
            None,
            None,
            f"B had {'more' if more > 0 else 'less'} load",
        )
    return ComparedFigure(
        metric.name, metric.label, a, b, shown, low, high, low_alone, high_alone, word, largest, because,
        loads, interval_from, found, longer, apart,
    )  # fmt: skip


def one_word(overall: Sequence[ComparedFigure], of_loads: Sequence[ComparedFigure] = ()) -> Word:
    """Of several figures: the gravest. There is no difference only where that is said of every one that was
    measured, over all loads."""
    words = {figure.word for figure in (*overall, *of_loads)}
    gravest: tuple[Word, ...] = ("worse", "better")
    for word in gravest:
        if word in words:
            return word
    said = {figure.word for figure in overall if figure.because != NOT_MEASURED}
    return "no difference" if said == {"no difference"} else "cannot tell"
