"""Figures and tables as plain text. What is None was not measured and is a dash, never 0."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessions.summary.telemetry_schema import Spread

NOT_MEASURED = "-"


def mean(spread: Spread | None) -> float | None:
    return None if spread is None else spread.mean


def most(spread: Spread | None) -> float | None:
    return None if spread is None else spread.max


def scaled(value: float | None, unit: float, places: int) -> str:
    return number(None if value is None else value / unit, places)


def number(value: float | None, places: int) -> str:
    """With thousands separated; a dash for None."""
    return NOT_MEASURED if value is None else f"{value:,.{places}f}"


def milliseconds(value: float | None) -> str:
    """Three to four digits that matter: 0.42, 15.1, 231, 12,043."""
    if value is None:
        return NOT_MEASURED
    return number(value, 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0)


def marked(value: float | None, thin: bool) -> str:
    """Milliseconds, with `~` where they rest on too few samples."""
    return ("~" if thin and value is not None else "") + milliseconds(value)


def cells(text: str) -> int:
    """How wide a terminal draws `text`. Rich could tell too, but takes long to import."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(letter) in ("Mn", "Me", "Cf")
        else 1 + (unicodedata.east_asian_width(letter) in ("W", "F"))
        for letter in text
    )


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns as wide as their widest cell; the first `left` of them flush left, figures flush right."""
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell + " " * (width - cells(cell)) if i < left else " " * (width - cells(cell)) + cell
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
