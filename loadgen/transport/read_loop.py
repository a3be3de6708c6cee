"""All sockets of a worker read in rounds: one wake of the event loop serves every socket that has data.

Where reads carry the kernel's receive time, a round need not follow each arrival: after it the worker may
wait a little, so that one wake finds what came on many sockets. `read_delay_ns` says how long.

Source: epoll(7).
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable

from loadgen.clock import Clock, sleep_ns
from loadgen.transport.batch_reader import BatchReader
from loadgen.transport.read_buffer import ReadBuffer, Receiver
from loadgen.transport.receive_times import TimedReader

_SHORTEST_NS = 50_000
"""A delay that is shorter than the kernel's timer slack cannot be kept."""
_TAKING_IN_NS = 500_000
"""A delay that is shorter leaves no time to take in what was read."""
_SOCKETS_A_ROUND = 256
"""A burst of all streams is one round."""
_FEW_SOCKETS = 4
"""So many while a request is about to be due: reading them takes less than a worker wakes up ahead of it."""


def no_delay() -> int:
    return 0


class ReadLoop:
    """Reads each socket that has data, or whose other end is gone, for its receiver."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, reader: TimedReader) -> None:
        self._loop = loop
        self.batch_reader = BatchReader(clock, reader, self._on_error)
        self._open: dict[int, ReadBuffer] = {}
        # An epoll inside the loop's own saves it a handle, a context and a turn for each socket.
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._again: list[ReadBuffer] = []
        """Sockets that may hold more data, of which epoll will not tell again."""
        self._hung_up: list[ReadBuffer] = []
        """Sockets whose other end is gone, of which epoll has told for the last time: they are read until
        their end, or their error, is told."""
        self._goes_on = False
        """A round that reads those is on its way. Only one at a time: else each round would add another to
        every turn of the loop."""
        self.read_delay_ns: Callable[[], int] = no_delay
        """Nanoseconds that may pass before the next round, in which the loop does nothing else. 0: the next
        round comes at once, and what was read must not wait for it. Below 0: a request is about to be due."""

    def add(self, sock: socket.socket, receiver: Receiver) -> ReadBuffer:
        fd = sock.fileno()
        buffer = ReadBuffer(sock, receiver)
        if self._epoll is None:
            self._loop.add_reader(fd, self.batch_reader.read_in, [buffer])
        else:
            if not self._open:
                self._loop.add_reader(self._epoll.fileno(), self._round)
            # Told once of what came: to look again whether a socket is empty now costs as much as to find it
            # full. A read that is shorter than it could be has emptied it.
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
        self._open[fd] = buffer
        return buffer

    def remove(self, sock: socket.socket) -> None:
        """Reads `sock` no more, if it did: what was read from it and not told yet is dropped."""
        fd = sock.fileno()
        buffer = self._open.pop(fd, None)
        if buffer is None:
            return
        buffer.open = False
        if self._epoll is None:
            self._loop.remove_reader(fd)
        else:
            self._epoll.unregister(fd)
            if not self._open:
                self._loop.remove_reader(self._epoll.fileno())

    def unflushed(self) -> list[ReadBuffer]:
        """The buffers that hold token events their receivers have not been told yet."""
        self.batch_reader.decode_pending()
        return [buffer for buffer in self._open.values() if buffer.times_ns]

    def close(self) -> None:
        for buffer in self._open.values():
            buffer.open = False
        if self._epoll is None:
            for fd in self._open:
                self._loop.remove_reader(fd)
        else:
            if self._open:
                self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._open.clear()

    def _round(self) -> None:
        assert self._epoll is not None
        opened, data = self._open, select.EPOLLIN
        most = _SOCKETS_A_ROUND if self.read_delay_ns() >= 0 else _FEW_SOCKETS
        polled = self._epoll.poll(0, most)
        buffers = [opened[fd] for fd, _ in polled]
        again = self._again
        if again:
            # Each once: of two reads of one socket in a round the second might be told first.
            buffers = list(dict.fromkeys(again[:most] + buffers))
            again = again[most:]
        hanging_up = [opened[fd] for fd, what in polled if what != data]
        if hanging_up or self._hung_up:
            self._hung_up = self.batch_reader.read_to_end(self._hung_up, most) + hanging_up
        self._again = self.batch_reader.read(buffers)
        if again:
            self._again += again
        if (self._again or self._hung_up) and not self._goes_on:
            self._goes_on = True
            self._loop.call_soon(self._go_on)
        read_delay_ns = self.read_delay_ns()
        if not read_delay_ns or self.batch_reader.enough(in_a_hurry=read_delay_ns < _TAKING_IN_NS):
            self.batch_reader.decode_pending()
            read_delay_ns = self.read_delay_ns()
        if read_delay_ns >= _SHORTEST_NS and len(polled) < _SOCKETS_A_ROUND:
            sleep_ns(read_delay_ns)

    def _go_on(self) -> None:
        self._goes_on = False
        if self._open:
            self._round()

    def _on_error(self, error: Exception) -> None:
        """What the others brought is read already, and must not be lost by one who fails."""
        self._loop.call_exception_handler({"message": "a read could not be taken in", "exception": error})
