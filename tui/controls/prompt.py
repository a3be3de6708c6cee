"""A line of text being typed in the bottom row, and what is asked of the run with it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from sessions.run.commands import AddMark, Command, SetConcurrency, SetRate, SetWorkload
from tui.controls.ramp_text import parsed_ramp, ramp_words
from tui.draw.text import masked

LIMIT = 80
_MOVES = {"up": -1, "shift+tab": -1, "down": 1, "tab": 1, "pageup": -10, "pagedown": 10}
"""In a list."""
_STEPS = {"up": -1, "shift+tab": -1, "down": 1, "tab": 1, "W": 1}
"""Among choices."""


class Listed(NamedTuple):
    """Something to choose."""

    asks: str
    """What is asked for with it."""
    words: str
    """By which it is found."""


@dataclass(frozen=True)
class Prompt:
    """`kind` is `rate`, `concurrency`, `ramp`, `workload`, `mark` or `baseline`."""

    kind: str
    label: str
    text: str = ""
    cursor: int = 0
    beside_ns: int | None = None
    """Of a mark that the run is not told: the instant that it is set at."""
    rate_rps: float | None = None
    """Of a ramp: the rate as it was when this was asked."""
    choices: tuple[str, ...] = ()
    """What alone may be asked for; none: whatever is typed."""
    listed: tuple[Listed, ...] = ()
    """What is offered: those that have all the words typed."""
    at: int = 0
    """The place of the one that is chosen among these."""

    @property
    def found(self) -> list[Listed]:
        """Those of the list that fit what is typed so far."""
        wanted = self.text.lower().split()
        return [one for one in self.listed if all(word in one.words.lower() for word in wanted)]

    @property
    def asks(self) -> str:
        """What is chosen of the list; what was typed, where nothing in it fits."""
        found = self.found
        return found[min(self.at, len(found) - 1)].asks if found else self.text

    @property
    def said(self) -> str:
        """What the line means as far as it is typed; empty where there is nothing to say."""
        if self.choices:
            return "W tab: another"
        if self.kind != "ramp":
            return ""
        return ramp_words(self.text, self.rate_rps)

    def typed(self, text: str) -> Prompt:
        """With `text` put in at the cursor (a key or a paste), control characters gone, `LIMIT` at most."""
        if self.choices:
            return self
        clean = masked(text.replace("\n", " ").replace("\r", " "))[: LIMIT - len(self.text)]
        return replace(
            self,
            text=self.text[: self.cursor] + clean + self.text[self.cursor :],
            cursor=self.cursor + len(clean),
            at=0,
        )

    def after(self, key: str, character: str | None) -> Prompt:
        """After any key but enter and those that leave it."""
        if self.listed and key in _MOVES:
            return replace(self, at=min(max(self.at + _MOVES[key], 0), max(len(self.found) - 1, 0)))
        if self.choices:
            return self._chosen(_STEPS.get(key, _STEPS.get(character or "", 0)))
        if character is not None and character.isprintable():
            return self.typed(character)
        return self.pressed(key)

    def _chosen(self, by: int) -> Prompt:
        text = self.choices[(self.choices.index(self.text) + by) % len(self.choices)]
        return replace(self, text=text, cursor=len(text))

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
        if self.kind == "ramp":
            return parsed_ramp(self.text)
        if self.kind == "workload":
            return SetWorkload(self.text)
        return (
            SetRate(parsed_rate(self.text))
            if self.kind == "rate"
            else SetConcurrency(parsed_concurrency(self.text))
        )


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
