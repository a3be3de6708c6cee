"""Verdicts on made-up stretches worked out by hand, and how often the rule is wrong on simulated ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.common.batch_server import run
from benchmarks.steady_verdict import CASES, SERVERS, capacity_rps, stage
from loadgen.simulator.batch import Batch
from loadgen.simulator.profiles import PROFILES
from sessions.steady.rule import Bins, _two, answer_time_s, judge


def made(
    n: int = 96,
    length_s: float = 2.5,
    *,
    rps: float = 4.0,
    grows_rps: float = 0.0,
    ttft_s: float = 0.5,
    waits_more: float = 0.0,
    answered_from_s: float = 5.0,
) -> Bins:
    """Four minutes of `rps`, each answer of 46 tokens 100 ms apart; `grows_rps` go unanswered, `waits_more` is
    what the wait grows by each second."""
    t = (np.arange(n) + 0.5) * length_s
    due = np.full(n, rps * length_s)
    ttft = ttft_s + waits_more * t
    done = np.where(t > answered_from_s, (rps - grows_rps) * length_s, 0.0)
    gaps = due * 45
    return Bins(
        length_s, due, 20 + grows_rps * t, ttft * due, due, 0.1 * gaps, gaps, (ttft + 4.5) * done, done
    )


def test_the_answer_time_is_the_wait_and_the_gaps_of_a_mean_answer() -> None:
    assert answer_time_s(made()) == pytest.approx(0.5 + 45 * 0.1)


def test_what_stays_as_it_is_is_steady_from_when_the_first_answers_were_there() -> None:
    found = judge(made())
    assert found.verdict == "steady"
    assert found.first == 2, "an answer takes 5 s, two bins"


def test_a_warm_up_that_was_asked_for_is_not_measured() -> None:
    for warm_up_s, first in ((30.0, 12), (170.0, 68)):
        found = judge(made(), warm_up_s=warm_up_s)
        assert (found.verdict, found.first) == ("steady", first)
    assert judge(made(), warm_up_s=200.0).verdict == "too_short"


def test_a_queue_that_grows_is_drift_and_the_words_say_by_how_much() -> None:
    found = judge(made(grows_rps=1.0, waits_more=0.25))
    assert found.verdict == "drifting_up"
    assert found.why == "in flight grows by 1/s: 4 rps came, about 3 were answered"


def test_a_queue_that_empties_is_drift_as_well() -> None:
    falling = made(grows_rps=-1.0)
    assert judge(falling._replace(in_flight=falling.in_flight + 400)).verdict == "drifting_down"


def test_a_wait_that_grows_with_an_overload_of_5_percent_is_never_steady() -> None:
    for n in (24, 48, 96):
        assert judge(made(n, grows_rps=0.19, waits_more=0.048)).verdict != "steady", n


def test_without_an_answer_nothing_can_be_told_and_while_it_runs_that_is_no_verdict() -> None:
    unanswered = made(answered_from_s=1e9)
    assert judge(unanswered)[::2] == ("too_short", "no answer came while it was on")
    assert judge(unanswered, over=False).verdict == "settling"


def test_a_stage_as_long_as_two_answers_is_too_short_however_calm_it_was() -> None:
    assert judge(made(96, 10 / 96, answered_from_s=0.0)).verdict == "too_short"


def test_evenly_spaced_arrivals_leave_nothing_to_chance() -> None:
    """In flight rises by 12 in 4 minutes: a random walk of 4 rps does that, evenly spaced arrivals do not."""
    slow = made(rps=2.0, grows_rps=0.05, waits_more=0.025)
    assert judge(slow).verdict != "drifting_up"
    assert judge(slow, by_chance=False).verdict == "drifting_up"


def test_in_a_closed_loop_it_is_the_answer_time_that_drifts() -> None:
    assert judge(made(), open_loop=False).verdict == "steady"
    slower = judge(made(waits_more=0.01), open_loop=False)
    assert slower.verdict == "drifting_up"
    assert slower.why.startswith("answers take longer and longer")


def test_any_numbers_of_a_broken_session_are_judged() -> None:
    for n in (1, 2, 5, 96):
        for value in (0.0, np.nan, 1e15):
            bins = Bins(0.25, *[np.full(n, value)] * 8)
            for open_loop in (True, False):
                judge(bins, open_loop=open_loop)


@pytest.mark.parametrize("server", SERVERS)
def test_the_server_in_virtual_time_is_the_simulators_engine(server: str) -> None:
    profile, draw = PROFILES[server], np.random.default_rng(3)
    due_s = np.cumsum(draw.exponential(0.2, 60))
    prompts, outputs = draw.integers(1, 3000, 60), draw.integers(1, 40, 60)
    quick = run(profile.costs, profile.limits, 600.0, prompts, outputs, due_s=due_s)
    roomy = replace(profile.limits, blocks=1_000_000)  # what its cache holds is left out
    batch, now_ns, waiting = Batch(profile.costs, roomy), 0, list(range(60))
    sequences, first, end = {}, np.zeros(60), np.zeros(60)
    while waiting or sequences:
        while waiting and round(due_s[waiting[0]] * 1e9) <= now_ns:
            which = waiting.pop(0)
            sequences[batch.submit(int(prompts[which]), int(outputs[which]), now_ns)] = which
        step = batch.begin(now_ns)
        if step is None:
            now_ns = round(due_s[waiting[0]] * 1e9)
            continue
        now_ns = step.end_ns
        for sequence in batch.finish(step):
            if sequence.generated == 1:
                first[sequences[sequence]] = now_ns / 1e9
            if sequence.state == "ended":
                end[sequences.pop(sequence)] = now_ns / 1e9
    assert batch.preemptions == 0
    assert quick.first_s == pytest.approx(first, abs=1e-6)
    assert quick.end_s == pytest.approx(end, abs=1e-6)


@pytest.mark.slow
def test_on_simulated_stages_it_is_seldom_wrong() -> None:
    """The small version of benchmarks/steady_verdict.py."""
    case, lengths_s = CASES[0], (30.0, 60.0, 120.0)
    said: dict[tuple[float, str], int] = Counter()
    for seed in range(24):
        server = ("h100-8b", "small")[seed % 2]
        for load in (0.8, 1.05):
            made_up = stage(server, case, load * capacity_rps(server, case.lengths), seed, lengths_s[-1])
            for seconds in lengths_s:
                said[load, judge(made_up.bins(seconds)).verdict] += 1
    assert said[1.05, "steady"] <= 5, "of 72"
    assert said[0.8, "drifting_up"] + said[0.8, "drifting_down"] == 0
    assert said[0.8, "steady"] >= 36, "and it says something"
    assert said[1.05, "drifting_up"] > said[0.8, "drifting_up"]


def test_far_above_capacity_a_stage_of_a_few_answers_drifts_already() -> None:
    """All of one length, twice the capacity: 30 s are no more than six answers' times of an idle server."""
    found = [stage("small", CASES[2], 2 * capacity_rps("small", CASES[2].lengths), s, 30.0) for s in range(4)]
    assert {judge(made_up.bins(30.0)).verdict for made_up in found} == {"drifting_up"}


