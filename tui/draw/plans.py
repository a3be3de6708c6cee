"""What a plan comes to, in words."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.plan.config import WorkloadConfig, stage_workload
from sessions.plan.stages import Stage, estimate


def said_estimate(stages: Sequence[Stage], work: WorkloadConfig) -> str:
    """One line: how long, how many requests and tokens, as far as it is known beforehand."""
    files = False

    def lengths(stage: Stage) -> tuple[float, float]:
        nonlocal files
        asked = stage_workload(work, stage)
        files |= any(own.prompts for _, own in asked.parts())
        return asked.mean_of(lambda own: 0.0 if own.prompts else own.mean_input), asked.mean_output

    known = estimate(stages, lengths)
    minutes = known.seconds / 60
    time = (
        f"{known.seconds:.0f} s"
        if minutes < 2
        else f"{minutes:.0f} min"
        if minutes < 120
        else f"{minutes / 60:.1f} h"
    )
    least = "at least " if known.open_stages else "about "
    unknown = " beside those of files" if files else ""
    text = (
        f"{least}{time} and what the last answers of each stage take, {known.requests:,.0f} requests, "
        f"{known.input_tokens:,.0f} tokens in{unknown}, {known.output_tokens:,.0f} out"
    )
    if known.open_stages:
        text += f" ({known.open_stages} stages are as long, or as many, as the server makes them)"
    return text
