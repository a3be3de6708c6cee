"""Sides held against the first of them, load by load and all together. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from sessions.compare.blocks import Estimate
from sessions.compare.cut import targets_of
from sessions.compare.differences import differences, same_prompts
from sessions.compare.match import Group, Matched, Pair, grouped, matched
from sessions.compare.metrics import OF_TARGETS, Metric, usual
from sessions.compare.scaling import scaling
from sessions.compare.schema import ComparedFigure, ComparedLoad, Comparison, Difference, Kind, Side, Versus
from sessions.compare.stretch import REQUESTS, Stretch
from sessions.compare.student import LogRatio, together
from sessions.compare.verdict import ALPHA, NOT_MEASURED, SMALLEST, WIDEST, judged, one_word
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


class _Read(NamedTuple):
    """One figure of one load on both sides, before it is judged."""

    ratio: LogRatio | None
    a: float | None
    b: float | None
    because: str
    interval_from: str


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
    read = [
        [[_read(pair, metric, other_targets=unlike) for metric in metrics] for pair in pairs.pairs]
        for pairs, side in zip(work, others, strict=True)
        for unlike in (_other_targets(first, side),)
    ]
    several = any(len(loads) > 1 for loads in read)
    asked = sum(
        any(cell.ratio is not None for cell in column)
        for loads in read
        for column in zip(*loads, strict=True)
    )
    each = sum(cell.ratio is not None for loads in read for load in loads for cell in load)
    # Half of what may be wrong goes to the figures over all loads, half to those of single loads.
    over_all = ALPHA / max(asked, 1) / (2 if several else 1)
    single = ALPHA / max(each, 1) / (2 if several else 1)
    versus = []
    for side, label, pairs, loads in zip(others, labels[1:], work, read, strict=True):
        compared = [
            _load(pair, metrics, cells, single, widest)
            for pair, cells in zip(pairs.pairs, loads, strict=True)
        ]
        overall = (
            [_over_all(m, [load[i] for load in loads], over_all, widest) for i, m in enumerate(metrics)]
            if len(loads) > 1
            else compared[0].figures
        )
        versus.append(
            Versus(
                b=_side(label, side),
                word=one_word(overall, [figure for load in compared for figure in load.figures]),
                overall=overall,
                loads=compared,
                differences=_differences(first, side),
                warnings=_warnings(first, side, pairs.pairs),
                not_compared=pairs.not_compared,
            )
        )
    intervals = asked + each if several else each
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
    if not found.pairs:
        loads = [", ".join(group.load.words for group in groups) for groups in (found.only_a, found.only_b)]
        lengths = " of the same lengths" if _matched(a, b, lengths=False).pairs else ""
        if not anyway:
            raise NotComparable(f"no load{lengths} in common: {loads[0]}; and {loads[1]}")
        wholes = [[Group("whole run", side[0].whole.load, [each.whole for each in side])] for side in (a, b)]
        found = Matched([Pair(wholes[0][0], wholes[1][0])], [], [])
    missing = [f"{group.name} ({group.load.words}): only the first has it" for group in found.only_a]
    missing += [f"{group.name} ({group.load.words}): only the other has it" for group in found.only_b]
    return _Pairs(found.pairs, missing)


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
            lengths = [_mean([getattr(each, name) for each in side.stretches]) for side in pair]
            if lengths[0] and lengths[1] and abs(math.log(lengths[1] / lengths[0])) > LENGTHS_APART:
                tokens = f"{lengths[0]:.4g} tokens and {lengths[1]:.4g}"
                found.append(f"{pair.a.name}: {words} had {tokens}: not the same work")
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _other_targets(a: Sequence[Recorded], b: Sequence[Recorded]) -> bool:
    """Not all of these sessions were held against the same."""
    asked = {
        frozenset((t.metric, t.statistic, t.limit) for t in targets_of(each.manifest)) for each in (*a, *b)
    }
    return len(asked) > 1


def _read(pair: Pair, metric: Metric, other_targets: bool) -> _Read:
    """The ratio of one figure: over repetitions where both sides have some, else from blocks of time."""
    ours, theirs = ([each.estimated(metric) for each in side.stretches] for side in pair)
    if any(estimate is None for estimate, _ in (*ours, *theirs)):
        a_value, b_value = (
            _mean([None if each is None else each.value for each, _ in side]) for side in (ours, theirs)
        )
        return _Read(None, a_value, b_value, NOT_MEASURED, "blocks")
    a, b = ([estimate for estimate, _ in side if estimate is not None] for side in (ours, theirs))
    logs = [[math.log(each.value) for each in side] for side in (a, b)]
    means = [sum(side) / len(side) for side in logs]
    values = [
        0.0 if all(each.nothing for each in side) else math.exp(mean)
        for side, mean in zip((a, b), means, strict=True)
    ]
    if other_targets and metric.of in OF_TARGETS:
        return _Read(None, values[0], values[1], "other targets: --slo", "blocks")
    reasons = [why for _, why in (*ours, *theirs) if why]
    because = next((why for why in reasons if why.endswith(REQUESTS)), next(iter(reasons), ""))
    if len(a) > 1 and len(b) > 1:
        parts = [_between(side, mean) for side, mean in zip(logs, means, strict=True)]
        thin = because if because.endswith(REQUESTS) else ""
        ratio = None if thin else together(means[1] - means[0], parts)
        return _Read(ratio, values[0], values[1], thin, "repetitions")
    if because:
        return _Read(None, values[0], values[1], because, "blocks")
    variances = [sum(part for part, _ in _within_runs(side)) for side in (a, b)]
    # A tail that was quiet by chance looks surer than it is: no side is taken to be surer than the other.
    scales = [max(variances) / v if metric.is_tail and v > 0 else 1.0 for v in variances]
    parts = [
        (part * k, free) for side, k in zip((a, b), scales, strict=True) for part, free in _within_runs(side)
    ]
    return _Read(together(means[1] - means[0], parts), values[0], values[1], "", "blocks")


def _between(logs: Sequence[float], mean: float) -> tuple[float, float]:
    """Variance of the mean of repetitions, and its degrees of freedom."""
    freedom = len(logs) - 1
    return sum((each - mean) ** 2 for each in logs) / freedom / len(logs), float(freedom)


def _within_runs(estimates: Sequence[Estimate]) -> list[tuple[float, float]]:
    n = len(estimates)
    return [((each.error or 0.0) ** 2 / n**2, each.blocks - 1) for each in estimates]


def _load(
    pair: Pair, metrics: Sequence[Metric], cells: Sequence[_Read], alpha: float, widest: float
) -> ComparedLoad:
    requests = [sum(each.requests for each in side.stretches) for side in pair]
    succeeded = [sum(each.succeeded for each in side.stretches) for side in pair]
    return ComparedLoad(
        name=pair.a.name,
        load=pair.a.load.words,
        value=pair.a.load.value,
        requests_a=requests[0],
        requests_b=requests[1],
        failed_a=requests[0] - succeeded[0],
        failed_b=requests[1] - succeeded[1],
        figures=[
            judged(
                metric, cell.ratio, cell.a, cell.b, alpha=alpha, widest=widest, because=cell.because,
                interval_from=cell.interval_from,
            )
            for metric, cell in zip(metrics, cells, strict=True)
        ],
    )  # fmt: skip


def _over_all(metric: Metric, cells: Sequence[_Read], alpha: float, widest: float) -> ComparedFigure:
    """The mean of a figure's log ratios over the loads of which it is known."""
    known = [cell for cell in cells if cell.ratio is not None]
    ratios = [cell.ratio for cell in known if cell.ratio is not None]
    ratio, n = None, len(ratios)
    if n:
        parts = [((each.error / n) ** 2, each.freedom) for each in ratios]
        ratio = together(sum(each.value for each in ratios) / n, parts)
    because = "" if n else next((cell.because for cell in cells if cell.because), NOT_MEASURED)
    source = known[0].interval_from if known else cells[0].interval_from
    return judged(
        metric, ratio, None, None, alpha=alpha, widest=widest, because=because, interval_from=source, loads=n
    )
