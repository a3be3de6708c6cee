"""Another clock on ours: a truth that the test makes, and answers whose ways take what real ways take."""

from __future__ import annotations

import math
import random

import pytest

from telemetry.clock_offset import CELL_NS, KEPT_CELLS, KEPT_QUICKEST, WANDER_PPM, ClockOffset

S, MS, US = 1_000_000_000, 1_000_000, 1_000
OFFSET_NS = 500 * MS


class Truth:
    """The other clock, by ours: ahead, faster by `drift_ppm`, its rate strays by `wander_ppm` and back in `period_s`."""

    def __init__(
        self, offset_ns: int, drift_ppm: float, wander_ppm: float = 0.0, period_s: float = 60.0
    ) -> None:
        self.offset_ns, self.drift, self.wander = offset_ns, drift_ppm * 1e-6, wander_ppm * 1e-6
        self.turn_ns = period_s * S / (2 * math.pi)
        self.stepped_at_ns, self.step_ns = 1 << 62, 0

    def there_ns(self, here_ns: int) -> int:
        strayed_ns = self.wander * self.turn_ns * (1 - math.cos(here_ns / self.turn_ns))
        step_ns = self.step_ns if here_ns >= self.stepped_at_ns else 0
        return here_ns + self.offset_ns + round(self.drift * here_ns + strayed_ns) + step_ns


WAYS = {
    # one way and back, ns: a floor, what is usual above it, and how often it is far more
    "udp": (12 * US, 4 * US, 0.0),
    "ssh": (60 * US, 40 * US, 0.0),
    "ray": (400 * US, 120 * US, 0.0),
    "udp, busy": (12 * US, 30 * US, 0.3),
    "ssh, busy": (60 * US, 400 * US, 0.3),
    "ray, busy": (400 * US, 2 * MS, 0.3),
}


def way_ns(way: str, rng: random.Random) -> int:
    floor_ns, usual_ns, busy = WAYS[way]
    ns = floor_ns + usual_ns * rng.lognormvariate(0.0, 0.7)
    if rng.random() < busy:
        ns += usual_ns * rng.paretovariate(1.1)
    return round(min(ns, 2 * S))


def asked(
    clock: ClockOffset, truth: Truth, at_ns: int, times: int, way: str, rng: random.Random, lame: float = 1.0
):
    """Asks so often, one after the other; `lame`: the way back takes so many times as long. When it was over, steps."""
    moved = []
    for _ in range(times):
        read_ns = at_ns + way_ns(way, rng)
        received_ns = read_ns + round(lame * way_ns(way, rng))
        moved.append(clock.answered(at_ns, truth.there_ns(read_ns), received_ns))
        at_ns = received_ns + 20 * US
    return at_ns, [step for step in moved if step is not None]


def error_ns(clock: ClockOffset, truth: Truth, here_ns: int) -> int:
    return abs(clock.here_ns(truth.there_ns(here_ns)) - here_ns)


def hold(clock: ClockOffset, truth: Truth, instants_ns) -> None:
    for here_ns in instants_ns:
        within_ns = clock.within_ns(here_ns)
        assert error_ns(clock, truth, here_ns) <= within_ns, here_ns
        assert abs(clock.there_ns(here_ns) - truth.there_ns(here_ns)) <= within_ns, here_ns


START_NS = 100 * S


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", range(2))
def test_the_bound_covers_the_truth_before_between_and_after_answers_as_known_then_and_later(way, part):
    for seed in range(part, 200, 2):
        rng = random.Random(f"{way} {seed}")
        truth = Truth(
            rng.choice([OFFSET_NS, -OFFSET_NS, 10**15, -300 * S]),
            rng.choice([50.0, -50.0, 0.0, rng.uniform(-900, 900)]),
            rng.uniform(-WANDER_PPM, WANDER_PPM) * 0.99 * rng.choice([0, 1]),
            rng.choice([5.0, 60.0, 3600.0]),
        )
        clock = ClockOffset()
        lame = rng.choice([1.0, 1.0, 5.0, 0.2])
        at_ns, moved = asked(clock, truth, START_NS, rng.choice([1, 5, 40]), way, rng, lame)
        for _ in range(rng.randrange(6)):
            hold(clock, truth, [at_ns + rng.randrange(6 * S)])
            at_ns, more = asked(clock, truth, at_ns + rng.choice([1, 5, 5, 5, 40]) * S, 5, way, rng, lame)
            moved += more
        assert not moved
        hold(clock, truth, [START_NS - rng.randrange(90 * S), at_ns, at_ns + rng.randrange(300 * S)])
        hold(clock, truth, [START_NS + rng.randrange(at_ns - START_NS) for _ in range(3)])


@pytest.mark.parametrize(
    ("way", "most_us", "within_us"),
    [("udp", 15, 100), ("ssh", 60, 220), ("ray", 150, 600), ("udp, busy", 25, 150), ("ray, busy", 900, 2000)],
)
def test_half_a_second_and_50_ppm_are_found_within_so_much(way, most_us, within_us):
    """While asked 40 times before, 5 times every 5 s for 60 s, and 40 times after: the last 40 s of it."""
    errors, bounds, drifts = [], [], []
    for seed in range(20):
        rng, truth, clock = random.Random(f"{way} {seed}"), Truth(OFFSET_NS, 50.0), ClockOffset()
        at_ns, _ = asked(clock, truth, START_NS, 40, way, rng)
        for _ in range(12):
            at_ns, _ = asked(clock, truth, at_ns + 5 * S, 5, way, rng)
        at_ns, _ = asked(clock, truth, at_ns, 40, way, rng)
        instants = range(at_ns - 40 * S, at_ns, 2_345 * MS)
        errors += [error_ns(clock, truth, here_ns) for here_ns in instants]
        bounds += [clock.within_ns(here_ns) for here_ns in instants]
        drifts.append(abs(clock.drift_ppm - 50.0))
        assert drifts[-1] <= clock.drift_within_ppm
    assert max(errors) <= most_us * US
    assert max(bounds) <= within_us * US
    assert sorted(drifts)[10] < 10


