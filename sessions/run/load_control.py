"""What a command does to the load, as values: a command in, a worker command and a record of it out.

It holds where the load stands (rate or concurrency, held or not) and nothing else: no sockets, no clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadgen.arrivals.schedule import Curve, ramp, steady
from loadgen.worker_config import ClosedLoad, OpenLoad, Segment, SetConcurrency, SetCurve
from sessions.plan.config import LoadConfig
from sessions.store.records import LoadChange

LEAD_NS = 5_000_000
"""A change takes effect this long after it was read, so that every worker hears of it before."""


class LoadControlError(Exception):
    """The command cannot be obeyed: one line for the person who gave it."""


@dataclass(frozen=True)
class LoadUpdate:
    """What to tell the workers, what to write down, and the state the run is in then."""

    command: SetCurve | SetConcurrency
    change: LoadChange
    state: str


def opening(load: LoadConfig, start_ns: int) -> OpenLoad | ClosedLoad:
    """The load a run begins with."""
    if load.concurrency is not None:
        return ClosedLoad(load.concurrency)
    if load.ramp is not None:
        r = load.ramp
        return OpenLoad(load.arrivals, ramp(start_ns, r.from_rps, r.to_rps, r.over_s, r.shape))
    return OpenLoad(load.arrivals, [steady(start_ns, load.rate_rps)])


class LoadControl:
    """Commands as they come, one after the other."""

    def __init__(self, load: LoadConfig, start_ns: int) -> None:
        self._max_rate_rps, self._max_in_flight = load.max_rate_rps, load.max_in_flight
        self._curve: Curve | None = None
        self._concurrency = 0
        first = opening(load, start_ns)
        if isinstance(first, OpenLoad):
            self._curve = Curve(first.curve)
        else:
            self._concurrency = first.concurrency
        self._held: float | None = None
        self._start_ns, self._ramp = start_ns, load.ramp if self._curve is not None else None
        """The ramp it began with, until it is over or the rate was changed."""

    def started(self) -> LoadChange:
        """The record of the load's beginning."""
        if self._curve is None:
            return LoadChange(
                self._start_ns,
                "start",
                concurrency=self._concurrency,
                label=f"start at concurrency {self._concurrency}",
            )
        rate, label = self._curve.rate_rps(self._start_ns), ""
        if (r := self._ramp) is not None:
            label = f"ramp from {r.from_rps:g} to {r.to_rps:g} rps in {r.over_s:g} s"
        return LoadChange(self._start_ns, "start", rate_rps=rate, label=label or f"start at {rate:g} rps")

    def obey(self, command: dict[str, object], received_ns: int) -> LoadUpdate:
        """Carries out `rate`, `concurrency`, `hold`, `resume` or `stop`.

        Raises:
            SteeringError: unknown, out of range, or not of this kind of loop.
        """
        at_ns = received_ns + LEAD_NS
        name = command.get("cmd")
        if name == "rate":
            return self._set_rate(at_ns, received_ns, self._rate_of(command), "rate")
        if name == "concurrency":
            return self._set_concurrency(at_ns, received_ns, self._concurrency_of(command), "concurrency")
        if name in ("hold", "stop"):
            return self._pause(at_ns, received_ns, str(name))
        if name == "resume":
            return self._resume(at_ns, received_ns)
        raise LoadControlError(f"unknown command {str(name)[:40]!r}")

    def _rate_of(self, command: dict[str, object]) -> float:
        value = command.get("rate_rps")
        if self._curve is None:
            raise LoadControlError("this is a closed loop: change its concurrency, not a rate")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise LoadControlError(f"rate: got {str(value)[:40]!r}, need a number above 0")
        if not 0 < value <= self._max_rate_rps:
            raise LoadControlError(f"rate: got {value:g}, need above 0 and at most {self._max_rate_rps:g}")
        return float(value)

    def _concurrency_of(self, command: dict[str, object]) -> int:
        value = command.get("concurrency")
        if self._curve is not None:
            raise LoadControlError("this is an open loop: change its rate, not a concurrency")
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= self._max_in_flight:
            most = f"{self._max_in_flight} (--max-in-flight)"
            raise LoadControlError(
                f"concurrency: got {str(value)[:40]!r}, need a whole number from 1 to {most}"
            )
        return value

    def _pause(self, at_ns: int, received_ns: int, name: str) -> LoadUpdate:
        stop = name == "stop"
        now = self._concurrency if self._curve is None else self._curve.rate_rps(at_ns)
        if self._held is None or now > 0:
            self._held = now
        if self._curve is None:
            return self._set_concurrency(at_ns, received_ns, 0, name, label=name)
        return self._set_rate(at_ns, received_ns, 0.0, name, label=name, drop_backlog=stop)

    def _resume(self, at_ns: int, received_ns: int) -> LoadUpdate:
        if self._held is None:
            raise LoadControlError("nothing is held")
        held = self._held
        if self._curve is None:
            return self._set_concurrency(at_ns, received_ns, int(held), "resume", label=f"resume {held:g}")
        return self._set_rate(at_ns, received_ns, held, "resume", label=f"resume {_short(held)} rps")

    def _set_rate(
        self,
        at_ns: int,
        received_ns: int,
        rate: float,
        change: str,
        *,
        label: str = "",
        drop_backlog: bool = False,
    ) -> LoadUpdate:
        assert self._curve is not None
        before = self._curve.rate_rps(at_ns)
        segments: list[Segment] = [steady(at_ns, rate)]
        self._curve = self._curve.cut(at_ns, segments)
        if rate > 0:
            self._held = None
        ramp, self._ramp = self._ramp, None
        ends_ramp = ramp is not None and at_ns < self._start_ns + ramp.over_s * 1e9
        return LoadUpdate(
            SetCurve(at_ns, segments, drop_backlog),
            LoadChange(
                at_ns,
                change,
                received_ns=received_ns,
                rate_rps=rate,
                previous_rate_rps=before,
                label=(label or f"{_short(before)} > {_short(rate)} rps")
                + (" (ends the ramp)" if ends_ramp else ""),
            ),
            _state(change, rate),
        )

    def _set_concurrency(
        self, at_ns: int, received_ns: int, concurrency: int, change: str, *, label: str = ""
    ) -> LoadUpdate:
        before, self._concurrency = self._concurrency, concurrency
        if concurrency > 0:
            self._held = None
        return LoadUpdate(
            SetConcurrency(at_ns, concurrency),
            LoadChange(
                at_ns,
                change,
                received_ns=received_ns,
                concurrency=concurrency,
                previous_concurrency=before,
                label=label or f"concurrency {before} > {concurrency}",
            ),
            _state(change, concurrency),
        )


def _state(change: str, load: float) -> str:
    if load > 0:
        return "running"
    return "stopped" if change == "stop" else "holding"


def _short(rate: float) -> str:
    return f"{rate:.3g}" if rate < 1000 else f"{rate:.0f}"
