"""What binds in the figures that the panels beside it show.

A limit is judged by means of seconds, which differ from the last readings that stand in the panels: one
screen would give two values of one thing.
"""

from __future__ import annotations

from collections.abc import Sequence

from sessions.bottleneck.evidence import Evidence
from sessions.bottleneck.rules import FIGURES
from sessions.frame.gpu_trouble import counted
from sessions.frame.schema import Gpu, Limit, Server
from sessions.timeline.gpu_names import gpu_name


def limit_now(
    limit: Limit, server: Server, gpus: Sequence[Gpu], *, in_flight: int = 0, closed: bool = False
) -> Limit:
    """With the panels' figures where the limit is of a kind that rests on them, else as it is."""
    words = FIGURES.get(limit.name)
    if words is None:
        return limit
    working = counted(gpus)
    most = max(working, key=lambda gpu: gpu.power_w or 0.0, default=None)
    name = ""
    if most is not None and len(gpus) > 1:
        name = gpu_name(most.label)
    shown = Evidence(
        in_flight=float(in_flight),
        closed=closed,
        running=server.running,
        waiting=server.waiting,
        kv_pct=server.kv_pct,
        preemptions_per_s=server.preemptions_per_s,
        gpu=name,
        util_pct=_most([gpu.util_pct for gpu in working]),
        sm_pct=_most([gpu.sm_pct for gpu in working]),
        dram_pct=_most([gpu.dram_pct for gpu in working]),
        power_w=None if most is None else most.power_w,
        power_limit_w=None if most is None else most.power_limit_w,
    )
    return Limit(limit.name, words(shown), limit.since_ns)


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
