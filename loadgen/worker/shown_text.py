"""The text that one stream shows: kept where somebody needs it, measured where it has to bear tokens."""

from __future__ import annotations

from typing import Any

from loadgen.endpoints import Endpoint
from loadgen.endpoints.token_event import texts_of


class ShownText:
    """Told of events that bore tokens, and of no others."""

    __slots__ = ("_endpoint", "_texts", "size", "wanted")

    def __init__(self, endpoint: Endpoint, *, keep: bool, measure: bool) -> None:
        self._endpoint = endpoint
        self._texts: list[str] | None = [] if keep else None
        self.size: int | None = 0 if measure else None
        """Bytes of all that was shown, reasoning and tool calls included; None where it is not measured."""
        self.wanted = keep or measure
        """Anybody asks for any of it: looked at first, since a token event is not to cost a call."""

    @property
    def answer(self) -> str:
        """What was answered so far, without reasoning; empty where it is not kept."""
        return "".join(self._texts or ())

    def add_token_events(self, events: list[Any]) -> None:
        texts = texts_of(events)
        if self._texts is not None:
            self._texts += texts
        if self.size is not None:
            self.size += len("".join(texts).encode())

    def add_event(self, data: bytes) -> None:
        if self._texts is not None:
            self._texts.append(self._endpoint.text(data))
        if self.size is not None:
            self.size += self._endpoint.shown_bytes(data)


class _NothingShown:
    """In place of one for each of the requests of whose text nobody asks for anything."""

    wanted, size, answer = False, None, ""

    def add_token_events(self, events: list[Any]) -> None:
        """Forgets them."""

    def add_event(self, data: bytes) -> None:
        """Forgets it."""


_NOTHING = _NothingShown()


def shown_text(endpoint: Endpoint, *, keep: bool, measure: bool) -> ShownText | _NothingShown:
    """What is kept, or measured, of one request's text: one thing for all of whom neither is asked."""
    return ShownText(endpoint, keep=keep, measure=measure) if keep or measure else _NOTHING
