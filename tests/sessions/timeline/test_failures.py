"""Failures by kind and by what was said of them, whatever the order in which ticks come."""

from __future__ import annotations

import itertools

from loadgen.errors import GIST_CHARS
from loadgen.records import FailureCause, Tick
from sessions.timeline.failures import KINDS_CAP, Cause, Failures


def tick(t_ns: int, *causes: tuple[str, str, int]) -> Tick:
    errors: dict[str, int] = {}
    for kind, _, count in causes:
        errors[kind] = errors.get(kind, 0) + count
    return Tick(
        t_ns, 1, 0, errors=errors, causes=[FailureCause(kind, count, text) for kind, text, count in causes]
    )


def test_of_each_kind_the_most_frequent_words_are_told_up_to_an_instant() -> None:
    ticks = [
        tick(10, ("http_500", "shard 1", 1), ("gap_timeout", "60 s", 1)),
        tick(20, ("http_500", "shard 2", 3)),
        tick(30, ("http_500", "shard 1", 2), ("http_404", "", 9)),
    ]
    for order in itertools.permutations(ticks):
        failures = Failures()
        for one in order:
            failures.take(one)
        assert failures.by_kind(20) == {"http_500": 4, "gap_timeout": 1}
        assert failures.causes(20) == [
            Cause("http_500", 4, "shard 2", 3, 10),
            Cause("gap_timeout", 1, "60 s", 1, 10),
        ]
        assert failures.causes(30) == [
            Cause("http_404", 9, "", 0, 30),
            Cause("http_500", 6, "shard 1", 3, 10),  # as many as of shard 2: the first by its words
            Cause("gap_timeout", 1, "60 s", 1, 10),
        ]


def test_ticks_from_before_words_were_kept_tell_the_kinds() -> None:
    failures = Failures()
    failures.take(Tick(5, 1, 0, errors={"rejected": 2}))
    assert failures.causes(5) == [Cause("rejected", 2, "", 0, 0)]


def test_a_hostile_session_cannot_make_it_keep_more_than_so_much() -> None:
    failures = Failures()
    for i in range(2 * KINDS_CAP):
        failures.take(tick(i, ("http_500", f"{i} " + "x" * 10_000, 1)))
    (cause,) = failures.causes(10**9)
    assert cause.failed == 2 * KINDS_CAP
    assert len(cause.text) <= GIST_CHARS
    assert (cause.text[:2], cause.said) == ("0 ", 1), "words of one rather than none of many"
