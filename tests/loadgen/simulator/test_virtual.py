"""Virtual time against steps worked by hand."""

from __future__ import annotations

from dataclasses import replace

from loadgen.simulator.batch import Costs
from loadgen.simulator.profile import Profile
from loadgen.simulator.profiles import PROFILES
from loadgen.simulator.virtual import Ask, answers

MS = 1_000_000
COSTS = Costs(
    prefill_fixed_ms=10.0,
    prefill_ms_per_token=0.5,
    decode_base_ms=4.0,
    decode_ms_per_sequence=1.0,
    decode_ms_per_kv_token=0.0,
)


def profile(**changed: int) -> Profile:
    return replace(PROFILES["small"], costs=COSTS, **changed)


def test_a_request_alone_takes_its_prefill_and_a_step_a_token() -> None:
    (one,) = answers(profile(), [Ask(7 * MS, 20, 4)])
    assert (one.sent_ns, one.first_ns, one.last_ns) == (
        7 * MS,
        27 * MS,
        42 * MS,
    )  # 10 + 20 / 2, 3 times 4 + 1
    assert one.ttft_ms == 20.0


def test_a_closed_loop_sends_the_next_when_a_slot_is_free_and_no_sooner() -> None:
    told = answers(profile(), [Ask(0, 20, 2)] * 4, max_in_flight=1)
    assert [(one.sent_ns // MS, one.last_ns // MS) for one in told] == [
        (0, 25),
        (25, 50),
        (50, 75),
        (75, 100),
    ]


def test_what_is_due_while_a_step_runs_waits_for_the_next() -> None:
    first, second = answers(profile(), [Ask(0, 20, 3), Ask(5 * MS, 20, 1)])
    assert second.sent_ns == 5 * MS
    assert second.first_ns == first.first_ns + 25 * MS  # its prefill of 20 and the other's decode of 5


def test_two_engines_share_the_requests_and_do_not_slow_each_other() -> None:
    told = answers(profile(replicas=2), [Ask(0, 20, 3), Ask(0, 20, 3)])
    assert [one.last_ns // MS for one in told] == [30, 30]


def test_a_shared_prefix_is_computed_once() -> None:
    told = answers(profile(), [Ask(0, 40, 1, (1, 2)), Ask(100 * MS, 40, 1, (1, 2))])
    assert [(one.cached_tokens, one.ttft_ms) for one in told] == [(0, 30.0), (32, 14.0)]
