"""Figures of one client's run, and how a number is printed."""

from __future__ import annotations

from typing import Any

Figures = dict[str, Any]


def cpu_us(told: Figures) -> float:
    return float(told["cpu_s"] / told["events"] * 1e6)


def rate(told: Figures) -> float:
    return float(told["events"] / told["wall_s"])


def number(value: float | None, digits: int = 3) -> str:
    """Significant digits; `-` for None."""
    if value is None:
        return "-"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.{digits}g}"
