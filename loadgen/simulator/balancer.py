"""Which of several data-parallel engines a new request goes to."""

from __future__ import annotations

from collections.abc import Iterable

from loadgen.simulator.batch import Batch


def least_busy(engines: Iterable[Batch]) -> Batch:
    """Where a new request goes among data-parallel engines: the fewest sequences, waiting ones counting more.

    vLLM's balancer weighs a waiting request as four running ones.
    """
    return min(engines, key=lambda engine: 4 * len(engine.waiting) + len(engine.running))
