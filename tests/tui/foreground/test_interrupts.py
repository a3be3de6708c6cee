"""Signals to a run without a screen: the first ends the load whatever the command is at, all are counted."""

from __future__ import annotations

import os
import signal

import pytest

from tui.foreground.headless import counted_interrupts


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGALRM"])
def test_the_first_signal_ends_the_load_in_its_handler_and_all_are_counted(name: str) -> None:
    ended: list[str] = []
    with counted_interrupts(enabled=True) as interrupts:
        interrupts.on_first(lambda: ended.append(name))
        for _ in range(3):
            os.kill(os.getpid(), getattr(signal, name))
        assert (interrupts.count, ended) == (3, [name])


def test_a_signal_that_came_before_there_was_a_run_ends_it_once_there_is_one() -> None:
    ended: list[int] = []
    with counted_interrupts(enabled=True) as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        interrupts.on_first(lambda: ended.append(1))
    assert ended == [1]


def test_what_was_to_be_ignored_is_and_handlers_are_as_before() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with counted_interrupts(enabled=True) as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            assert interrupts.count == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