def test_the_bound_grows_while_nobody_asks_and_shrinks_with_the_next_answer():
    rng, truth, clock = random.Random(1), Truth(OFFSET_NS, 50.0), ClockOffset()
    at_ns = START_NS
    for _ in range(5):
        at_ns, _ = asked(clock, truth, at_ns + 5 * S, 5, "ssh", rng)
    bounds = [clock.within_ns(at_ns + after_s * S) for after_s in (0, 1, 10, 100)]
    assert bounds == sorted(set(bounds))
    # No faster than drift and wander let it.
    assert bounds[3] - bounds[0] <= 100 * S * clock.drift_within_ppm * 1e-6 * 1.01
    at_ns, _ = asked(clock, truth, at_ns + 100 * S, 5, "ssh", rng)
    assert clock.within_ns(at_ns) < bounds[1]


@pytest.mark.parametrize("step_ns", [-3 * S, 3 * S, -5 * MS, 86_400 * S])
@pytest.mark.parametrize("way", ["udp", "ray"])
def test_a_clock_that_steps_is_told_with_how_far_and_known_anew(step_ns, way):
    """Suspended, a machine's CLOCK_MONOTONIC stands still: it falls behind."""
    rng, truth, clock = random.Random(2), Truth(OFFSET_NS, 50.0), ClockOffset()
    at_ns = START_NS
    for _ in range(5):
        at_ns, moved = asked(clock, truth, at_ns + 5 * S, 5, way, rng)
        assert not moved
    truth.stepped_at_ns, truth.step_ns = at_ns + 2 * S, step_ns
    at_ns, moved = asked(clock, truth, at_ns + 5 * S, 5, way, rng)
    assert moved == [pytest.approx(step_ns, abs=2 * MS)]
    hold(clock, truth, [at_ns, at_ns + S, at_ns + 30 * S])
    at_ns, moved = asked(clock, truth, at_ns + 5 * S, 5, way, rng)
    assert not moved
    hold(clock, truth, [at_ns - S, at_ns, at_ns + S])


def test_a_clock_that_is_slewed_as_fast_as_ntp_may_is_told_once_it_is_more_than_answers_leave_open():
    rng, truth, clock = random.Random(3), Truth(OFFSET_NS, 0.0), ClockOffset()
    at_ns, told = START_NS, []
    for _ in range(5):
        at_ns, moved = asked(clock, truth, at_ns + 5 * S, 5, "udp", rng)
    begun_ns = at_ns
    truth.there_ns = lambda here_ns: here_ns + OFFSET_NS + max(0, round((here_ns - begun_ns) * 500e-6))
    for _ in range(3):
        at_ns, moved = asked(clock, truth, at_ns + 5 * S, 5, "udp", rng)
        told += moved
    assert told
    assert told[0] > 1 * MS


def test_answers_that_come_in_another_order_than_they_were_read_are_as_good():
    truth, clock = Truth(OFFSET_NS, 50.0), ClockOffset()
    for read_ns in (8 * S, 2 * S, 5 * S, 1 * S):
        assert clock.answered(read_ns - 30 * US, truth.there_ns(read_ns), read_ns + 20 * US) is None
    hold(clock, truth, range(0, 20 * S, S))


def test_one_answer_is_its_middle_give_or_take_half_of_its_way():
    clock = ClockOffset()
    assert not clock.known
    assert clock.answered(1_000_000, 50_600_000, 2_000_000) is None
    assert clock.known
    assert clock.here_ns(50_600_000) == 1_500_000
    assert clock.there_ns(1_500_000) == 50_600_000
    assert 500_000 <= clock.within_ns(1_500_000) <= 501_100
    assert clock.drift_ppm == 0
    assert clock.here_ns(10) == 0  # never before the origin


def test_a_day_of_answers_takes_no_more_memory_than_three_minutes_of_them():
    truth, clock, rng = Truth(OFFSET_NS, 50.0, WANDER_PPM * 0.9, 3600.0), ClockOffset(), random.Random(4)
    at_ns = START_NS
    for _ in range(3 * KEPT_CELLS):
        at_ns, moved = asked(clock, truth, at_ns + CELL_NS, 12, "ssh", rng)
        assert not moved
    kept = [len(cell) for cell in clock._cells]
    assert len(kept) == KEPT_CELLS
    assert max(kept) <= KEPT_QUICKEST + 3
    hold(clock, truth, [START_NS, at_ns - 60 * S, at_ns, at_ns + 60 * S])


def test_a_drift_that_wanders_by_less_than_is_allowed_for_stays_within_the_bound():
    """A crystal that warms up: 12 ppm faster from the second minute on, and nothing is told as a step."""
    clock, origin_ns = ClockOffset(), 500_000_000

    def there_ns(here_ns: int) -> int:
        warm_ns = max(0, here_ns - 60_000_000_000)
        return here_ns + origin_ns + round(here_ns * 40e-6 + warm_ns * 12e-6)

    for at_ns in range(0, 240_000_000_000, 1_000_000_000):
        assert clock.answered(at_ns - 20_000, there_ns(at_ns), at_ns + 20_000) is None
        later_ns = at_ns + 900_000_000
        wrong_ns = abs(clock.here_ns(there_ns(later_ns)) - later_ns)
        assert wrong_ns <= clock.within_ns(later_ns)
