"""What each of several servers came to, as a table: a part of the report."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from loadgen.errors import describe, printable
from tui.report.figures import NOT_MEASURED, aligned, marked, number

if TYPE_CHECKING:
    from sessions.summary.quantile_schema import ExactQuantiles
    from sessions.summary.target_schema import OfTarget

FAILED_SHARE = 0.1
"""Of what was due for a target, from which on it is named for what failed."""
MOST_TOLD = 8
_URL_CHARS = 30


def targets_table(targets: Sequence[OfTarget]) -> str:
    """Empty where there was one."""
    if not targets:
        return ""
    rows = [["by target", "w", "sent", "rps", "failed", "unsent", "TTFT p50", "p95", "gap p50", "tok/s"]]
    for of in targets:
        rows.append(
            [
                shown_url(of),
                number(of.weight, 0),
                number(of.sent, 0),
                number(of.sent_rps, 1),
                number(of.failed, 0),
                number(of.not_sent, 0),
                *(_cell(of.ttft_from_due_ms, name) for name in ("p50", "p95")),
                marked(of.gaps_ms.p50, False),
                number(of.output_tps, 0),
            ]
        )
    if all(row[6] == row[7] == row[8] == NOT_MEASURED for row in rows[1:]):  # answers have no tokens
        rows = [row[:6] for row in rows]
    return "\n".join(filter(None, [aligned(rows), targets_that_failed(targets)]))


def targets_that_failed(targets: Sequence[OfTarget]) -> str:
    """A sentence on each that lost much of its part; empty where none did."""
    return "\n".join(filter(None, map(_trouble, targets[:MOST_TOLD])))


def shown_url(of: OfTarget, most: int = _URL_CHARS) -> str:
    """Short enough for a table: without what all URLs have; its number where there is none."""
    url = of.url.removeprefix("http://").removeprefix("https://")
    return printable(url, most) or f"target {of.target}"


def _trouble(of: OfTarget) -> str:
    """A sentence on one that failed, or was not reached."""
    lost = of.failed + of.not_sent
    if not of.errors or lost < FAILED_SHARE * of.due:
        return ""
    kind = next(iter(of.errors))
    said = f"{shown_url(of)}: {lost:,} of {of.due:,} failed or unsent, most of all: {describe(kind)}"
    return textwrap.fill(said, 80, initial_indent="  ", subsequent_indent="    ")


def _cell(of: ExactQuantiles, name: str) -> str:
    return marked(getattr(of, name), name in of.thin)
