"""On which line of a TOML text something stands: parsers tell only of their own mistakes."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([A-Za-z0-9_-]+))\s*(?:=|\.)")


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line, from 1, of the key or table at `path` (`("stages", 0, "rate")`); None when it is not found.

    Where the key itself is not there, or stands within an inline value, the line of what holds it. A line
    within a text of several lines may be taken for a key: good enough to point at.
    """
    table: tuple[str | int, ...] = ()
    counts: dict[str, int] = {}
    best, depth = None, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            name = header[2].strip("\"' ")
            table = tuple(part.strip("\"' ") for part in name.split("."))
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                table += (counts[name],)
            here = table
        elif key := _KEY.match(line):
            here = (*table, next(part for part in key.groups() if part is not None))
        else:
            continue
        if here == tuple(path[: len(here)]) and len(here) > depth:
            best, depth = number, len(here)
    return best
