"""When a worker says that all fails: from the first request on, for good reasons only, once."""

from __future__ import annotations

import random

import pytest

from loadgen.errors import ERROR_KINDS
from loadgen.records import RequestError
from loadgen.worker.brake import PATIENT, Brake

HARD = RequestError("http_500", '{"error":{"message":"model not loaded"}}')


def pulled(*ended: RequestError | None, after: int = 3) -> list[str]:
    said: list[str] = []
    brake = Brake(after, said.append)
    for error in ended:
        brake.ended(error)
    return said


def test_after_so_many_failures_and_nothing_else_it_is_said_once_with_the_reason() -> None:
    assert pulled(HARD, HARD) == []
    assert pulled(HARD, HARD, HARD, HARD, HARD) == ['HTTP 500 "model not loaded"']


@pytest.mark.parametrize("kind", sorted(PATIENT))
def test_what_overload_brings_about_is_no_such_failure(kind: str) -> None:
    assert pulled(*[RequestError(kind)] * 50) == []
    assert pulled(HARD, HARD, RequestError(kind), HARD, HARD) == []


@pytest.mark.parametrize("kind", sorted(ERROR_KINDS.keys() - PATIENT))
def test_every_other_kind_is(kind: str) -> None:
    assert len(pulled(*[RequestError(kind)] * 3)) == 1


def test_one_success_takes_it_off_for_good() -> None:
    draw = random.Random(1)
    for _ in range(200):
        ended: list[RequestError | None] = [HARD] * draw.randrange(3) + [None] + [HARD] * 100
        assert pulled(*ended) == []


def test_zero_is_never() -> None:
    assert pulled(*[HARD] * 1000, after=0) == []


def test_after_a_change_of_load_it_counts_anew() -> None:
    said: list[str] = []
    brake = Brake(3, said.append)
    for _ in range(2):
        for _ in range(10):
            brake.ended(HARD)
        brake.release()
    assert len(said) == 2
