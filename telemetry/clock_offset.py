"""Another machine's monotonic clock, mapped onto ours by questions and answers.

What is certain: `there_ns` was read at some instant of ours from `asked_ns` to `received_ns`, so here minus
there is within an interval then. What lies between and beyond answers follows from how far two clocks can
drift apart (`WANDER_PPM`, `MOST_DRIFT_PPM`). The best guess is a straight line through the quickest answers;
the bound is of all that are kept together, and needs no guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WANDER_PPM = 15.0
"""So far may the rate of one clock against the other stray from its mean over the answers kept: by heat, and
by an NTP daemon at work. RFC 5905 (section 7.1, PHI) lets a clock's error grow as fast. Faster slewing is
told as a step once it is more than the answers leave room for."""
MOST_DRIFT_PPM = 1000.0
"""So far apart two clocks run at the most, before answers tell more: RFC 5905 and the kernel (MAXFREQ) hold
each within 500 ppm."""
CELL_NS = 5_000_000_000
"""Of the answers within so long those are kept that say most."""
KEPT_CELLS = 32
"""At a question in 5 s, of the last 160 s. Instants before are known by drift alone, so less well."""
KEPT_QUICKEST = 8
LINE_SHARE, LINE_LEAST = 5, 5
"""The line goes through the quickest of so many answers, and through so many at least."""
LINE_SPAN_NS = 4_000_000_000
"""Answers that lie closer together give the line no slope."""

_MOVED = "(one of the two slept, or was set): its times since it was asked before may be wrong by as much"

_WANDER, _MOST_DRIFT = WANDER_PPM * 1e-6, MOST_DRIFT_PPM * 1e-6
_HALVINGS = 30


def moved(moves_ns: Sequence[float]) -> str:
    """That another machine's clock moved, once or more, in words: the same live and in a summary."""
    if len(moves_ns) == 1:
        return f"its clock moved by {moves_ns[0] / 1e9:+.6f} s against ours {_MOVED}"
    most_s = max(map(abs, moves_ns)) / 1e9
    return f"its clock moved {len(moves_ns)} times, by up to {most_s:.6f} s, against ours {_MOVED}"


class _Answer(NamedTuple):
    """Relative to the first answer's instants, so that floats hold nanoseconds."""

    there_ns: float
    low_ns: float
    """Of here minus there."""
    high_ns: float

    @property
    def round_trip_ns(self) -> float:
        return self.high_ns - self.low_ns


class _Limit(NamedTuple):
    """Here minus there is no more than `offset_ns` at an instant there."""

    there_ns: float
    offset_ns: float


class _Line(NamedTuple):
    """Here minus there, by there."""

    there_ns: float
    offset_ns: float
    drift: float

    def offset(self, there_ns: float) -> float:
        return self.offset_ns + self.drift * (there_ns - self.there_ns)


class _Drifts(NamedTuple):
    """Those that explain every answer; none if least > most."""

    least: float = -_MOST_DRIFT
    most: float = _MOST_DRIFT


