"""What is said of a search for the limit."""

from __future__ import annotations

import msgspec
import pytest

from sessions.report.finding import finding
from sessions.summary.plan_schema import Limit, Plan
from tests.tui.report.test_text import summary
from tui.report.limit import limit_text


def found(*, estimate: float, error: float | None, over: bool) -> Limit:
    why = "confirmed with other arrivals" if over else "not over"
    return Limit(False, 8.0, 9.798, estimate, error, False, True, over, why, 2750, 61.0, "", [])


def test_a_search_that_is_not_over_says_between_which_loads_the_limit_is() -> None:
    head, *rest = limit_text(found(estimate=8.0, error=0.536, over=False)).splitlines()
    assert head == "LIMIT (search not finished): between 8.000 and 9.798 requests/s"
    assert rest == ["  2,750 requests in 61 s"]
    none = Limit(False, None, None, None, None, False, True, False, "not over", 12, 13.0, "", [])
    assert limit_text(none).startswith("LIMIT NOT FOUND YET: the search is not over\n")
    plan = Plan("limit", "", "", 1.0, 1, [], [], [], [], [], [], "", none)
    said = finding(msgspec.structs.replace(summary(), plan=plan))[0]
    assert said == "No load is known to hold the targets: the search is not over."
    only = Limit(False, 8.0, None, None, None, False, True, False, "not over", 100, 9.0, "", [])
    assert limit_text(only).startswith("LIMIT (search not finished): 8.000 requests/s or more\n")


def test_a_fit_that_is_wider_than_the_bracket_is_not_told() -> None:
    assert "steps put it" not in limit_text(found(estimate=8.0, error=0.536, over=True))
    assert "steps put it" not in limit_text(found(estimate=8.9, error=0.3, over=True))
    assert "steps put it" not in limit_text(found(estimate=8.9, error=None, over=True))
    assert "at about 8.900, standard error 2.0 %" in limit_text(found(estimate=8.9, error=0.02, over=True))


@pytest.mark.parametrize(
    ("estimate", "error", "over"),
    [(8.0, 0.536, True), (8.9, None, True), (8.9, 0.02, False), (8.9, 0.02, True)],
)
def test_the_sentence_of_what_was_found_has_an_estimate_where_the_lines_of_the_search_have_one(
    estimate: float, error: float | None, over: bool
) -> None:
    limit = found(estimate=estimate, error=error, over=over)
    plan = Plan("limit", "", "", 1.0, 1, [], [], [], [], [], [], "", limit)
    sentence = finding(msgspec.structs.replace(summary(), plan=plan))[0]
    assert ("steps put it" in sentence) == ("steps put it" in limit_text(limit)) == (error == 0.02 and over)
