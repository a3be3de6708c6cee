"""How workers stand as a whole: ready, idle, lost."""

from __future__ import annotations

from sessions.worker.pipes import Status
from sessions.worker.states import WorkerStates


def states(count: int) -> tuple[WorkerStates, list[tuple[int, Status]]]:
    said: list[tuple[int, Status]] = []
    made = WorkerStates(lambda number, status: said.append((number, status)), lambda number, code: None, count)
    made.alive.update(range(count))
    return made, said


def test_all_are_ready_or_idle_once_each_has_said_so() -> None:
    workers, _ = states(2)
    for number in (0, 0, 1):
        assert not workers.all_ready.is_set()
        workers.said(number, Status("ready"))
    assert workers.all_ready.is_set()
    workers.expect_idle(3)
    workers.said(0, Status("idle", stage=2))
    workers.said(1, Status("idle", stage=3))
    assert not workers.all_idle.is_set(), "one spoke of another stage"
    workers.said(0, Status("idle", stage=3))
    assert workers.all_idle.is_set()


def test_a_lost_worker_is_waited_for_no_more_and_who_waited_for_it_alone_is_told() -> None:
    workers, said = states(3)
    workers.expect_idle(1)
    workers.said(0, Status("idle", stage=1))
    workers.said(1, Status("idle", stage=1))
    assert not workers.all_idle.is_set()
    workers.lost([2])
    assert workers.all_idle.is_set()
    assert said[-1] == (2, Status("idle", stage=1))
    workers.expect_idle(2)
    workers.said(0, Status("idle", stage=2))
    assert not workers.all_idle.is_set()
    workers.said(1, Status("idle", stage=2))
    assert workers.all_idle.is_set()


def test_nobody_is_told_of_an_idle_load_when_all_are_lost() -> None:
    workers, said = states(1)
    workers.lost([0])
    assert said == []
    assert workers.alive == set()
