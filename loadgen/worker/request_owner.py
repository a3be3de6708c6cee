"""Whoever sends requests off, as those tell it of their ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from loadgen.worker.in_flight import InFlightRequest


class RequestOwner(Protocol):
    """Whoever sent the request off hears how it ended."""

    def on_finished(self, request: InFlightRequest) -> None:
        """The record is complete."""

    def on_stale(self, request: InFlightRequest) -> None:
        """A kept-alive connection died with no response byte: it may be sent once more."""
