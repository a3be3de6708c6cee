"""How far one step moves the load, so that steps lead to round figures. Pure."""

from __future__ import annotations

LEAST_RPS = 0.1


def increment_rps(rate_rps: float, upwards: bool) -> float:
    """The size of a step at this rate: 0.1 below 1, 1 below 100, 10 below 1000, 100 beyond.

    At a limit itself the way counts: 100 goes down to 99 and up to 110.
    """
    for limit, step in ((1.0, 0.1), (100.0, 1.0), (1000.0, 10.0)):
        if rate_rps < limit or (rate_rps == limit and not upwards):
            return step
    return 100.0


def stepped_rate(rate_rps: float, steps: int) -> float:
    """`steps` (negative: down) from `rate_rps`, onto the grid of that size.

    Down ends at `LEAST_RPS`; a rate that is below it already stays.
    """
    upwards = steps > 0
    for _ in range(abs(steps)):
        if not upwards and rate_rps <= LEAST_RPS:
            break
        step = increment_rps(rate_rps, upwards)
        places = rate_rps / step
        nearest = round(places)
        if abs(places - nearest) < 1e-6:
            target = nearest + (1 if upwards else -1)
        else:
            # Off the grid (a ramp, an exact rate): the next line of it, so that steps lead to round rates.
            target = int(places) + (1 if upwards else 0)
        rate_rps = max(round(target * step, 1), LEAST_RPS)
    return rate_rps


def stepped_concurrency(concurrency: int, steps: int) -> int:
    """One slot a step, never below 1."""
    return max(concurrency + steps, 1)
