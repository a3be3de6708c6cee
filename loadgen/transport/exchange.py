"""Who hears of a connection: the exchange that it carries, and whoever keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from loadgen.transport.http1 import Headers

if TYPE_CHECKING:
    from loadgen.transport.connection import Connection


class Exchange(Protocol):
    """One request and its response, told as it happens. Times are session ns."""

    token_end: bytes
    """How a body ends of which no more than a token event need be understood; empty if none may come next."""

    def on_sent(self, t_ns: int) -> None:
        """The first byte is about to be handed to the socket."""

    def on_headers(self, t_ns: int, status: int, headers: Headers) -> None:
        """Final response headers (1xx are skipped)."""

    def on_body(self, t_ns: int, data: bytes, by_kernel: bool) -> None:
        """Decoded body bytes of one socket read, which the kernel had at `t_ns`."""

    def on_token_events(self, events: list[Any], times_ns: list[int], size: int) -> None:
        """What token events said (`loadgen.transport.read_buffer.Receiver`)."""

    def on_end(self, t_ns: int) -> None:
        """The response ended as HTTP says it should."""

    def on_fail(self, t_ns: int, kind: str, message: str, *, answered: bool, reused: bool) -> None:
        """It broke. `answered`: some byte of the response had come. `reused`: on a kept-alive connection."""


class Owner(Protocol):
    """Whoever keeps the connections."""

    def on_open(self, connection: Connection) -> None: ...

    def on_open_failed(self, connection: Connection, kind: str, message: str) -> None: ...

    def on_idle(self, connection: Connection, keep_alive_s: float | None) -> None:
        """The response is complete and the connection may carry another request."""

    def on_gone(self, connection: Connection) -> None:
        """Closed by the server while idle, or no longer usable."""
