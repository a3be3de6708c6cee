"""Every rule of the line of what binds by a table of evidence, and the order they stand in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sessions.bottleneck.evidence import Evidence
from sessions.bottleneck.rules import IDLE, NAMES, ROOM, RULES, UNKNOWN, bottleneck_of
from tui.draw.words import limit_name

QUIET = Evidence(
    due_rps=9.0, sent_rps=9.0, backlog=0.0, failed_share=0.0, in_flight=12.0, growth=1.0, sent_10s=90.0, tokens_10s=5000.0,
    running=12.0, waiting=0.0, waiting_least=0.0, kv_pct=41.0, preemptions_per_s=0.0,
)  # fmt: skip
HEAVY = {
    "sm_pct": 62.0, "dram_pct": 55.0, "util_pct": 100.0, "power_w": 412.0, "power_limit_w": 700.0,
    "power_throttled_pct": 0.0, "thermal_throttled_pct": 0.0, "temperature_c": 61.0,
    "clock_mhz": 1980.0, "clock_max_mhz": 1980.0,
}  # fmt: skip


def quiet(**values) -> Evidence:
    return QUIET._replace(**values)


@pytest.mark.parametrize(
    ("evidence", "limit", "why"),
    [
        # client
        (quiet(saturated="the client used 97% of a core"), "client", "the client used 97% of a core"),
        (quiet(backlog=14.0, sent_rps=8.0), "client", "14 held back in the client, 8.0 of 9.0 rps sent"),
        (quiet(backlog=14.0, sent_rps=8.6), ROOM, None),
        (quiet(backlog=0.0, sent_rps=8.0), ROOM, None),
        # the server is gone, fails, or is silent
        (quiet(unreachable_s=3.2), "server", "it refuses connections, for 3 s"),
        (quiet(failed_share=0.37), "server", "37 % of requests fail"),
        (quiet(failed_share=0.09), ROOM, None),
        (quiet(tokens_10s=0.0), "server", "no token for 10 s, 12 in flight"),
        (quiet(tokens_10s=None), ROOM, None),
        # heat
        (quiet(**HEAVY | {"thermal_throttled_pct": 12.0, "temperature_c": 88.0, "clock_mhz": 1500.0}), "heat",
         "88 °C, slowed 12 % of the time, SM clock 1500 of 1980 MHz"),
        (quiet(**HEAVY | {"thermal_throttled_pct": 4.0, "temperature_c": 91.0}), ROOM, None),
        (quiet(temperature_c=84.0, clock_mhz=1800.0, clock_max_mhz=1980.0), "heat",
         "84 °C, no throttle reason read, SM clock 1800 of 1980 MHz"),
        (quiet(temperature_c=84.0, clock_mhz=1980.0, clock_max_mhz=1980.0), ROOM, None),
        (quiet(temperature_c=84.0, clock_mhz=1800.0, clock_max_mhz=1980.0, power_w=700.0, power_limit_w=700.0), "power", None),
        (quiet(temperature_c=84.0), ROOM, None),
        # KV cache
        (quiet(kv_pct=97.2, preemptions_per_s=1.2, waiting=4.0), "KV cache", "97 % used, 1.2 preemptions/s, 4 waiting"),
        (quiet(kv_pct=95.0), "KV cache", "95 % used, 0 waiting"),
        (quiet(kv_pct=94.0), ROOM, None),
        (quiet(kv_pct=86.0, waiting=3.0, waiting_least=2.0), "KV cache", "86 % used, 3 waiting"),
        (quiet(kv_pct=60.0, preemptions_per_s=0.2), "KV cache", "60 % used, 0.2 preemptions/s, 0 waiting"),
        (quiet(kv_pct=None, preemptions_per_s=0.2, waiting=None), "KV cache", "0.2 preemptions/s"),
        # queue
        (quiet(waiting=14.0, waiting_least=9.0, running=64.0, kv_pct=71.0), "queue", "14 waiting, 64 running, KV 71 %"),
        (quiet(waiting=2.4, waiting_least=0.0), ROOM, None),
        (quiet(waiting=1.4, waiting_least=1.0), ROOM, None),
        (quiet(waiting=5.0, waiting_least=None, running=None), ROOM, None),
        (quiet(waiting=5.0, waiting_least=5.0, running=None, kv_pct=None, util_pct=99.0), "queue", "5 waiting, GPU util 99 %"),
        # power
        (quiet(**HEAVY | {"power_throttled_pct": 31.0, "power_w": 698.0, "clock_mhz": 1755.0}), "power",
         "698/700 W, capped 31 % of the time, SM clock 1755 of 1980 MHz"),
        (quiet(**HEAVY | {"power_throttled_pct": 15.0, "power_w": 698.0}), ROOM, None),
        (quiet(power_w=690.0, power_limit_w=700.0, clock_mhz=1755.0, clock_max_mhz=1980.0), "power",
         "690/700 W, SM clock 1755 of 1980 MHz"),
        (quiet(power_w=690.0, power_limit_w=700.0, clock_mhz=1980.0, clock_max_mhz=1980.0), ROOM, None),
        (quiet(power_w=690.0, power_limit_w=None), ROOM, None),
        # clocks
        (quiet(util_pct=99.0, clock_mhz=1200.0, clock_max_mhz=1980.0), "clocks",
         "SM clock 1200 of 1980 MHz, neither power nor heat is the reason"),
        (quiet(util_pct=20.0, clock_mhz=345.0, clock_max_mhz=1980.0), ROOM, None),
        # the chip
        (quiet(**HEAVY | {"dram_pct": 84.0}), "DRAM bandwidth", "84 % of its peak, SM 62 %, queue 0"),
        (quiet(**HEAVY | {"sm_pct": 96.0}), "SM", "96 % active, DRAM 55 %, queue 0"),
        (quiet(util_pct=100.0), ROOM, "queue 0, KV 41 %"),
        # it grows, and nobody says why
        (quiet(growth=31.0), "server", "12 in flight, +31 in 10 s, queue 0"),
        (quiet(growth=17.0), ROOM, None),
        (quiet(growth=7.0, sent_10s=10.0), ROOM, None),
        (Evidence(in_flight=50.0, growth=40.0, sent_10s=90.0), "server", "50 in flight, +40 in 10 s"),
        # room, or nothing is known
        (quiet(), ROOM, "queue 0, KV 41 %"),
        (quiet(**HEAVY), ROOM, "queue 0, KV 41 %, SM 62 %, DRAM 55 %, 412/700 W"),
        (Evidence(waiting=0.0), ROOM, "queue 0"),
        (Evidence(waiting=0.0, closed=True, in_flight=4.0), UNKNOWN,
         "a closed loop need not queue, and neither KV cache nor SM activity is known, 4 in flight"),
        (Evidence(closed=True, in_flight=4.0), UNKNOWN,
         "queue, KV cache and SM activity not known, 4 in flight"),
        (quiet(closed=True), ROOM, "queue 0, KV 41 %"),
        (Evidence(in_flight=12.0), UNKNOWN, "queue, KV cache and SM activity not known, 12 in flight"),
        (Evidence(in_flight=3.0, util_pct=100.0, power_w=300.0), UNKNOWN,
         "queue, KV cache and SM activity not known, 3 in flight, GPU util 100 %, 300 W"),
        (quiet(active=False, kv_pct=99.0), IDLE, ""),
        (Evidence(active=False), IDLE, ""),
    ],
)  # fmt: skip
def test_rules(evidence, limit, why):
    found = bottleneck_of(evidence)
    assert found.limit == limit
    if why is not None:
        assert found.why == why


EVERYTHING = [
    ("client", {"saturated": "CPU"}),
    ("server", {"unreachable_s": 2.0}),
    ("server", {"failed_share": 0.5}),
    ("server", {"tokens_10s": 0.0}),
    ("heat", {"thermal_throttled_pct": 50.0}),
    ("KV cache", {"kv_pct": 99.0}),
    ("queue", {"waiting": 9.0, "waiting_least": 9.0}),
    ("power", {"power_throttled_pct": 50.0}),
    ("clocks", {"clock_mhz": 1000.0}),
    ("DRAM bandwidth", {"dram_pct": 90.0}),
    ("SM", {"sm_pct": 99.0}),
    ("server", {"growth": 60.0}),
]


@pytest.mark.parametrize("place", range(len(EVERYTHING)))
def test_of_several_that_hold_the_first_is_named(place):
    held: dict[str, object] = {}
    for _, values in EVERYTHING[place:]:
        held |= values
    assert bottleneck_of(quiet(**HEAVY | held)).limit == EVERYTHING[place][0]


def test_the_table_of_rules_stands_in_the_order_of_this_test():
    assert [name for name, _ in RULES] == [*(name for name, _ in EVERYTHING), ROOM]


def test_the_gpu_that_holds_the_others_back_is_named():
    found = bottleneck_of(
        quiet(**HEAVY | {"gpu": "GPU2", "thermal_throttled_pct": 40.0, "temperature_c": 90.0})
    )
    assert found.why.startswith("GPU2 90 °C, slowed 40 % of the time")


@pytest.mark.parametrize(
    ("limit", "between"),
    [
        ("KV cache", {"kv_pct": 92.0}),
        ("queue", {"waiting": 1.5, "waiting_least": 0.0}),
        ("power", {"power_throttled_pct": 12.0}),
        ("power", {"power_throttled_pct": None, "power_w": 665.0, "clock_mhz": 1755.0}),
        ("heat", {"thermal_throttled_pct": 3.0}),
        ("clocks", {"clock_mhz": 1620.0}),
        ("DRAM bandwidth", {"dram_pct": 72.0}),
        ("SM", {"sm_pct": 87.0}),
        ("server", {"growth": 12.0}),
    ],
)
def test_a_limit_is_let_go_at_a_lower_threshold_than_it_came(limit, between):
    assert bottleneck_of(quiet(**HEAVY | between)).limit == ROOM
    assert bottleneck_of(quiet(**HEAVY | between), limit).limit == limit


def test_the_page_about_limits_lists_every_rule_in_order():
    text = (Path(__file__).parents[3] / "docs" / "figures" / "bottleneck.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \d+ \| \*\*([^*]+)\*\* \|", text, flags=re.MULTILINE)
    assert listed == [limit_name(name) for name, _ in RULES]
    assert all(f"`{name}`" in text or f"**{limit_name(name)}**" in text for name in NAMES)
