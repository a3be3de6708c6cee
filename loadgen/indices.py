"""How a request's index tells what it is of, where that is more than its number in the arrival process."""

from __future__ import annotations

INDEX_STRIDE = 1_000_000_000
"""Requests of a trace have the index of their row, those of conversations one made of conversation and
turn. Where a run has several loads, the indices of each such load begin at another multiple of this: no two
requests have the same, and the prompts of each load are its own."""
TURN_STRIDE = 1000
"""Turn `t` of conversation `c` has index `c * TURN_STRIDE + t`."""
MOST_TURNS = TURN_STRIDE
"""Of a conversation."""
