"""What one socket brings, on its way to whoever it is for.

Nearly every read of a stream says the same as the one before it: one more token. Such reads are understood
as they come, many sockets' in one go; what is left of each is its time, and the times of a stream are told
together. So what belongs to one stream is touched once for many of its tokens.
"""

from __future__ import annotations

import socket
from typing import Any, Protocol

TOLD_AT_ONCE = 64
"""Reads that wait in one inlet at the most."""


class Receiver(Protocol):
    """Whoever a socket is read for."""

    def on_read(self, data: bytes, t_ns: int, by_kernel: bool) -> None:
        """What one read gave; no data at the end of the stream."""

    def on_usual(self, said: list[Any], times_ns: list[int], by_kernel: list[bool], size: int) -> None:
        """What usual reads said, one after the other, and when; `size` bytes in all."""

    def on_lost(self, error: OSError) -> None:
        """The connection broke."""


class Inlet:
    """Reads of one socket, told in the order in which they came."""

    __slots__ = ("_by_kernel", "_receiver", "_said", "_size", "_times_ns", "open", "recvmsg", "usual_end")

    def __init__(self, sock: socket.socket, receiver: Receiver) -> None:
        self.recvmsg, self._receiver = sock.recvmsg, receiver
        self.open = True
        """False once nothing more may be told."""
        self.usual_end: bytes | None = None
        """How a read ends that may be a usual one; None if none may come next."""
        self._said: list[Any] = []
        self._times_ns: list[int] = []
        self._by_kernel: list[bool] = []
        self._size = 0

    def hold(self, said: object, t_ns: int, by_kernel: bool, size: int) -> None:
        """Takes in what a usual read of `size` bytes said. It is told with others."""
        self._said.append(said)
        self._times_ns.append(t_ns)
        self._by_kernel.append(by_kernel)
        self._size += size
        if len(self._times_ns) >= TOLD_AT_ONCE:
            self.settle()

    @property
    def holds(self) -> bool:
        """Something was not told yet."""
        return bool(self._times_ns)

    def settle(self) -> None:
        """Tells what it holds."""
        if self._times_ns and self.open:
            told = self._said, self._times_ns, self._by_kernel, self._size
            self._said, self._times_ns, self._by_kernel, self._size = [], [], [], 0
            self._receiver.on_usual(*told)

    def tell(self, data: bytes, t_ns: int, by_kernel: bool) -> None:
        """Tells any other read."""
        self.settle()
        if self.open:
            self._receiver.on_read(data, t_ns, by_kernel)

    def lose(self, error: OSError) -> None:
        """Tells that the connection broke."""
        self.settle()
        if self.open:
            self._receiver.on_lost(error)
