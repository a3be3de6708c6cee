"""A ramp as a person types it on the screen: `32 in 60s`, `4..32 over 1m`, `4..32/60s:exp`. Pure."""

from __future__ import annotations

import re

from sessions.plan import typed_values
from sessions.plan.config import ConfigError
from sessions.run.commands import SetRamp
from tui.draw import numbers

EXAMPLES = "like 32 in 60s, 4..32/60s or 4..32/60s:exp"
_OVER = re.compile(r"\s+(?:in|over)\s+|\s*/\s*")
_TO = re.compile(r"(?:to\s+|\.\.)\s*")


def parsed_ramp(text: str) -> SetRamp:
    """The grammar of `run --ramp`, and words in it; without a beginning, from the rate that the run has then.

    Raises:
        ValueError: one line saying what was got and what is allowed.
    """
    rates, *rest = _OVER.split(text.strip().lower(), maxsplit=1)
    if not rest:
        raise ValueError(f"{typed_values.got(text.strip())}: need a rate and a time, {EXAMPLES}")
    over, colon, shape = rest[0].partition(":")
    plain = f"{''.join(over.split())}{colon}{shape.strip()}"
    rates = _TO.sub("", rates, count=1) if _TO.match(rates) else rates
    try:
        if ".." in rates or " to " in rates:
            asked = typed_values.ramp(f"{rates.replace(' to ', '..')}/{plain}")
            return SetRamp(asked.to_rps, asked.over_s, asked.from_rps, asked.shape)
        asked = typed_values.ramp(f"1..{rates}/{plain}")
    except ConfigError:
        raise ValueError(f"{typed_values.got(text.strip())}: need a ramp {EXAMPLES}") from None
    return SetRamp(asked.to_rps, asked.over_s, None, asked.shape)


def ramp_words(text: str, rate_rps: float | None) -> str:
    """What was typed so far means: `14 -> 32 rps over 60 s`; empty where that is no ramp yet."""
    try:
        asked = parsed_ramp(text)
    except ValueError:
        return ""
    begin = numbers.rate(rate_rps if asked.from_rps is None else asked.from_rps)
    curve = ", each second by the same factor" if asked.shape == "exp" else ""
    return f"{begin} -> {asked.to_rps:g} rps over {asked.over_s:g} s{curve}"
