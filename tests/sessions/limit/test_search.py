"""Which step comes next, and what the answer is, from results made by hand."""

from __future__ import annotations

import pytest

from sessions.limit.search import Answer, Ask, Result, answer, next_step
from sessions.limit.step import Step, judge, looks_for, overloaded
from sessions.plan.slo import Verdict, parse_slo

P95 = parse_slo("ttft.p95<500ms")
ASK = Ask(P95, closed=False, most=100.0)


def result(step: Step, verdict: Verdict, misses: int = 0, of: int = 500, e2e_s: float | None = 2.0) -> Result:
    return Result(step, verdict, step.requests, 10.0, e2e_s, misses, of, of, 0.05, "ttft.p95<500ms")


def searched(ask: Ask, limit: float, *, undecided: tuple[float, float] = (1.0, 1.0)) -> list[Result]:
    """Against a server that passes below `limit` and fails above it, and leaves undecided what lies between."""
    results: list[Result] = []
    while isinstance(step := next_step(ask, results), Step):
        low, high = limit * undecided[0], limit * undecided[1]
        verdict: Verdict = "pass" if step.load < low else "undecided" if step.load < high else "fail"
        misses = min(round(25 * (step.load / limit) ** 6), 240)
        results.append(result(step, "pass" if step.purpose == "single" else verdict, misses))
    return results


def test_it_begins_with_single_requests_then_far_below_what_they_allow_and_doubles() -> None:
    results = searched(ASK, 11.0)
    assert [each.step.purpose for each in results[:3]] == ["single", "double", "double"]
    doubled = [each.step.load for each in results if each.step.purpose == "double"]
    assert doubled == [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]


def test_the_gap_is_halved_geometrically_and_what_passed_last_is_confirmed() -> None:
    results = searched(ASK, 11.0)
    narrowed = [each.step.load for each in results if each.step.purpose == "narrow"]
    assert narrowed[0] == pytest.approx((8 * 16) ** 0.5)
    found = answer(ASK, results)
    assert found.passed is not None
    assert found.failed is not None
    assert found.passed <= 11.0 <= found.failed
    assert found.failed / found.passed <= ASK.within
    assert (results[-2].step.purpose, results[-2].step.load) == ("confirm", found.passed)
    assert (found.certified, found.monotone) == (True, True)
    assert found.estimate == pytest.approx(11.0, rel=0.05)


@pytest.mark.parametrize(
    ("after_s", "spread_s", "is_the_same"),
    [
        *((2.0, 0.1, True), (2.3, 0.1, True), (2.9, 0.1, False), (1.4, 0.1, False)),
        *((2.9, 2.0, True), (5.0, 2.0, True), (20.0, 2.0, False)),  # of lengths that differ as they like
    ],
)
def test_a_server_that_takes_another_time_for_single_requests_at_the_end_has_no_certain_limit(
    after_s: float, spread_s: float, is_the_same: bool
) -> None:
    """Against llama.cpp with its default cache twelve of them went from 16.3 to 23.3 ms in 10,800 requests."""
    results = [each._replace(e2e_spread_s=spread_s) for each in searched(ASK, 11.0)]
    assert [each.step.purpose for each in results].count("single") == 2
    assert (results[0].step.purpose, results[-1].step.purpose) == ("single", "single")
    last = result(results[-1].step, "pass", e2e_s=after_s)._replace(e2e_spread_s=spread_s * after_s / 2)
    found = answer(ASK, [*results[:-1], last])
    assert (found.certified, found.single_ratio) == (is_the_same, after_s / 2.0)
    assert ("changed meanwhile" in found.why) is not is_the_same
    assert found.passed == answer(ASK, results).passed
    silent = answer(ASK, [*results[:-1], result(results[-1].step, "pass", e2e_s=None)])
    assert (silent.certified, silent.single_ratio) == (True, None)


def test_what_stays_undecided_is_never_claimed() -> None:
    found = answer(ASK, searched(ASK, 11.0, undecided=(0.8, 1.3)))
    assert found.passed is not None
    assert found.failed is not None
    assert found.passed < 0.8 * 11.0
    assert found.failed >= 1.3 * 11.0
    assert found.estimate == pytest.approx(11.0, rel=0.05)


def test_a_confirmation_that_fails_sends_the_search_below_it() -> None:
    results = searched(ASK, 11.0)
    wrong = [*results[:-2], result(results[-2].step, "fail", 80)]
    step = next_step(ASK, wrong)
    assert isinstance(step, Step)
    assert step.load <= results[-2].step.load
    assert not answer(ASK, wrong).certified


def test_no_load_goes_above_the_most_that_was_allowed_and_none_of_that_is_an_answer_too() -> None:
    ask = ASK._replace(most=3.0)
    results = searched(ask, 11.0)
    found = answer(ask, results)
    assert max(each.step.load for each in results) == 3.0
    assert (found.passed, found.failed, found.certified) == (3.0, None, False)
    assert "nothing failed up to 3" in found.why


