from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadgen.records import Request, RequestError
from sessions.timeline.requests import RequestColumns

Rows = list[tuple[int, int, int, int]]
ROWS = st.lists(st.tuples(*[st.integers(0, 50)] * 4), max_size=40)
"""Due, and from there to sent, to the first token, to the end."""


def request(index: int, row: tuple[int, int, int, int]) -> Request:
    due, sent, first, end = row
    return Request(
        index,
        0,
        due,
        None if sent == 50 else due + sent,
        first_token_ns=due + first,
        end_ns=due + first + end,
    )


@given(ROWS, ROWS, st.booleans())
def test_the_sums_up_to_an_instant_are_those_of_the_requests_that_had_ended(
    first: Rows, then: Rows, early: bool
):
    columns = RequestColumns()
    for i, row in enumerate(first):
        columns.add(request(i, row))
    if early:
        columns.ended.upto(np.zeros(1))
    for i, row in enumerate(then, len(first)):
        columns.add(request(i, row))
    times = np.arange(-1.0, 160.0, 7)
    found = columns.ended.upto(times)
    for t, sums in zip(times, found.T, strict=True):
        ended = [row for row in (*first, *then) if row[0] + row[2] + row[3] <= t]
        lags = [row[1] for row in ended if row[1] != 50]
        assert sums.tolist() == [len(ended), sum(row[2] for row in ended), sum(lags)]


def test_what_failed_or_never_had_a_token_is_not_counted():
    columns = RequestColumns()
    columns.add(Request(0, 0, 0, 1, first_token_ns=2, end_ns=3, error=RequestError("timeout")))
    columns.add(Request(1, 0, 0, 1, end_ns=3))
    assert columns.ended.upto(np.array([10.0])).T.tolist() == [[0, 0, 0]]
