"""One row per kind of workload: what it is told as, and what makes its requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadgen.workload.conversation import ConversationRequests
from loadgen.workload.from_file import FileRequests
from loadgen.workload.mixed import MixedRequests, seed_of
from loadgen.workload.spec import (
    ConversationWorkload,
    FileWorkload,
    MixWorkload,
    SyntheticWorkload,
    TraceWorkload,
    Workload,
)
from loadgen.workload.synthetic import SyntheticRequests
from loadgen.workload.trace import TraceRequests


def _mixed(told: MixWorkload, seed: int) -> Workload:
    made = [
        WORKLOADS[type(part.workload)](part.workload, seed_of(number, seed))
        for number, part in enumerate(told.parts)
    ]
    return MixedRequests(told, made, seed)


WORKLOADS: dict[type, Callable[[Any, int], Workload]] = {
    SyntheticWorkload: SyntheticRequests,
    FileWorkload: FileRequests,
    MixWorkload: _mixed,
    TraceWorkload: TraceRequests,
    ConversationWorkload: ConversationRequests,
}
"""Type of what a worker is told -> the workload, from such a value and the seed."""
