"""Which of several targets a request goes to: by its index alone, the same in every worker and for any number
of them.

Each run of as many indices as the weights add up to holds every target exactly as often as its weight says,
mixed as evenly as a smooth weighted round robin mixes them. Where in that order a run begins follows the
golden ratio, so that no worker, whose indices lie at equal distances, meets some targets more than others.

Source: the order is that of nginx's `upstream` (ngx_http_upstream_round_robin.c).
"""

from __future__ import annotations

from collections.abc import Sequence

_GOLDEN = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: its multiples are spread over 2^64 more evenly than those of any other."""
_MASK = (1 << 64) - 1


def smooth_order(weights: Sequence[int]) -> list[int]:
    """Targets by number, each as often as its weight, spread as evenly as they can be."""
    total = sum(weights)
    current = [0] * len(weights)
    order = []
    for _ in range(total):
        current = [now + weight for now, weight in zip(current, weights, strict=True)]
        chosen = max(range(len(current)), key=lambda at: (current[at], -at))
        current[chosen] -= total
        order.append(chosen)
    return order


class TargetTurns:
    """The target of each index."""

    def __init__(self, weights: Sequence[int]) -> None:
        """`weights`: of the targets by number, whole and above 0."""
        self._order = smooth_order(weights)
        self._length = len(self._order)

    def of(self, index: int) -> int:
        """Number of the target that request, or conversation, `index` goes to."""
        block, place = divmod(index, self._length)
        begin = (block * _GOLDEN & _MASK) * self._length >> 64
        return self._order[(place + begin) % self._length]
