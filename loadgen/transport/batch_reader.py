"""What sockets bring, on its way to their buffers: read many at once, decoded many at once.

Behind a system call the processor has forgotten all but the kernel, so that each line of Python costs several
times as much as later. So as few as possible stand between two reads, and what nearly all reads bring, the
next token, is decoded only when there is a good number of it. All else is told at once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import repeat
from typing import Any

from loadgen.clock import Clock
from loadgen.transport.read_buffer import ReadBuffer
from loadgen.transport.receive_times import ANCILLARY_BYTES, READ_BYTES, TimedReader, stamp_in

ENOUGH = 128
"""So many reads that look like one token event each are worth decoding together."""
_TOO_MUCH = 4 * ENOUGH
"""So many are decoded even where a request that is about to be due has to wait for it."""
TOLD_AT_ONCE = 64
"""Reads that wait in one buffer at the most."""
_BYTES_AT_ONCE = 32 << 10
"""So many are read before they are looked at, while the processor's cache still has them."""

BatchDecode = Callable[[list[bytes]], list[Any]]
"""The token event in each of these reads, None where nobody needs it; [] if one read is none."""
OnError = Callable[[Exception], None]
_Other = tuple[ReadBuffer, Any, int]
"""A read that is no token event: its buffer, what `recvmsg` gave or raised, and when (ns)."""


def decodes_nothing(reads: list[bytes]) -> list[Any]:
    return []


