"""All sockets of a worker read in rounds: one wake of the event loop serves every socket that has data.

Where reads carry the kernel's receive time, a round need not follow each arrival: after it the worker may
rest a little, so that one wake finds what came on many sockets. How long is asked of `rest_ns` each time.

Source: epoll(7).
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

from loadgen.clock import sleep_ns

_SHORTEST_NS = 50_000
"""What is shorter than the kernel's timer slack is no rest."""


def no_rest() -> int:
    return 0


class Rounds:
    """Calls `on_readable` of each socket that has data, or whose other end is gone."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._on_readable: dict[int, Callable[[], None]] = {}
        # An epoll inside the loop's own saves it a handle, a context and a turn for each socket.
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self.rest_ns: Callable[[], int] = no_rest
        """Nanoseconds that may pass before the next round: the loop does nothing else meanwhile."""

    def add(self, fd: int, on_readable: Callable[[], None]) -> None:
        if self._epoll is None:
            self._loop.add_reader(fd, on_readable)
            return
        if not self._on_readable:
            self._loop.add_reader(self._epoll.fileno(), self._round)
        self._epoll.register(fd, select.EPOLLIN)
        self._on_readable[fd] = on_readable

    def remove(self, fd: int) -> None:
        """Nothing happens if `fd` was not added."""
        if self._epoll is None:
            self._loop.remove_reader(fd)
        elif self._on_readable.pop(fd, None) is not None:
            self._epoll.unregister(fd)
            if not self._on_readable:
                self._loop.remove_reader(self._epoll.fileno())

    def close(self) -> None:
        if self._epoll is not None:
            if self._on_readable:
                self._loop.remove_reader(self._epoll.fileno())
                self._on_readable.clear()
            self._epoll.close()

    def _round(self) -> None:
        assert self._epoll is not None
        on_readable = self._on_readable
        for fd, _ in self._epoll.poll(0):
            # One that is gone by now was closed by what another brought.
            if (read := on_readable.get(fd)) is not None:
                read()
        if (rest_ns := self.rest_ns()) >= _SHORTEST_NS:
            sleep_ns(rest_ns)
