#!/usr/bin/env python3
"""Writes the table of SECURITY.md: what somebody can and cannot do, and the tests that show it.

    .venv/bin/python scripts/security_page.py

From tests/security/borders.toml: a `[[border]]` is `who` stands there, what they `can` do all the same, and
what they `cannot`, each with the `tests` by their ids in pytest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomli

ROOT = Path(__file__).resolve().parents[1]
BORDERS = ROOT / "tests" / "security" / "borders.toml"
PAGE = ROOT / "SECURITY.md"
MARKER = "<!-- from here on written by scripts/security_page.py -->\n"


def borders() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomli.loads(BORDERS.read_text(encoding="utf-8"))["border"]
    return found


def rows() -> Iterator[str]:
    for border in borders():
        yield f"\n### {border['who']}\n"
        yield f"Can: {border['can']}.\n"
        yield "| cannot | shown by |"
        yield "| --- | --- |"
        for line in border["cannot"]:
            yield f"| {line['what']} | {'<br>'.join(map(_linked, line['tests']))} |"


def _linked(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}]({file})"


def page() -> str:
    """The whole page: what stands before the marker, and the table."""
    before, marker, _ = PAGE.read_text(encoding="utf-8").partition(MARKER)
    if not marker:
        raise ValueError(f"{PAGE}: need the line {MARKER!r}")
    return before + MARKER + "\n".join(rows()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
