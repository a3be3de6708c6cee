"""One simulated GPU: what its engine's steps do to utilisation, power, heat, clocks and energy.

Told of each step as it begins, asked for a reading at any later time. Between the two, power is constant,
temperature follows it with a first-order lag (solved exactly, so the step length does not matter) and
energy is the integral. Utilisation and power are read as means over the last second, as a driver does.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

WINDOW_NS = 1_000_000_000


@dataclass(frozen=True)
class GpuSpec:
    name: str
    memory_total_bytes: int
    memory_reserved_bytes: int
    """What the driver keeps for itself."""
    power_idle_w: float
    power_limit_w: float
    sm_clock_idle_mhz: float
    sm_clock_max_mhz: float
    memory_clock_mhz: float
    ambient_c: float = 30.0
    heating_c_per_w: float = 0.07
    """Degrees above ambient that a watt ends in."""
    heating_time_s: float = 20.0
    """Time constant: after it, 63 % of the way to the final temperature."""
    slowdown_c: float = 83.0
    """Above this the SM clock falls, 2 % a degree."""
    draw: float = 1.0
    """What it asks for above idle, as a multiple of its like: no two chips draw the same."""


@dataclass(frozen=True)
class GpuReading:
    util_pct: float
    power_w: float
    temperature_c: float
    sm_clock_mhz: float
    memory_clock_mhz: float
    energy_j: float
    """Since the simulator's start."""


def load_of(prefill_share: float, decodes: int, max_sequences: int) -> float:
    """How hard a step drives the chip, as a share of the power between idle and limit.

    Prefill is compute bound and asks for a little more than the limit, so it runs into the power cap;
    decode is memory bound and asks for more the fuller the batch is.
    """
    decode = 0.45 + 0.45 * min(1.0, decodes / max_sequences)
    return prefill_share * 1.15 + (1 - prefill_share) * decode


class GpuModel:
    """`begin` and `read` take times that never go back (a little disorder is taken as the latest)."""

    def __init__(self, spec: GpuSpec, now_ns: int) -> None:
        self.spec = spec
        self._started_ns = self._at_ns = now_ns
        self._busy_until_ns = now_ns
        self._load = 0.0
        self._energy_j = 0.0
        self._temperature_c = spec.ambient_c + spec.heating_c_per_w * spec.power_idle_w
        self._pieces: deque[tuple[int, int, float]] = deque()
        """Busy spans of the window: start, end, power asked for (W, before the cap)."""

    def begin(self, start_ns: int, end_ns: int, load: float) -> None:
        """A step runs from `start_ns` to `end_ns` with `load` as from `load_of`."""
        self._advance(start_ns)
        self._busy_until_ns, self._load = end_ns, load

    def read(self, now_ns: int) -> GpuReading:
        self._advance(now_ns)
        spec, now_ns = self.spec, self._at_ns
        since_ns = max(self._started_ns, now_ns - WINDOW_NS)
        window_ns = now_ns - since_ns
        busy_ns = 0
        asked_j = drawn_j = 0.0
        for start_ns, end_ns, asked_w in self._pieces:
            span_ns = end_ns - max(start_ns, since_ns)
            if span_ns > 0:
                busy_ns += span_ns
                asked_j += asked_w * span_ns * 1e-9
                drawn_j += min(asked_w, spec.power_limit_w) * span_ns * 1e-9
        power_w, clock_mhz = spec.power_idle_w, spec.sm_clock_idle_mhz
        if busy_ns:
            power_w = (drawn_j + spec.power_idle_w * (window_ns - busy_ns) * 1e-9) / (window_ns * 1e-9)
            clock_mhz = self._busy_clock_mhz(asked_j / (busy_ns * 1e-9))
        return GpuReading(
            util_pct=100.0 * busy_ns / window_ns if window_ns else 0.0,
            power_w=power_w,
            temperature_c=self._temperature_c,
            sm_clock_mhz=clock_mhz,
            memory_clock_mhz=spec.memory_clock_mhz,
            energy_j=self._energy_j,
        )

    def _busy_clock_mhz(self, asked_w: float) -> float:
        spec = self.spec
        # Power falls with about the cube of the clock where voltage falls with it.
        capped: float = min(1.0, spec.power_limit_w / asked_w) ** (1 / 3)
        hot = max(0.5, 1 - 0.02 * max(0.0, self._temperature_c - spec.slowdown_c))
        clock_mhz = spec.sm_clock_max_mhz * capped * hot
        return max(spec.sm_clock_idle_mhz, 15.0 * math.floor(clock_mhz / 15.0))

    def _advance(self, to_ns: int) -> None:
        if to_ns <= self._at_ns:
            return
        spec = self.spec
        busy_to_ns = min(to_ns, self._busy_until_ns)
        if busy_to_ns > self._at_ns:
            asked_w = spec.power_idle_w + spec.draw * self._load * (spec.power_limit_w - spec.power_idle_w)
            self._pieces.append((self._at_ns, busy_to_ns, asked_w))
            self._hold(min(asked_w, spec.power_limit_w), busy_to_ns)
        if to_ns > self._at_ns:
            self._hold(spec.power_idle_w, to_ns)
        while self._pieces and self._pieces[0][1] <= self._at_ns - WINDOW_NS:
            self._pieces.popleft()

    def _hold(self, power_w: float, to_ns: int) -> None:
        """Constant power until `to_ns`."""
        span_s = (to_ns - self._at_ns) * 1e-9
        final_c = self.spec.ambient_c + self.spec.heating_c_per_w * power_w
        decay = math.exp(-span_s / self.spec.heating_time_s)
        self._temperature_c = final_c + (self._temperature_c - final_c) * decay
        self._energy_j += power_w * span_s
        self._at_ns = to_ns
