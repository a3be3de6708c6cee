"""What each kind of request came to, as a table: a part of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loadgen.errors import printable
from tui.report.figures import NOT_MEASURED, aligned, marked, number

if TYPE_CHECKING:
    from sessions.summary.quantile_schema import ExactQuantiles
    from sessions.summary.schema import Tagged

ROWS = 64
"""That are shown."""


def tags_table(tagged: Sequence[Tagged]) -> str:
    """Empty where no request has a tag."""
    if not tagged:
        return ""
    rows = [["by tag", "n", "failed", "in", "out", "TTFT p50", "p95", "p99", "TPOT p50", "E2E p50", "p99"]]
    for of in tagged[:ROWS]:
        rows.append(
            [
                printable(of.tag, 24),
                number(of.requests, 0),
                number(of.failed, 0),
                number(of.input_tokens, 0),
                number(of.output_tokens, 0),
                *(_cell(of.ttft_from_due_ms, name) for name in ("p50", "p95", "p99")),
                _cell(of.tpot_ms, "p50"),
                *(_cell(of.e2e_ms, name) for name in ("p50", "p99")),
            ]
        )
    if all(cell == NOT_MEASURED for row in rows[1:] for cell in row[5:9]):  # answers have no tokens
        rows = [row[:4] + row[9:] for row in rows]
    more = f"\n{len(tagged) - ROWS} more: --json has all" if len(tagged) > ROWS else ""
    return aligned(rows) + more


def _cell(of: ExactQuantiles, name: str) -> str:
    return marked(getattr(of, name), name in of.thin)
