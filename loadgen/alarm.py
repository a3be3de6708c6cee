"""One absolute deadline on an event loop, met to some tens of microseconds.

Event loops round their own timers to a millisecond (uvloop) or wait in whole milliseconds (asyncio's
epoll): too coarse for sending on time. Linux gives a timer as a file descriptor that the loop can wait
on; elsewhere the loop's own timer is used.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable

from loadgen.clock import Clock

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1
_TFD_NONBLOCK, _TFD_CLOEXEC = 0o4000, 0o2000000


class _Timespec(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Calls `ring()` once at the session time last given to `set`.

    Source: timerfd_create(2).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, ring: Callable[[], None]) -> None:
        self._loop, self._clock, self._ring = loop, clock, ring
        self._handle: asyncio.TimerHandle | None = None
        self.at_ns: int | None = None
        """Session time at which it rings next; None while it is not set."""
        self._fd = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._fd >= 0:
            loop.add_reader(self._fd, self._on_timer)

    def set(self, at_ns: int | None) -> None:
        """Rings at session time `at_ns` (at once if that has passed); None disarms."""
        if at_ns == self.at_ns:
            return
        self.at_ns = at_ns
        if self._fd < 0:
            self._set_on_loop(at_ns)
            return
        spec = _Itimerspec()
        if at_ns is not None:
            # A zero time disarms, so a deadline in the past is moved to the first nanosecond.
            spec.value.sec, spec.value.nsec = divmod(max(1, self._clock.origin_ns + at_ns), 1_000_000_000)
        if self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None) != 0:
            error = ctypes.get_errno()
            raise OSError(error, f"timerfd_settime: {os.strerror(error)}")

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _set_on_loop(self, at_ns: int | None) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if at_ns is not None:
            delay_s = max(0, at_ns - self._clock.now_ns()) / 1e9
            self._handle = self._loop.call_later(delay_s, self._on_handle)

    def _on_handle(self) -> None:
        self.at_ns = None
        self._ring()

    def _on_timer(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # set again between the expiry and this call
            return
        self.at_ns = None
        self._ring()