class ClockOffset:
    """Their clock on ours, and how wrong that can be; bounded in memory.

    Instants are nanoseconds on either clock, each since whatever it counts from.
    """

    def __init__(self) -> None:
        self._there0_ns = self._here0_ns = 0
        self._forget()

    def _forget(self) -> None:
        self._cells: list[list[_Answer]] = []
        self._highs: list[_Limit] = []
        """One a cell, as the next."""
        self._lows: list[_Limit] = []
        """Negated: here minus there is no less."""
        self._drifts = _Drifts()
        self._line: _Line | None = None
        """None: answers have come since."""

    @property
    def known(self) -> bool:
        return bool(self._cells)

    @property
    def drift_ppm(self) -> float:
        """So much faster than ours their clock runs, as the line has it; 0 before answers lie 4 s apart."""
        return (1 / (1 + self._fit().drift) - 1) * 1e6

    @property
    def drift_within_ppm(self) -> float:
        """The most that `drift_ppm` can be wrong by at any instant: so the bound grows while nobody asks."""
        drift = self._fit().drift
        return max(self._drifts.most - drift, drift - self._drifts.least) * 1e6 + WANDER_PPM

    def answered(self, asked_ns: int, there_ns: int, received_ns: int) -> int | None:
        """`there_ns` was read on their clock at some time between the two on ours.

        Returns:
            None, or how far (ns) their clock has moved against ours as no drift does: a machine slept, or a
            clock was set or slewed. All that was known before is forgotten then.
        """
        if not self._cells:
            self._there0_ns, self._here0_ns = there_ns, (asked_ns + received_ns) // 2
        passed_ns = there_ns - self._there0_ns
        base_ns = passed_ns + self._here0_ns
        answer = _Answer(float(passed_ns), float(asked_ns - base_ns), float(received_ns - base_ns))
        drifts = self._drifts_with(answer)
        if drifts.least > drifts.most:
            moved_ns = there_ns - self.there_ns((asked_ns + received_ns) // 2)
            self._forget()
            self.answered(asked_ns, there_ns, received_ns)
            return moved_ns
        self._put(answer)
        self._drifts, self._line = drifts, None
        return None

    def here_ns(self, there_ns: int) -> int:
        """An instant of their clock on ours; never before 0."""
        there_ns -= self._there0_ns
        return max(0, there_ns + self._here0_ns + round(self._fit().offset(there_ns)))

    def there_ns(self, here_ns: int) -> int:
        """An instant of ours on their clock."""
        line, here_ns = self._fit(), here_ns - self._here0_ns
        since_ns = (here_ns - line.there_ns - line.offset_ns) / (1 + line.drift)
        return self._there0_ns + round(line.there_ns + since_ns)

    def within_ns(self, at_here_ns: int) -> int:
        """The most that `here_ns` and `there_ns` can be wrong by at any instant of ours, answered or not."""
        there_ns = float(self.there_ns(at_here_ns) - self._there0_ns)
        low, high = self._possible(there_ns)
        offset = self._fit().offset(there_ns)
        # What is so wrong here is as wrong there but for the drift; and both are rounded.
        return int(max(high - offset, offset - low) * (1 + 2 * _MOST_DRIFT)) + 2

    def _drifts_with(self, answer: _Answer) -> _Drifts:
        high, low = [_Limit(answer.there_ns, answer.high_ns)], [_Limit(answer.there_ns, -answer.low_ns)]
        drifts = self._drifts
        if len(self._cells) == KEPT_CELLS and self._is_of_another_cell(answer):
            # What the oldest said of drifts goes with it.
            drifts = _possible_drifts(self._highs[1:], self._lows[1:], _Drifts())
        return _possible_drifts(high, self._lows, _possible_drifts(self._highs, low, drifts))

    def _is_of_another_cell(self, answer: _Answer) -> bool:
        return not self._cells or abs(answer.there_ns - self._cells[-1][0].there_ns) >= CELL_NS

    def _put(self, answer: _Answer) -> None:
        if self._is_of_another_cell(answer):
            for kept in (self._cells, self._highs, self._lows):
                del kept[: 1 - KEPT_CELLS]
            cell = [answer]
        else:
            cell = [*self._cells.pop(), answer]
            del self._highs[-1], self._lows[-1]
        at_ns, drift = cell[0].there_ns, (self._drifts.least + self._drifts.most) / 2
        # Those that leave the least room above, and below.
        high = min(cell, key=lambda one: one.high_ns - drift * (one.there_ns - at_ns))
        low = max(cell, key=lambda one: one.low_ns - drift * (one.there_ns - at_ns))
        quickest = sorted(cell, key=lambda one: one.round_trip_ns)[:KEPT_QUICKEST]
        self._cells.append(sorted({cell[0], high, low, *quickest}))
        self._highs.append(_Limit(high.there_ns, high.high_ns))
        self._lows.append(_Limit(low.there_ns, -low.low_ns))

    def _fit(self) -> _Line:
        if self._line is None:
            self._line = self._fitted()
        return self._line

    def _fitted(self) -> _Line:
        answers = sorted((one for cell in self._cells for one in cell), key=lambda one: one.round_trip_ns)
        answers = answers[: max(LINE_LEAST, len(answers) // LINE_SHARE)]
        points = [(1 / max(1.0, a.round_trip_ns), a.there_ns, (a.low_ns + a.high_ns) / 2) for a in answers]
        total = sum(weight for weight, _, _ in points)
        there_ns = sum(weight * at_ns for weight, at_ns, _ in points) / total
        offset_ns = sum(weight * middle_ns for weight, _, middle_ns in points) / total
        drift = 0.0
        # Over less, the ways' own scatter would be taken for a drift.
        if max(answers).there_ns - min(answers).there_ns >= LINE_SPAN_NS:
            spread = sum(weight * (at_ns - there_ns) ** 2 for weight, at_ns, _ in points)
            drift = sum(weight * (at_ns - there_ns) * middle for weight, at_ns, middle in points) / spread
        drift = min(max(drift, self._drifts.least), self._drifts.most)
        newest_ns = self._cells[-1][-1].there_ns
        low, high = self._possible(newest_ns)
        guess = offset_ns + drift * (newest_ns - there_ns)
        return _Line(newest_ns, min(max(guess, low), high), drift)

    def _possible(self, there_ns: float) -> tuple[float, float]:
        """Least and most of here minus there."""
        drifts = self._drifts
        turned = _Drifts(-drifts.most, -drifts.least)
        return -_most_offset(self._lows, turned, there_ns), _most_offset(self._highs, drifts, there_ns)


def _possible_drifts(highs: Sequence[_Limit], lows: Sequence[_Limit], drifts: _Drifts) -> _Drifts:
    """Of `drifts`, those with which here minus there can get from each limit to each other."""
    least, most = drifts
    for high_ns, high in highs:
        for low_ns, low in lows:
            passed_ns, room_ns = low_ns - high_ns, high + low
            if passed_ns > 0:
                least = max(least, -room_ns / passed_ns - _WANDER)
            elif passed_ns < 0:
                most = min(most, room_ns / -passed_ns + _WANDER)
            elif room_ns < 0:
                return _Drifts(1.0, -1.0)
    return _Drifts(least, most)


def _most_offset(limits: Sequence[_Limit], drifts: _Drifts, there_ns: float) -> float:
    """The most that the offset can be by all limits, with the drift that leaves the most room."""

    def by_earlier(drift: float) -> float:
        """Grows with the drift."""
        return min(
            (
                offset + (drift + _WANDER) * (there_ns - at_ns)
                for at_ns, offset in limits
                if at_ns <= there_ns
            ),
            default=float("inf"),
        )

    def by_later(drift: float) -> float:
        """Falls with it."""
        return min(
            (offset - (drift - _WANDER) * (at_ns - there_ns) for at_ns, offset in limits if at_ns > there_ns),
            default=float("inf"),
        )

    least, most = drifts
    if by_earlier(most) <= by_later(most):
        return by_earlier(most)
    if by_earlier(least) >= by_later(least):
        return by_later(least)
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        if by_earlier(middle) < by_later(middle):
            least = middle
        else:
            most = middle
    return by_earlier(most)
