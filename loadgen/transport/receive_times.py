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

from loadgen.clock import Clock

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
"""A stamp further back than this is none of a read that was late."""
_STEP_NS = 200_000
"""What the two clocks may move apart at once without being looked at: more than two readings take."""
_SLEW = 1_600
"""A clock that is slewed moves by one nanosecond in so many at the most: 500 ppm, and some for its error."""


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
        self._wall_ahead_ns = clock.wall_ahead_ns
        self._offset_ns = 0
        """Wall clock minus session time, when it was last measured."""
        self.error_ns = 0
        """Uncertainty of a translated stamp, as of the last measurement."""
        self._measured_at_ns: int | None = None
        self._believed_from_ns = -1 << 62
        """Stamps that say an earlier time than this are not believed: they may be of before the wall
        clock's last step."""
        self._steps: list[tuple[int, int]] = []

    def refresh(self) -> None:
        """Measures the offset anew if it is older than a second. Wall clocks are slewed; keep it fresh."""
        if self._measured_at_ns is None or self._clock.now_ns() >= self._measured_at_ns + _REFRESH_NS:
            self._look()

    def steps(self) -> list[tuple[int, int]]:
        """Steps of the wall clock since the last call: when each was found, and by how much it moved, ns."""
        found, self._steps = self._steps, []
        return found

    def _look(self) -> None:
        now = self._clock.now_ns()
        offset_ns, error_ns = self._clock.measured_wall_ahead_ns()
        if self._measured_at_ns is not None:
            moved_ns = offset_ns - self._offset_ns
            slewed_ns = (now - self._measured_at_ns) // _SLEW + error_ns + self.error_ns
            if abs(moved_ns) > _STEP_NS + slewed_ns:
                self._steps.append((now, moved_ns))
                # Data that came before a step back and are unread seem to have come later than they did.
                self._believed_from_ns = now + min(max(0, -moved_ns), _PLAUSIBLE_NS)
        self._offset_ns, self.error_ns, self._measured_at_ns = offset_ns, error_ns, now

    def _look_at_steps(self) -> None:
        if not -_STEP_NS <= self._wall_ahead_ns() - self._offset_ns <= _STEP_NS:
            self._look()

    def time_of(self, stamp: bytes, read_ns: int) -> tuple[int, bool]:
        """When the data of one read came, and whether by the kernel's stamp: else it is `read_ns`."""
        if len(stamp) == _STAMP_BYTES:
            self._look_at_steps()
            seconds, nanoseconds = _unpack(stamp)
            t_ns = seconds * 1_000_000_000 + nanoseconds - self._offset_ns
            if max(read_ns - _PLAUSIBLE_NS, self._believed_from_ns) < t_ns <= read_ns:
                return t_ns, True
            if read_ns < t_ns < read_ns + 1_000_000 and read_ns > self._believed_from_ns:
                return read_ns, True  # within the offset's own error of the read
        return read_ns, False

    def times_of(self, stamps: list[bytes], read_ns: list[int]) -> list[int]:
        """When the data of each read came, by their stamps; empty unless all of them can be believed."""
        self._look_at_steps()
        packed = b"".join(stamps)
        if len(packed) != _STAMP_BYTES * len(stamps):
            return []
        offset_ns = self._offset_ns
        times_ns = [s * 1_000_000_000 + ns - offset_ns for s, ns in _TIMESPEC.iter_unpack(packed)]
        if min(times_ns) > max(read_ns[-1] - _PLAUSIBLE_NS, self._believed_from_ns) and all(
            map(le, times_ns, read_ns)
        ):
            return times_ns
        return []
