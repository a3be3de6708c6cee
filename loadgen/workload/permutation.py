"""A shuffled order that is never written out: place by place, the same in every process."""

from __future__ import annotations

from loadgen.workload.draws import drawn_bytes

_ROUNDS = 4


def permuted(place: int, size: int, key: str) -> int:
    """Where `place` of `size` places comes to stand: every place once, in an order that follows from `key`.

    A Feistel network over the next power of four, walked until it is below `size`: at most four times as
    many places, so under four walks on average. Source: Black and Rogaway, Ciphers with arbitrary finite
    domains (2002).
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = place >> half, place & mask
        for turn in range(_ROUNDS):
            drawn = int.from_bytes(drawn_bytes(f"{key}:{turn}:{right}", 8), "little")
            left, right = right, left ^ (drawn & mask)
        place = left << half | right
        if place < size:
            return place
