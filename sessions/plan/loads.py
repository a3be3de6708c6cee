"""The loads that a run will put on: its own, or one for each stage of its plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from loadgen.workload.lengths import mean, parse_lengths
from sessions.plan.config import LoadConfig, RunConfig

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
    """Each load that is asked for, in order."""
    usual = mean(config.workload.output)
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
        yield AskedLoad("", config.load, usual)
        return
    for number, stage in enumerate(config.plan.stages, 1):
        load = msgspec.structs.replace(
            config.load,
            rate_rps=stage.rate_rps or LoadConfig().rate_rps,
            arrivals=stage.arrivals,
            ramp=stage.ramp,
            concurrency=stage.concurrency,
            duration_s=stage.duration_s,
            requests=stage.requests,
        )
        tokens = usual if stage.output_tokens is None else mean(parse_lengths(stage.output_tokens))
        yield AskedLoad(f"stage {number}: ", load, tokens)


def highest_rps(load: LoadConfig) -> float:
    """Of an open load, as far as it was asked for; 0 in a closed loop."""
    if load.concurrency is not None:
        return 0.0
    return load.rate_rps if load.ramp is None else max(load.ramp.from_rps, load.ramp.to_rps)
