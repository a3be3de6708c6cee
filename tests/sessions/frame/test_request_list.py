"""Requests chosen and put in order at an instant, against plain Python over the same requests."""

from __future__ import annotations

import random

import pytest

from loadgen.records import Request, RequestError
from sessions.frame.request_list import CHOICES, ORDERS, SLOWEST, RequestList
from sessions.timeline.requests import RequestColumns
from tests.sessions.conftest import START_NS, Maker

S = 1_000_000_000


def figure(request: Request, order: str) -> int:
    if order == "TTFT":
        return -1 if request.first_token_ns is None else request.first_token_ns - request.due_ns
    if order == "E2E":
        over_ns = request.end_ns if request.last_token_ns is None else request.last_token_ns
        return -1 if request.error is not None else over_ns - request.due_ns
    if order == "longest gap":
        return max(request.gaps_us, default=-1)
    return -1 if request.output_tokens is None else request.output_tokens


def chosen(requests: list[Request], at_ns: int, choice: str) -> list[Request]:
    known = [request for request in requests if request.end_ns <= at_ns]
    if choice == "in flight":
        return [r for r in requests if r.sent_ns is not None and r.sent_ns <= at_ns < r.end_ns]
    if choice == "failed":
        return [r for r in known if r.error is not None and r.error.kind != "unfinished"]
    if choice == "cut off":
        return [r for r in known if r.error is not None and r.error.kind == "unfinished"]
    if choice.startswith("slowest"):
        by = choice.split()[1]
        able = [request for request in known if figure(request, by) >= 0]
        return sorted(able, key=lambda r: (-figure(r, by), r.due_ns, r.index))[:SLOWEST]
    return known


def ordered(requests: list[Request], order: str) -> list[int]:
    if order == "time":
        return [r.index for r in sorted(requests, key=lambda r: (r.due_ns, r.index), reverse=True)]
    return [r.index for r in sorted(requests, key=lambda r: (-figure(r, order), r.due_ns, r.index))]


def run(make_run: Maker) -> list[Request]:
    requests = list(make_run(failing=0.2, seconds=14.0, workers=3).requests)
    for request in requests[-5:]:
        request.error = RequestError("unfinished", "the run ended first")
    for request in requests[40:60]:  # so that there are equals
        request.output_tokens = 7
    requests[10].first_token_ns = requests[10].sent_ns = None
    requests[10].error = RequestError("connect_refused")
    return requests


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("order", ORDERS)
def test_a_page_is_that_of_the_whole_list(make_run: Maker, choice: str, order: str) -> None:
    requests, columns = run(make_run), RequestColumns()
    listed = RequestList(columns)
    draw, taken = random.Random(5), []
    came = sorted(requests, key=lambda request: request.end_ns)
    assert listed.page(S, choice, order, 0, 20).of == 0
    for part in (came[:100], came[100:101], came[101:250], came[250:]):
        for request in part:
            columns.add(request)
        taken += part
        for at_ns in (START_NS, START_NS + 5 * S, START_NS + 11 * S, START_NS + 60 * S):
            expected = ordered(chosen(taken, at_ns, choice), order)
            if choice == "in flight":  # the oldest first, whatever the order
                expected = ordered(chosen(taken, at_ns, choice), "time")[::-1]
            for first in (0, 3, draw.randrange(300)):
                page = listed.page(at_ns, choice, order, first, 25)
                assert page.rows["index"].tolist() == expected[first : first + 25]
                assert page.of == len(expected) == listed.count(at_ns, choice)
                assert page.known == sum(request.end_ns <= at_ns for request in taken)


def test_what_was_there_before_late_ones_came_is_told_anew(make_run: Maker) -> None:
    requests, columns = run(make_run), RequestColumns()
    listed = RequestList(columns)
    for request in reversed(requests):
        columns.add(request)
        if request.index % 40 == 0:
            listed.page(START_NS + 60 * S, "all", "TTFT", 0, 10)
    page = listed.page(START_NS + 60 * S, "all", "TTFT", 0, len(requests))
    assert page.rows["index"].tolist() == ordered(requests, "TTFT")


def test_many_due_at_one_instant_are_told_apart() -> None:
    columns = RequestColumns()
    listed = RequestList(columns)
    for worker in (2, 0, 1):
        for index in (4, 1):
            columns.add(Request(index, worker, S, end_ns=2 * S, output_tokens=worker))
        listed.page(2 * S, "all", "tokens", 0, 10)
    page = listed.page(2 * S, "all", "tokens", 0, 10)
    found = [(int(row["output_tokens"]), int(row["index"]), int(row["worker"])) for row in page.rows]
    assert found == [(2, 1, 2), (2, 4, 2), (1, 1, 1), (1, 4, 1), (0, 1, 0), (0, 4, 0)]
