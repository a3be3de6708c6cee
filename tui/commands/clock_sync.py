"""Whether something keeps this machine's wall clock right, as the kernel says (`doctor`)."""

from __future__ import annotations

import ctypes
import sys
from typing import NamedTuple

from tui.commands.machine_checks import Finding

_UNSYNCHRONISED = 0x0040
"""Of `status`: STA_UNSYNC. Source: adjtimex(2)."""
_FAR_S = 0.1
"""Off by more than this, events of two machines cannot be told apart that a request takes between them."""


class ClockState(NamedTuple):
    synchronised: bool
    most_off_s: float
    """The kernel's own bound, which grows while nobody sets the clock right."""


class _Timex(ctypes.Structure):
    """Source: adjtimex(2), `struct timex`; modes 0 asks and sets nothing."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        *((name, ctypes.c_long) for name in ("constant", "precision", "tolerance")),
        *((name, ctypes.c_long) for name in ("time_s", "time_us", "tick", "ppsfreq", "jitter")),
        ("shift", ctypes.c_int),
        *((name, ctypes.c_long) for name in ("stabil", "jitcnt", "calcnt", "errcnt", "stbcnt")),
        ("tai", ctypes.c_int),
        ("pad", ctypes.c_int * 11),
    )


def clock_state() -> ClockState | None:
    """None where the kernel does not tell: another system, or a container that may not ask."""
    if not sys.platform.startswith("linux"):
        return None
    asked = _Timex()
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    if ask(ctypes.byref(asked)) < 0:
        return None
    return ClockState(not asked.status & _UNSYNCHRONISED, asked.maxerror / 1e6)


def clock_sync(state: ClockState | None) -> Finding:
    """What that means for a run: durations are of another clock, and hold all the same."""
    name, beside = "clock sync", "durations do not rest on it"
    if state is None:
        return Finding(True, name, f"not known: the kernel does not tell whether NTP sets it; {beside}")
    if not state.synchronised:
        return Finding(
            False,
            name,
            "nothing sets the clock right, as far as the kernel knows (chrony tells it with rtcsync): times "
            f"here cannot be laid beside those of another machine; {beside}",
        )
    text = f"synchronised, at most {state.most_off_s * 1e3:,.1f} ms off by the kernel's bound"
    if state.most_off_s > _FAR_S:
        return Finding(False, name, f"{text}: times here cannot be laid beside those of another machine")
    return Finding(True, name, text)
