"""How long a person thinks before the next turn, as it is typed: one time, or a distribution of times."""

from __future__ import annotations

import re

from loadgen.indices import MOST_TURNS
from loadgen.workload.lengths import LengthError, Lengths, parse_lengths

_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?")
_MS = {"ms": 1, "s": 1000, "m": 60_000, None: 1000}
_FORM = re.compile(r"(?:(?:normal|lognormal|exponential):)?[\d.msn:@]+")
_ALLOWED = (
    "a time or a distribution of times, such as 2s, 1s..5s, exponential:2s@500ms..1m or lognormal:5s:3s"
)


def parse_think(text: str) -> Lengths:
    """Milliseconds, each number of `text` being a time: seconds where it has no unit.

    Raises:
        LengthError: it is none.
    """
    text = text.strip()
    try:
        if not _FORM.fullmatch(text):
            raise LengthError("")
        return parse_lengths(_TIME.sub(lambda time: f"{float(time[1]) * _MS[time[2]]:.0f}", text))
    except LengthError:
        raise LengthError(f"got {text[:60]!r}, need {_ALLOWED}, from 1ms to 10000s") from None


def parse_turns(text: int | str) -> Lengths:
    """How many turns a conversation has: a number, or a distribution as that of a length.

    Raises:
        LengthError: it is none, or goes beyond `MOST_TURNS`.
    """
    try:
        turns = parse_lengths(text)
    except LengthError:
        turns = None
    if turns is None or turns.at(0.999) > MOST_TURNS:
        allowed = (
            f"a number of turns from 1 to {MOST_TURNS}, or a distribution such as 2..8 or exponential:4@1..20"
        )
        raise LengthError(f"got {str(text)[:60]!r}, need {allowed}")
    return turns
