"""Whether a word was drawn at random, as a key is, or is a name that somebody chose."""

from __future__ import annotations

from itertools import pairwise

SHORTEST_DRAWN = 20


def is_drawn(word: str) -> bool:
    """So long, and so many changes between digits and the rest: no name of a model, a file or a field."""
    changes = sum(one.isdigit() != other.isdigit() for one, other in pairwise(word))
    return len(word) >= SHORTEST_DRAWN and changes * 6 >= len(word)
