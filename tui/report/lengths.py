"""Lengths of prompts and answers, asked and got, and what a prefix cache held: lines of the report."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from loadgen.errors import printable
from tui.report.figures import number

if TYPE_CHECKING:
    from sessions.plan.config import WorkloadConfig
    from sessions.summary.schema import Summary, TokenSpread


def asked_input(work: WorkloadConfig) -> str:
    """What prompts were to be long, in a few words."""
    shared = f"prefixes {work.prefix} + " if work.prefix else ""
    return printable(f"{shared}{work.input_tokens}", 60)


def lengths(summary: Summary) -> str:
    """Lines to stand below the numbers of requests and tokens; empty where nothing is known."""
    found = summary.lengths
    lines = []
    if found is not None:
        for name, asked, got in (
            ("in, each", found.input_asked, found.input_got),
            ("out, each", found.output_asked, found.output_got),
        ):
            words = [_spread(word, of) for word, of in (("asked", asked), ("got", got)) if of is not None]
            if words:
                lines += textwrap.wrap(
                    f"{name:<10}{'; '.join(words)}", 80, subsequent_indent=" " * 10, drop_whitespace=True
                )
    if (cache := summary.prefix_cache) is not None:
        aimed, measured = (_percent(share) for share in (cache.aimed_share, cache.measured_share))
        lines.append(f"{'cache':<10}{aimed} of the input had been sent before; the server had {measured}")
    return "".join(f"\n{line}" for line in lines)


def _spread(word: str, of: TokenSpread) -> str:
    """One length says all where there is no other."""
    if of.min == of.max:
        return f"{word} {of.min:,}"
    quantiles = ", ".join(f"p{q} {number(value, 0)}" for q, value in ((50, of.p50), (99, of.p99)))
    return f"{word} {number(of.mean, 0)} ({of.min:,}..{of.max:,}, {quantiles})"


def _percent(share: float | None) -> str:
    return "not said" if share is None else f"{100 * share:.1f} %"
