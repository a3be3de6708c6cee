"""One request of a trace, whatever file it came from, and what may stand in one."""

from __future__ import annotations

from typing import NamedTuple

MOST_TOKENS = 10_000_000
"""Longer than any model's context, and shorter than a number that stands in a wrong column."""
MOST_NS = 315_576_000 * 10**9
"""Ten years: no reader of a session believes later times."""
MOST_ROWS = 50_000_000
BLOCK_TOKENS = 512
"""For how many tokens of a prompt each hash id stands. Source: README of Mooncake's traces, FAST 25."""


class TraceError(Exception):
    """It is no trace: one line with the line of the file, what was got and what is allowed."""


class TraceRow(NamedTuple):
    """One request."""

    t_ns: int
    """Since the first one of its file, or since whatever the file counts from: only differences matter."""
    input_tokens: int
    output_tokens: int
    hash_ids: tuple[int, ...] = ()
    """Of each block of `BLOCK_TOKENS` of its prompt: prompts that begin with the same ids begin alike."""
    conversation: int | None = None
    turn: int | None = None
    tags: tuple[str, ...] = ()
    line: int = 0
    """Of its file, from 1; 0 where it comes from no line."""
