"""The blocks of the KV cache: who holds them, and which keep what others may need again.

As vLLM's: a full block is known by the hash of its tokens and of all before it; sequences that begin alike
hold the same blocks. A block that nobody holds any more stays known until its room is needed: those go first
that have been idle longest, and of one sequence's the last first, since the first are of use to more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence


def block_hashes(tokens: Sequence[int], block_tokens: int) -> tuple[int, ...]:
    """One for each full block of `tokens`: equal (but for a chance of 2^-61) when all up to its end is
    equal."""
    hashes = []
    so_far = 0
    for start in range(0, len(tokens) - block_tokens + 1, block_tokens):
        so_far = hash((so_far, *tokens[start : start + block_tokens]))
        hashes.append(so_far)
    return tuple(hashes)


class KvBlocks:
    """`total` blocks. Those in use are private to a sequence, or known by their hash and shared."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._private = 0
        self._holders: dict[int, int] = {}
        """How many sequences hold each known block that is in use."""
        self._idle: OrderedDict[int, None] = OrderedDict()
        """Known blocks that nobody holds, the one to go next first."""

    @property
    def free(self) -> int:
        """Blocks that can be had: empty ones and idle ones."""
        return self.total - self._private - len(self._holders)

    def known(self, hashes: Sequence[int]) -> int:
        """How many of `hashes`, from the first on, are in the cache."""
        for count, block in enumerate(hashes):
            if block not in self._holders and block not in self._idle:
                return count
        return len(hashes)

    def idle_among(self, hashes: Sequence[int]) -> int:
        """How many of these blocks nobody holds: holding them takes as many from `free`."""
        return sum(block in self._idle for block in hashes)

    def hold(self, hashes: Sequence[int]) -> None:
        """One more sequence holds these blocks, all of them known."""
        for block in hashes:
            self._idle.pop(block, None)
            self._holders[block] = self._holders.get(block, 0) + 1

    def take(self, count: int) -> None:
        """`count` private blocks, no more than are free."""
        self._private += count
        while self._private + len(self._holders) + len(self._idle) > self.total:
            self._idle.popitem(last=False)

    def publish(self, block: int) -> bool:
        """A private block is full and known from now on; False: another one is known by that hash already."""
        if block in self._holders or block in self._idle:
            return False
        self._private -= 1
        self._holders[block] = 1
        return True

    def release(self, held: Sequence[int], private: int) -> None:
        """A sequence gives up the known blocks `held` and `private` others."""
        self._private -= private
        for block in reversed(held):
            self._holders[block] -= 1
            if not self._holders[block]:
                del self._holders[block]
                self._idle[block] = None
