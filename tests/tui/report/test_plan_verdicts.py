"""The verdict on a plan's target as a cell."""

from __future__ import annotations

import pytest

from sessions.summary.plan_schema import TargetResult
from tui.report.plan import _verdict


@pytest.mark.parametrize(
    ("target", "figure", "verdict", "cell"),
    [
        ("ttft.p99 < 2s", 133.84, "pass", "PASS 133.8 ms"),
        ("errors < 1%", 0.0525, "fail", "FAIL 5.25 %"),
        ("output_tps > 2500", 2600.0, "pass", "PASS 2,600/s"),
        ("ttft.p99 < 2s", None, "undecided", "undecided"),
        ("what a damaged session holds", 1.0, "fail", "FAIL 1"),
    ],
)
def test_a_figure_stands_in_the_unit_of_its_target(
    target: str, figure: float | None, verdict: str, cell: str
) -> None:
    assert _verdict(TargetResult(target, figure, verdict)) == cell  # type: ignore[arg-type]
