"""Rows dealt out among charts."""

from __future__ import annotations

from collections.abc import Mapping


def dealt(room: int, weights: Mapping[str, float], most: Mapping[str, int] | None = None) -> dict[str, int]:
    """Each a row first, the first ones where there are too few; then more by weight, `most` at the most."""
    rows = dict.fromkeys(weights, 0)
    for name in list(weights)[: max(room, 0)]:
        rows[name] = 1
    left = room - sum(rows.values())
    limits = most or {}
    while left > 0:
        growing = [name for name in weights if rows[name] < limits.get(name, room)]
        if not growing:
            break
        name = min(growing, key=lambda name: (rows[name] + 1) / weights[name])
        rows[name] += 1
        left -= 1
    return rows
