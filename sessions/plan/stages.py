"""The stages of a plan: what each puts on the server, for how long, and what all of it will come to.

Values only. A run keeps them in its manifest, so that a plan goes on where it was left without its file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec

from loadgen.arrivals.load import ArrivalsName
from sessions.plan.mix import MixPart
from sessions.plan.ramp import Ramp, mean_rate_rps
from sessions.plan.trace_config import TraceConfig


class Stage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stretch of one load with one workload. One of `rate_rps`, `ramp`, `concurrency`,
    `between`, `trace` is set."""

    name: str
    rate_rps: float | None = None
    ramp: Ramp | None = None
    concurrency: int | None = None
    arrivals: ArrivalsName = "poisson"
    burstiness: float = 1.0
    """Of gamma arrivals."""
    duration_s: float | None = None
    """Requests are due for so long, the warm-up with them; None: until there were `requests`."""
    requests: int | None = None
    """No more than so many are due; None for no limit."""
    warm_up_s: float = 0.0
    """From its beginning: sent and shown, not counted in its figures."""
    warm_up_requests: int = 0
    """Its first requests, likewise."""
    pause_s: float = 0.0
    """Nothing is sent for so long after it."""
    drain: bool = True
    """Its answers are awaited before the next stage; else the load goes over into the next."""
    input_tokens: int | str | None = None
    """None: as the run's."""
    output_tokens: int | str | None = None
    turns: int | str | None = None
    think: str | None = None
    prefix: str | None = None
    """As `WorkloadConfig.prefix`; None: as the run's, empty: none."""
    prompts: str | None = None
    """As `WorkloadConfig.prompts`, likewise."""
    mix: list[MixPart] | None = None
    """None: as the run's, unless it has lengths, a prefix or prompts of its own."""
    repetition: int | None = None
    """From 1, where the plan asks for several."""
    table: int = 0
    """Which `[[stages]]` it is of, from 0."""
    between: tuple[int, int] | None = None
    """Numbers of two stages before it: its rate lies between what those answered."""
    trace: TraceConfig | None = None
    """What its requests are taken from; `rate_rps` is then what it comes to on average, once it was read."""
    share: float = 0.0
    """How far between, from 0 to 1."""
    stop: Literal["flat", "failed"] | None = None
    """It and those of its table after it are left out once the stage before made hardly more tokens than the
    one before that, or had no request that succeeded."""

    @property
    def longest_s(self) -> float | None:
        """How long requests are due at the most; None where only the server's answers say."""
        times = [self.duration_s, self.ramp.over_s if self.ramp is not None else None]
        if self.trace is not None:
            times.append(self.trace.span_s)
        elif self.requests is not None and self.rate_rps is not None:
            times.append(self.requests / self.rate_rps)
        known = [time for time in times if time is not None]
        return min(known) if known else None

    @property
    def expected_requests(self) -> float | None:
        """How many requests it sends about; None where the server's answers say."""
        if self.trace is not None:
            return None if self.trace.figures is None else float(self.trace.figures.requests)
        if self.rate_rps is None and self.ramp is None:
            return None if self.duration_s is not None else self.requests
        rate_rps = mean_rate_rps(self.ramp) if self.ramp is not None else self.rate_rps or 0.0
        asked = (self.longest_s or 0.0) * rate_rps
        return asked if self.requests is None else min(asked, float(self.requests))


class StageBefore(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a stage came to in the session whose plan goes on in another: as far as later stages look back at
    it. Missing figures are None."""

    number: int
    """From 0."""
    requests: int = 0
    succeeded: int = 0
    request_rps: float | None = None
    output_tps_sending: float | None = None
    left_out: bool = False


def looked_back_at(stages: Sequence[Stage], first: int) -> set[int]:
    """Numbers of the stages before `first` of which it, or one behind it, has to know what they came to."""
    found: set[int] = set()
    for number, stage in enumerate(stages[first:], first):
        looks = set(stage.between or ())
        if stage.stop is not None:
            looks |= {n for n in (number - 1, number - 2) if n >= 0 and stages[n].table == stage.table}
        found |= {n for n in looks if n < first}
    return found


def rate_between(low_rps: float | None, high_rps: float | None, share: float, most_rps: float) -> float:
    """The rate of a stage that lies between what two others answered per second, at most `most_rps`; 1 where
    those say none."""
    if not high_rps:
        return min(1.0, most_rps)
    low_rps = low_rps or 0.0
    return min(max(low_rps + (high_rps - low_rps) * share, 0.01), most_rps)


class Estimate(NamedTuple):
    """What a plan will come to; a part of it where the answers say the rest."""

    seconds: float
    """Without the time that answers take after their stage."""
    requests: float
    input_tokens: float
    output_tokens: float
    open_times: int
    """Stages of which the time follows from the answers alone."""
    open_numbers: int
    """Likewise the number of requests."""
    highest_rps: float


def estimate(stages: Sequence[Stage], lengths: Callable[[Stage], tuple[float, float]]) -> Estimate:
    """What `stages` come to. `lengths`: mean tokens of a stage's prompts and answers."""
    seconds = requests = tokens_in = tokens_out = highest = 0.0
    open_times = open_numbers = 0
    for stage in stages:
        number, longest_s = stage.expected_requests, stage.longest_s
        open_times += longest_s is None
        open_numbers += number is None
        seconds += (longest_s or 0.0) + stage.pause_s
        requests += number or 0.0
        figures = None if stage.trace is None else stage.trace.figures
        into, out = lengths(stage) if figures is None else (figures.input_mean, figures.output_mean)
        tokens_in += (number or 0.0) * into
        tokens_out += (number or 0.0) * out
        ramp = stage.ramp
        highest = max(
            highest, stage.rate_rps or 0.0, max(ramp.from_rps, ramp.to_rps) if ramp is not None else 0.0
        )
    return Estimate(seconds, requests, tokens_in, tokens_out, open_times, open_numbers, highest)


def scaled(stage: Stage, by: float) -> Stage:
    """`stage` with its times and numbers of requests multiplied by `by`: at least 1 and 0.1 s."""

    def time(seconds: float) -> float:
        return max(0.1, seconds * by) if seconds else 0.0

    def number(count: int) -> int:
        return max(1, round(count * by)) if count else 0

    requests = None if stage.requests is None else number(stage.requests)
    warm_up = number(stage.warm_up_requests)
    ramp = stage.ramp
    return msgspec.structs.replace(
        stage,
        duration_s=None if stage.duration_s is None else time(stage.duration_s),
        requests=requests,
        ramp=None if ramp is None else msgspec.structs.replace(ramp, over_s=time(ramp.over_s)),
        warm_up_s=stage.warm_up_s * by,
        warm_up_requests=warm_up if requests is None else min(warm_up, requests - 1),
        pause_s=stage.pause_s * by,
    )
