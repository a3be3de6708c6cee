"""Text that came from a server, a file or a host, made harmless and cut to a width in cells."""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

# C0, DEL, C1; soft hyphen, Arabic letter mark and other format characters; zero-width and bidi controls;
# line and paragraph separators; variation selectors; surrogates; tags. None may reach a terminal: some are
# orders to it, the others make what is read differ from what is there, or a row's width uncertain.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe(text: str, limit: int = 200) -> str:
    """`text` in at most `limit` characters, control characters written out as `\\x1b`, `\\u202e`."""
    cut = _UNSAFE.sub(_visible, text[: limit + 1])
    if len(text) <= limit and len(cut) <= limit:
        return cut
    return cut[: max(limit - 1, 0)] + "…"[:limit]


def masked(text: str) -> str:
    """The last gate before the terminal: as long as `text`, anything unsafe replaced by `?`."""
    return _UNSAFE.sub("?", text)


def is_safe(text: str) -> bool:
    """`masked` would leave it as it is."""
    return _UNSAFE.search(text) is None


def fit(text: str, width: int) -> str:
    """`text` in exactly `width` cells: padded with spaces, or cut with `…`."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(set_cell_size(text, width - 1).rstrip() + "…", width)


def fit_tail(text: str, width: int) -> str:
    """At most `width` cells, the end kept: for addresses, whose end tells them apart."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > width - 1:
        text = text[1:]
    return "…" + text if width > 0 else ""


def fit_parts(text: str, width: int) -> str:
    """At most `width` cells of figures with commas between them: of `KV 98 %, 239 waiting` the last go
    whole, since `23…` is another figure. Where no figure would be left, it is cut."""
    parts = text.split(", ")
    for n in range(len(parts), 0, -1):
        kept = ", ".join(parts[:n])
        if cell_len(kept) <= width and (n == len(parts) or any(map(str.isdigit, parts[n - 1]))):
            return kept
    return fit(text, width)


def fit_axis(label: str, width: int) -> str:
    """At most `width` cells of a label of an axis: one of milliseconds, which a title says, goes without its
    unit before its first figure does: `<100` for `<100ms`, never `…00ms`."""
    return fit_tail(label.removesuffix("ms") if cell_len(label) > width else label, width)
