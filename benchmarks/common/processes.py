"""The processes of a run, and who goes before whom on a machine that others use."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def of_run(root: Path) -> list[int]:
    """Supervisors and load workers of the runs in `root`."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"sessions.run" in words or b"sessions.worker.process" in words:
                    found += [int(entry.name)] if any(os.fsencode(root) in word for word in words) else []
    return found


def go(pids: Iterable[int], nice: int) -> None:
    """Gives the sessions of `pids` that nice value.

    Where the kernel shares the processor between sessions first (sched_autogroup), the nice value of a
    process counts within its own only, and a run has one of its own. Who lacks the right changes nothing.
    """
    for pid in pids:
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text(str(nice), encoding="ascii")
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, nice)
