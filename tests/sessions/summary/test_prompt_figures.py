"""Lengths asked and got, and shares of a cache: against numpy and by hand."""

from __future__ import annotations

import random

import numpy as np

from loadgen.records import Request, RequestError
from sessions.summary.prompt_figures import asked_and_got, cached_share, prefix_cache
from sessions.timeline.requests import NONE, RequestColumns


def columns(*requests: Request) -> RequestColumns:
    made = RequestColumns()
    for request in requests:
        made.add(request)
    return made


def good(made: RequestColumns) -> np.ndarray:
    return made.rows[made.rows["error"] == NONE]


def test_lengths_are_those_of_numpy() -> None:
    draw = random.Random(5)
    asked = [draw.randrange(1, 5000) for _ in range(500)]
    got = [length + draw.randrange(3) for length in asked]
    made = columns(
        *(
            Request(i, 0, i, asked_input_tokens=a, input_tokens=g, asked_output_tokens=g, output_tokens=a)
            for i, (a, g) in enumerate(zip(asked, got, strict=True))
        )
    )
    found = asked_and_got(good(made))
    for spread, values in (
        (found.input_asked, asked),
        (found.input_got, got),
        (found.output_asked, got),
        (found.output_got, asked),
    ):
        assert spread is not None
        assert (spread.count, spread.min, spread.max) == (500, min(values), max(values))
        assert np.isclose(spread.mean, np.mean(values), atol=1e-6)
        for q, value in ((50, spread.p50), (90, spread.p90), (99, spread.p99)):
            assert np.isclose(value, np.percentile(values, q), atol=1e-6)


def test_what_nobody_knows_is_none() -> None:
    found = asked_and_got(good(columns(Request(0, 0, 0, output_tokens=3))))
    assert (found.input_asked, found.input_got, found.output_asked) == (None, None, None)
    assert found.output_got is not None


def test_the_first_of_a_group_is_not_in_the_cache_and_the_others_are() -> None:
    def member(index: int, group: int, **more: object) -> Request:
        told = {"asked_input_tokens": 100, "input_tokens": 100, "prefix_group": group, "prefix_tokens": 60}
        return Request(index, 0, index, **told, **more)  # type: ignore[arg-type]

    made = columns(
        member(0, 1, cached_tokens=0),
        member(1, 1, cached_tokens=48),
        member(2, 2, cached_tokens=0),
        member(3, 1, cached_tokens=48),
        member(4, 2, error=RequestError("rejected")),
    )
    found = prefix_cache(made, good(made))
    assert found is not None
    assert (found.aimed_share, found.measured_share) == (120 / 400, 96 / 400)


def test_of_a_prompt_that_comes_again_all_but_the_last_token_is() -> None:
    made = columns(*(Request(i, 0, i, input_tokens=50, prompt_number=i % 2) for i in range(6)))
    found = prefix_cache(made, good(made))
    assert found is not None
    assert (found.aimed_share, found.measured_share) == (4 * 49 / 300, None)


def test_groups_of_another_tag_or_length_share_nothing() -> None:
    made = columns(
        *(
            Request(i, 0, i, asked_input_tokens=10, prefix_group=0, prefix_tokens=tokens, tags=tags)
            for i, (tokens, tags) in enumerate([(5, ("a",)), (5, ("b",)), (6, ("a",))])
        )
    )
    found = prefix_cache(made, good(made))
    assert found is not None
    assert found.aimed_share == 0


def test_where_no_prompt_was_made_to_share_anything_there_is_no_such_figure() -> None:
    made = columns(Request(0, 0, 0, asked_input_tokens=10, input_tokens=10, cached_tokens=4))
    assert prefix_cache(made, good(made)) is None
    assert cached_share(good(made)) == 0.4
