"""Glyphs that must touch their neighbours, as shapes: blocks, braille, and the lines of frames. Pure.

A font draws them as high as its own lines are, which leaves gaps between rows; many have no braille at all.
"""

from __future__ import annotations

CELL_WIDTH, CELL_HEIGHT = 8.4, 18.0
DOT = 2.0
LINE = 1.2
_BRAILLE = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each bit. Source: Unicode, Braille Patterns."""
_ARMS = dict(
    zip(
        "─│╭╮╰╯├┤┴┬└╷",
        ["lr", "ud", "rd", "ld", "ru", "lu", "udr", "udl", "lru", "lrd", "ru", "d"],
        strict=True,
    )
)
"""Box drawing, as the sides of its cell that it reaches."""


def shape(letter: str, left: float, top: float) -> str:
    """What a path of it says, in the cell at `left`, `top`; empty where a font draws it."""
    code = ord(letter)
    if 0x2581 <= code <= 0x2588:  # lower eighths
        height = CELL_HEIGHT * (code - 0x2580) / 8
        return _rect(left, top + CELL_HEIGHT - height, CELL_WIDTH, height)
    if 0x2589 <= code <= 0x258F:  # left eighths
        return _rect(left, top, CELL_WIDTH * (0x2590 - code) / 8, CELL_HEIGHT)
    if 0x2800 < code <= 0x28FF:
        return "".join(
            _rect(
                left + (column + 0.5) * CELL_WIDTH / 2 - DOT / 2,
                top + (row + 0.5) * CELL_HEIGHT / 4 - DOT / 2,
                DOT,
                DOT,
            )
            for bit, (column, row) in enumerate(_BRAILLE)
            if (code - 0x2800) >> bit & 1
        )
    return "".join(_arm(arm, left, top) for arm in _ARMS.get(letter, ""))


def _arm(arm: str, left: float, top: float) -> str:
    x, y = left + (CELL_WIDTH - LINE) / 2, top + (CELL_HEIGHT - LINE) / 2
    half_wide, half_high = (CELL_WIDTH + LINE) / 2, (CELL_HEIGHT + LINE) / 2
    return {
        "l": _rect(left, y, half_wide, LINE),
        "r": _rect(x, y, half_wide, LINE),
        "u": _rect(x, top, LINE, half_high),
        "d": _rect(x, y, LINE, half_high),
    }[arm]


def _rect(x: float, y: float, width: float, height: float) -> str:
    return f"M{_short(x)} {_short(y)}h{_short(width)}v{_short(height)}h-{_short(width)}z"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
