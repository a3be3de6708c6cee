"""Receivers that keep what they are told, and rounds for them on the running loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack

from loadgen.clock import MonotonicClock, monotonic_ns
from loadgen.transport.read_loop import ReadLoop
from loadgen.transport.receive_times import TimedReader


class RecordingReceiver:
    """A receiver that keeps what it is told; `then` is called with each read."""

    def __init__(self, then: Callable[[bytes], None] = lambda data: None) -> None:
        self.then = then
        self.heard: list[bytes] = []
        self.times_ns: list[int] = []
        self.by_kernel: list[bool] = []
        self.lost: list[OSError] = []

    def on_read(self, data: bytes, t_ns: int, by_kernel: bool) -> None:
        self.heard.append(data)
        self.times_ns.append(t_ns)
        self.by_kernel.append(by_kernel)
        self.then(data)

    def on_token_events(self, events: list[bytes], times_ns: list[int], size: int) -> None:
        for data, t_ns in zip(events, times_ns, strict=True):
            self.on_read(data, t_ns, True)

    def on_lost(self, error: OSError) -> None:
        self.lost.append(error)


class Bench:
    """Rounds on the running loop, and pairs of sockets for them."""

    def __init__(self, stack: ExitStack) -> None:
        self.clock = MonotonicClock(monotonic_ns())
        self.reader = TimedReader(self.clock)
        self.read_loop = ReadLoop(asyncio.get_running_loop(), self.clock, self.reader)
        self._stack = stack
        stack.callback(self.read_loop.close)

    def tcp_pair(self, receiver: RecordingReceiver) -> tuple[socket.socket, socket.socket]:
        """As `pair`, over TCP."""
        listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        near = self._stack.enter_context(socket.create_connection(listener.getsockname()))
        far = self._stack.enter_context(listener.accept()[0])
        near.setblocking(False)
        self.read_loop.add(near, receiver)
        return far, near

    def pair(
        self, receiver: RecordingReceiver, token_end: bytes = b""
    ) -> tuple[socket.socket, socket.socket]:
        """One end to write to, and the other, which `receiver` hears."""
        far, near = socket.socketpair()
        near.setblocking(False)
        self._stack.callback(far.close)
        self._stack.callback(near.close)
        self.read_loop.add(near, receiver).token_end = token_end
        return far, near


def complaints() -> list[str]:
    """What the running loop's exception handler is told from now on."""
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, what: told.append(str(what["exception"])))
    return told


def not_understood(data: bytes) -> None:
    raise ValueError("not understood")


async def until(true: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not true():
            await asyncio.sleep(0)

    await asyncio.wait_for(wait(), 10)
