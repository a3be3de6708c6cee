"""Requests of several kinds beside each other, by weights that are kept exactly in the long run."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from loadgen.records import Request
from loadgen.workload.draws import drawn_bytes
from loadgen.workload.spec import MixWorkload, RequestSpec, Workload

_BLOCKS = (100, 1000)
"""Requests among which each part has its share to the request: the first in which all shares are whole."""


class MixedRequests:
    """A `Workload` of others. Each counts its own requests, so that a part alone would ask the same."""

    def __init__(self, told: MixWorkload, made: Sequence[Workload], seed: int) -> None:
        """`made`: what asks for the parts of `told`, in their order."""
        self._parts = [(part, asking) for part, asking in zip(told.parts, made, strict=True)]
        self._counts = counts_of([part.weight for part in told.parts])
        self._seed = seed

    @property
    def needs_text(self) -> bool:
        return any(asking.needs_text for _, asking in self._parts)

    def spec(self, index: int) -> RequestSpec:
        block, place = divmod(index, sum(self._counts))
        number, before = _order(tuple(self._counts), self._seed, block)[place]
        part, asking = self._parts[number]
        spec = asking.spec(block * self._counts[number] + before)
        return msgspec.structs.replace(
            spec, tags=(part.name, *spec.tags) if part.name else spec.tags, template=part.template
        )

    def answered(self, request: Request, text: str) -> None:
        for part, asking in self._parts:
            if part.name in request.tags and asking.needs_text:
                asking.answered(request, text)


def seed_of(part: int, seed: int) -> int:
    """Of what part number `part` asks: two of one kind ask for other prompts."""
    return seed if part == 0 else int.from_bytes(drawn_bytes(f"{seed}:part:{part}", 7), "little")


def counts_of(weights: Sequence[float]) -> list[int]:
    """How many requests of a block are of each part; each has one at least."""
    total = sum(weights)
    for block in _BLOCKS:
        exact = [weight / total * block for weight in weights]
        if all(abs(share - round(share)) < 1e-6 and round(share) >= 1 for share in exact):
            return list(map(round, exact))
    # The largest remainders have what rounding down leaves.
    counts = [max(1, int(share)) for share in exact]
    by_rest = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in by_rest[: max(0, block - sum(counts))]:
        counts[i] += 1
    return counts


@lru_cache(maxsize=64)
def _order(counts: tuple[int, ...], seed: int, block: int) -> list[tuple[int, int]]:
    """Of each place of a block: its part, and how many of that part stand before it there."""
    order = [part for part, count in enumerate(counts) for _ in range(count)]
    random.Random(f"{seed}:mix:{block}").shuffle(order)
    seen = [0] * len(counts)
    found = []
    for part in order:
        found.append((part, seen[part]))
        seen[part] += 1
    return found
