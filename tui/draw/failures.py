"""How many requests failed and why, in one line for screen, progress line and report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from loadgen.errors import cause_words, printable


class Cause(Protocol):
    """Failures of one kind, as a frame or a summary has them."""

    @property
    def kind(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def text(self) -> str: ...


def failures(failed: int, ended: int, causes: Sequence[Cause]) -> str:
    """`481 of 481: HTTP 500 "model not loaded" (all)`; safe to print."""
    how_many = f"{failed:,} of {ended:,}"
    if not causes:
        return how_many
    most = causes[0]
    share = "all" if most.count >= failed else f"{most.count / max(failed, 1):.0%} of them".replace("%", " %")
    return f"{how_many}: {printable(cause_words(most.kind, most.text), 240)} ({share})"
