"""Lengths of prompts and answers, asked and got, and what a prefix cache held: lines of the report."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from loadgen.errors import printable
from sessions.summary.asked import BY_STAGE, TRACE
from tui.report.figures import number

if TYPE_CHECKING:
    from sessions.plan.config import WorkloadConfig
    from sessions.summary.prompt_schema import PrefixCache, TokenSpread
    from sessions.summary.schema import Summary


def asked_words(work: WorkloadConfig) -> str:
    """What requests were to ask for, in a few words."""
    if work.mix:
        total = sum(part.weight for part in work.mix) or 1.0
        shares = (f"{100 * part.weight / total:.3g} % {part.name}" for part in work.mix)
        return printable(f"mix of {', '.join(shares)}", 200)
    into, out = asked_lengths(work)
    if work.prompts:
        return printable(f"prompts of {work.prompts.rpartition('/')[2]}, {out} tokens out", 200)
    if into == out == TRACE:
        return "tokens as in the trace"
    words = "tokens in by stage" if into == BY_STAGE else f"{into} tokens in"
    return f"{words}, {'out by stage' if out == BY_STAGE else f'{out} out'}"


def asked_lengths(work: WorkloadConfig) -> tuple[str, str]:
    """Of prompts and answers, as they were typed."""
    if work.mix:
        return "mix", "mix"
    if work.prompts:
        return "file", printable(str(work.output_tokens), 60)
    into = f"{work.prefix} + {work.input_tokens}" if work.prefix else str(work.input_tokens)
    return printable(into, 80), printable(str(work.output_tokens), 60)


def lengths(summary: Summary) -> str:
    """Lines to stand below the numbers of requests and tokens; empty where nothing is known."""
    found, lines = summary.lengths, []
    if found is not None:
        lines += _line("in, each", found.input_asked, found.input_got)
        if summary.has_tokens:
            lines += _line("out, each", found.output_asked, found.output_got)
    if (cache := summary.prefix_cache) is not None:
        lines.append(f"{'cache':<10}{_said(cache)}")
    return "".join(f"\n{line}" for line in lines)


def _line(name: str, asked: TokenSpread | None, got: TokenSpread | None) -> list[str]:
    if asked is not None and asked == got:
        words = [_spread("asked and got", asked)]
    else:
        words = [_spread(word, of) for word, of in (("asked", asked), ("got", got)) if of is not None]
    return textwrap.wrap(f"{name:<10}{'; '.join(words)}", 80, subsequent_indent=" " * 10) if words else []


def _spread(word: str, of: TokenSpread) -> str:
    """One length says all where there is no other."""
    if of.min == of.max:
        return f"{word} {of.min:,}"
    quantiles = ", ".join(f"p{q} {number(value, 0)}" for q, value in ((50, of.p50), (99, of.p99)))
    return f"{word} {number(of.mean, 0)} ({of.min:,}..{of.max:,}, {quantiles})"


def _said(cache: PrefixCache) -> str:
    sent = "it is not known how much" if cache.aimed_share is None else f"{100 * cache.aimed_share:.1f} %"
    if cache.measured_share is None:
        return f"{sent} of the input had been sent before; the server does not say what it had"
    return f"{sent} of the input had been sent before; the server had {100 * cache.measured_share:.1f} %"
