"""GPUs by the machine that they are in, and what that does for the server."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from sessions.frame.schema import Gpu
from tui.draw.rows import Span
from tui.draw.text import safe

MOST_NAME = 20


class Group(NamedTuple):
    host: str
    role: str
    gpus: list[int]
    """Numbers among those of the frame, which has them in this order."""

    @property
    def name(self) -> str:
        """`node1 prefill`."""
        return " ".join(word for word in (safe(self.host, MOST_NAME), safe(self.role, 16)) if word)


def groups(gpus: Sequence[Gpu]) -> list[Group]:
    """One where there is one machine of no told role: nothing to tell apart."""
    found = groupby(range(len(gpus)), key=lambda number: (gpus[number].role, gpus[number].host))
    return [Group(host, role, list(numbers)) for (role, host), numbers in found]


def are_told_apart(found: Sequence[Group]) -> bool:
    return len(found) > 1 or any(group.role for group in found)


def by_role(gpus: Sequence[Gpu]) -> list[list[Span]]:
    """`prefill 97%`, the mean of each role; nothing where nobody told one."""
    said: list[list[Span]] = []
    for role, numbers in groupby(range(len(gpus)), key=lambda number: gpus[number].role):
        own = [gpus[number] for number in numbers]
        if not role:
            continue
        utils = [gpu.util_pct for gpu in own if gpu.util_pct is not None and not gpu.stale]
        mean = f"{sum(utils) / len(utils):.0f}%" if utils else "-"
        said.append([(f"{safe(role, 16)} ", "label"), (mean, "gpu")])
    return said
