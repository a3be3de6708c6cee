"""How far one key press moves the load. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

LEAST_RPS = 0.1


def step_rps(rate_rps: float, upwards: bool) -> float:
    """The size of a step at this rate: 0.1 below 1, 1 below 100, 10 below 1000, 100 beyond.

    At a limit itself the way counts: 100 goes down to 99 and up to 110.
    """
    for limit, step in ((1.0, 0.1), (100.0, 1.0), (1000.0, 10.0)):
        if rate_rps < limit or (rate_rps == limit and not upwards):
            return step
    return 100.0


def stepped_rate(rate_rps: float, steps: int) -> float:
    """`steps` (negative: down) from `rate_rps`, onto the grid of that size, never below `LEAST_RPS`."""
    upwards = steps > 0
    for _ in range(abs(steps)):
        step = step_rps(rate_rps, upwards)
        places = rate_rps / step
        nearest = round(places)
        if abs(places - nearest) < 1e-6:
            target = nearest + (1 if upwards else -1)
        else:
            # Off the grid (a ramp, an exact rate): the next line of it, so that presses lead to round rates.
            target = int(places) + (1 if upwards else 0)
        rate_rps = max(round(target * step, 1), LEAST_RPS)
    return rate_rps


def stepped_concurrency(concurrency: int, steps: int) -> int:
    """One slot a step, never below 1."""
    return max(concurrency + steps, 1)


@dataclass(frozen=True)
class Wanted:
    """The load last asked for, which the next key press counts from until the run has caught up with it."""

    value: float | None = None
    asked_s: float = 0.0

    def base(self, shown: float | None, now_s: float, patience_s: float = 3.0) -> float | None:
        """What a step counts from: the last request while it is young and unmet, else what the run shows."""
        if self.value is not None and now_s - self.asked_s < patience_s:
            return self.value
        return shown

    def asked(self, value: float, now_s: float) -> Wanted:
        return replace(self, value=value, asked_s=now_s)

    def seen(self, shown: float | None) -> Wanted:
        """After a new frame: forgets the request once the run shows it."""
        if self.value is not None and shown is not None and abs(shown - self.value) < 1e-6:
            return Wanted()
        return self
