"""Figures as a person reads them, and texts that no page, table or terminal interprets."""

from __future__ import annotations

import html

from loadgen.errors import printable

NOT_MEASURED = "–"


def ms(value: float | None) -> str:
    """`0.42 ms`, `231 ms`, `12.0 s`; a dash where it was not measured."""
    if value is None:
        return NOT_MEASURED
    if abs(value) >= 10_000:
        return f"{value / 1e3:,.1f} s"
    return f"{value:,.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f} ms"


def figure(value: float | None, unit: str = "") -> str:
    """Three to four digits that matter; a dash where it was not measured."""
    if value is None:
        return NOT_MEASURED
    size = abs(value)
    places = 0 if size >= 100 or value == round(value) else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{places}f}" + (f" {unit}" if unit else "")


def share(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.1%}"


def plain(text: object, most: int = 200) -> str:
    """One line without what a terminal or a reader of XML would choke on."""
    return printable(" ".join(str(text).split()), most)


def escaped(text: object, most: int = 200) -> str:
    """`plain`, for a page: nothing in it is a tag, an entity or the end of an attribute."""
    return html.escape(plain(text, most), quote=True)


def markdown(text: object, most: int = 200) -> str:
    """`plain`, for Markdown: nothing in it is a link, a table's edge, a tag or emphasis."""
    made = html.escape(plain(text, most), quote=False)
    for letter in "\\`*_[]|#~!":
        made = made.replace(letter, f"\\{letter}")
    return made
