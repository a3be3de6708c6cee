"""Reads bytes from a socket with the time at which they arrived.

With `SO_TIMESTAMPNS` Linux hands over, beside the bytes, the wall time at which the last segment of the
read came in; we translate it to session time. So a busy process does not make a token look late. A read
that carries no stamp (the first ones, other systems, Unix sockets) gets the time of the read.

Source: socket(7) SO_TIMESTAMPNS, recvmsg(2).
"""

from __future__ import annotations

import socket
import struct
import sys

from loadgen.clock import Clock, realtime_to_monotonic_ns

READ_BYTES = 65536
_SO_TIMESTAMPNS = 35
_SOL_SOCKET = socket.SOL_SOCKET
_TIMESPEC = struct.Struct("ll")
_STAMP_BYTES, _unpack = _TIMESPEC.size, _TIMESPEC.unpack
ANCILLARY_BYTES = socket.CMSG_SPACE(_STAMP_BYTES) if hasattr(socket, "CMSG_SPACE") else 0
_REFRESH_NS = 1_000_000_000
_PLAUSIBLE_NS = 5_000_000_000
"""A stamp further back than this is a wall clock that was stepped, not a late read."""


def ask_for_stamps(sock: socket.socket) -> bool:
    """Asks the kernel to stamp what `sock` receives. False where it cannot."""
    if sys.platform != "linux" or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


class StampedReader:
    """Reads sockets of one worker; keeps the offset between the wall clock and session time fresh."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ns = 0
        self.error_ns = 0
        """Uncertainty of a translated stamp at the last refresh."""
        self._refresh_at_ns = -1

    def refresh(self) -> None:
        """Measures the offset anew if it is older than a second. Wall clocks are slewed; keep it fresh."""
        now = self._clock.now_ns()
        if now >= self._refresh_at_ns:
            offset, self.error_ns = realtime_to_monotonic_ns()
            self._offset_ns = offset + self._clock.origin_ns
            self._refresh_at_ns = now + _REFRESH_NS

    def read(self, sock: socket.socket) -> tuple[bytes, int, bool]:
        """Returns `(data, t_ns, by_kernel)`; empty data is the end of the stream.

        Raises:
            BlockingIOError: nothing to read.
            OSError: the connection broke.
        """
        data, ancillary, _, _ = sock.recvmsg(READ_BYTES, ANCILLARY_BYTES)
        return data, *self.time_of(ancillary, self._clock.now_ns())

    def time_of(self, ancillary: list[tuple[int, int, bytes]], read_ns: int) -> tuple[int, bool]:
        """When data came of which `recvmsg` told `ancillary` at `read_ns`, and whether the kernel said so."""
        for level, kind, raw in ancillary:
            if level == _SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(raw) == _STAMP_BYTES:
                seconds, nanoseconds = _unpack(raw)
                stamp = seconds * 1_000_000_000 + nanoseconds - self._offset_ns
                if read_ns - _PLAUSIBLE_NS < stamp <= read_ns:
                    return stamp, True
                if read_ns < stamp < read_ns + 1_000_000:  # within the offset's own error of the read
                    return read_ns, True
        return read_ns, False
