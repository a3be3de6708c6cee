"""The parts of all workers are the whole: slots, room in flight and indices, whatever their number."""

from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush

from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.arrivals.closed_loop import ClosedLoop
from loadgen.arrivals.load import Beginning, ClosedLoad
from loadgen.arrivals.shares import own_index, own_requests, period_of, share

SERVICE_NS = 1_000
RUN = Beginning(at_ns=0, worker=0, workers=1, next_index=0, in_flight=0, cap=0, seed=0)

some_workers = st.integers(1, 6)


def models(concurrency: int, workers: int, cap: int, requests: int) -> list[ClosedLoop]:
    period = period_of(concurrency, workers)
    return [
        ClosedLoop(
            ClosedLoad(concurrency),
            replace(
                RUN,
                worker=worker,
                workers=workers,
                next_index=own_index(0, worker, workers, period),
                cap=share(cap, worker, workers),
                requests=requests,
                period=period,
            ),
        )
        for worker in range(workers)
    ]


def played(made: list[ClosedLoop], changes: dict[int, int]) -> tuple[list[int], int, int]:
    """Indices sent, the most that were in flight, and the time of the last end, where each request takes
    `SERVICE_NS`; `changes`: another concurrency after so many have ended."""
    sent: list[int] = []
    running: list[tuple[int, int, int]] = []
    now_ns = most = ended = 0
    while True:
        for worker, model in enumerate(made):
            while (due_ns := model.due_ns(0)) is not None and due_ns <= now_ns:
                index = model.take()
                sent.append(index)
                heappush(running, (now_ns + SERVICE_NS, worker, index))
        most = max(most, len(running))
        if not running:
            return sent, most, now_ns
        now_ns, worker, index = heappop(running)
        made[worker].ended(index, now_ns, failed=False)
        ended += 1
        if ended in changes:
            for model in made:
                model.change(now_ns, ClosedLoad(changes[ended]))


@settings(max_examples=150, deadline=None)
@given(some_workers, st.integers(0, 20), st.integers(0, 9), st.integers(1, 120))
def test_every_slot_is_busy_until_the_requests_run_out(
    workers: int, more: int, spare: int, requests: int
) -> None:
    concurrency = workers + more
    sent, most, end_ns = played(models(concurrency, workers, concurrency + spare, requests), {})
    assert sorted(sent) == list(range(requests))
    assert most == min(concurrency, requests)
    assert end_ns == -(-requests // concurrency) * SERVICE_NS


@settings(max_examples=150, deadline=None)
@given(
    some_workers,
    st.integers(0, 20),
    st.integers(1, 120),
    st.dictionaries(st.integers(1, 100), st.integers(0, 20), max_size=4),
)
def test_each_index_is_sent_once_whatever_happens_to_the_concurrency(
    workers: int, more: int, requests: int, changes: dict[int, int]
) -> None:
    kept = {after: workers + more for after, more in changes.items()}  # never fewer slots than workers
    cap = workers + 20
    sent, most, _ = played(models(workers + more, workers, cap, requests), kept)
    assert sorted(sent) == list(range(requests))
    assert most <= cap


@given(some_workers, st.none() | st.integers(1, 30), st.integers(0, 100))
def test_indices_from_anywhere_on_are_shared_out_without_a_gap(
    workers: int, concurrency: int | None, least: int
) -> None:
    period, found = period_of(concurrency, workers), []
    for worker in range(workers):
        index = own_index(least, worker, workers, period)
        while index < least + 60:
            found.append(index)
            index = own_index(index + 1, worker, workers, period)
    assert sorted(found) == list(range(least, least + 60))


@given(some_workers, st.integers(1, 60), st.integers(0, 60))
def test_room_in_flight_is_never_less_than_the_slots_of_a_worker(
    workers: int, concurrency: int, more: int
) -> None:
    for worker in range(workers):
        assert share(concurrency, worker, workers) <= share(concurrency + more, worker, workers)
    assert sum(share(concurrency, worker, workers) for worker in range(workers)) == concurrency


@given(st.integers(1, 500), st.integers(1, 60), st.integers(1, 12))
def test_requests_that_slots_take_in_turn_fall_to_the_workers_of_the_slots(
    total: int, slots: int, workers: int
) -> None:
    own = [own_requests(total, slots, worker, workers) for worker in range(workers)]
    by_hand = [0] * workers
    for number in range(total):
        by_hand[number % slots % workers] += 1
    assert own == by_hand
