"""Another machine's clock, mapped onto ours by questions and answers."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

KEPT = 12
"""Answers remembered: at one in 5 s, clocks that drift 100 ppm apart are then 6 ms off at the most."""


class _Answer(NamedTuple):
    offset_ns: int
    round_trip_ns: int


class ClockOffset:
    """Takes the answer with the shortest way there and back: its middle is known best."""

    def __init__(self) -> None:
        self._answers: deque[_Answer] = deque(maxlen=KEPT)

    @property
    def known(self) -> bool:
        return bool(self._answers)

    @property
    def within_ns(self) -> int:
        """The most that `here_ns` can be wrong by; half of the shortest round trip."""
        return min(answer.round_trip_ns for answer in self._answers) // 2

    def answered(self, asked_ns: int, there_ns: int, received_ns: int) -> None:
        """`there_ns` was read on its clock at some time between the two on ours."""
        self._answers.append(_Answer(there_ns - (asked_ns + received_ns) // 2, received_ns - asked_ns))

    def here_ns(self, there_ns: int) -> int:
        """An instant of its clock on ours; never before our origin."""
        best = min(self._answers, key=lambda answer: answer.round_trip_ns)
        return max(0, there_ns - best.offset_ns)
