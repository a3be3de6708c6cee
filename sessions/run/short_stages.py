"""Stages that will be over before an answer of theirs is: told before they are run, from the probe's pace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from loadgen.workload.lengths import mean, parse_lengths
from sessions.plan.config import RunConfig

if TYPE_CHECKING:
    from loadgen.probe.result import WarmUp

_NAMED = 6


class _Pace(NamedTuple):
    """Of a server that has nothing else to do."""

    ttft_ms: float
    ms_per_token: float


def short_stages(config: RunConfig, warm_ups: Sequence[WarmUp]) -> str:
    """One line that names the stages (or the run) in which no request due at their beginning is answered
    before they end, even on an idle server; empty where there is none, or the probe saw no pace."""
    pace = _pace(warm_ups)
    if pace is None:
        return ""
    found = [
        (name, for_s, answer_s)
        for name, for_s, tokens in _loads(config)
        if (answer_s := (pace.ttft_ms + pace.ms_per_token * (tokens - 1)) / 1e3) > for_s
    ]
    if not found:
        return ""
    names = ", ".join(name for name, _, _ in found[:_NAMED])
    names += f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    _, for_s, answer_s = max(found, key=lambda stage: stage[2] / stage[1])
    return (
        f"{names}: shorter than its answers (up to {answer_s:.3g} s in {for_s:.3g} s, at the probe's pace): "
        "no steady state can be measured there"
    )


def _pace(warm_ups: Sequence[WarmUp]) -> _Pace | None:
    """The fastest that was seen; None where no request had two tokens."""
    found = []
    for seen in warm_ups:
        later = (seen.output_tokens or seen.chunks) - 1
        if seen.ttft_ms is not None and later > 0:
            found.append(_Pace(seen.ttft_ms, max(seen.total_ms - seen.ttft_ms, 0.0) / later))
    return min(found, key=lambda pace: pace.ms_per_token) if found else None


def _loads(config: RunConfig) -> list[tuple[str, float, float]]:
    """Name, seconds and mean output tokens of each load that has a time."""
    asked = config.workload.output_tokens
    if config.plan is None:
        stages = [("this run", config.load.duration_s, asked)]
    else:
        stages = [
            (f"stage {number} ({stage.name})", stage.longest_s, stage.output_tokens or asked)
            for number, stage in enumerate(config.plan.stages, 1)
            if number > config.plan.first_stage
        ]
    return [(name, for_s, mean(parse_lengths(tokens))) for name, for_s, tokens in stages if for_s is not None]
