"""How the line of what binds holds still while rules come and go."""

from __future__ import annotations

import random
from itertools import product

import pytest

from sessions.bottleneck.evidence import Evidence
from sessions.bottleneck.hysteresis import HOLD, WINDOW, Hysteresis, hysteresis_over, shown_after
from sessions.bottleneck.rules import IDLE, NAMES, ROOM, UNKNOWN, Bottleneck


def quiet(**more: object) -> Evidence:
    return Evidence(**{"sent_10s": 90.0, "waiting": 0.0, "kv_pct": 41.0} | more)  # type: ignore[arg-type]


FULL, FREE, QUEUE = quiet(kv_pct=99.0), quiet(), quiet(waiting=9.0, waiting_least=5.0)
NOTHING_READ, NO_LOAD = Evidence(in_flight=3.0), Evidence(active=False)
KV = "KV cache"


def shown(*seconds: Evidence) -> list[str]:
    return [standing.shown.limit for standing in hysteresis_over(seconds)]


def test_the_first_limit_of_a_load_is_said_at_once_and_let_go_when_it_was_not_found_in_four_seconds():
    assert shown(FREE, FREE, FULL, FREE, FREE, FREE, FREE, FREE) == [ROOM, ROOM, KV, KV, KV, KV, ROOM, ROOM]
    assert shown(NOTHING_READ, NOTHING_READ, FREE, QUEUE) == [UNKNOWN, UNKNOWN, ROOM, "queue"]
    assert shown(NOTHING_READ, QUEUE) == [UNKNOWN, "queue"]


def test_that_less_is_known_is_not_said_at_once():
    assert shown(FREE, *[NOTHING_READ] * 4) == [ROOM, ROOM, ROOM, ROOM, UNKNOWN]


def test_each_further_limit_takes_the_line_when_it_was_found_in_four_of_six_seconds():
    first = [FULL, FREE, FREE, FREE, FREE]
    assert shown(*first) == [KV, KV, KV, KV, ROOM]
    assert shown(*first, *[FULL] * 4)[5:] == [ROOM, ROOM, ROOM, KV]
    assert shown(*first, FULL, FULL, FREE, FULL, FULL)[5:] == [ROOM, ROOM, ROOM, ROOM, KV]
    assert shown(FULL, QUEUE, QUEUE, FREE, QUEUE, FREE, QUEUE)[1:] == [KV, KV, KV, KV, KV, "queue"]
    # Four of seven are too few, and so are three in turn with three others.
    assert set(shown(*first, *[FULL, FULL, FREE, FREE, FREE] * 6)[5:]) == {ROOM}
    assert set(shown(*first, *[FULL, FREE] * 9)[5:]) == {ROOM}


def test_a_limit_that_comes_and_goes_does_not_flicker():
    after = shown(FULL, FREE, FREE, FREE, FREE, *[FULL, FULL, FREE] * 9)[5:]
    assert after == [ROOM] * 4 + [KV] * 23, "found in two of three seconds: it is said, and stands"


def test_what_is_none_of_two_rivals_gives_way_to_one_of_them_and_they_do_not_take_turns():
    assert shown(FULL, *[FREE, QUEUE] * 9) == [KV] * 6 + ["queue"] * 13
    rare = [QUEUE, QUEUE, QUEUE, FREE, FREE, NOTHING_READ]
    assert shown(FULL, *rare, FREE)[6:] == [KV, ROOM], "one that was found once does not"


def test_no_limit_outlives_what_it_limits():
    over = quiet(under_way=False)
    assert shown(FULL, FULL, over, over) == [KV, KV, ROOM, ROOM]


def test_what_a_load_before_was_limited_by_delays_nothing_of_the_next_one():
    assert shown(FULL, NO_LOAD, FREE, QUEUE) == [KV, IDLE, ROOM, "queue"]


