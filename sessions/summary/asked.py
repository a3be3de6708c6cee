"""What the requests of a run were asked for, in a word each: never lengths that none of them had."""

from __future__ import annotations

import msgspec

from sessions.plan.config import RunConfig, WorkloadConfig, stage_workload
from sessions.plan.stages import Stage

BY_STAGE = "by stage"
"""In place of a length: the stages of the plan differ, each says its own."""
TRACE = "trace"


def workload_asked(config: RunConfig, endpoint: str) -> WorkloadConfig:
    """What was asked for, with a word in place of each length that no request had: `trace`, `file`, `mix`
    where each of its parts has its own, `by stage`; 0 tokens of an answer that has none.

    Nothing but text and JSON is to be made of it.
    """
    work, plan = config.workload, config.plan
    if plan is not None and plan.stages:
        each = [stage_lengths(work, stage) for stage in plan.stages]
        into, out = (column[0] if len(set(column)) == 1 else BY_STAGE for column in zip(*each, strict=True))
    elif config.load.trace is not None:
        into = out = TRACE
    else:
        into = "file" if work.prompts else work.input_tokens
        out = work.output_tokens
        if work.mix and all(part.input_tokens is not None or part.prompts for part in work.mix):
            into = "mix"
        if work.mix and all(part.output_tokens is not None for part in work.mix):
            out = "mix"
    if endpoint == "embeddings":
        out = 0
    return msgspec.structs.replace(work, input_tokens=into, output_tokens=out)


def stage_lengths(work: WorkloadConfig, stage: Stage) -> tuple[int | str, int | str]:
    """Of prompts and answers of one stage, likewise; `work`: what the run asks for."""
    if stage.trace is not None:
        return TRACE, TRACE
    own = stage_workload(work, stage)
    if own.mix:
        return "mix", "mix"
    return "file" if own.prompts else own.input_tokens, own.output_tokens
