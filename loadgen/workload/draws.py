"""Random numbers that follow from a seed, an index and a word: the same in every process."""

from __future__ import annotations

from hashlib import shake_128

from loadgen.indices import MOST_TURNS
from loadgen.workload.lengths import Fixed, Lengths


def drawn_bytes(name: str, count: int) -> bytes:
    """Random bytes that follow from `name`. SHAKE-128 gives few or many in less time than a generator is
    seeded in (FIPS 202)."""
    return shake_128(name.encode("ascii")).digest(count)


def drawn_share(seed: int, index: int, what: str) -> float:
    """A number in [0, 1) for request number `index`; `what` keeps draws of different things apart."""
    return (int.from_bytes(drawn_bytes(f"{seed}:{index}:{what}", 7), "little") >> 3) / (1 << 53)


def drawn_length(lengths: Lengths, seed: int, index: int, what: str) -> int:
    """The length of request number `index`, in tokens."""
    return lengths.tokens if isinstance(lengths, Fixed) else lengths.at(drawn_share(seed, index, what))


def turns_of(conversation: int, turns: Lengths, seed: int) -> int:
    """How many turns conversation number `conversation` has, from 1 to `MOST_TURNS`."""
    return min(MOST_TURNS, max(1, drawn_length(turns, seed, conversation, "turns")))
