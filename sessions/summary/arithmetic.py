"""Sums, means and rates as figures have them: None where nobody told of any, or there was no time."""

from __future__ import annotations

from typing import Any

import numpy as np

from sessions.timeline.requests import NONE


def total(tokens: Any) -> int | None:
    """Sum over the requests of which it is known; None where it is known of none."""
    known = tokens[tokens != NONE]
    return int(known.sum(dtype=np.int64)) if len(known) else None


def whole(tokens: Any) -> int | None:
    """Sum over all requests; None where it is not known of each: what is not known is not nothing."""
    return None if (tokens == NONE).any() else total(tokens)


def mean(tokens: Any) -> float | None:
    """Over the same requests."""
    known = tokens[tokens != NONE]
    return float(known.mean()) if len(known) else None


def per(amount: float | None, of: float) -> float | None:
    """None where the amount is not known, or `of` is nothing."""
    return amount / of if amount is not None and of > 0 else None


def ms(ns: float) -> float | None:
    """As a summary rounds it; None for NaN."""
    return None if np.isnan(ns) else round(float(ns) / 1e6, 6)