def by_hand(found: list[str]) -> list[str]:
    """The sentences of the page on what binds, over the whole past at every second. No rule here lets a limit
    go later than it came."""
    says = {IDLE: 0, UNKNOWN: 1, ROOM: 2}
    out: list[str] = []
    for second, name in enumerate(found):
        at = out[-1] if out else IDLE
        began = max([i for i, one in enumerate(out) if one == IDLE], default=-1) + 1
        named = any(one not in says for one in out[began:])
        stands_since = max([i + 1 for i in range(len(out) - 1) if out[i] != out[i + 1]], default=0)
        last = found[max(second - WINDOW + 1, stands_since + 1, 0) : second + 1] if out else [name]
        more = says.get(name, 3) > says.get(at, 3) and not named
        most_often = [one for one in last if last.count(one) == max(last.count(other) for other in last)]
        none_of_them = len(last) == WINDOW and at not in last and name in most_often
        changes = IDLE in (name, at) or more or last.count(name) >= HOLD or none_of_them
        out.append(name if changes else at)
    return out


@pytest.mark.parametrize("seed", range(20))
def test_over_any_seconds_the_line_is_what_the_page_says(seed):
    draw = random.Random(seed)
    kinds = {ROOM: FREE, UNKNOWN: NOTHING_READ, KV: FULL, "queue": QUEUE, IDLE: NO_LOAD}
    shares = [draw.random() ** 2 for _ in kinds]
    shares[-1] /= 20
    found = draw.choices(list(kinds), shares, k=80)
    assert shown(*(kinds[name] for name in found)) == by_hand(found)


def test_the_figures_move_while_the_limit_stands():
    standing = hysteresis_over([FULL, quiet(kv_pct=96.0), FREE])  # let go later
    assert [at.shown.why for at in standing] == [
        "99 % used, 0 waiting",
        "96 % used, 0 waiting",
        "96 % used, 0 waiting",
    ]


def test_the_first_second_of_load_and_its_end_are_shown_at_once():
    assert shown(NO_LOAD, FREE, NO_LOAD, FULL) == [IDLE, ROOM, IDLE, KV]


def test_folding_in_two_parts_is_folding_at_once():
    seconds = [FREE, FULL, FREE, FULL, FREE, FREE, FREE, QUEUE, QUEUE, FREE, QUEUE, QUEUE, NO_LOAD, QUEUE]
    for cut in range(len(seconds)):
        head = hysteresis_over(seconds[:cut])
        assert head + hysteresis_over(seconds[cut:], head[-1] if head else Hysteresis()) == hysteresis_over(
            seconds
        )


OTHERS = [(first, *rest) for first in NAMES for rest in ((), (first,), (ROOM, "queue"), (KV,) * 5)]
ANYTHING_BEFORE = [
    Hysteresis(Bottleneck(name, "of before"), named, lately)
    for name, named in product(NAMES, (False, True))
    if name in (ROOM, UNKNOWN) or named == (name != IDLE)
    for lately in [(), *(names for names in OTHERS if name not in (names[0], IDLE))]
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
        for _ in range(draw.randrange(20)):
            seconds.append(seconds[-1] if draw.random() < 0.8 else draw.choice(kinds))
        alone = shown_after(seconds)
        if alone is not None:
            told += 1
            some = draw.sample(ANYTHING_BEFORE, 12)
            assert {hysteresis_over(seconds, before)[-1].shown for before in some} == {alone}
    assert told > 5


def test_seconds_that_do_not_tell_say_nothing():
    assert shown_after([]) is None
    assert shown_after([FULL] * (WINDOW - 1)) is None
    # In force or not: the KV cache is let go at a lower threshold than it came.
    assert shown_after([quiet(kv_pct=92.0)] * 50) is None
    # The first limit of the load, and said at once, or a further one?
    assert shown_after([FREE] * WINDOW) == Bottleneck(ROOM, "queue 0, KV 41 %")
    assert shown_after([*[FREE] * 50, FULL]) is None
    assert shown_after([*[FREE] * 50, *[FULL] * HOLD]) == Bottleneck(KV, "99 % used, 0 waiting")