class BatchReader:
    """Reads sockets for their buffers. `on_error` hears what a receiver raises: that costs no other one."""

    def __init__(self, clock: Clock, reader: TimedReader, on_error: OnError) -> None:
        self._now_ns, self._reader, self._on_error = clock.now_ns, reader, on_error
        self.decode_batch: BatchDecode = decodes_nothing
        """Asked about reads that end as token events on their sockets do."""
        self.recvmsg: Callable[[socket.socket, int, int], Any] = socket.socket.recvmsg
        self._mean_bytes = 256
        """Mean size of the reads before, so that a part of them fits into the processor's cache."""
        self._token_reads: list[ReadBuffer] = []
        self._data: list[bytes] = []
        self._stamps: list[bytes] = []
        self._read_ns: list[int] = []
        """Reads that look like one token event: whose each is, its bytes, its stamp, and when it was read."""

    def enough(self, *, in_a_hurry: bool) -> bool:
        """Whether so much waits that it should be taken in now. `in_a_hurry`: that would keep something
        waiting, so only if it is much."""
        return len(self._token_reads) >= (_TOO_MUCH if in_a_hurry else ENOUGH)

    def read(self, buffers: list[ReadBuffer]) -> list[ReadBuffer]:
        """Reads these once each; returns those that may have more. What looks like one token event waits for
        `decode_pending`."""
        full: list[ReadBuffer] = []
        place = 0
        while place < len(buffers):
            end = place + max(1, _BYTES_AT_ONCE // self._mean_bytes)
            full += self._read_some(buffers[place:end])
            place = end
        return full

    def read_in(self, buffers: list[ReadBuffer]) -> None:
        """Reads these once each, and takes in what they bring."""
        self.read(buffers)
        self.decode_pending()

    def read_to_end(self, buffers: list[ReadBuffer], most: int) -> list[ReadBuffer]:
        """Reads `most` of these, whose other ends are gone, once each; returns those not at their end yet."""
        self.decode_pending()  # it came before
        open_ones = [buffer for buffer in dict.fromkeys(buffers) if buffer.open]
        return open_ones[most:] + [buffer for buffer in open_ones[:most] if self._read_on(buffer)]

    def _read_on(self, buffer: ReadBuffer) -> bool:
        """Tells one read at once; whether there is more behind it."""
        _, read, read_ns = self._read_one(buffer)
        if not isinstance(read, tuple):
            # One that would block was not gone after all: epoll tells when more comes.
            if not isinstance(read, (BlockingIOError, InterruptedError)):
                self._lose(buffer, read)
            return False
        data, ancillary, _, _ = read
        self._tell(buffer, data, stamp_in(ancillary), read_ns)
        return bool(data) and buffer.open

    def decode_pending(self) -> None:
        """Lets buffers hold what was read and looks like one token event; tells it where it is not."""
        if not self._token_reads:
            return
        waiting = self._token_reads, self._data, self._stamps, self._read_ns
        self._token_reads, self._data, self._stamps, self._read_ns = [], [], [], []
        if not self._hold(*waiting):
            self._sort_out(*waiting)

    # reading

    def _read_some(self, buffers: list[ReadBuffer]) -> list[ReadBuffer]:
        streams = [buffer for buffer in buffers if buffer.token_end]
        others = self._read_streams(streams) if streams else []
        if len(streams) < len(buffers):
            others += [self._read_one(buffer) for buffer in buffers if not buffer.token_end]
        if not others:
            return []
        self.decode_pending()  # it came before
        full = []
        for buffer, read, read_ns in others:
            if isinstance(read, tuple):
                data, ancillary, _, _ = read
                if len(data) == READ_BYTES:
                    full.append(buffer)
                self._tell(buffer, data, stamp_in(ancillary), read_ns)
            elif not isinstance(read, (BlockingIOError, InterruptedError)):
                self._lose(buffer, read)
        return full

    def _read_one(self, buffer: ReadBuffer) -> _Other:
        """One read, with the time at which it was made, for the kernel may not stamp it."""
        try:
            read = self.recvmsg(buffer.sock, READ_BYTES, ANCILLARY_BYTES)
        except OSError as error:
            return buffer, error, self._now_ns()
        return buffer, read, self._now_ns()

    def _read_streams(self, buffers: list[ReadBuffer]) -> list[_Other]:
        """Reads sockets on which token events are expected; returns the reads that do not look like one."""
        reads = self._recvmsg_each(buffers)
        read_ns = self._now_ns()
        try:
            data, given, _, _ = zip(*reads, strict=True)
        except TypeError:  # there is an error among them
            return self._told_apart(buffers, reads, read_ns)
        sizes = list(map(len, data))
        self._mean_bytes = 1 + sum(sizes) // len(sizes)
        ends = [buffer.token_end for buffer in buffers]
        if max(sizes) == READ_BYTES or not all(given) or not all(map(bytes.endswith, data, ends)):
            return self._told_apart(buffers, reads, read_ns)
        self._token_reads += buffers
        self._data += data
        self._stamps += [ancillary[0][2] for ancillary in given]
        self._read_ns += [read_ns] * len(buffers)
        return []

    def _told_apart(self, buffers: list[ReadBuffer], reads: list[Any], read_ns: int) -> list[_Other]:
        """Keeps those that look like one token event each; returns the others."""
        others: list[_Other] = []
        for buffer, read in zip(buffers, reads, strict=True):
            whole = isinstance(read, tuple) and len(read[0]) < READ_BYTES
            if whole and read[1] and read[0].endswith(buffer.token_end):
                self._token_reads.append(buffer)
                self._data.append(read[0])
                self._stamps.append(read[1][0][2])
                self._read_ns.append(read_ns)
            else:
                others.append((buffer, read, read_ns))
        return others

    def _recvmsg_each(self, buffers: list[ReadBuffer]) -> list[Any]:
        """What `recvmsg` gives for each, or the `OSError` it raises."""
        socks = [buffer.sock for buffer in buffers]
        reads: list[Any] = []
        to_read = map(self.recvmsg, socks, repeat(READ_BYTES), repeat(ANCILLARY_BYTES))
        while len(reads) < len(socks):
            try:
                reads.extend(to_read)
            except OSError as error:
                reads.append(error)
        return reads

    # telling

    def _sort_out(
        self, buffers: list[ReadBuffer], data: list[bytes], stamps: list[bytes], read_ns: list[int]
    ) -> None:
        """One at least of these reads is not a token event: finds it by halving."""
        if len(buffers) == 1:
            self._tell(buffers[0], data[0], stamps[0], read_ns[0])
            return
        half = len(buffers) // 2
        for part in (slice(None, half), slice(half, None)):
            some = buffers[part], data[part], stamps[part], read_ns[part]
            # What was told before may have changed what may be a token event on the same socket.
            if not all(buffer.token_end for buffer in buffers[part]) or not self._hold(*some):
                self._sort_out(*some)

    def _hold(
        self, buffers: list[ReadBuffer], data: list[bytes], stamps: list[bytes], read_ns: list[int]
    ) -> bool:
        """Lets buffers hold what these reads say; False, and none does, if one is not a token event."""
        events = self.decode_batch(data)
        times_ns = self._reader.times_of(stamps, read_ns) if events else []
        if not times_ns:
            return False
        full = []
        for buffer, what, t_ns, read in zip(buffers, events, times_ns, data, strict=True):
            # Not by a method of the buffer: its call would cost twice as much, for each token.
            held_ns = buffer.times_ns
            held_ns.append(t_ns)
            buffer.events.append(what)
            buffer.size += len(read)
            if len(held_ns) == TOLD_AT_ONCE:
                full.append(buffer)
        for buffer in full:
            try:
                buffer.flush()
            except Exception as error:
                self._on_error(error)
        return True

    def _tell(self, buffer: ReadBuffer, data: bytes, stamp: bytes, read_ns: int) -> None:
        try:
            buffer.deliver(data, *self._reader.time_of(stamp, read_ns))
        except Exception as error:
            self._on_error(error)

    def _lose(self, buffer: ReadBuffer, error: OSError) -> None:
        try:
            buffer.lose(error)
        except Exception as raised:
            self._on_error(raised)
