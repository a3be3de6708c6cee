"""One row per kind of workload: what it is told as, and what makes its requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadgen.workload.conversation import ConversationRequests
from loadgen.workload.spec import ConversationWorkload, SyntheticWorkload, TraceWorkload, Workload
from loadgen.workload.synthetic import SyntheticRequests
from loadgen.workload.trace import TraceRequests

WORKLOADS: dict[type, Callable[[Any, int], Workload]] = {
    SyntheticWorkload: SyntheticRequests,
    TraceWorkload: TraceRequests,
    ConversationWorkload: ConversationRequests,
}
"""Type of what a worker is told -> the workload, from such a value and the seed."""
