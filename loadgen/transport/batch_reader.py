"""What sockets bring, on its way to their inlets: read many at once, understood many at once.

Behind a system call the processor has forgotten all but the kernel, so that each line of Python costs several
times as much as later. So as few as possible stand between two reads, and what nearly all reads bring, the
next token, is understood only when there is a good number of it. All else is told at once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import repeat
from typing import Any

from loadgen.clock import Clock
from loadgen.transport.read_buffer import Inlet
from loadgen.transport.receive_times import ANCILLARY_BYTES, READ_BYTES, StampedReader, stamp_in

ENOUGH = 128
"""Reads that look usual and are worth being taken in."""
_TOO_MUCH = 4 * ENOUGH
TOLD_AT_ONCE = 64
"""Reads that wait in one inlet at the most."""
_BYTES_AT_ONCE = 32 << 10
"""What was read is looked at while the processor's cache still has it: a read may be 64 KiB."""

Understand = Callable[[list[bytes]], list[Any]]
"""What each of these reads says, if all are usual; nothing if not."""
Complain = Callable[[Exception], None]
_Other = tuple[Inlet, Any, int]
"""Whose it is, what `recvmsg` gave or raised, and when, nanoseconds."""


def nothing_usual(reads: list[bytes]) -> list[Any]:
    return []


