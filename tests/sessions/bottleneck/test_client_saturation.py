from __future__ import annotations

import random

import pytest

from loadgen.records import TICK_NS, Tick
from loadgen.sketch import bucket
from sessions.bottleneck.client_saturation import SECOND_NS, Saturation, saturation, saturation_now
from sessions.bottleneck.client_seconds import ClientSeconds, client_saturation
from sessions.timeline.timeline import Timeline

TTFT_NS = 200e6


def second(number: int, worker: int = 0, **trouble: object) -> list[Tick]:
    """The four ticks of session second `number`, healthy but for `trouble` in each."""
    healthy = {
        "cpu_ns": TICK_NS // 5,
        "reads": 100,
        "coalesced_reads": 3,
        "loop_lag_max_ns": 1_000_000,
        "send_lag": [bucket(200_000), 10],
        "ttft_from_due": [bucket(int(TTFT_NS)), 10],
    }
    return [
        Tick(
            t_ns=number * SECOND_NS + (i + 1) * TICK_NS,
            dt_ns=TICK_NS,
            worker=worker,
            **{**healthy, **trouble},
        )  # type: ignore[arg-type]
        for i in range(4)
    ]


def bottleneck_of(*seconds: list[Tick]) -> Saturation:
    timeline = Timeline()
    for ticks in seconds:
        for tick in ticks:
            timeline.apply(tick)
    return saturation(timeline, 0, 100 * SECOND_NS)


BUSY = {"cpu_ns": int(0.9 * TICK_NS)}
LATE = {"send_lag": [bucket(60_000_000), 10]}
BLURRED = {"coalesced_reads": 60, "loop_lag_max_ns": 25_000_000}
TROUBLES = {
    "cpu": (BUSY, "the client used 90% of a core"),
    "lag": (LATE, "requests left 60 ms late (p99)"),
    "coalesced": (BLURRED, "60% of reads held several tokens: their times are blurred"),
}


@pytest.mark.parametrize(("trouble", "note"), TROUBLES.values(), ids=TROUBLES.keys())
def test_two_seconds_of_one_trouble_are_saturation(trouble: dict[str, object], note: str) -> None:
    found = bottleneck_of(second(0), second(1, **trouble), second(2, **trouble), second(3))
    assert found == Saturation(2, 4, note)
    assert found.saturated


@pytest.mark.parametrize("trouble", [trouble for trouble, _ in TROUBLES.values()], ids=TROUBLES.keys())
def test_a_single_second_of_trouble_is_not(trouble: dict[str, object]) -> None:
    found = bottleneck_of(second(0), second(1, **trouble), second(2), second(3, **trouble))
    assert found == Saturation(0, 4, "")
    assert not found.saturated


def test_different_troubles_in_a_row_do_not_add_up() -> None:
    assert not bottleneck_of(second(1, **BUSY), second(2, **LATE), second(3, **BLURRED)).saturated


def test_seconds_with_a_pause_between_them_do_not_add_up() -> None:
    assert not bottleneck_of(second(1, **BUSY), second(3, **BUSY)).saturated


def test_a_healthy_client_is_not_saturated() -> None:
    assert bottleneck_of(*(second(i) for i in range(20))) == Saturation(0, 20, "")


@pytest.mark.parametrize(
    "trouble",
    [
        {"cpu_ns": int(0.8 * TICK_NS)},
        {"send_lag": [bucket(48_000_000), 10]},
        {"coalesced_reads": 50, "loop_lag_max_ns": 25_000_000},
        {"coalesced_reads": 99, "loop_lag_max_ns": 20_000_000},
    ],
)
def test_at_the_threshold_is_still_healthy(trouble: dict[str, object]) -> None:
    assert not bottleneck_of(*(second(i, **trouble) for i in range(5))).saturated


def test_send_lag_is_judged_beside_the_ttft() -> None:
    def with_ttft(*sketch: int) -> Saturation:
        return bottleneck_of(*(second(i, **LATE, ttft_from_due=list(sketch)) for i in range(5)))

    assert with_ttft(bucket(290_000_000), 10).saturated
    assert not with_ttft(bucket(400_000_000), 10).saturated, "60 ms is under a fifth of 400 ms"
    assert with_ttft().saturated, "no TTFT to compare with"


def test_what_a_second_was_found_to_be_is_not_taken_back_when_the_server_slows_down_later() -> None:
    """A run of 77 s said to be saturated for 11 of them, and then for 2 of 128 s, is two truths."""
    slow = {"ttft_from_due": [bucket(5 * SECOND_NS), 100]}
    early = [second(i, **(LATE if 2 <= i < 13 else {})) for i in range(20)]
    later = [second(i, **slow) for i in range(20, 80)]
    assert bottleneck_of(*early).seconds == 11
    assert bottleneck_of(*early, *later) == Saturation(11, 80, "requests left 60 ms late (p99)")


def test_the_send_lag_is_held_against_the_ttft_of_its_own_time() -> None:
    slow = {"ttft_from_due": [bucket(5 * SECOND_NS), 100]}
    seconds = [second(i, **slow) for i in range(20)]
    seconds += [second(i, **slow, **LATE) for i in range(20, 24)]
    assert not bottleneck_of(*seconds).saturated, "60 ms beside 5 s"


