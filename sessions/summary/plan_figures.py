"""What follows from the figures of stages: one by its name, verdicts on targets, money."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.metrics import THIN_FLOORS
from sessions.plan.plan_table import Provider
from sessions.plan.slo import LATENCIES, Target, judged, parse_target
from sessions.summary.cost import per_million
from sessions.summary.plan_schema import PlanStage, ProviderCost, StageLatency, TargetResult


def column(stage: PlanStage, name: str) -> float | None:
    """The figure that a plan calls `name`: a field, or `ttft_p99_ms` of one; None where there is none."""
    for metric in LATENCIES:
        if name.startswith(f"{metric}_") and name.endswith("_ms"):
            of = getattr(stage, f"{metric}_ms", None)
            if isinstance(of, StageLatency):
                return getattr(of, name.removeprefix(f"{metric}_").removesuffix("_ms"), None)
    value = getattr(stage, name, None)
    return float(value) if isinstance(value, (int, float)) else None


def target_results(targets: Sequence[str], stage: PlanStage) -> list[TargetResult]:
    """What `stage` says of each."""
    results = []
    for target in map(parse_target, targets):
        figure, thin = _figure(target, stage)
        undecided = thin or stage.state == "running"  # its slow requests have not ended yet
        results.append(TargetResult(target.text, figure, judged(target, figure, thin=undecided)))
    return results


def _figure(target: Target, stage: PlanStage) -> tuple[float | None, bool]:
    """The figure that a target is about, and whether it rests on too few requests."""
    if target.metric == "errors":
        ended = stage.requests - stage.cut_off
        return (stage.failed / ended if ended else None), False
    if target.metric == "gpu_memory":
        return stage.gpu_memory_share, False
    if target.metric not in LATENCIES:
        return column(stage, target.metric), False
    figure = column(stage, f"{target.metric}_{target.statistic}_ms")
    of = getattr(stage, f"{target.metric}_ms", None)
    return figure, isinstance(of, StageLatency) and of.count < THIN_FLOORS.get(target.statistic, 1)


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
