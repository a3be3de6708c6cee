"""Numbers in a sentence: as a person writes them."""

from __future__ import annotations

import math

_PLACES = 9
"""So many behind the point at most: what is smaller is 0 to a reader."""


def digits(value: float, most: int) -> str:
    """As `:,.{most}g`, but never with an exponent: `0.042`, `1.87`, `1,873`, `71,253`. All digits before the
    point are kept: a rounded `71,300` would look exact."""
    if not math.isfinite(value):
        return f"{value}"
    if not value:
        return "0"
    places = min(max(most - 1 - math.floor(math.log10(abs(value))), 0), _PLACES)
    text = f"{value:,.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