def test_one_busy_worker_among_idle_ones_is_enough() -> None:
    seconds = [second(i, worker) for i in range(3) for worker in (0, 2)]
    assert not bottleneck_of(*seconds).saturated
    assert bottleneck_of(*seconds, *(second(i, 1, **BUSY) for i in range(3))).seconds == 3


def test_seconds_cut_off_at_the_ends_are_not_judged() -> None:
    timeline = Timeline()
    for i in range(4):
        for tick in second(i, **BUSY):
            timeline.apply(tick)
    assert saturation(timeline, SECOND_NS // 2, 2 * SECOND_NS + 5) == Saturation(0, 1, "")
    assert saturation(timeline, 0, 2 * SECOND_NS).seconds == 2


def test_no_ticks_no_verdict() -> None:
    assert bottleneck_of() == Saturation(0, 0, "")


def test_on_the_screen_two_seconds_of_trouble_count_from_any_tick_on() -> None:
    timeline = Timeline()
    trouble_ns = 4 * SECOND_NS + 2 * TICK_NS
    for i in range(8):
        for tick in second(i):
            timeline.apply(
                Tick(
                    **{f: getattr(tick, f) for f in tick.__struct_fields__}
                    | (BUSY if trouble_ns < tick.t_ns <= trouble_ns + 2 * SECOND_NS else {})
                )
            )
    said = [t for t in range(0, 8 * SECOND_NS, TICK_NS) if saturation_now(timeline, t).saturated]
    assert said[0] == trouble_ns + 2 * SECOND_NS, "no later than two seconds after it began"
    assert not saturation(timeline, 0, 6 * SECOND_NS).saturated, "the whole seconds know of one only"


def test_one_tick_of_several_seconds_is_saturation_though_no_second_beside_it_has_any() -> None:
    """A process that is not let onto a core closes its tick late: nothing else tells of those seconds."""
    held = Tick(t_ns=4_750_000_000, dt_ns=3_750_000_000, worker=0, cpu_ns=1_000_000)
    found = bottleneck_of(second(0), [held], second(5))
    assert found == Saturation(4, 6, "the client stood still for 3.8 s")


def test_a_client_that_stood_still_until_just_before_the_end_stood_still() -> None:
    """The second in which it went on is not whole, but those before it are."""
    timeline, held = Timeline(), Tick(t_ns=604_750_000_000, dt_ns=603_750_000_000, worker=0, cpu_ns=1_000_000)
    for tick in [*second(0), held]:
        timeline.apply(tick)
    assert client_saturation(timeline) == Saturation(603, 604, "the client stood still for 603.8 s")


def test_a_tick_of_under_a_second_is_no_standstill() -> None:
    held = Tick(t_ns=2 * SECOND_NS, dt_ns=SECOND_NS - 1, worker=0, cpu_ns=1_000_000)
    assert not bottleneck_of(second(0), [held], second(2)).saturated


def test_an_hour_is_counted_alike_in_one_go_and_frame_by_frame() -> None:
    timeline, draw = Timeline(), random.Random(7)
    records = []
    for i in range(3600):
        trouble = draw.choice((BUSY, LATE, BLURRED)) if i // 7 % 9 == 0 else {}
        records += [tick for worker in range(2) for tick in second(i, worker, **trouble)]
    for tick in records:
        timeline.apply(tick)
    whole = saturation(timeline, 0, 3600 * SECOND_NS)
    assert whole.of_seconds == 3600
    assert whole.seconds > 100
    assert client_saturation(timeline) == whole
    by_frames = ClientSeconds(timeline)
    asked = [by_frames.upto(timeline.newest_ns, 2) for _ in range(5)]
    assert asked == [None, None, None, whole, whole]
    assert by_frames.upto(1000 * SECOND_NS) == saturation(timeline, 0, 1000 * SECOND_NS)


def test_a_tick_that_comes_in_late_is_counted_as_if_it_had_come_in_time() -> None:
    ticks = [tick for i in range(60) for tick in second(i, **(BUSY if 20 <= i < 25 else {}))]
    late = [tick for tick in ticks if 22 * SECOND_NS < tick.t_ns <= 23 * SECOND_NS]
    timeline = Timeline()
    for tick in ticks:
        if tick not in late:
            timeline.apply(tick)
    seconds = ClientSeconds(timeline)
    before = seconds.upto(60 * SECOND_NS)
    for tick in late:
        timeline.apply(tick)
        seconds.noted(tick.t_ns)
    assert before is not None
    assert (before.seconds, before.of_seconds) == (4, 59)
    assert (
        seconds.upto(60 * SECOND_NS)
        == saturation(timeline, 0, 60 * SECOND_NS)
        == Saturation(5, 60, before.note)
    )


def test_ticks_far_apart_cost_no_more_than_their_number() -> None:
    """As a time stamp of ten years ahead has them."""
    timeline = Timeline()
    for i in range(20_000):
        timeline.apply(Tick(t_ns=(i + 1) * 1000 * SECOND_NS, dt_ns=TICK_NS, worker=0))
    blocks = ClientSeconds(timeline)
    assert [blocks.upto(timeline.newest_ns, 1) is None for _ in range(6)] == [True] * 4 + [False] * 2
