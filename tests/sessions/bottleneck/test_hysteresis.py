"""How the line of what binds holds still while rules come and go."""

from __future__ import annotations

import random
from itertools import product

import pytest

from sessions.bottleneck.evidence import Evidence
from sessions.bottleneck.hysteresis import HOLD, Hysteresis, hysteresis_after, hysteresis_over
from sessions.bottleneck.rules import IDLE, NAMES, ROOM, Bottleneck


def quiet(**more: object) -> Evidence:
    return Evidence(**{"sent_10s": 90.0, "waiting": 0.0, "kv_pct": 41.0} | more)  # type: ignore[arg-type]


FULL, FREE, QUEUE = quiet(kv_pct=99.0), quiet(), quiet(waiting=9.0, waiting_least=5.0)


def shown(*seconds: Evidence) -> list[str]:
    return [standing.shown.limit for standing in hysteresis_over(seconds)]


def test_another_limit_takes_the_line_when_it_was_found_for_two_seconds():
    assert shown(FREE, FULL, FULL, FULL, FULL) == [ROOM, ROOM, ROOM, "KV cache", "KV cache"]
    assert HOLD == 3, "the first and the last of three seconds' ends lie 2 s apart"


def test_a_limit_that_comes_and_goes_does_not_flicker():
    assert set(shown(FREE, *[FULL, FULL, FREE] * 5)) == {ROOM}
    assert set(shown(FULL, *[FREE, QUEUE] * 8)) == {"KV cache"}, "two rivals in turn: neither holds"


def test_the_figures_move_while_the_limit_stands():
    standing = hysteresis_over([FULL, quiet(kv_pct=96.0), FREE])
    assert [at.shown.why for at in standing] == [
        "99 % used, 0 waiting",
        "96 % used, 0 waiting",
        "96 % used, 0 waiting",
    ]


def test_the_first_second_of_load_and_its_end_are_shown_at_once():
    idle = Evidence(active=False)
    assert shown(idle, FREE, idle, FULL) == [IDLE, ROOM, IDLE, "KV cache"]


def test_folding_in_two_parts_is_folding_at_once():
    seconds = [FREE, FULL, FULL, FULL, FREE, FREE, FREE, QUEUE, QUEUE, QUEUE]
    for cut in range(len(seconds)):
        head = hysteresis_over(seconds[:cut])
        assert head + hysteresis_over(seconds[cut:], head[-1] if head else Hysteresis()) == hysteresis_over(
            seconds
        )


ANYTHING_BEFORE = [
    Hysteresis(Bottleneck(name, "of before"), candidate, seconds)
    for name, candidate, seconds in product(NAMES, NAMES, (0, 1, 2))
    if (seconds > 0) or candidate == NAMES[0]
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_what_some_seconds_tell_alone_is_what_they_say_whatever_was_before_them(seed):
    draw = random.Random(seed)
    kinds = [
        *(quiet(kv_pct=value) for value in (99.0, 92.0, 41.0)),
        *(quiet(waiting=value, waiting_least=1.0) for value in (9.0, 1.5)),
        *(quiet(growth=value) for value in (40.0, 12.0)),
        *(quiet(dram_pct=value, sm_pct=62.0) for value in (90.0, 72.0)),
        *(quiet(saturated="CPU"), Evidence(active=False), Evidence(in_flight=3.0)),
    ]
    told = 0
    for _ in range(30):
        seconds = [draw.choice(kinds)]
        for _ in range(draw.randrange(12)):
            seconds.append(seconds[-1] if draw.random() < 0.6 else draw.choice(kinds))
        alone = hysteresis_after(seconds)
        if alone is not None:
            told += 1
            assert {hysteresis_over(seconds, before)[-1] for before in ANYTHING_BEFORE} == {alone}
    assert told > 5


def test_seconds_that_do_not_tell_say_nothing():
    assert hysteresis_after([]) is None
    assert hysteresis_after([FULL] * (HOLD - 1)) is None
    # In force or not: the KV cache is let go at a lower threshold than it came.
    assert hysteresis_after([quiet(kv_pct=92.0)] * 50) is None
