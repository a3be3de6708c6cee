"""What a plan comes to, in words."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.plan.config import WorkloadConfig, stage_workload
from sessions.plan.stages import Estimate, Stage, estimate


def said_estimate(stages: Sequence[Stage], work: WorkloadConfig, endpoint: str = "auto") -> str:
    """One line: how long, how many requests and tokens, as far as it is known beforehand. `endpoint`: that is
    asked for."""
    files = False

    def lengths(stage: Stage) -> tuple[float, float]:
        nonlocal files
        asked = stage_workload(work, stage)
        files |= any(own.prompts for _, own in asked.parts())
        return asked.mean_of(lambda own: 0.0 if own.prompts else own.mean_input), asked.mean_output

    known = estimate(stages, lengths)
    requests = _requests(known, len(stages), files, has_tokens=endpoint != "embeddings")
    return f"{_time(known, len(stages))}; {requests}"


def said_stages(number: int) -> str:
    return f"{number} stage{'s' * (number != 1)}"


def _time(known: Estimate, stages: int) -> str:
    minutes = known.seconds / 60
    time = (
        f"{known.seconds:.0f} s"
        if minutes < 2
        else f"{minutes:.0f} min"
        if minutes < 120
        else f"{minutes / 60:.1f} h"
    )
    if not known.open_times:
        each = " of each stage" if stages > 1 else ""
        return f"about {time} and what the last answers{each} take"
    if known.open_times == stages:
        return "as long as the answers take"
    return f"at least {time}, {said_stages(known.open_times)} as long as the answers take"


def _requests(known: Estimate, stages: int, files: bool, *, has_tokens: bool) -> str:
    if known.open_numbers == stages:
        return "as many requests as are answered in that time"
    unknown = " beside those of files" if files else ""
    least = "at least " if known.open_numbers else ""
    out = f", {known.output_tokens:,.0f} out" if has_tokens else ""
    return f"{least}{known.requests:,.0f} requests, {known.input_tokens:,.0f} tokens in{unknown}{out}"