def test_a_server_that_misses_alone_or_answers_nothing_has_no_limit() -> None:
    single = next_step(ASK, [])
    assert isinstance(single, Step)
    for over, why in (
        (result(single, "fail"), "one at a time"),
        (result(single, "pass", e2e_s=None), "no single"),
    ):
        found = next_step(ASK, [over])
        assert isinstance(found, Answer)
        assert found.passed is None
        assert why in found.why


def test_where_not_even_the_first_load_passes_it_goes_down_until_it_gives_up() -> None:
    found = answer(ASK, searched(ASK, 0.02))
    assert found.passed is not None
    assert found.passed <= 0.02
    assert answer(ASK, searched(ASK, 1e-9)).passed is None


def test_a_concurrency_is_searched_in_whole_numbers_down_to_neighbours() -> None:
    ask = Ask(P95, closed=True, most=64.0)
    results = searched(ask, 11.5)
    found = answer(ask, results)
    assert (found.passed, found.failed) == (11.0, 12.0)
    assert all(each.step.load == int(each.step.load) for each in results)


def test_a_search_that_was_left_says_what_it_knows() -> None:
    results = searched(ASK, 11.0)[:8]
    found = answer(ASK, results)
    assert (found.passed, found.failed, found.certified) == (8.0, None, False)


def test_steps_are_as_long_as_the_targets_need() -> None:
    assert looks_for(P95, "narrow", 1) == (500, 1000)
    assert looks_for(parse_slo("ttft.p99<1s"), "refine", 1) == (10_000,)
    assert looks_for(P95, "double", 1) == (59, 500)
    assert looks_for(P95, "narrow", 200) == (2000, 4000), "ten rounds of what is in flight"


def test_the_target_that_comes_nearest_to_its_limit_binds() -> None:
    targets = parse_slo("ttft.p95<500ms, tpot.p90<50ms, e2e.mean<2s")
    some, many = [0.0] * 490 + [1.0] * 10, ([0.0] * 4 + [1.0]) * 100
    judged = judge(targets, [some, many, [100.0] * 500])
    assert (judged.target, judged.verdict, judged.allowed) == ("tpot.p90<50ms", "fail", pytest.approx(0.1))


def test_far_more_in_flight_than_littles_law_allows_is_overload() -> None:
    assert not overloaded(30, 10.0, 2.0)
    assert overloaded(200, 10.0, 2.0)


def test_a_search_that_finds_nothing_out_is_stopped_after_forty_steps() -> None:
    single = next_step(ASK, [])
    assert isinstance(single, Step)
    passed = [result(Step("double", 1.0, 50, (59, 500)), "pass")]
    assert isinstance(next_step(ASK, [result(single, "pass"), *passed * 38]), Step)
    found = next_step(ASK, [result(single, "pass"), *passed * 40, result(single, "pass")])
    assert isinstance(found, Answer)
    assert (found.passed, found.certified, found.why) == (1.0, False, "stopped after 40 steps")


def test_a_warm_up_is_four_times_what_is_in_flight_and_a_queue_says_nothing_of_that() -> None:
    ask = ASK._replace(first=8.0)
    single = result(Step("single", 1.0, 0, (12,)), "pass", e2e_s=5.0)
    queued = result(Step("double", 8.0, 160, (400, 500)), "fail", 200, e2e_s=60.0)
    step = next_step(ask, [single, queued])
    assert isinstance(step, Step)
    # 4 rps of answers that took 5 s alone: 20 in flight.
    assert (step.load, step.warm_up) == (4.0, 80)


def test_a_high_concurrency_is_not_searched_down_to_neighbours() -> None:
    ask = Ask(P95, closed=True, most=4096.0)
    found = answer(ask, searched(ask, 700.5))
    assert found.passed is not None
    assert found.failed is not None
    assert found.passed + 10 < found.failed <= 1.1 * found.passed


def test_steps_that_place_the_limit_lie_below_and_above_it_in_turn() -> None:
    refined = [
        each.step.load for each in searched(ASK, 11.0, undecided=(0.8, 1.3)) if each.step.purpose == "refine"
    ]
    assert len(refined) > 1
    assert [load > 11.0 for load in refined] == [bool(n % 2) for n in range(len(refined))]


def test_a_load_that_the_server_did_not_keep_up_with_is_not_doubled_though_it_is_undecided() -> None:
    results: list[Result] = []
    while isinstance(step := next_step(ASK, results), Step):
        grows = step.load > 3.0
        verdict: Verdict = "undecided" if grows else "pass"
        results.append(result(step, verdict)._replace(overloaded=grows, e2e_s=40.0 if grows else 2.0))
    assert max(each.step.load for each in results) == 4.0  # the first that grew
    assert max(each.step.warm_up for each in results) <= 200  # as of a load whose answers take 2 s
    found = answer(ASK, results)
    assert found.passed is not None
    assert 2.0 <= found.passed <= 3.0
    assert (found.failed, found.certified) == (None, False)
    assert "did not keep up" in found.why
