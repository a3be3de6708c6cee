"""Several things asked at once, each in a daemon thread of its own: one that blocks costs only itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

TURN_S = 0.02


@dataclass(frozen=True)
class Round(Generic[T]):
    """What came of asking everyone once."""

    answers: dict[int, T]
    """The answer of each that gave one, by its place in `asks`."""
    late: dict[int, T]
    """Answers to an earlier asking that took longer than the patience of its round."""
    busy: set[int]
    """Those that have not answered yet: they are not asked again before they have."""


class ThreadPerCall(Generic[T]):
    """One thread for each of `asks`. Used by one thread at a time."""

    def __init__(self, asks: Sequence[Callable[[], T]], name: str) -> None:
        self._asks = asks
        self._done: SimpleQueue[tuple[int, T | Exception]] = SimpleQueue()
        self._wanted: list[SimpleQueue[bool]] = [SimpleQueue() for _ in asks]
        self._busy: set[int] = set()
        for place in range(len(asks)):
            threading.Thread(target=self._run, args=(place,), name=f"{name} {place}", daemon=True).start()

    def ask(self, patience_s: float) -> Round[T]:
        """Asks all that are free, and waits for them, at most `patience_s` in all.

        One after another, as long as each answers within `TURN_S`: threads that fight for the interpreter
        cost three times the CPU.

        Raises:
            Exception: what one of them raised; the others' answers of this round are lost.
        """
        late = self.collect().late
        asked = set(range(len(self._asks))) - self._busy
        self._busy |= asked
        answers: dict[int, T] = {}
        deadline = time.monotonic() + patience_s

        def wait(done: Callable[[], bool], until: float) -> None:
            while not done():
                answer = self._answer(max(0.0, min(until, deadline) - time.monotonic()))
                if answer is None:
                    return
                (answers if answer[0] in asked else late)[answer[0]] = answer[1]

        for place in sorted(asked):
            self._wanted[place].put(True)
            wait(partial(answers.__contains__, place), time.monotonic() + TURN_S)
        wait(lambda: asked <= answers.keys(), deadline)
        return Round(answers, late, set(self._busy))

    def collect(self) -> Round[T]:
        """Late answers to earlier askings; asks nobody, and does not wait.

        Raises:
            Exception: as `ask`.
        """
        late: dict[int, T] = {}
        while (answer := self._answer(0.0)) is not None:
            late[answer[0]] = answer[1]
        return Round({}, late, set(self._busy))

    def stop(self) -> bool:
        """Ends all threads, without waiting for them; returns whether none is blocked."""
        for wanted in self._wanted:
            wanted.put(False)
        return not self._busy

    def _answer(self, wait_s: float) -> tuple[int, T] | None:
        try:
            place, answer = self._done.get(timeout=wait_s) if wait_s else self._done.get_nowait()
        except Empty:
            return None
        self._busy.discard(place)
        if isinstance(answer, Exception):
            raise answer
        return place, answer

    def _run(self, place: int) -> None:
        while self._wanted[place].get():
            try:
                answer: T | Exception = self._asks[place]()
            except Exception as err:
                answer = err
            self._done.put((place, answer))
