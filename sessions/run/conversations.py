"""Conversations as a run or a stage asks for them, for its load and for its workload alike."""

from __future__ import annotations

from typing import NamedTuple

from loadgen.arrivals.load import ClosedLoad, ConversationLoad, Load, OpenLoad
from loadgen.workload.lengths import Lengths, parse_lengths
from sessions.plan.config import WorkloadConfig
from sessions.plan.think_time import parse_think


class Conversations(NamedTuple):
    """How many turns they have, and how long is thought between them."""

    turns: Lengths
    think_ms: Lengths | None
    seed: int

    def over(self, load: Load) -> Load:
        """Conversations that begin as the requests of `load` would."""
        if not isinstance(load, OpenLoad | ClosedLoad):
            return load
        return ConversationLoad(load, self.turns, self.think_ms, self.seed)


def conversations_of(asked: WorkloadConfig, seed: int) -> Conversations | None:
    """None where each request stands alone."""
    if asked.turns is None:
        return None
    think_ms = None if asked.think is None else parse_think(asked.think)
    return Conversations(parse_lengths(asked.turns), think_ms, seed)
