"""The closed loop as a load model: what is due when slots are free, and what frees them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadgen.arrivals.closed_loop import ClosedLoop
from loadgen.arrivals.load import Beginning, ClosedLoad, Offered, OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.arrivals.shares import share

MS = 1_000_000
RUN = Beginning(at_ns=5 * MS, worker=0, workers=1, next_index=0, in_flight=0, cap=100, seed=0)


def taken(model: ClosedLoop, now_ns: int, sendable_ns: int | None = 0) -> list[tuple[int, int]]:
    """Index and due time of every request that is due by `now_ns`."""
    found = []
    while (due_ns := model.due_ns(sendable_ns)) is not None and due_ns <= now_ns:
        found.append((model.take(), due_ns))
    return found


def test_every_slot_is_due_when_the_load_begins() -> None:
    model = ClosedLoop(ClosedLoad(3), RUN)
    assert taken(model, 5 * MS - 1) == []
    assert taken(model, 9 * MS) == [(0, 5 * MS), (1, 5 * MS), (2, 5 * MS)]


def test_a_slots_next_request_is_due_when_its_last_one_ended() -> None:
    model = ClosedLoop(ClosedLoad(2), RUN)
    taken(model, 5 * MS)
    assert model.due_ns(0) is None
    assert model.ended(1, 30 * MS, failed=False)
    assert taken(model, 31 * MS) == [(2, 30 * MS)]


def test_after_a_failure_its_slot_waits_for_100_ms_and_no_other() -> None:
    model = ClosedLoop(ClosedLoad(3), RUN)
    taken(model, 5 * MS)
    model.ended(0, 30 * MS, failed=True)
    model.ended(1, 40 * MS, failed=False)
    assert taken(model, 129 * MS) == [(3, 40 * MS)]
    assert taken(model, 130 * MS) == [(4, 130 * MS)]


def test_free_slots_wait_for_a_server_that_cannot_be_reached() -> None:
    model = ClosedLoop(ClosedLoad(2), RUN)
    assert model.due_ns(sendable_ns=70 * MS) == 70 * MS
    assert model.due_ns(sendable_ns=None) is None


def test_more_slots_are_due_at_once_and_fewer_wait_until_requests_have_ended() -> None:
    model = ClosedLoop(ClosedLoad(1), RUN)
    taken(model, 5 * MS)
    assert model.change(20 * MS, ClosedLoad(3))
    assert taken(model, 20 * MS) == [(1, 20 * MS), (2, 20 * MS)]
    assert model.change(30 * MS, ClosedLoad(1))
    for index, at_ms in ((0, 40), (1, 50)):
        model.ended(index, at_ms * MS, failed=False)
        assert taken(model, 100 * MS) == []
    model.ended(2, 60 * MS, failed=False)
    assert taken(model, 100 * MS) == [(3, 60 * MS)]


def test_a_slot_that_is_gone_makes_nothing_due() -> None:
    model = ClosedLoop(ClosedLoad(3), RUN)
    taken(model, 5 * MS)
    model.ended(0, 40 * MS, failed=False)
    model.ended(1, 50 * MS, failed=False)
    model.change(55 * MS, ClosedLoad(2))
    assert taken(model, 60 * MS) == [(3, 40 * MS)]
    model.ended(2, 90 * MS, failed=False)
    assert taken(model, 100 * MS) == [(4, 90 * MS)]


def test_an_open_load_needs_another_model() -> None:
    assert not ClosedLoop(ClosedLoad(1), RUN).change(9 * MS, OpenLoad("constant", [steady(9 * MS, 1.0)]))


def test_requests_of_the_load_before_hold_their_slots_until_they_end() -> None:
    model = ClosedLoop(ClosedLoad(2), replace(RUN, next_index=40, in_flight=3))
    assert taken(model, 9 * MS) == []
    model.ended(38, 10 * MS, failed=False)
    assert taken(model, 10 * MS) == []
    model.ended(39, 11 * MS, failed=False)
    assert taken(model, 11 * MS) == [(40, 11 * MS)]


def test_nothing_is_due_from_the_end_on_nor_beyond_the_number_of_requests() -> None:
    by_time = ClosedLoop(ClosedLoad(1), replace(RUN, end_ns=20 * MS))
    taken(by_time, 5 * MS)
    by_time.ended(0, 20 * MS, failed=False)
    assert by_time.due_ns(0) is None
    assert (by_time.exhausted(20 * MS - 1), by_time.exhausted(20 * MS)) == (False, True)
    by_count = ClosedLoop(ClosedLoad(9), replace(RUN, requests=4))
    assert [index for index, _ in taken(by_count, 9 * MS)] == [0, 1, 2, 3]
    assert by_count.exhausted(5 * MS)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_all_workers_together_have_the_slots_and_every_index_once(workers: int) -> None:
    found: list[int] = []
    for worker in range(workers):
        here = replace(RUN, worker=worker, workers=workers, next_index=worker, requests=7)
        found += [index for index, _ in taken(ClosedLoop(ClosedLoad(7), here), 9 * MS)]
    assert sorted(found) == list(range(7))


@pytest.mark.parametrize("total", [1, 2, 7, 64])
@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_the_shares_of_all_workers_add_up(total: int, workers: int) -> None:
    shares = [share(total, worker, workers) for worker in range(workers)]
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


def test_it_offers_a_concurrency_and_no_rate() -> None:
    offered = ClosedLoop(ClosedLoad(4), RUN).offered(9 * MS)
    assert offered == Offered(None, 4)
    assert offered.over() == Offered(None, 0)
