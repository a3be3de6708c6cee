"""A search for the limit as it runs: like a plan whose next stage is chosen by what those before came to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from loadgen.clock import Clock
from sessions.limit.results import bracket, results_of
from sessions.limit.search import Answer, Ask, Result, next_step
from sessions.limit.step import Step, fails_already, judge, overloaded
from sessions.plan.config import LimitConfig, PlanConfig
from sessions.plan.stages import Stage
from sessions.run.plan_runner import PlanRunner
from sessions.run.stage_loads import StageLoads
from sessions.store.records import StageChange

if TYPE_CHECKING:
    from sessions.run.step_requests import Seen, StepRequests

_LOOK_S = 0.5
_WRITTEN_NS = 5_000_000_000
"""Lines that have not come by then will not: a disk that is full, say."""
_COUNTED_LEAST = 100
"""So many of those that count are sent before a step is given up because its queue grows."""
_ENDED_LEAST = 20
"""So many answers say how long one takes."""

_log = logging.getLogger(__name__)


class LimitRunner(PlanRunner):
    """`run` returns when the answer is found: it stands in the session, as what its steps came to."""

    def __init__(
        self,
        ask: Ask,
        limit: LimitConfig,
        plan: PlanConfig,
        loads: StageLoads,
        requests: StepRequests,
        clock: Clock,
    ) -> None:
        super().__init__(plan, loads, clock)
        self._ask, self._limit, self._requests = ask, limit, requests
        self._results: list[Result] = results_of(limit.before)
        self._answered = False

    @property
    def _is_over(self) -> bool:
        return self._answered

    async def run(self) -> None:
        while not isinstance(step := next_step(self._ask, self._results), Answer):
            if self.left:
                await self._wait(None)
                continue
            result = await self._step(step)
            if result is not None:
                self._results.append(result)
                self.number += 1
        self._answered = True
        _log.info("limit: %s", step)
        self._requests.close()

    async def _step(self, step: Step) -> Result | None:
        """What a step came to; None where a person took the keys."""
        number, stage, times_left = self.number, self._stage_of(step), self._times_left
        self._forget_over()
        at_ns = self._loads.begin(number, None, stage)
        self._loads.record(StageChange(at_ns, number, "begin", stage.name, stage=_json(stage)))
        cut = grew = False
        while self._over_number != number:
            if self._times_left != times_left:
                return None
            await self._wait(self._clock.now_ns() + round(_LOOK_S * 1e9))
            if (
                cut
                or step.purpose == "single"
                or self._over_number == number
                or self._times_left != times_left
            ):
                continue
            seen = await asyncio.to_thread(self._requests.look, at_ns, step.warm_up)
            grew = self._grows(step, seen)
            enough = grew or self._enough(step, seen)
            if enough and self._over_number != number and self._times_left == times_left:
                cut = True
                self._loads.cut(number, stage)
        self._loads.end()
        self._record("load_over")
        seen = await self._last_look(at_ns, step)
        judged = judge(self._ask.targets, seen.values)
        made = judged.binding
        verdict = judged.verdict
        if step.purpose == "single":  # too few to say more than whether there is any hope
            verdict = "fail" if made.misses > made.of / 2 else "pass"
        seconds = (self._clock.now_ns() - at_ns) / 1e9
        figures = (made.misses, made.of, made.independent, judged.allowed, judged.target)
        result = Result(
            *(step, verdict, seen.sent, seconds, seen.e2e_s, *figures),
            overloaded=cut and grew,
            e2e_spread_s=seen.e2e_spread_s,
        )
        _log.info("step %d: %s", number + 1, result)
        self._loads.record(StageChange(self._clock.now_ns(), number, "over", result=_json(result)))
        return result

    async def _last_look(self, at_ns: int, step: Step) -> Seen:
        """Once the files tell of all of it."""
        over_ns = self._clock.now_ns()
        while True:
            seen = await asyncio.to_thread(self._requests.look, at_ns, step.warm_up, over_ns)
            if seen.all_read or self._clock.now_ns() - over_ns > _WRITTEN_NS:
                return seen
            await asyncio.sleep(0.1)

    def _enough(self, step: Step, seen: Seen) -> bool:
        """Whether nothing more needs to be sent: it is decided, or hopeless."""
        known = min(map(len, seen.values), default=0)
        looks = [look for look in step.looks if look <= known]
        if looks and _upto(self._ask, seen, looks[-1]) != "undecided":
            return True
        return fails_already(self._ask.targets, seen.values)

    def _grows(self, step: Step, seen: Seen) -> bool:
        """Whether more requests would only make a queue. Not before some of those that count were sent: of
        the warm-up alone nothing could be said, and the search would go on upwards."""
        if self._ask.closed or seen.e2e_s is None or seen.ended < _ENDED_LEAST:
            return False
        counted = seen.sent > step.warm_up + _COUNTED_LEAST
        return counted and overloaded(seen.in_flight, step.load, seen.e2e_s)

    def _stage_of(self, step: Step) -> Stage:
        single = step.purpose == "single"
        concurrency = 1 if single else round(step.load) if self._ask.closed else None
        return Stage(
            name=self._name(step),
            rate_rps=step.load if concurrency is None else None,
            concurrency=concurrency,
            arrivals=self._limit.arrivals,
            burstiness=self._limit.burstiness,
            requests=step.requests,
            warm_up_requests=step.warm_up,
        )

    def _name(self, step: Step) -> str:
        """With what is known of the limit: `12 rps (8 holds)`, `9.8 rps (between 8 and 12)`."""
        if step.purpose == "single" and not self._results:
            return "one at a time"
        unit = "at once" if self._ask.closed else "rps"
        low, high = bracket(self._results)
        known = ""
        if low is not None and high is not None:
            known = f" (between {low:.3g} and {high:.3g})"
        elif low is not None or high is not None:
            known = f" ({high:.3g} does not hold)" if low is None else f" ({low:.3g} holds)"
        again = " again" if step.purpose == "confirm" else ""
        load = "one at a time again" if step.purpose == "single" else f"{step.load:.4g} {unit}{again}"
        return load + known


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _upto(ask: Ask, seen: Seen, look: int) -> str:
    values: Sequence[Sequence[float]] = [of[:look] for of in seen.values]
    return judge(ask.targets, values).verdict
