"""What a search for the limit found: the answer first, then its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.errors import printable
from sessions.digits import digits
from sessions.limit.step import NOT_OVER
from tui.draw.words import limit_name
from tui.report.figures import aligned, number
from tui.report.slo import WORDS

if TYPE_CHECKING:
    from sessions.summary.plan_schema import Limit


def limit_text(limit: Limit | None) -> str:
    """Empty without one."""
    if limit is None:
        return ""
    unit = "requests at a time" if limit.closed else "requests/s"
    places = 0 if limit.closed else 3
    if limit.passed is None:
        head = "LIMIT NOT FOUND" if limit.over else "LIMIT NOT FOUND YET"
        why = "the search is not over" if limit.why == NOT_OVER else printable(limit.why, 200)
        lines = [f"{head}: {why}"]
    elif not limit.over:
        low = number(limit.passed, places)
        span = f"{low} {unit} or more"
        if limit.failed is not None:
            span = f"between {low} and {number(limit.failed, places)} {unit}"
        lines = [f"LIMIT (search not finished): {span}"]
        if limit.why != NOT_OVER:
            lines.append(f"  {printable(limit.why, 200)}")
    else:
        upper = "" if limit.failed is None else f", {number(limit.failed, places)} does not"
        word = "certified" if limit.certified else "estimated"
        lines = [f"LIMIT ({word}): {number(limit.passed, places)} {unit} holds{upper}"]
        if limit.estimate is not None and limit.estimate_says_more:
            off = f", standard error {(limit.error or 0.0) * 100:.1f} %"
            lines.append(f"  between them the steps put it at about {number(limit.estimate, places)}{off}")
        lines.append(f"  {printable(limit.why, 200)}")
    if limit.bound:
        lines.append(f"  what bound above it: {limit_name(printable(limit.bound, 24))}")
    if not limit.monotone:
        lines.append("  a load passed above one that failed: the server does not always answer alike")
    lines.append(f"  {limit.requests:,} requests in {number(limit.seconds, 0)} s")
    if not limit.steps:
        return "\n".join(lines)
    rows = [["step", "load", "", "missed", "of", "allowed", "requests", "s"]]
    for each in limit.steps:
        allowed = "" if not each.allowed else f"{digits(each.allowed * 100, 3)} %"
        cells = (f"{each.misses:,}", f"{each.of:,}", allowed, f"{each.requests:,}", number(each.seconds, 1))
        rows.append([each.purpose, digits(each.load, 4), WORDS[each.verdict], *cells])
    return "\n".join(lines) + "\n\n" + aligned(rows)
