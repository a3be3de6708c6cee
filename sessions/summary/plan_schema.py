"""What each stage of a plan came to, as typed values."""

from __future__ import annotations

import msgspec

from sessions.plan.plan_table import Published
from sessions.plan.slo import Verdict
from sessions.steady import verdict
from sessions.summary.plan_fit import Fit
from sessions.summary.slo_schema import TargetResult


class Window(msgspec.Struct, frozen=True):
    """The part of a load that is measured, and whether that is a steady state (docs/figures/steady.md)."""

    verdict: verdict.Verdict
    """`steady`, `drifting_up`, `drifting_down`, `too_short`; `settling` while it goes on."""
    from_s: float
    """Since load began."""
    to_s: float
    why: str
    """The figures that the verdict rests on, in words."""


def window_since(found: verdict.Window | None, start_ns: int) -> Window | None:
    """In seconds since load began."""
    if found is None:
        return None
    from_s, to_s = (round((t_ns - start_ns) / 1e9, 3) for t_ns in (found.from_ns, found.to_ns))
    return Window(found.verdict, from_s, to_s, found.why)


class StageLatency(msgspec.Struct, frozen=True):
    """One metric over the requests that a stage counts, in ms, exactly. None where there was none."""

    count: int
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p99_upper_99: float | None = None
    """What the true p99 is at most, with 99 % confidence; None where there are too few requests to tell."""


class PlanStage(msgspec.Struct, frozen=True):
    """A stage as it ran. Its requests are those due in it after its warm-up, answered whenever that was."""

    number: int
    """From 1, as on the screen."""
    name: str
    state: str
    """`done`, `left` (by a person), `cut` (the run ended first), `running`."""
    from_s: float
    """Since load began; of several attempts the last one."""
    measured_from_s: float
    """When its warm-up was over."""
    to_s: float
    """When nothing more was due."""
    over_s: float | None
    """When all was answered; None where the next stage began before."""
    offered_rps: float | None
    """What was due, sent or not, over the measured time; None in a closed loop."""
    concurrency: int | None
    input_tokens: int | str
    """As it was asked for."""
    output_tokens: int | str
    requests: int
    """Due in the measured time, and sent."""
    succeeded: int
    failed: int
    cut_off: int
    """Sent, and given up by us because the run ended: no failures."""
    not_sent: int
    """Due in the stage and given up before any byte was sent, as the ticks in which that was tell."""
    warm_up_requests: int
    """Due before it: sent and answered, in none of these figures."""
    input_tokens_mean: float | None
    """As the server counted them."""
    output_tokens_mean: float | None
    request_rps: float | None
    """Requests that succeeded, over the time until the last was answered, as vLLM's benchmark counts."""
    output_tps: float | None
    """Their output tokens, over the same time."""
    total_tps: float | None
    """Their input and output tokens, likewise; None where nobody counted the input."""
    output_tps_sending: float | None
    """Tokens that came in the measured time, over it: without the time of the last answers."""
    ttft_ms: StageLatency
    """From due."""
    itl_mean_ms: float | None
    """Over all tokens after the first; None where nobody said how many tokens a chunk bore."""
    itl_p50_ms: float | None
    """From sketches (1 %), as p99."""
    itl_p99_ms: float | None
    tpot_ms: StageLatency
    e2e_ms: StageLatency
    tps_per_user: float | None
    """1 / median TPOT: tokens per second of one request, once it streams."""
    joules_per_output_token: float | None
    mean_w: float | None
    output_tps_per_gpu: float | None
    """None where no GPU is known that the load runs on."""
    cached_share: float | None
    """Of its input tokens, what the server said it had in its cache; None where it does not say."""
    gpu_memory_share: float | None
    """Of the memory of those GPUs, at most in this time."""
    targets: list[TargetResult]
    window: Window | None = None
    """None for a ramp."""
    scheduled: int = 0
    """`requests` and those of it that were never sent; 0 without targets."""
    good: int | None = None
    """Of them, those that held every limit that a target asks of one request; None where none asks that."""
    attainment: float | None = None
    """`good` of `scheduled`."""
    goodput_rps: float | None = None
    """`good` per second, over the same time as `request_rps`."""


class ProviderCost(msgspec.Struct, frozen=True):
    """What a million output tokens cost there, if that GPU were as fast as what was measured here."""

    gpu: str
    provider: str
    per_hour: float
    per_million: float
    published_tps: float | None
    published_per_million: float | None
    """What the source printed; `published_by_arithmetic` is what its own figures give."""
    published_by_arithmetic: float | None


class LimitStep(msgspec.Struct, frozen=True):
    """One step of a search, as it was judged when it was over."""

    purpose: str
    """`single`, `double`, `narrow`, `refine` or `confirm`."""
    load: float
    verdict: Verdict
    requests: int
    seconds: float
    target: str
    """The one that bound."""
    misses: int
    of: int
    allowed: float
    """Share of them that may miss; 0 of a mean."""


class Limit(msgspec.Struct, frozen=True):
    """The highest load that held the targets."""

    closed: bool
    """A concurrency, else requests per second."""
    passed: float | None
    """The highest that passed."""
    failed: float | None
    """The lowest above it that failed; None where none did."""
    estimate: float | None
    """Where the steps together put the limit, made a little lower for their error."""
    error: float | None
    """Standard error of the estimate, as a share of it."""
    certified: bool
    """`passed` was confirmed by a second step, and a load above it failed."""
    monotone: bool
    """No load passed above one that failed."""
    over: bool
    """The search came to its end."""
    why: str
    requests: int
    """Sent in all steps."""
    seconds: float
    bound: str
    """What the line of what binds said in the lowest step that failed; empty where it said nothing."""
    steps: list[LimitStep]
    single_ratio: float | None = None
    """How many times as long single requests took at the end as in the beginning; None where that was not
    asked."""

    @property
    def estimate_says_more(self) -> bool:
        """The estimate of a search that is over lies more narrowly, in 95 of 100 cases, than the two loads
        that it is between."""
        if self.closed or not self.over:
            return False
        if self.passed is None or self.failed is None or self.estimate is None or self.error is None:
            return False
        return 4 * self.error * self.estimate < self.failed - self.passed


class Plan(msgspec.Struct, frozen=True):
    """The plan of a run and what came of it."""

    name: str
    title: str
    source: str
    scale: float
    stages_asked: int
    columns: list[str]
    """Of its table, by the names of `PlanStage`; empty: the usual ones."""
    charts: list[str]
    """`Y over X`, by the same names."""
    stages: list[PlanStage]
    """Those that began, in order."""
    fits: list[Fit]
    published: list[Published]
    """What others printed of the same."""
    providers: list[ProviderCost]
    """Cheapest first, at `output_tps` of the stage that made most."""
    currency: str
    limit: Limit | None = None
    """What a search for the limit found; None where there was none."""
