"""The loads that a run will put on: its own, or one for each stage of its plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from sessions.plan.config import LoadConfig, RunConfig, stage_workload

_SEARCHED = 64.0
"""Requests per second, or at a time, that a search for the limit is prepared for."""


class AskedLoad(NamedTuple):
    where: str
    """`stage 3: ` of a plan, else empty."""
    load: LoadConfig
    """A stage whose rate is found out while the plan runs has that of an idle run here."""
    output_tokens: float
    """Asked of an answer, on average."""


def loads_of(config: RunConfig) -> Iterator[AskedLoad]:
    """Each load that is asked for, in order; of a plan that goes on, those that are still to come."""
    usual = config.workload.mean_output
    if config.limit is not None:  # nobody knows yet: what a client of usual size is for
        most = config.limit.most or _SEARCHED
        load = config.load
        if config.limit.closed:
            load = msgspec.structs.replace(load, concurrency=max(1, round(min(most, _SEARCHED))))
        else:
            load = msgspec.structs.replace(load, rate_rps=min(most, _SEARCHED))
        yield AskedLoad("", load, usual)
        return
    if config.plan is None:
        yield AskedLoad("", config.load, _answers(config.load, usual))
        return
    for number, stage in enumerate(config.plan.stages, 1):
        if number <= config.plan.first_stage:
            continue
        load = msgspec.structs.replace(
            config.load,
            rate_rps=stage.rate_rps or LoadConfig().rate_rps,
            arrivals=stage.arrivals,
            trace=stage.trace,
            ramp=stage.ramp,
            concurrency=stage.concurrency,
            duration_s=stage.duration_s,
            requests=stage.requests,
        )
        tokens = stage_workload(config.workload, stage).mean_output
        yield AskedLoad(f"stage {number}: ", load, _answers(load, tokens))


def _answers(load: LoadConfig, tokens: float) -> float:
    """Asked of an answer, on average: `tokens`, unless a trace says it."""
    figures = None if load.trace is None else load.trace.figures
    return tokens if figures is None else figures.output_mean
