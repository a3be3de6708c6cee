"""A line of text being typed in the bottom row, and what is asked of the run with it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sessions.run.commands import AddMark, Command, SetConcurrency, SetRate
from tui.draw.text import masked

LIMIT = 80


@dataclass(frozen=True)
class Prompt:
    """`kind` is `rate`, `concurrency` or `mark`."""

    kind: str
    label: str
    text: str = ""
    cursor: int = 0

    def typed(self, text: str) -> Prompt:
        """With `text` put in at the cursor (a key or a paste), control characters gone, `LIMIT` at most."""
        clean = masked(text.replace("\n", " ").replace("\r", " "))[: LIMIT - len(self.text)]
        return replace(
            self,
            text=self.text[: self.cursor] + clean + self.text[self.cursor :],
            cursor=self.cursor + len(clean),
        )

    def after(self, key: str, character: str | None) -> Prompt:
        """After any key but enter and those that leave it."""
        if character is not None and character.isprintable():
            return self.typed(character)
        return self.pressed(key)

    def pressed(self, key: str) -> Prompt:
        """After an editing key; any other leaves it as it is."""
        text, at = self.text, self.cursor
        if key in ("backspace", "ctrl+h"):
            return replace(self, text=text[: max(at - 1, 0)] + text[at:], cursor=max(at - 1, 0))
        if key == "delete":
            return replace(self, text=text[:at] + text[at + 1 :])
        if key == "ctrl+u":
            return replace(self, text=text[at:], cursor=0)
        moves = {
            "left": at - 1,
            "right": at + 1,
            "home": 0,
            "ctrl+a": 0,
            "end": len(text),
            "ctrl+e": len(text),
        }
        return replace(self, cursor=min(max(moves.get(key, at), 0), len(text)))

    def command(self) -> Command | None:
        """What is asked of the run with it; None: a load without a figure asks nothing.

        Raises:
            ValueError: one line saying what was got and what is allowed.
        """
        if self.kind == "mark":
            return AddMark(self.text.strip())
        if not self.text.strip():
            return None
        return (
            SetRate(parsed_rate(self.text))
            if self.kind == "rate"
            else SetConcurrency(parsed_concurrency(self.text))
        )


def load_prompt(closed_loop: bool) -> Prompt:
    """Asks for an exact load."""
    return Prompt("concurrency", "concurrency:") if closed_loop else Prompt("rate", "rate (req/s):")


def mark_prompt(following: bool) -> Prompt:
    """Asks for a mark; while the past is looked at, it says that the mark is not set there."""
    when = "mark" if following else "mark now, not at the time shown"
    return Prompt("mark", f"{when} (words are optional):")


def parsed_rate(text: str) -> float:
    """Requests per second as typed.

    Raises:
        ValueError: one line saying what was got and what is allowed.
    """
    try:
        value = float(text.strip())
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"got {text.strip()!r}: need a number above 0, like 12 or 0.5")
    return value


def parsed_concurrency(text: str) -> int:
    """A concurrency as typed.

    Raises:
        ValueError: one line saying what was got and what is allowed.
    """
    stripped = text.strip()
    if not stripped.isascii() or not stripped.isdigit() or int(stripped) < 1:
        raise ValueError(f"got {stripped!r}: need a whole number of at least 1, like 16")
    return int(stripped)
