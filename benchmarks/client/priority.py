"""Priority of a whole session of processes.

Linux puts each session into a scheduling group of its own where autogroup is on (sched(7)); `nice` then only
says who comes first within one. So the group's priority is set as well.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

NICE = -10 if os.geteuid() == 0 else 0
"""Server and clients run before other work where that is allowed: to all of them alike."""
_FIRST = f'(echo {NICE} >/proc/self/autogroup) 2>/dev/null; exec nice -n {NICE} "$@"'
PREFIX = ["sh", "-c", _FIRST, "sh"] if NICE else []
"""What to put before a command that leads a POSIX session of its own."""
SAID = f"nice {NICE}" if NICE else "as usual"


def like_ours(pid: int) -> None:
    """Gives the session of process `pid` the priority of this process's session."""
    with contextlib.suppress(OSError):
        nice = Path("/proc/self/autogroup").read_text().split()[-1]
        give(pid, int(nice))


def give(pid: int, nice: int = NICE) -> None:
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(f"{nice}")
