"""Where the limit lies by stored loads: queues of known requests, with the verdict of each window given."""

from __future__ import annotations

import msgspec
import pytest

from benchmarks.common.queue_model import Asked, served
from loadgen.records import TICK_NS, Tick
from sessions.limit_of_stored.find import NoStoredLimit, find_limit
from sessions.limit_of_stored.stored_loads import StoredSession, stored_loads
from sessions.plan.slo import parse_slo
from sessions.summary.plan_schema import Window
from sessions.summary.summarise import summarise
from tests.sessions.timeline.folding import folded
from tui.report.limit_of_stored import stored_limit_text

RISING = Asked(1.05, 480.0, steps=4, memory_s=0.5)
"""7.2, 10.8, 16.2 and 24.3 rps; 32 slots answer 23.2 a second, so that the last is an overload."""
SLO = parse_slo("ttft.p95<400ms")


def session(
    windows: list[str], asked: Asked = RISING, seed: int = 1, not_sent: tuple[float, int] = (0.0, 0)
) -> StoredSession:
    """With these verdicts; the queue's ticks tell too little for one of their own. `not_sent`: when, how many."""
    records, manifest = served(asked, seed)
    at_ns = round(not_sent[0] * 1e9)
    records = [
        msgspec.structs.replace(r, not_sent=not_sent[1])
        if isinstance(r, Tick) and at_ns <= r.t_ns < at_ns + TICK_NS
        else r
        for r in records
    ]
    timeline = folded(*records)
    summary = summarise(timeline, manifest)
    stages = [
        msgspec.structs.replace(step, window=Window(word, step.from_s, step.to_s, ""))  # type: ignore[arg-type]
        for step, word in zip(summary.stages, windows, strict=True)
    ]
    ours = msgspec.structs.replace(manifest.session, id=f"s{seed}")
    return StoredSession(
        timeline,
        msgspec.structs.replace(manifest, session=ours),
        msgspec.structs.replace(summary, stages=stages, id=f"s{seed}"),
    )


@pytest.fixture(scope="module")
def rising() -> StoredSession:
    return session(["steady", "steady", "steady", "drifting_up"])


def loads(sessions: list[StoredSession], word: str) -> list[float]:
    return [round(s.load, 1) for s in find_limit(sessions, SLO, False).limit.steps if s.verdict == word]


def test_the_interval_is_from_the_highest_that_holds_to_the_lowest_that_does_not(
    rising: StoredSession,
) -> None:
    found = find_limit([rising], SLO, False)
    limit = found.limit
    assert (round(limit.passed or 0, 1), round(limit.failed or 0, 1)) == (16.2, 24.3)
    assert (limit.certified, limit.over, limit.monotone, limit.closed) == (False, True, True, False)
    assert limit.why.startswith("from stored loads")
    assert [each.verdict for each in found.rests_on] == ["pass", "pass", "pass", "fail"]
    # By hand: of what was due in the last stretch, those whose first token came later than 400 ms.
    rows = rising.timeline.requests.rows
    last = rising.summary.stages[-1]
    start_ns = rising.timeline.first_ns
    due_s = (rows["due_ns"] - start_ns) / 1e9
    there = rows[(due_s >= last.from_s) & (due_s <= last.to_s)]
    late = int(((there["first_token_ns"] - there["due_ns"]) > 400e6).sum())
    assert (limit.steps[-1].misses, limit.steps[-1].of) == (late, len(there))
    assert limit.requests == len(rows)


def test_what_drifts_upwards_can_fail_but_never_pass() -> None:
    words = ["drifting_up", "steady", "steady", "drifting_up"]
    found = find_limit([session(words)], SLO, False)
    assert [each.verdict for each in found.rests_on] == [None, "pass", "pass", "fail"]
    assert found.rests_on[0].why == "drifting up: no steady state"


@pytest.mark.parametrize("word", ["too_short", "drifting_down", "settling"])
def test_what_came_to_no_steady_state_says_nothing(word: str) -> None:
    found = find_limit([session([word] * 4)], SLO, False)
    assert (found.limit.passed, found.limit.failed, found.limit.steps) == (None, None, [])
    assert found.limit.why == "no stored load came to a steady state"
    assert {each.verdict for each in found.rests_on} == {None}


