"""The seconds that were judged and what came of each, in few bytes: a run of a day has many."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right

import msgspec
import numpy as np

from loadgen.decoding import ready
from sessions.bottleneck.hysteresis import Hysteresis

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ready(Hysteresis)).decode


class Judged:
    """By place: seconds ascend, and those that change nothing are left out."""

    def __init__(self) -> None:
        self._seconds, self._ends = array("q"), array("q")
        """Where what came of each ends in `_packed`."""
        self._packed = bytearray()
        self._in_flight = array("d")
        self._last = Hysteresis()

    def __len__(self) -> int:
        return len(self._seconds)

    def add(self, second: int, found: Hysteresis, in_flight: float | None = None) -> None:
        """The next one; `in_flight`: requests in it, None where nobody knows."""
        self._seconds.append(second)
        self._in_flight.append(math.nan if in_flight is None else in_flight)
        self._packed += _encode(found)
        self._ends.append(len(self._packed))
        self._last = found

    def forget_from(self, second: int) -> int:
        """That second and those after it were not judged; how many are left."""
        keep = bisect_left(self._seconds, second)
        if keep < len(self._seconds):
            del self._packed[self._ends[keep - 1] if keep else 0 :]
            del self._seconds[keep:], self._ends[keep:], self._in_flight[keep:]
            self._last = self[keep - 1] if keep else Hysteresis()
        return keep

    @property
    def last(self) -> Hysteresis:
        """What came of the newest; what is before any where there is none."""
        return self._last

    def second(self, place: int) -> int:
        return self._seconds[place]

    def upto(self, second: int) -> int:
        """How many of them there are up to a second, and it."""
        return bisect_right(self._seconds, second)

    def median(self, begin: int, end: int) -> int:
        """The place of the median of `[begin, end)`, by requests in flight, then by time; of two the lower.
        It is a second that was, so that figures that are told together were so at once."""
        order = np.argsort(np.array(self._in_flight[begin:end]), kind="stable")
        return begin + int(order[(len(order) - 1) // 2])

    def __getitem__(self, place: int) -> Hysteresis:
        """What came of it; `place` from 0."""
        begin = self._ends[place - 1] if place else 0
        return _decode(memoryview(self._packed)[begin : self._ends[place]])
