"""How many load workers a load needs, worked out before it starts.

An estimate from what was asked: keys may raise the load later, and a closed loop sends as fast as its
server answers. Whether the client held up is measured while it runs:
`sessions.bottleneck.client_saturation`.
"""

from __future__ import annotations

import math

from sessions.plan.config import LoadConfig

COMFORT = 0.7
"""A worker is planned with this share of what it can read cleanly."""
SLOT_EVENTS_PER_S = 50.0
"""What one slot of a closed loop is taken to stream: 20 ms a token."""


def planned_events_per_s(load: LoadConfig, output_tokens: float) -> float:
    """Token events per second when the load is at its highest, as far as it was asked for."""
    if load.concurrency is not None:
        return min(load.concurrency, load.max_in_flight) * SLOT_EVENTS_PER_S
    return load.highest_rps * output_tokens


def workers_for(load: LoadConfig, output_tokens: float, events_per_s: float, cores: int) -> int:
    """How many workers. `events_per_s`: what one reads cleanly. `auto` leaves a core for all else.

    Never more than the requests that may be in flight: one that may have none would never send its share.
    """
    slots = min(load.max_in_flight, load.concurrency or load.max_in_flight)
    if load.workers != "auto":
        return min(load.workers, slots)
    wanted = math.ceil(planned_events_per_s(load, output_tokens) / (COMFORT * events_per_s))
    return max(1, min(wanted, cores - 1, slots))
