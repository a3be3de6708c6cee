"""Lengths of prompts and answers, asked and got, and what a prefix cache held, as typed values."""

from __future__ import annotations

import msgspec


class TokenSpread(msgspec.Struct, frozen=True):
    """Lengths in tokens, exactly, of the requests that succeeded and of which they are known."""

    count: int
    mean: float
    p50: float | None
    p90: float | None
    p99: float | None
    min: int
    max: int


class AskedAndGot(msgspec.Struct, frozen=True):
    """Lengths of prompts and answers, as they were asked for and as the server counted them. None: unknown of
    all."""

    input_asked: TokenSpread | None
    input_got: TokenSpread | None
    output_asked: TokenSpread | None
    output_got: TokenSpread | None


class PrefixCache(msgspec.Struct, frozen=True):
    """Shares of the input tokens of the requests that succeeded."""

    aimed_share: float | None
    """What had been sent before in this run: a cache that forgets nothing has that."""
    measured_share: float | None
    """What the server said it had in its cache; None where it does not say."""
