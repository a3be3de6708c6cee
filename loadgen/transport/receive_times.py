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
from operator import le

from loadgen.clock import Clock, realtime_to_monotonic_ns

READ_BYTES = 65536
_SO_TIMESTAMPNS = 35
_SOL_SOCKET = socket.SOL_SOCKET
_TIMESPEC = struct.Struct("ll")
_STAMP_BYTES, _unpack = _TIMESPEC.size, _TIMESPEC.unpack
Ancillary = list[tuple[int, int, bytes]]
"""As `recvmsg` gives it: level, type and bytes of each control message."""
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


def stamp_in(ancillary: Ancillary) -> bytes:
    """The kernel's stamp in what `recvmsg` gave beside the data; no bytes if there is none."""
    for level, kind, stamp in ancillary:
        if kind == _SO_TIMESTAMPNS and level == _SOL_SOCKET:
            return stamp
    return b""


class TimedReader:
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

    def time_of(self, stamp: bytes, read_ns: int) -> tuple[int, bool]:
        """When data came that were read at `read_ns` with this stamp, and whether the kernel said so."""
        if len(stamp) == _STAMP_BYTES:
            seconds, nanoseconds = _unpack(stamp)
            t_ns = seconds * 1_000_000_000 + nanoseconds - self._offset_ns
            if read_ns - _PLAUSIBLE_NS < t_ns <= read_ns:
                return t_ns, True
            if read_ns < t_ns < read_ns + 1_000_000:  # within the offset's own error of the read
                return read_ns, True
        return read_ns, False

    def times_of(self, stamps: list[bytes], read_ns: list[int]) -> list[int]:
        """When data came that were read at these times, if the kernel said so of all; else empty."""
        packed = b"".join(stamps)
        if len(packed) != _STAMP_BYTES * len(stamps):
            return []
        offset_ns = self._offset_ns
        times_ns = [s * 1_000_000_000 + ns - offset_ns for s, ns in _TIMESPEC.iter_unpack(packed)]
        if min(times_ns) > read_ns[-1] - _PLAUSIBLE_NS and all(map(le, times_ns, read_ns)):
            return times_ns
        return []
