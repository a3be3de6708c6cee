"""What is known at the end of one second, on which the rules decide."""

from __future__ import annotations

from typing import NamedTuple


class Evidence(NamedTuple):
    """What is known at the end of one second. None is not known; a rule never takes it for 0.

    Rates and gauges are means of the last 3 s, preemptions of the last 5 s, growth of the last 10 s. Of
    several GPUs that serve, each figure is of the one where it is worst.
    """

    active: bool = True
    """Something was due, sent or under way, or the load is on and its next request not due yet."""
    under_way: bool = True
    """The same of the last second alone: without it nothing is left that a server could limit."""
    closed: bool = False
    """A closed loop: it asks for no more than it is answered, so an empty queue is no sign of room."""
    unreachable_s: float | None = None
    """For how long the server has refused connections; None while it does not."""
    saturated: str = ""
    """What troubles the client (`sessions.bottleneck.client_saturation`); empty when nothing does."""
    due_rps: float | None = None
    sent_rps: float | None = None
    backlog: float | None = None
    """Due, and waiting in the client."""
    failed_share: float | None = None
    in_flight: float | None = None
    growth: float | None = None
    """By how much more is in flight than 10 s ago; None while the load has not settled yet."""
    sent_10s: float | None = None
    """Requests sent in those 10 s."""
    tokens_10s: float | None = None
    """Output tokens that came in those 10 s, or answers without any; None when requests were not in flight
    throughout."""
    running: float | None = None
    waiting: float | None = None
    waiting_least: float | None = None
    """The lowest reading of 3 s."""
    waiting_least_1s: float | None = None
    kv_pct: float | None = None
    preemptions_per_s: float | None = None
    gpu: str = ""
    """The GPU that is meant, where there are several."""
    util_pct: float | None = None
    sm_pct: float | None = None
    dram_pct: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    power_throttled_pct: float | None = None
    """Share of the time in which the power cap slowed it."""
    thermal_throttled_pct: float | None = None
    temperature_c: float | None = None
    clock_mhz: float | None = None
    clock_max_mhz: float | None = None

    @property
    def clock_share(self) -> float | None:
        return _ratio(self.clock_mhz, self.clock_max_mhz)

    @property
    def power_share(self) -> float | None:
        return _ratio(self.power_w, self.power_limit_w)


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
