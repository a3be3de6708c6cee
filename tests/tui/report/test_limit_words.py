"""What is said of a search for the limit."""

from __future__ import annotations

from sessions.summary.plan_schema import Limit
from tui.report.limit import limit_text


def found(*, estimate: float, error: float | None, over: bool) -> Limit:
    why = "confirmed with other arrivals" if over else "not over"
    return Limit(False, 8.0, 9.798, estimate, error, False, True, over, why, 2750, 61.0, "", [])


def test_a_search_that_is_not_over_says_between_which_loads_the_limit_is() -> None:
    head, *rest = limit_text(found(estimate=8.0, error=0.536, over=False)).splitlines()
    assert head == "LIMIT (search not finished): between 8.000 and 9.798 requests/s"
    assert rest == ["  2,750 requests in 61 s"]
    only = Limit(False, 8.0, None, None, None, False, True, False, "not over", 100, 9.0, "", [])
    assert limit_text(only).startswith("LIMIT (search not finished): 8.000 requests/s or more\n")


def test_a_fit_that_is_wider_than_the_bracket_is_not_told() -> None:
    assert "steps put it" not in limit_text(found(estimate=8.0, error=0.536, over=True))
    assert "steps put it" not in limit_text(found(estimate=8.9, error=0.3, over=True))
    assert "steps put it" not in limit_text(found(estimate=8.9, error=None, over=True))
    assert "at about 8.900, standard error 2.0 %" in limit_text(found(estimate=8.9, error=0.02, over=True))
