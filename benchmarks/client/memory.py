"""Memory of the processes of a run, from /proc."""

from __future__ import annotations

import re
from pathlib import Path

_FIELD = re.compile(r"^(Rss|Pss):\s+(\d+) kB", re.MULTILINE)
ROLES = {"sessions.run": "host", "sessions.worker.process": "worker"}
"""Module in the command line -> what the process is; any other is the command a person typed: the screen."""


def of_run(directory: str) -> dict[str, dict[str, float]]:
    """Role -> `rss_mb` and `pss_mb` of the processes that have `directory` in their command line.

    Shared pages count whole in RSS; PSS divides them among those that have them, so that it adds up.
    """
    found: dict[str, dict[str, float]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            if not any(directory in word for word in words):
                continue
            role = next((ROLES[word] for word in words if word in ROLES), "screen")
            kilobytes = dict(_FIELD.findall((process / "smaps_rollup").read_text()))
        except OSError:  # it has just ended
            continue
        if not kilobytes:
            continue
        into = found.setdefault(role, {"rss_mb": 0.0, "pss_mb": 0.0})
        into["rss_mb"] += int(kilobytes["Rss"]) * 1024 / 1e6
        into["pss_mb"] += int(kilobytes["Pss"]) * 1024 / 1e6
    return found


def largest(samples: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]] | None:
    """The sample with the largest sum of PSS; None of none."""
    return max(samples, key=lambda sample: sum(role["pss_mb"] for role in sample.values()), default=None)
