"""How many load workers and file descriptors a load needs, worked out before it starts.

An estimate from what was asked: keys may raise the load later, and a closed loop sends as fast as its
server answers. Whether the client held up is measured while it runs:
`sessions.bottleneck.client_saturation`.
"""

from __future__ import annotations

import math
import resource

from sessions.plan.config import LoadConfig

COMFORT = 0.7
"""A worker is planned with this share of what it can read cleanly."""
SLOT_EVENTS_PER_S = 50.0
"""What one slot of a closed loop is taken to stream: 20 ms a token."""
SPARE_DESCRIPTORS = 64


def planned_events_per_s(load: LoadConfig, output_tokens: float) -> float:
    """Token events per second when the load is at its highest, as far as it was asked for."""
    if load.concurrency is not None:
        return min(load.concurrency, load.max_in_flight) * SLOT_EVENTS_PER_S
    rate = load.rate_rps if load.ramp is None else max(load.ramp.from_rps, load.ramp.to_rps)
    return rate * output_tokens


def workers_for(load: LoadConfig, output_tokens: float, events_per_s: float, cores: int) -> int:
    """How many workers. `events_per_s`: what one reads cleanly. `auto` leaves a core for all else, and is
    never more than the slots there are."""
    if load.workers != "auto":
        # One without a slot of a closed loop would never send its share of the requests.
        return load.workers if load.concurrency is None else min(load.workers, load.concurrency)
    wanted = math.ceil(planned_events_per_s(load, output_tokens) / (COMFORT * events_per_s))
    slots = load.max_in_flight if load.concurrency is None else load.concurrency
    return max(1, min(wanted, cores - 1, slots))


def descriptors_for(load: LoadConfig, workers: int, request_s: float | None) -> int:
    """File descriptors one worker needs: one a request in flight, and some of its own. `request_s`: how long
    a request is expected to take; None when that is not known."""
    if load.concurrency is not None:
        at_once = float(load.concurrency)
    else:
        rate = load.rate_rps if load.ramp is None else max(load.ramp.from_rps, load.ramp.to_rps)
        at_once = 0.0 if request_s is None else rate * request_s
    return math.ceil(min(at_once, load.max_in_flight) / workers) + SPARE_DESCRIPTORS


def descriptor_limit() -> int | None:
    """How many a worker may have once it has raised its soft limit; None when there is no limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if hard == resource.RLIM_INFINITY else hard


def descriptor_warning(needed: int, limit: int | None, workers: int) -> str:
    """One line when a worker needs more descriptors than it may have, else empty."""
    if limit is None or needed <= limit:
        return ""
    each = "" if workers == 1 else f" in each of {workers} workers"
    return (
        f"the load may need {needed:,} file descriptors{each}, the limit is {limit:,}: "
        f"raise it (ulimit -Hn) or give --max-in-flight {max(1, (limit - SPARE_DESCRIPTORS) * workers)}"
    )
