from __future__ import annotations

import threading
import time

import pytest

from telemetry.parallel import Round, ThreadPerCall


def test_everyone_is_asked_and_answers_by_place():
    calls = ThreadPerCall([lambda: "a", lambda: "b"], "calls")
    assert calls.ask(60) == Round({0: "a", 1: "b"}, {}, set())
    assert calls.stop()


def test_one_that_blocks_costs_only_itself_is_not_asked_twice_and_its_answer_is_late():
    free, asked = threading.Event(), []

    def blocks():
        asked.append(1)
        free.wait(60)
        return "late"

    calls = ThreadPerCall([lambda: "a", blocks, lambda: "c"], "calls")
    for _ in range(2):
        assert calls.ask(0.1) == Round({0: "a", 2: "c"}, {}, {1})
    assert len(asked) == 1
    assert not calls.stop()
    free.set()
    deadline = threading.Event()
    late = {}
    for _ in range(3000):
        late = calls.collect().late
        if late:
            break
        deadline.wait(0.01)
    assert late == {1: "late"}
    assert calls.collect() == Round({}, {}, set())


def test_no_patience_asks_and_does_not_wait():
    free = threading.Event()
    calls = ThreadPerCall([lambda: free.wait(60)], "calls")
    assert calls.ask(0) == Round({}, {}, {0})
    free.set()
    # Whether it is late already when it is asked again, or a moment after, is the scheduler's choice.
    late, until = calls.ask(60).late, time.monotonic() + 30
    while not late:
        assert time.monotonic() < until
        late = calls.collect().late
    assert late == {0: True}


def test_an_exception_is_raised_to_the_one_who_asks():
    def fails():
        raise RuntimeError("inside")

    calls = ThreadPerCall([fails], "calls")
    with pytest.raises(RuntimeError, match="inside"):
        calls.ask(60)
    with pytest.raises(RuntimeError, match="inside"):
        calls.ask(60)


def test_its_threads_end_with_it():
    calls = ThreadPerCall([lambda: 1] * 3, "short-lived calls")
    calls.ask(60)
    mine = [thread for thread in threading.enumerate() if thread.name.startswith("short-lived calls")]
    assert len(mine) == 3
    calls.stop()
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

    calls = ThreadPerCall([ask] * 6, "test")
    assert calls.ask(60).answers == dict.fromkeys(range(6), 1)
    assert most == [1] * 6
    calls.stop()
