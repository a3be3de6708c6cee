from __future__ import annotations

import threading

import pytest

from telemetry.parallel import ThreadPerCall


def test_everyone_is_asked_and_answers_by_place():
    crew = ThreadPerCall([lambda: "a", lambda: "b"], "crew")
    assert crew.ask(60) == ({0: "a", 1: "b"}, {}, set())
    assert crew.stop()


def test_one_that_blocks_costs_only_itself_is_not_asked_twice_and_its_answer_is_late():
    free, asked = threading.Event(), []

    def blocks():
        asked.append(1)
        free.wait(60)
        return "late"

    crew = ThreadPerCall([lambda: "a", blocks, lambda: "c"], "crew")
    for _ in range(2):
        assert crew.ask(0.1) == ({0: "a", 2: "c"}, {}, {1})
    assert len(asked) == 1
    assert not crew.stop()
    free.set()
    deadline = threading.Event()
    late = {}
    for _ in range(3000):
        late = crew.collect().late
        if late:
            break
        deadline.wait(0.01)
    assert late == {1: "late"}
    assert crew.collect() == ({}, {}, set())


def test_no_patience_asks_and_does_not_wait():
    free = threading.Event()
    crew = ThreadPerCall([lambda: free.wait(60)], "crew")
    assert crew.ask(0) == ({}, {}, {0})
    free.set()
    assert crew.ask(60).late in ({0: True}, {})


def test_an_exception_is_raised_to_the_one_who_asks():
    def fails():
        raise RuntimeError("inside")

    crew = ThreadPerCall([fails], "crew")
    with pytest.raises(RuntimeError, match="inside"):
        crew.ask(60)
    with pytest.raises(RuntimeError, match="inside"):
        crew.ask(60)


def test_its_threads_end_with_it():
    crew = ThreadPerCall([lambda: 1] * 3, "short-lived crew")
    crew.ask(60)
    mine = [thread for thread in threading.enumerate() if thread.name.startswith("short-lived crew")]
    assert len(mine) == 3
    crew.stop()
    for thread in mine:
        thread.join(30)
        assert not thread.is_alive()


def test_those_who_answer_quickly_are_asked_one_after_another(monkeypatch):
    """Threads that fight for the interpreter cost three times the CPU."""
    monkeypatch.setattr("telemetry.parallel.TURN_S", 30.0)
    at_once, most = [], []

    def ask() -> int:
        at_once.append(1)
        most.append(len(at_once))
        threading.Event().wait(0.01)
        at_once.pop()
        return 1

    crew = ThreadPerCall([ask] * 6, "test")
    assert crew.ask(60).answers == dict.fromkeys(range(6), 1)
    assert most == [1] * 6
    crew.stop()
