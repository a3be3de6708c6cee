"""All sockets of a worker read in rounds: one wake of the event loop serves every socket that has data.

A round first reads them, then tells what each brought: code that stays in one place runs faster than code
that goes in and out of the kernel for each. Where reads carry the kernel's receive time, a round need not
follow each arrival: after it the worker may rest a little, so that one wake finds what came on many
sockets. How long is asked of `rest_ns` each time.

Source: epoll(7).
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Any

from loadgen.clock import Clock, sleep_ns
from loadgen.transport.inlet import Inlet, Receiver
from loadgen.transport.stamps import ANCILLARY_BYTES, READ_BYTES, Ancillary, StampedReader, stamp_in

_SHORTEST_NS = 50_000
"""What is shorter than the kernel's timer slack is no rest."""
_SOCKETS_A_ROUND = 256
"""A burst of all streams is one round."""
_BYTES_AT_ONCE = 32 << 10
"""What was read is told while the processor's cache still has it: a read may be 64 KiB."""


Read = tuple[Inlet, bytes, Ancillary, int]
"""Whose it is, what it gave, and when it was made, nanoseconds."""

Understand = Callable[[list[bytes]], list[Any]]
"""What each of these reads says, if all are usual; nothing if not."""


def no_rest() -> int:
    return 0


def nothing_usual(reads: list[bytes]) -> list[Any]:
    return []


class Rounds:
    """Reads each socket that has data, or whose other end is gone, for its receiver."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, reader: StampedReader) -> None:
        self._loop, self._clock, self._reader = loop, clock, reader
        self._open: dict[int, Inlet] = {}
        # An epoll inside the loop's own saves it a handle, a context and a turn for each socket.
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self.rest_ns: Callable[[], int] = no_rest
        """Nanoseconds that may pass before the next round: the loop does nothing else meanwhile."""
        self.understand: Understand = nothing_usual
        """Asked of reads that end as their sockets' usual ones do."""

    def add(self, sock: socket.socket, receiver: Receiver) -> Inlet:
        fd = sock.fileno()
        if self._epoll is None:
            self._loop.add_reader(fd, self.read, [fd])
        else:
            if not self._open:
                self._loop.add_reader(self._epoll.fileno(), self._round)
            self._epoll.register(fd, select.EPOLLIN)
        inlet = self._open[fd] = Inlet(sock, receiver)
        return inlet

    def remove(self, sock: socket.socket) -> None:
        """What was read from it and not told yet never is. Nothing happens if it was not added."""
        fd = sock.fileno()
        inlet = self._open.pop(fd, None)
        if inlet is None:
            return
        inlet.open = False
        if self._epoll is None:
            self._loop.remove_reader(fd)
        else:
            self._epoll.unregister(fd)
            if not self._open:
                self._loop.remove_reader(self._epoll.fileno())

    def unsettled(self) -> list[Inlet]:
        """Those that hold something."""
        return [inlet for inlet in self._open.values() if inlet.holds]

    def close(self) -> None:
        for inlet in self._open.values():
            inlet.open = False
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
        ready = [fd for fd, _ in self._epoll.poll(0, _SOCKETS_A_ROUND)]
        self.read(ready)
        if len(ready) < _SOCKETS_A_ROUND and (rest_ns := self.rest_ns()) >= _SHORTEST_NS:
            sleep_ns(rest_ns)

    def read(self, ready: list[int]) -> None:
        """Reads these sockets once each, and tells or holds what they brought."""
        place = 0
        while place < len(ready):
            place = self._some(ready, place)

    def _some(self, ready: list[int], place: int) -> int:
        """Reads sockets from `ready[place]` on, then tells what they brought; returns the next place."""
        opened, now_ns = self._open, self._clock.now_ns
        usual: list[Read] = []
        others: list[Read] = []
        lost, size = [], 0
        while place < len(ready) and size < _BYTES_AT_ONCE:
            inlet = opened.get(ready[place])
            place += 1
            if inlet is None:  # closed by what another brought
                continue
            try:
                data, ancillary, _, _ = inlet.recvmsg(READ_BYTES, ANCILLARY_BYTES)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                lost.append((inlet, error))
                continue
            size += len(data)
            end = inlet.usual_end
            reads = others if end is None or not data.endswith(end) else usual
            reads.append((inlet, data, ancillary, now_ns()))
        if usual:
            others += self._take_in(usual)
        for inlet, data, ancillary, read_ns in others:
            try:
                inlet.tell(data, *self._reader.time_of(stamp_in(ancillary), read_ns))
            except Exception as error:
                self._complain(error)
        for inlet, why in lost:
            inlet.lose(why)
        return place

    def _take_in(self, reads: list[Read]) -> list[Read]:
        """Lets inlets hold what their reads say; returns those that are not usual."""
        said = self.understand([data for _, data, _, _ in reads])
        if not said:
            return reads if len(reads) == 1 else [one for read in reads for one in self._take_in([read])]
        times_ns, by_kernel = self._reader.times_of(
            [ancillary[0][2] if ancillary else b"" for _, _, ancillary, _ in reads],
            [read_ns for _, _, _, read_ns in reads],
        )
        for (inlet, data, _, _), what, t_ns, stamped in zip(reads, said, times_ns, by_kernel, strict=True):
            try:
                inlet.hold(what, t_ns, stamped, len(data))
            except Exception as error:
                self._complain(error)
        return []

    def _complain(self, error: Exception) -> None:
        """What the others brought is read already, and must not be lost by one who fails."""
        self._loop.call_exception_handler({"message": "a read could not be taken in", "exception": error})
