"""Keys as providers begin them: one list for what is typed and for what stands in files."""

from __future__ import annotations

import re

_OF_PARTS = ("sk", "pk", "rk", "tgp", "nvapi", "glpat", "xoxa", "xoxb", "xoxp", "xoxs")
"""What follows may hold `-` and `_`, as a name of a model does."""
_OF_ONE = ("hf", "gsk", "xai", "pplx", "r8", "csk", "ghp", "gho", "ghu", "ghs", "ghr")
"""Letters and digits alone follow."""
_AT_ONCE = ("AIza", "AKIA", "ya29.", "eyJ")
"""Without `-` or `_` after it: of Google, of Amazon, and a JSON web token (RFC 7519)."""


def _any(begins: tuple[str, ...]) -> str:
    return f"(?:{'|'.join(map(re.escape, begins))})"


A_WORD = rf"(?:{_any(_OF_PARTS + _OF_ONE)}[-_]|{_any(_AT_ONCE)})[A-Za-z0-9._+=-]{{3,}}"
"""For a word that was typed: rather one too many is not repeated."""
IN_A_TEXT = (
    rf"{_any(_OF_PARTS)}[-_](?=[^\s\d]{{0,99}}\d)[\w+&.-]{{16,}}|{_any(_OF_ONE)}[-_][^\W_]{{20,}}"
    rf"|{_any(_AT_ONCE)}(?=[^\s\d]{{0,99}}\d)[\w.+=-]{{16,}}"
)
"""For running text, letters of either case: the name of a model is none."""
HINTS = (*(f"{name}{mark}" for name in _OF_PARTS + _OF_ONE for mark in "-_"), *map(str.lower, _AT_ONCE))
"""One of these stands, in lower case, in whatever `IN_A_TEXT` finds."""
