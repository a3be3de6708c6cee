"""Which GPUs want looking at, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from sessions.frame.schema import Gpu

HOT_C = 83.0
"""As the limit line has it, where throttling is not read."""
BUSY_PCT, IDLE_PCT = 50.0, 20.0
"""A GPU below the second is idle beside one above the first that shares its load."""
THROTTLED_PCT = 1.0


class Trouble(IntEnum):
    """The higher, the worse."""

    NONE = 0
    IDLE = 1
    """Idle beside busy ones."""
    STALE = 2
    THROTTLED = 3
    HOT = 4
    """Held down by heat, or as hot as that."""
    LOST = 5


def is_throttled(gpu: Gpu) -> bool:
    """Its clocks are held down now, or were for a share of the time that shows."""
    return bool(gpu.throttle) or (gpu.throttled_pct or 0.0) >= THROTTLED_PCT


def troubles(gpus: Sequence[Gpu]) -> list[Trouble]:
    """Of each GPU the worst that is to be seen at this instant. One that is no part of the load has none but
    being lost."""
    working = [gpu for gpu in gpus if not (gpu.excluded or gpu.lost or gpu.stale)]
    most: dict[str, float] = {}  # prefill and decode share no load
    for gpu in working:
        most[gpu.role] = max(most.get(gpu.role, 0.0), gpu.util_pct or 0.0)
    return [_trouble(gpu, most.get(gpu.role, 0.0)) for gpu in gpus]


def _trouble(gpu: Gpu, most_pct: float) -> Trouble:
    if gpu.lost:
        return Trouble.LOST
    if gpu.excluded:
        return Trouble.NONE
    if gpu.stale:
        return Trouble.STALE
    of_heat = any("thermal" in reason for reason in gpu.throttle)
    if of_heat or (gpu.temperature_c is not None and gpu.temperature_c >= HOT_C):
        return Trouble.HOT
    if is_throttled(gpu):
        return Trouble.THROTTLED
    idle = gpu.util_pct is not None and gpu.util_pct < IDLE_PCT and most_pct > BUSY_PCT
    return Trouble.IDLE if idle else Trouble.NONE
