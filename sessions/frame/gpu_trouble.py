"""Which GPUs want looking at, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from statistics import median

from sessions.frame.schema import Gpu

HOT_C = 83.0
"""As the line of what binds has it, where throttling is not read."""
BUSY_PCT, IDLE_PCT = 50.0, 20.0
"""A GPU below the second is idle where the middle of the others that share its load is above the first."""
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


def counted(gpus: Sequence[Gpu]) -> list[Gpu]:
    """Those that are part of the load and say something."""
    return [gpu for gpu in gpus if not (gpu.excluded or gpu.lost or gpu.stale) and gpu.util_pct is not None]


def idle(gpus: Sequence[Gpu]) -> list[bool]:
    """Of each GPU whether it idles beside busy ones: below `IDLE_PCT` while the median of the others of its
    role that count is above `BUSY_PCT`. Where one of eight works, the load is that one's, and no other is
    told of."""
    of_role: dict[str, dict[int, float]] = {}  # prefill and decode share no load
    for gpu in counted(gpus):
        of_role.setdefault(gpu.role, {})[id(gpu)] = gpu.util_pct or 0.0

    def idles(gpu: Gpu) -> bool:
        utils = of_role.get(gpu.role, {})
        if utils.get(id(gpu), IDLE_PCT) >= IDLE_PCT:
            return False
        others = [util for other, util in utils.items() if other != id(gpu)]
        return bool(others) and median(others) > BUSY_PCT

    return [idles(gpu) for gpu in gpus]


def troubles(gpus: Sequence[Gpu]) -> list[Trouble]:
    """Of each GPU the worst that is to be seen at this instant. One that is no part of the load has none but
    being lost."""
    return [_trouble(gpu, idles) for gpu, idles in zip(gpus, idle(gpus), strict=True)]


def _trouble(gpu: Gpu, idles: bool) -> Trouble:
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
    return Trouble.IDLE if idles else Trouble.NONE
