"""What one socket brings, on its way to whoever it is for.

Nearly every read of a stream says the same as the one before it: one more token. Such reads are decoded
many at once, whatever their sockets; what is left of each is its time, and the times of a stream are told
together. So what belongs to one stream is touched once for many of its tokens.
"""

from __future__ import annotations

import socket
from typing import Any, Protocol


class Receiver(Protocol):
    """Whoever a socket is read for, told what the reads gave."""

    def on_read(self, data: bytes, t_ns: int, by_kernel: bool) -> None:
        """What one read gave; no data at the end of the stream."""

    def on_token_events(self, events: list[Any], times_ns: list[int], size: int) -> None:
        """What token reads said, one after the other, and when the kernel had each; `size` bytes in all."""

    def on_lost(self, error: OSError) -> None:
        """The connection broke."""


class ReadBuffer:
    """Reads of one socket, told in the order in which they came."""

    __slots__ = ("_receiver", "events", "open", "size", "sock", "times_ns", "token_end")

    def __init__(self, sock: socket.socket, receiver: Receiver) -> None:
        self.sock, self._receiver = sock, receiver
        self.open = True
        """False once nothing more may be told."""
        self.token_end = b""
        """How a read ends that may be a token event; empty if none may come next."""
        self.events: list[Any] = []
        """The token events that the receiver has not been told yet, oldest first."""
        self.times_ns: list[int] = []
        """When the kernel had each of `events`, session ns."""
        self.size = 0
        """Bytes of `events` as they were read, all together."""

    def flush(self) -> None:
        """Tells what it holds."""
        if self.times_ns and self.open:
            told = self.events, self.times_ns, self.size
            self.events, self.times_ns, self.size = [], [], 0
            self._receiver.on_token_events(*told)

    def deliver(self, data: bytes, t_ns: int, by_kernel: bool) -> None:
        """Tells any other read."""
        self.flush()
        if self.open:
            self._receiver.on_read(data, t_ns, by_kernel)

    def lose(self, error: OSError) -> None:
        """Tells that the connection broke."""
        self.flush()
        if self.open:
            self._receiver.on_lost(error)
