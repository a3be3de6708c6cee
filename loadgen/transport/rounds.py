"""All sockets of a worker read in rounds: one wake of the event loop serves every socket that has data.

A round first reads them all, then hands out what each brought: code that stays in one place runs faster
than code that goes in and out of the kernel for each. Where reads carry the kernel's receive time, a round
need not follow each arrival: after it the worker may rest a little, so that one wake finds what came on
many sockets. How long is asked of `rest_ns` each time.

Source: epoll(7).
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Protocol

from loadgen.clock import Clock, sleep_ns
from loadgen.transport.stamps import ANCILLARY_BYTES, READ_BYTES, StampedReader

_SHORTEST_NS = 50_000
"""What is shorter than the kernel's timer slack is no rest."""
_SOCKETS_A_ROUND = 256
"""A burst of all streams is one round."""
_BYTES_AT_ONCE = 32 << 10
"""What was read is handed out while the processor's cache still has it: a read may be 64 KiB."""


class Receiver(Protocol):
    """Whoever a socket is read for."""

    def on_read(self, data: bytes, t_ns: int, by_kernel: bool) -> None:
        """What one read gave; no data at the end of the stream."""

    def on_lost(self, error: OSError) -> None:
        """The connection broke."""


def no_rest() -> int:
    return 0


class Rounds:
    """Reads each socket that has data, or whose other end is gone, for its receiver."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, reader: StampedReader) -> None:
        self._loop, self._clock, self._reader = loop, clock, reader
        self._open: dict[int, tuple[socket.socket, Receiver]] = {}
        # An epoll inside the loop's own saves it a handle, a context and a turn for each socket.
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self.rest_ns: Callable[[], int] = no_rest
        """Nanoseconds that may pass before the next round: the loop does nothing else meanwhile."""

    def add(self, sock: socket.socket, receiver: Receiver) -> None:
        fd = sock.fileno()
        if self._epoll is None:
            self._loop.add_reader(fd, self._read_one, fd)
        else:
            if not self._open:
                self._loop.add_reader(self._epoll.fileno(), self._round)
            self._epoll.register(fd, select.EPOLLIN)
        self._open[fd] = sock, receiver

    def remove(self, sock: socket.socket) -> None:
        """Nothing happens if it was not added."""
        fd = sock.fileno()
        if self._open.pop(fd, None) is None:
            return
        if self._epoll is None:
            self._loop.remove_reader(fd)
        else:
            self._epoll.unregister(fd)
            if not self._open:
                self._loop.remove_reader(self._epoll.fileno())

    def close(self) -> None:
        for sock, _ in list(self._open.values()):
            self.remove(sock)
        if self._epoll is not None:
            self._epoll.close()

    def _round(self) -> None:
        assert self._epoll is not None
        ready = [fd for fd, _ in self._epoll.poll(0, _SOCKETS_A_ROUND)]
        place = 0
        while place < len(ready):
            place = self._some(ready, place)
        if len(ready) < _SOCKETS_A_ROUND and (rest_ns := self.rest_ns()) >= _SHORTEST_NS:
            sleep_ns(rest_ns)

    def _some(self, ready: list[int], place: int) -> int:
        """Reads sockets from `ready[place]` on, then hands out what they brought; returns the next place."""
        opened, now_ns = self._open, self._clock.now_ns
        reads, lost, size = [], [], 0
        while place < len(ready) and size < _BYTES_AT_ONCE:
            fd = ready[place]
            place += 1
            entry = opened.get(fd)
            if entry is None:  # closed by what another brought
                continue
            try:
                read = entry[0].recvmsg(READ_BYTES, ANCILLARY_BYTES)
                reads.append((fd, entry, read, now_ns()))
                size += len(read[0])
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                lost.append((fd, entry, error))
        time_of = self._reader.time_of
        for fd, entry, (data, ancillary, _, _), read_ns in reads:
            # One that is gone by now was closed by what another brought.
            if opened.get(fd) is entry:
                t_ns, by_kernel = time_of(ancillary, read_ns)
                try:
                    entry[1].on_read(data, t_ns, by_kernel)
                except Exception as error:
                    # What the others brought is read already, and must not be lost.
                    self._tell(error)
        for fd, entry, why in lost:
            if opened.get(fd) is entry:
                entry[1].on_lost(why)
        return place

    def _tell(self, error: Exception) -> None:
        self._loop.call_exception_handler({"message": "a read could not be taken in", "exception": error})

    def _read_one(self, fd: int) -> None:
        sock, receiver = self._open[fd]
        try:
            data, t_ns, by_kernel = self._reader.read(sock)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            receiver.on_lost(error)
            return
        receiver.on_read(data, t_ns, by_kernel)
