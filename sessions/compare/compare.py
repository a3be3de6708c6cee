"""Sides held against the first of them, load by load and all together. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sessions.compare.cut import targets_of
from sessions.compare.differences import differences, same_prompts
from sessions.compare.match import Group, Matched, Pair, grouped, matched, nearest
from sessions.compare.metrics import Metric, usual
from sessions.compare.pair import Read, in_common, mean, read
from sessions.compare.scaling import scaling
from sessions.compare.schema import ComparedFigure, ComparedLoad, Comparison, Difference, Kind, Side, Versus
from sessions.compare.stretch import Stretch
from sessions.compare.student import LogRatio, together
from sessions.compare.together import Matrix, over_loads, shares
from sessions.compare.verdict import ALPHA, NOT_MEASURED, SMALLEST, WIDEST, judged, one_word
from sessions.digits import digits
from sessions.store.manifest import Manifest
from sessions.summary.schema import Summary

LENGTHS_APART = 0.05
"""Answers or prompts whose mean length differs by more are not of the same work."""


class NotComparable(Exception):
    """Nothing that two sides have in common, or not the same work: one line that says what differs."""


class Recorded(NamedTuple):
    """A session, as far as it is compared."""

    manifest: Manifest
    summary: Summary
    stretches: list[Stretch]
    whole: Stretch
    """All of it, for where no load is common."""


class _Pairs(NamedTuple):
    pairs: list[Pair]
    not_compared: list[str]


class _Load(NamedTuple):
    """One load on both sides, its figures read, and how much those have in common."""

    pair: Pair
    figures: list[Read]
    common: Matrix


def compare(
    sides: Sequence[Sequence[Recorded]],
    *,
    labels: Sequence[str],
    metrics: Sequence[Metric] | None = None,
    anyway: bool = False,
    widest: float = WIDEST,
    currency: str = "",
) -> Comparison:
    """All further sides against the first.

    Args:
        sides: of each its sessions: one, or repetitions of the same.
        metrics: None for the usual ones.
        anyway: also what is not the same work.
        widest: the largest d of which *no difference larger than d* is said.

    Raises:
        NotComparable: it is not the same work, and `anyway` is not set; or nothing is common at all.
    """
    first, *others = sides
    work = [_pairs(first, other, anyway) for other in others]
    if metrics is None:
        every = [session.summary.throughput.output_tps is not None for side in sides for session in side]
        metrics = usual(every)
    versus, intervals = [], 0
    for side, label, pairs in zip(others, labels[1:], work, strict=True):
        unlike = _other_targets(first, side)
        loads = [
            _Load(pair, figures, in_common(pair, metrics, figures))
            for pair in pairs.pairs
            for figures in ([read(pair, metric, unlike) for metric in metrics],)
        ]
        # Half of what may be wrong goes to the figures over all loads, half to those of single loads.
        several, of_one_load = len(loads) > 1, all(pair.more == 0 for pair in pairs.pairs)
        alpha = ALPHA / len(others) / (2 if several and of_one_load else 1)
        single = alpha / max(sum(any(each.ratio for each in load.figures) for load in loads), 1)
        compared = [_load(load, metrics, single, widest) for load in loads]
        figures = [figure for load in compared for figure in load.figures]
        overall = compared[0].figures
        if several:
            overall = (_over_all if of_one_load else _not_over_all)(loads, metrics, alpha, widest)
        intervals += sum(f.low is not None for f in (figures + overall if several else figures))
        versus.append(
            Versus(
                b=_side(label, side),
                word=one_word(overall, figures),
                overall=overall,
                loads=compared,
                differences=_differences(first, side),
                warnings=_warnings(first, side, pairs.pairs),
                not_compared=pairs.not_compared,
            )
        )
    return Comparison(
        _side(labels[0], first), versus, intervals, SMALLEST, widest, currency, scaling(sides, labels)
    )


def _side(label: str, sessions: Sequence[Recorded]) -> Side:
    reasons = [
        f"{session.summary.id}: {reason}" if len(sessions) > 1 else reason
        for session in sessions
        for reason in session.summary.reasons
    ]
    valid = all(session.summary.valid for session in sessions)
    badges = dict.fromkeys(badge for session in sessions for badge in session.summary.badges)
    return Side(label, [session.summary.id for session in sessions], valid, reasons, list(badges))


def _pairs(a: Sequence[Recorded], b: Sequence[Recorded], anyway: bool) -> _Pairs:
    """What is to be compared.

    Raises:
        NotComparable: as `compare`.
    """
    unlike = [difference for difference in _differences(a, b) if difference.kind == "asked"]
    if unlike and not anyway:
        said = "; ".join(f"{each.what} is {each.a!r} and {each.b!r}" for each in unlike)
        raise NotComparable(f"not the same work: {said}")
    found = _matched(a, b, lengths=not anyway)
    if not found.pairs and not anyway:
        near = nearest(found.only_a, found.only_b)
        if not near:
            loads = [
                ", ".join(group.load.words for group in groups) for groups in (found.only_a, found.only_b)
            ]
            lengths = " of the same lengths" if _matched(a, b, lengths=False).pairs else ""
            raise NotComparable(
                f"no load{lengths} in common, and none to hold against another: {loads[0]}; and {loads[1]}"
            )
        held = [group for pair in near for group in pair.sides]
        ours, theirs = (
            [group for group in groups if not any(group is each for each in held)]
            for groups in (found.only_a, found.only_b)
        )
        found = Matched(near, ours, theirs)
    if not found.pairs:
        wholes = [[Group("whole run", side[0].whole.load, [each.whole for each in side])] for side in (a, b)]
        found = Matched([Pair(wholes[0][0], wholes[1][0])], [], [])
    return _Pairs(found.pairs, [*_left(found, 0), *_left(found, 1)])


def _left(found: Matched, side: int) -> list[str]:
    """What one side alone has, a line a load however often it came; of one that was compared, that more of it
    is there."""
    which, groups = (("first", found.only_a), ("other", found.only_b))[side]
    named = Counter((group.name, group.load.words) for group in groups)
    compared = {pair.sides[side].load.words for pair in found.pairs}
    said = []
    for (name, words), times in named.items():
        what = name if name == words else f"{name} ({words})"
        often = f", {times} times" if times > 1 else ""
        more = "it more often" if words in compared else "it"
        said.append(f"{what}: only the {which} has {more}{often}")
    return said


def _matched(a: Sequence[Recorded], b: Sequence[Recorded], lengths: bool) -> Matched:
    ours, theirs = (grouped([session.stretches for session in side], lengths) for side in (a, b))
    return matched(ours, theirs, lengths)


def _differences(a: Sequence[Recorded], b: Sequence[Recorded]) -> list[Difference]:
    """Between the first sessions, and what differs within a side."""
    found = differences(a[0].manifest, b[0].manifest, a[0].summary, b[0].summary)
    for side, which in ((a, "first"), (b, "other")):
        for session in side[1:]:
            within = differences(side[0].manifest, session.manifest, side[0].summary, session.summary)
            found += [
                Difference(f"{each.what}, within the {which} side", each.a, each.b, _within(each))
                for each in within
            ]
    return found


def _within(difference: Difference) -> Kind:  # repetitions are to be the same in what is compared, too
    return "asked" if difference.kind == "asked" else "also"


def _warnings(a: Sequence[Recorded], b: Sequence[Recorded], pairs: Sequence[Pair]) -> list[str]:
    """What else may be the cause of a difference, a sentence each."""
    found = []
    if any(same_prompts(one.manifest, two.manifest) for one in a for two in b):
        found.append(
            "same seed, same server: prompts of one run may have been in its prefix cache for the other"
        )
    for session in (*a, *b):
        energy = session.summary.energy.validity
        if energy is not None and not energy.valid:
            found.append(f"energy of {session.summary.id} is not valid: {'; '.join(energy.reasons)}")
    for pair in pairs:
        for name, words in (("input_tokens_mean", "prompts"), ("output_tokens_mean", "answers")):
            lengths = [mean([getattr(each, name) for each in side.stretches]) for side in pair.sides]
            if lengths[0] and lengths[1] and abs(math.log(lengths[1] / lengths[0])) > LENGTHS_APART:
                tokens = f"{digits(lengths[0], 4)} tokens and {digits(lengths[1], 4)}"
                found.append(f"{pair.a.name}: {words} had {tokens}: not the same work")
    return found


def _other_targets(a: Sequence[Recorded], b: Sequence[Recorded]) -> bool:
    """Not all of these sessions were held against the same."""
    asked = {
        frozenset((t.metric, t.statistic, t.limit) for t in targets_of(each.manifest)) for each in (*a, *b)
    }
    return len(asked) > 1


def _missed(
    metrics: Sequence[Metric], ratios: Sequence[LogRatio | None], common: Matrix, alpha: float
) -> list[float]:
    """What each interval may miss for `alpha` of all of them."""
    return shares([metric.name for metric in metrics], [each is not None for each in ratios], common, alpha)


def _load(load: _Load, metrics: Sequence[Metric], alpha: float, widest: float) -> ComparedLoad:
    pair = load.pair
    requests = [sum(each.requests for each in side.stretches) for side in pair.sides]
    succeeded = [sum(each.succeeded for each in side.stretches) for side in pair.sides]
    missed = _missed(metrics, [each.ratio for each in load.figures], load.common, alpha)
    words = f"{pair.a.load.words} against {pair.b.load.words}" if pair.more else pair.a.load.words
    return ComparedLoad(
        name=words if pair.a.name == pair.a.load.words else pair.a.name,
        load=words,
        value=pair.a.load.value,
        value_b=pair.b.load.value if pair.more else None,
        requests_a=requests[0],
        requests_b=requests[1],
        failed_a=requests[0] - succeeded[0],
        failed_b=requests[1] - succeeded[1],
        figures=[
            judged(
                metric, each.ratio, each.a, each.b, alpha=share, widest=widest, because=each.because,
                interval_from=each.interval_from, apart=each.apart, more=pair.more,
            )
            for metric, each, share in zip(metrics, load.figures, missed, strict=True)
        ],
    )  # fmt: skip


def _over_all(
    loads: Sequence[_Load], metrics: Sequence[Metric], alpha: float, widest: float
) -> list[ComparedFigure]:
    """The mean of each figure's log ratios over the loads of which it is known."""
    known = [[each for load in loads if (each := load.figures[i]).ratio] for i in range(len(metrics))]
    ratios = [_mean_of([each.ratio for each in some if each.ratio is not None]) for some in known]
    common = over_loads(
        [([r and r.error for r in (each.ratio for each in load.figures)], load.common) for load in loads]
    )
    missed = _missed(metrics, ratios, common, alpha)
    found = []
    for i, (metric, ratio, share) in enumerate(zip(metrics, ratios, missed, strict=True)):
        cells = [load.figures[i] for load in loads]
        because = "" if known[i] else next((each.because for each in cells if each.because), NOT_MEASURED)
        source = (known[i] or cells)[0].interval_from
        found.append(
            judged(
                metric, ratio, None, None, alpha=share, widest=widest, because=because, interval_from=source,
                loads=len(known[i]),
            )
        )  # fmt: skip
    return found


def _not_over_all(
    loads: Sequence[_Load], metrics: Sequence[Metric], alpha: float, widest: float
) -> list[ComparedFigure]:
    """Of loads that are not the same on both sides nothing is said over all of them."""
    measured = [any(load.figures[i].because != NOT_MEASURED for load in loads) for i in range(len(metrics))]
    return [
        judged(metric, None, None, None, alpha=alpha, widest=widest, because=why)
        for metric, known in zip(metrics, measured, strict=True)
        for why in ("no load in common" if known else NOT_MEASURED,)
    ]


def _mean_of(ratios: Sequence[LogRatio]) -> LogRatio | None:
    n = len(ratios)
    if not n:
        return None
    parts = [((each.error / n) ** 2, each.freedom) for each in ratios]
    return together(sum(each.value for each in ratios) / n, parts)