def test_less_than_two_of_a_hundred_arrivals_left_over_is_no_drift_however_long_it_lasts() -> None:
    # In 6000 s a walk of 4 rps reaches a slope of 0.057/s: of 0.07/s chance is ruled out, 2 % are 0.08/s.
    for grows_rps, drifts in ((0.07, False), (0.09, True)):
        found = judge(made(96, 62.5, grows_rps=grows_rps))
        assert (found.verdict == "drifting_up") is drifts, grows_rps


def test_a_load_of_a_few_answers_drifts_only_if_a_tenth_of_the_arrivals_piles_up() -> None:
    # An answer takes 25 s: less than ten of them fit. Chance alone: a slope of 1/s.
    for grows_rps, drifts in ((2.0, False), (6.0, True)):
        found = judge(made(rps=40.0, ttft_s=20.5, grows_rps=grows_rps))
        assert (found.verdict == "drifting_up") is drifts, grows_rps


def test_a_stretch_of_which_a_fifth_has_no_first_token_is_not_called_steady() -> None:
    bins = made()
    seldom = np.where((np.arange(96) >= 40) & (np.arange(96) < 62), 0.0, 1.0)
    gone = bins._replace(first_tokens=bins.first_tokens * seldom, ttft_s=bins.ttft_s * seldom)
    found = judge(gone)
    assert (found.verdict, found.why) == ("too_short", "first tokens come too seldom")


def test_in_a_closed_loop_what_swings_is_not_steady_though_it_comes_back() -> None:
    swings = np.where(np.arange(98) // 8 % 2 == 0, 0.0, 1.0)  # seconds of waiting, answers of 4.5 s
    bins = made(98)
    assert judge(bins._replace(ttft_s=0.5 * bins.due), open_loop=False).verdict == "steady"
    assert judge(bins._replace(ttft_s=swings * bins.due), open_loop=False).verdict == "too_short"


def test_in_a_closed_loop_a_change_of_less_than_a_twentieth_is_no_drift() -> None:
    # 0.0008 s more each second are 0.19 s in all, of answers of 5.1 s.
    assert judge(made(waits_more=0.0008), open_loop=False).verdict == "steady"
    assert judge(made(waits_more=0.0016), open_loop=False).verdict == "drifting_up"


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.344, "0.34"), (9.96, "10"), (344.0, "340"), (68_900.0, "69000"), (float("inf"), "inf")],
)
def test_seconds_are_said_without_an_exponent(value: float, said: str) -> None:
    assert _two(value) == said
