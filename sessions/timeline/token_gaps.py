"""The gaps between tokens of a whole run, counted by how long they were: what exact percentiles need of them.

A run has tens of millions of gaps, but they are whole microseconds and repeat, so the memory grows with how
many differ and not with how many there are. Which request a gap belongs to is not kept.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadgen.records import Request
from sessions.metrics import tokens_after_gaps
from sessions.store.gap_codec import ALPHABET, decode_gaps
from sessions.timeline.columns import Floats, Ints

WHOLE_BELOW_US = 1 << 20
"""Whole microseconds below this are counted in a table: 30 times cheaper than sorting them."""
BATCH_GAPS = 1 << 16
"""So many gaps are gathered before they are counted: few enough to stay in a core's cache."""


class Multiset(NamedTuple):
    """Values, ascending, each once, and how often each occurs: both of shape `(n,)`."""

    values: Floats
    counts: Floats


def multiset(values: Floats, counts: Floats) -> Multiset:
    """Each value once, its counts added up."""
    once, place = np.unique(values, return_inverse=True)
    sums = np.bincount(place, weights=counts, minlength=len(once))
    return Multiset(once, np.asarray(sums, dtype=np.float64))


def union(a: Multiset, b: Multiset) -> Multiset:
    """What is in either, its counts added up."""
    return multiset(*(np.concatenate(pair) for pair in zip(a, b, strict=True)))


class TokenGaps:
    """Takes in the gaps of requests; the order in which they come leaves no trace.

    Three sorts of requests are counted apart: those whose chunks bore one token each, so that a gap is an
    ITL, too; those whose chunks bore several, and how many is known; those of which nobody said.
    """

    def __init__(self) -> None:
        self._one_each, self._several, self._unknown = WholeGaps(), WholeGaps(), WholeGaps()
        self._shared = SharedGaps()
        self._sorts = bytearray()
        """Of which sort each request was since `take_longest_us`."""

    def add(self, request: Request) -> bool:
        """Takes in a request, its gaps packed or not; True where its ITLs are known."""
        tokens = tokens_after_gaps(request)
        if tokens is None:
            self._unknown.add(request)
        elif not tokens:
            self._one_each.add(request)
        else:
            self._several.add(request)
            self._shared.add(request, tokens)
        self._sorts.append(2 if tokens is None else 1 if tokens else 0)
        return tokens is not None

    def take_longest_us(self) -> Ints:
        """The longest gap of each request that came since this was asked last, in the order in which they
        came; -1 of one without gaps."""
        sorts = np.frombuffer(bytes(self._sorts), dtype=np.uint8)
        self._sorts.clear()
        longest = np.empty(len(sorts), dtype=np.int64)
        for sort, gaps in enumerate((self._one_each, self._several, self._unknown)):
            longest[sorts == sort] = gaps.take_longest_us()
        return longest

    @property
    def chunk_gaps_us(self) -> Multiset:
        """Between successive token-bearing events."""
        return union(union(self._one_each.counted(), self._several.counted()), self._unknown.counted())

    @property
    def itl_us(self) -> Multiset:
        """Between successive tokens, of the requests where that is known: a gap before n tokens counts as n
        gaps of an n-th."""
        return union(self._one_each.counted(), self._shared.counted())


class WholeGaps:
    """Gaps of whole microseconds, decoded many requests at a time."""

    def __init__(self) -> None:
        self._packed: list[str] = []
        self._plain = array("q")
        self._waiting = 0
        self._table: Ints = np.zeros(0, dtype=np.int64)
        """How often each gap below `WHOLE_BELOW_US` occurs."""
        self._long = Multiset(np.empty(0), np.empty(0))
        self._longest = array("q")
        """Of each request since `take_longest_us`; of those that wait packed it is not known yet."""
        self._packed_at: list[int] = []

    def add(self, request: Request) -> None:
        if request.gaps:
            self._packed_at.append(len(self._longest))
            self._longest.append(-1)
            self._packed.append(request.gaps)
            self._waiting += len(request.gaps) // 4
        else:
            self._longest.append(max(request.gaps_us, default=-1))
            self._plain.extend(request.gaps_us)
            self._waiting += len(request.gaps_us)
        if self._waiting > BATCH_GAPS:
            self._count()

    def counted(self) -> Multiset:
        self._count()
        seen = np.flatnonzero(self._table)
        return union(Multiset(seen.astype(np.float64), self._table[seen].astype(np.float64)), self._long)

    def _count(self) -> None:
        if not self._waiting:
            return
        if not len(self._table):
            self._table = np.zeros(WHOLE_BELOW_US, dtype=np.int64)
        packed = unpacked(self._packed)
        if self._packed:
            lengths = [len(text) // 4 for text in self._packed]
            longest = np.maximum.reduceat(packed, np.cumsum([0, *lengths[:-1]]))
            for at, gap_us in zip(self._packed_at, longest.tolist(), strict=True):
                self._longest[at] = gap_us
        for gaps in (packed, np.array(self._plain, dtype=np.int64)):
            short = gaps
            if gaps.max(initial=0) >= WHOLE_BELOW_US:
                short = gaps[gaps < WHOLE_BELOW_US]
                long = gaps[gaps >= WHOLE_BELOW_US].astype(np.float64)
                self._long = union(self._long, multiset(long, np.ones(len(long))))
            counts = np.bincount(short)
            self._table[: len(counts)] += counts
        self._packed, self._plain, self._waiting = [], array("q"), 0
        self._packed_at = []

    def take_longest_us(self) -> Ints:
        """As `TokenGaps.take_longest_us`."""
        self._count()
        longest: Ints = np.array(self._longest, dtype=np.int64)
        self._longest = array("q")
        return longest


class SharedGaps:
    """Gaps shared among the tokens that came after them."""

    def __init__(self) -> None:
        self._values, self._counts = array("d"), array("d")
        self._counted = Multiset(np.empty(0), np.empty(0))

    def add(self, request: Request, tokens: list[int]) -> None:
        gaps_us = decode_gaps(request.gaps) if request.gaps else request.gaps_us
        self._values.extend(gap / count for gap, count in zip(gaps_us, tokens, strict=True))
        self._counts.extend(tokens)
        if len(self._values) > BATCH_GAPS:
            self.counted()

    def counted(self) -> Multiset:
        if self._values:
            fresh = multiset(np.array(self._values), np.array(self._counts))
            self._counted = union(self._counted, fresh)
            self._values, self._counts = array("d"), array("d")
        return self._counted


_SIX_BITS = bytes.maketrans(ALPHABET, bytes(range(64)))


def unpacked(texts: list[str]) -> Ints:
    """The gaps of several packed texts (`sessions.store.gap_codec`), one text after the other."""
    if not texts:
        return np.zeros(0, dtype=np.int64)
    lengths = [len(text) // 4 for text in texts]
    if lengths.count(lengths[0]) == len(lengths):  # answers of one length, as a load usually asks for
        first, second, third, fourth = _bits("".join(texts)).reshape(len(texts), 4, -1).swapaxes(0, 1)
    else:
        first, second, third, fourth = (
            _bits("".join([text[at * n : (at + 1) * n] for text, n in zip(texts, lengths, strict=True)]))
            for at in range(4)
        )
    high, low = first.astype(np.uint16) << 6 | second, third.astype(np.uint16) << 6 | fourth
    gaps: Ints = (high.astype(np.int64) << 12 | low).ravel()
    return gaps


def _bits(characters: str) -> NDArray[np.uint8]:
    return np.frombuffer(characters.encode("ascii").translate(_SIX_BITS), dtype=np.uint8)
