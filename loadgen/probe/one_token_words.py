"""Words that each add exactly one token, found without a tokenizer.

A text of the first `k` candidates is counted by the server for a few `k`. Each word adds at least one
token, so a stretch of words that adds as many tokens as it has words holds only words of one token. One
stretch is enough where the vocabulary is large; a small one is searched by halving.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

_TEXT = """
the of and to in is for that on with as are be it this by from or an at not have has was were but
can all if will one we you they he she his her its our your more which when who what how time out up
so no do does about into than then them these some would other new two only also first use used may
over such any after most must where work part people year day way man house world life hand place
case point group number system program question home water room mother area money story fact month
lot right study book eye job word business issue side kind head far black long little value line
name file data list type set object a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F
G H I J K L M N O P Q R S T U V W X Y Z
"""
CANDIDATES: tuple[str, ...] = tuple(_TEXT.split())
"""Short, frequent and different: one token each, behind a space, in nearly every large vocabulary."""

ENOUGH = 48
"""Words beyond which the search stops: more would make prompts no more different."""

Count = Callable[[str], Awaitable[int | None]]
"""Counts the tokens of a text with everything the server adds; None when it does not count."""


class OneTokenWords(msgspec.Struct, frozen=True):
    """`words` of one token each, and the `overhead_tokens` that stand around them."""

    words: list[str]
    overhead_tokens: int


async def find_words(count: Count, most_counts: int) -> OneTokenWords | None:
    """Asks `count` at most `most_counts` times (at least 3). None when no word could be found."""
    asked = 0
    known: dict[int, int] = {}

    async def first(k: int) -> int | None:
        nonlocal asked
        if k not in known:
            asked += 1
            tokens = await count(" ".join(CANDIDATES[:k]))
            if tokens is None:
                return None
            known[k] = tokens
        return known[k]

    low, high = await first(1), await first(len(CANDIDATES))
    if low is None or high is None:
        return None
    good: list[str] = []
    stretches = [(1, len(CANDIDATES))]
    while stretches and len(good) < ENOUGH:
        # The stretch with the smallest excess a word first: it is the likeliest to hold good ones.
        stretches.sort(key=lambda s: ((known[s[1]] - known[s[0]]) / (s[1] - s[0]), s), reverse=True)
        start, end = stretches.pop()
        if known[end] - known[start] == end - start:
            good += CANDIDATES[start:end]
        elif end - start > 1 and asked < most_counts:
            middle = (start + end) // 2
            if await first(middle) is None:
                return None
            stretches += [(start, middle), (middle, end)]
    return OneTokenWords(good, max(0, low - 1)) if good else None
