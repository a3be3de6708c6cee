"""The open loop as a load model: its schedule, its share of a core, and where it begins in mid-run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadgen.arrivals.load import Beginning, ClosedLoad, Offered, OpenLoad
from loadgen.arrivals.open_loop import OpenLoop
from loadgen.arrivals.rate_curve import Curve, steady
from loadgen.arrivals.schedule import Schedule

S = 1_000_000_000
RUN = Beginning(at_ns=0, worker=0, workers=1, next_index=0, in_flight=0, cap=100, seed=7)


def taken(model: OpenLoop, until_ns: int) -> list[tuple[int, int]]:
    """Index and due time of every request that is due before `until_ns`."""
    found = []
    while (due_ns := model.due_ns(None)) is not None and due_ns < until_ns:
        found.append((model.take(), due_ns))
    return found


def test_due_times_are_the_schedules_whatever_ends_and_whether_or_not_the_server_is_reached() -> None:
    model = OpenLoop(OpenLoad("poisson", [steady(0, 50.0)]), RUN)
    schedule = Schedule("poisson", 7, Curve([steady(0, 50.0)]))
    for index in range(200):
        assert model.due_ns(0) == model.due_ns(None) == model.due_ns(99 * S) == schedule.due_ns
        assert model.take() == index
        assert not model.ended(index, 99 * S, failed=True)
        schedule.advance()


def test_a_change_of_rate_goes_on_with_the_same_arrivals() -> None:
    model = OpenLoop(OpenLoad("constant", [steady(0, 2.0)]), RUN)
    assert taken(model, 1 * S) == [(0, 0), (1, S // 2)]
    assert model.change(S + 1, OpenLoad("constant", [steady(S + 1, 10.0)]))
    assert taken(model, S + S // 4) == [(2, S), (3, S + S // 10 + 1), (4, S + S // 5 + 1)]
    assert model.offered(2 * S) == Offered(10.0, None)


def test_other_arrivals_or_a_closed_load_need_another_model() -> None:
    model = OpenLoop(OpenLoad("constant", [steady(0, 2.0)]), RUN)
    assert not model.change(S, OpenLoad("poisson", [steady(S, 2.0)]))
    assert not model.change(S, ClosedLoad(3))
    assert model.offered(2 * S) == Offered(2.0, None)


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_that_begin_in_mid_run_with_indices_of_their_own_share_one_schedule(workers: int) -> None:
    load = OpenLoad("poisson", [steady(3 * S, 40.0)])
    alone = taken(OpenLoop(load, replace(RUN, at_ns=3 * S)), 6 * S)
    assert len(alone) > 80
    found: list[tuple[int, int]] = []
    for worker in range(workers):
        first = worker + workers * (
            10 + worker
        )  # after a closed loop, say, each has sent as many as it could
        here = replace(RUN, at_ns=3 * S, worker=worker, workers=workers, next_index=first)
        share = taken(OpenLoop(load, here), 6 * S)
        assert [index for index, _ in share] == [first + workers * k for k in range(len(share))]
        found += share
    assert sorted(due for _, due in found) == [due for _, due in alone]
    assert len({index for index, _ in found}) == len(found)


@pytest.mark.parametrize(
    ("rate_rps", "workers", "lead_ns"), [(1.0, 1, 300_000), (1000.0, 1, 50_000), (1000.0, 4, 200_000)]
)
def test_waking_up_ahead_costs_a_worker_at_most_a_twentieth_of_a_core(
    rate_rps: float, workers: int, lead_ns: int
) -> None:
    model = OpenLoop(OpenLoad("constant", [steady(0, rate_rps)]), replace(RUN, workers=workers))
    assert model.lead_ns == lead_ns


def test_the_offered_rate_is_of_all_workers_and_nothing_once_it_is_over() -> None:
    offered = OpenLoop(OpenLoad("constant", [steady(0, 60.0)]), replace(RUN, workers=4)).offered(S)
    assert offered == Offered(60.0, None)
    assert offered.over() == Offered(0.0, None)