class Intake:
    """Reads sockets for their inlets. `complain` hears what a receiver raises: that costs no other one."""

    def __init__(self, clock: Clock, reader: StampedReader, complain: Complain) -> None:
        self._now_ns, self._reader, self._complain = clock.now_ns, reader, complain
        self.understand: Understand = nothing_usual
        """Asked of reads that end as their sockets' usual ones do."""
        self.recvmsg: Callable[[socket.socket, int, int], Any] = socket.socket.recvmsg
        self._mean_bytes = 256
        """Of the reads before."""
        self._usual: list[Inlet] = []
        self._data: list[bytes] = []
        self._stamps: list[bytes] = []
        self._read_ns: list[int] = []
        """What was read and looks usual: whose it is, what it is, its stamp, and when it was read."""

    def enough(self, *, in_a_hurry: bool) -> bool:
        """So much waits that it should be taken in now; much more if that would keep something waiting."""
        return len(self._usual) >= (_TOO_MUCH if in_a_hurry else ENOUGH)

    def read(self, inlets: list[Inlet]) -> list[Inlet]:
        """Reads these once each. What looks usual waits for `take_in`; returns those that may have more."""
        full: list[Inlet] = []
        place = 0
        while place < len(inlets):
            end = place + max(1, _BYTES_AT_ONCE // self._mean_bytes)
            full += self._read_some(inlets[place:end])
            place = end
        return full

    def read_in(self, inlets: list[Inlet]) -> None:
        """Reads these once each, and takes in what they bring."""
        self.read(inlets)
        self.take_in()

    def take_in(self) -> None:
        """Lets inlets hold what was read and looks usual; tells it where it is not."""
        if not self._usual:
            return
        waiting = self._usual, self._data, self._stamps, self._read_ns
        self._usual, self._data, self._stamps, self._read_ns = [], [], [], []
        if not self._hold(*waiting):
            self._sort_out(*waiting)

    # reading

    def _read_some(self, inlets: list[Inlet]) -> list[Inlet]:
        streams = [inlet for inlet in inlets if inlet.usual_end]
        others = self._read_streams(streams) if streams else []
        if len(streams) < len(inlets):
            others += [self._read_one(inlet) for inlet in inlets if not inlet.usual_end]
        if not others:
            return []
        self.take_in()  # it came before
        full = []
        for inlet, read, read_ns in others:
            if isinstance(read, tuple):
                data, ancillary, _, _ = read
                if len(data) == READ_BYTES:
                    full.append(inlet)
                self._tell(inlet, data, stamp_in(ancillary), read_ns)
            elif not isinstance(read, (BlockingIOError, InterruptedError)):
                self._lose(inlet, read)
        return full

    def _read_one(self, inlet: Inlet) -> _Other:
        """With a time of its own: there may be no stamp."""
        try:
            read = self.recvmsg(inlet.sock, READ_BYTES, ANCILLARY_BYTES)
        except OSError as error:
            return inlet, error, self._now_ns()
        return inlet, read, self._now_ns()

    def _read_streams(self, inlets: list[Inlet]) -> list[_Other]:
        """Reads where usual ones are expected; returns those that do not look so."""
        reads = self._recvmsg_each(inlets)
        read_ns = self._now_ns()
        try:
            data, given, _, _ = zip(*reads, strict=True)
        except TypeError:  # there is an error among them
            return self._told_apart(inlets, reads, read_ns)
        sizes = list(map(len, data))
        self._mean_bytes = 1 + sum(sizes) // len(sizes)
        ends = [inlet.usual_end for inlet in inlets]
        if max(sizes) == READ_BYTES or not all(given) or not all(map(bytes.endswith, data, ends)):
            return self._told_apart(inlets, reads, read_ns)
        self._usual += inlets
        self._data += data
        self._stamps += [ancillary[0][2] for ancillary in given]
        self._read_ns += [read_ns] * len(inlets)
        return []

    def _told_apart(self, inlets: list[Inlet], reads: list[Any], read_ns: int) -> list[_Other]:
        """Keeps those that look usual; returns the others."""
        others: list[_Other] = []
        for inlet, read in zip(inlets, reads, strict=True):
            whole = isinstance(read, tuple) and len(read[0]) < READ_BYTES
            if whole and read[1] and read[0].endswith(inlet.usual_end):
                self._usual.append(inlet)
                self._data.append(read[0])
                self._stamps.append(read[1][0][2])
                self._read_ns.append(read_ns)
            else:
                others.append((inlet, read, read_ns))
        return others

    def _recvmsg_each(self, inlets: list[Inlet]) -> list[Any]:
        """What `recvmsg` gives for each, or the `OSError` it raises."""
        socks = [inlet.sock for inlet in inlets]
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
        self, inlets: list[Inlet], data: list[bytes], stamps: list[bytes], read_ns: list[int]
    ) -> None:
        """One at least of these reads is not usual: finds it by halving."""
        if len(inlets) == 1:
            self._tell(inlets[0], data[0], stamps[0], read_ns[0])
            return
        half = len(inlets) // 2
        for part in (slice(None, half), slice(half, None)):
            some = inlets[part], data[part], stamps[part], read_ns[part]
            # What was told before may have changed what is usual on the same socket.
            if not all(inlet.usual_end for inlet in inlets[part]) or not self._hold(*some):
                self._sort_out(*some)

    def _hold(self, inlets: list[Inlet], data: list[bytes], stamps: list[bytes], read_ns: list[int]) -> bool:
        """Lets inlets hold what these reads say; False, and none does, if one is not usual."""
        said = self.understand(data)
        times_ns = self._reader.times_of(stamps, read_ns) if said else []
        if not times_ns:
            return False
        full = []
        for inlet, what, t_ns, read in zip(inlets, said, times_ns, data, strict=True):
            # Not by a method of the inlet: its call would cost twice as much, for each token.
            held_ns = inlet.times_ns
            held_ns.append(t_ns)
            inlet.said.append(what)
            inlet.size += len(read)
            if len(held_ns) == TOLD_AT_ONCE:
                full.append(inlet)
        for inlet in full:
            try:
                inlet.settle()
            except Exception as error:
                self._complain(error)
        return True

    def _tell(self, inlet: Inlet, data: bytes, stamp: bytes, read_ns: int) -> None:
        try:
            inlet.tell(data, *self._reader.time_of(stamp, read_ns))
        except Exception as error:
            self._complain(error)

    def _lose(self, inlet: Inlet, error: OSError) -> None:
        try:
            inlet.lose(error)
        except Exception as raised:
            self._complain(raised)
