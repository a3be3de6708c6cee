"""Prefixes that groups of requests share, as values and as a person types them."""

from __future__ import annotations

import re

import msgspec

MOST_PLACES = 10_000_000
_PREFIX = re.compile(r"(\d{1,9})x(\d{1,9})x(\d{1,9})")


class Prefixes(msgspec.Struct, frozen=True, omit_defaults=True):
    """`groups` beginnings of `tokens` tokens each; requests take turns among `groups * members` places, in an
    order that the seed shuffles anew for each round."""

    groups: int
    members: int
    tokens: int


class PrefixError(ValueError):
    """Prefixes that cannot be: one line with what was got and what is allowed."""


def parse_prefixes(text: str) -> Prefixes:
    """`150x5x6000`: groups, members of each, tokens of the prefix.

    Raises:
        PrefixError: it is none.
    """
    match = _PREFIX.fullmatch(text.strip())
    numbers = [int(part) for part in match.groups()] if match else []
    if not numbers or min(numbers) < 1:
        raise PrefixError(
            f"got {text[:60]!r}, need GROUPSxMEMBERSxTOKENS, each at least 1, such as 150x5x6000"
        )
    groups, members, tokens = numbers
    if groups * members > MOST_PLACES or tokens > MOST_PLACES:
        raise PrefixError(
            f"got {text[:60]!r}, need at most {MOST_PLACES:,} members in all, and as many tokens"
        )
    return Prefixes(groups, members, tokens)
