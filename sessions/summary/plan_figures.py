"""What follows from the figures of stages: one by its name, money."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.plan.plan_table import Provider
from sessions.plan.slo import LATENCIES
from sessions.summary.cost import per_million
from sessions.summary.plan_schema import PlanStage, ProviderCost, StageLatency


def column(stage: PlanStage, name: str) -> float | None:
    """The figure that a plan calls `name`: a field, or `ttft_p99_ms` of one; None where there is none."""
    for metric in LATENCIES:
        if name.startswith(f"{metric}_") and name.endswith("_ms"):
            of = getattr(stage, f"{metric}_ms", None)
            if isinstance(of, StageLatency):
                return getattr(of, name.removeprefix(f"{metric}_").removesuffix("_ms"), None)
    value = getattr(stage, name, None)
    return float(value) if isinstance(value, (int, float)) else None


def provider_costs(providers: Sequence[Provider], stages: Sequence[PlanStage]) -> list[ProviderCost]:
    """At the output tokens per second of the stage that made most; empty where none made any."""
    best = max((stage.output_tps or 0.0 for stage in stages), default=0.0)
    if not best:
        return []
    costs = [
        ProviderCost(
            gpu=each.gpu,
            provider=each.provider,
            per_hour=each.per_hour,
            per_million=per_million(each.per_hour, best) or 0.0,
            published_tps=each.published_tps,
            published_per_million=each.published_per_million,
            published_by_arithmetic=None
            if each.published_tps is None
            else per_million(each.per_hour, each.published_tps),
        )
        for each in providers
    ]
    return sorted(costs, key=lambda cost: cost.per_million)