def test_the_same_load_in_several_sessions_is_one_and_decides_what_each_alone_cannot() -> None:
    """A p99 needs 299 requests without a miss: 20 s of 16 rps are about 320, of which some miss."""
    short = Asked(0.7, 40.0, memory_s=0.5)
    one, two, three = (session(["steady"], short, seed) for seed in (11, 12, 13))
    slo = parse_slo("ttft.p99<300ms")
    alone = [find_limit([each], slo, False).limit.steps[0] for each in (one, two, three)]
    together = find_limit([one, two, three], slo, False)
    (step,) = together.limit.steps
    assert step.of == sum(each.of for each in alone)
    assert step.misses == sum(each.misses for each in alone)
    assert together.sessions == ["s11", "s12", "s13"]


def test_a_load_that_held_once_and_drifted_once_is_undecided() -> None:
    words = ["steady", "steady", "steady", "steady"]
    easy = session(words, RISING._replace(slower=0.5), seed=3)
    hard = session(["too_short"] * 3 + ["drifting_up"], seed=4)
    assert round(find_limit([easy], SLO, False).limit.passed or 0, 1) == 24.3
    both = find_limit([easy, hard], SLO, False).limit
    assert both.steps[-1].verdict == "undecided"
    assert (round(both.passed or 0, 1), both.failed) == (16.2, None)


def test_other_work_or_another_server_is_refused(rising: StoredSession) -> None:
    other = session(["steady"] * 4, seed=2)
    config = other.manifest.config
    longer = msgspec.structs.replace(config.workload, output_tokens=128)
    about = msgspec.structs.replace(other.manifest, config=msgspec.structs.replace(config, workload=longer))
    with pytest.raises(NoStoredLimit, match=r"the same work: workload.output_tokens is '64' and '128'"):
        find_limit([rising, other._replace(manifest=about)], SLO, False)
    about = msgspec.structs.replace(other.manifest, server={**other.manifest.server, "model": "another"})
    with pytest.raises(NoStoredLimit, match="not one server and the same work: model is"):
        find_limit([rising, other._replace(manifest=about)], SLO, False)


def test_requests_at_a_time_are_another_limit(rising: StoredSession) -> None:
    with pytest.raises(NoStoredLimit, match=r"no load of requests at a time is in these sessions; .* a rate"):
        find_limit([rising], SLO, True)


def test_a_request_that_was_not_sent_missed() -> None:
    """The tick at 400 s tells of 500 that were given up."""
    full = session(["steady"] * 4, not_sent=(400.0, 500))
    assert [load.not_sent for load in stored_loads(full)] == [0, 0, 0, 500]
    ended = len(list(stored_loads(full))[-1].rows)
    step = find_limit([full], parse_slo("errors<1%"), False).limit.steps[-1]
    assert (step.misses, step.of, step.verdict) == (500, ended + 500, "fail")


def test_the_text_says_first_that_nothing_was_sent_and_then_what_it_rests_on(rising: StoredSession) -> None:
    spoiled = msgspec.structs.replace(rising.summary, valid=False, reasons=["it was killed\x1b[31m"])
    text = stored_limit_text(find_limit([rising._replace(summary=spoiled)], SLO, False))
    lines = text.splitlines()
    assert lines[0].endswith("nothing was sent: what a stored session says of ttft.p95<400ms")
    assert "LIMIT (estimated): 16.232 requests/s holds, 24.348 does not" in lines
    assert [line.split()[-1] for line in lines if line.startswith("s1 ")] == ["PASS", "PASS", "PASS", "FAIL"]
    assert "s1 is not valid: it was killed" in text
    assert "\x1b" not in text
    assert max(map(len, lines)) <= 80


def test_a_load_too_short_for_one_measured_request_is_not_called_one_of_another_kind(
    rising: StoredSession,
) -> None:
    after_it = Window("too_short", 10_001.0, 10_001.0, "")
    step = msgspec.structs.replace(rising.summary.stages[0], to_s=10_001.0, window=after_it)
    short = rising._replace(summary=msgspec.structs.replace(rising.summary, stages=[step]))
    with pytest.raises(
        NoStoredLimit, match="no load of a rate is in these sessions long enough for one request"
    ):
        find_limit([short], SLO, False)
