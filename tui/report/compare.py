"""What a comparison says, as text for 80 columns: the verdict first, the tables after the picture."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from loadgen.errors import printable
from tui.report.figures import NOT_MEASURED, cells, milliseconds, number

if TYPE_CHECKING:
    from sessions.compare.schema import ComparedFigure, ComparedLoad, Comparison, Side, Versus

WIDTH = 80
UNMEASURED = "not measured"
"""Why a figure has no word (`sessions.compare.verdict.NOT_MEASURED`): it is left out."""
_TIMES_FROM = 10.0
_LATENCIES = ("ttft", "itl", "tpot", "e2e")
_RULE = (
    "Better and worse: the whole interval lies on one side of no change, and not within "
    "{smallest:g} % of it. No difference larger than d: the interval ends within d, and d is at most "
    "{widest:g} %. Anything else cannot be told. {intervals}. How: docs/figures/compare.md"
)
_NO_INTERVAL = "No interval could be made"
_NEAREST = "; what stands in brackets with one end is how near B comes to A in any part of the time"
_SOURCES = {
    "blocks": "from blocks of time within each run: what differs from run to run is not in them; repetitions "
    "are, A1,A2,A3 : B1,B2,B3",
    "repetitions": "Welch, over the repetitions",
}


def verdict(comparison: Comparison, versus: Versus) -> str:
    """The first words: who is better or worse in what, and by how much."""
    a, b = (printable(side.label, 60) for side in (comparison.a, versus.b))
    lines = [line for side in (comparison.a, versus.b) for line in _not_valid(side)]
    lines += _wrapped(_of_other_loads(versus))
    lines += _wrapped(f"{b} against {a}: {said(versus)}")
    for word in ("worse", "better"):
        figures = [figure for figure in versus.overall if figure.word == word]
        by_far = [figure for figure in figures if figure.apart is not None]
        if surely := [_by_how_much(figure) for figure in figures if figure.apart is None]:
            lines += _wrapped(f"{word}: {', '.join(surely)}", "  ")
        if by_far:
            why = "never steady" if any(f.because == "never steady" for f in by_far) else "too short"
            said_so = ", ".join(map(_by_how_much, by_far))
            lines += _wrapped(f"{word}, though {why} for an interval: {said_so}", "  ")
    if none := [figure for figure in versus.overall if figure.word == "no difference"]:
        largest = _percent_up(_largest(none))
        lines += _wrapped(f"no difference larger than {largest}: {_labels(none)}", "  ")
    unknown = [figure for figure in versus.overall if figure.word == "cannot tell"]
    reasons = dict.fromkeys(figure.because for figure in unknown if figure.because != UNMEASURED)
    if unlike := _are_of_other_loads(versus):  # which is reason enough
        reasons = {}
        measured = [figure for figure in unknown if figure.because != UNMEASURED]
        lines += _wrapped(f"cannot tell: {_labels(measured)}" if measured else "", "  ")
    for why in reasons:
        figures = [figure for figure in unknown if figure.because == why]
        named = f"{_labels(figures)} ({why})" if why else ", ".join(map(_by_how_much, figures))
        lines += _wrapped(f"cannot tell: {named}", "  ")
    lines += _wrapped("" if unlike else _would_find(unknown), "  ")
    lines += [line for text in _single_loads(versus) for line in _wrapped(text, "  ")]
    for badge in dict.fromkeys([*comparison.a.badges, *versus.b.badges]):
        having = [label for label, side in ((a, comparison.a), (b, versus.b)) if badge in side.badges]
        lines += _wrapped(f"{badge}: {' and '.join(having)}", "  ")
    return "\n".join(lines)


def _would_find(unknown: Sequence[ComparedFigure]) -> str:
    """What runs like these can tell at best, where they could not; empty where nothing was open."""
    told = [(f.would_find, f) for f in unknown if f.would_find is not None]
    if not told:
        return ""
    smallest, figure = min(told, key=lambda each: each[0])
    text = f"runs like these find {_percent_up(smallest)} of {figure.label} (in 80 of 100 cases)"
    times = figure.times_as_long_for_ten_percent or 0.0
    if times <= 1.0:
        return text
    more = "as many" if figure.interval_from == "repetitions" else "as long"
    return f"{text}; to find 10 % they would have to be {times:.1f} times {more}"


def _are_of_other_loads(versus: Versus) -> bool:
    return any(load.value_b is not None for load in versus.loads)


def _of_other_loads(versus: Versus) -> str:
    """What was done where no load was common; empty where one was."""
    held = [load.load for load in versus.loads if load.value_b is not None]
    if not held:
        return ""
    return (
        f"DIFFERENT LOADS: {', '.join(held)}. Compare runs at one rate: run one side at a load of the other. "
        "Of these only better under more load, or worse under less, is said"
    )


def _labels(figures: Sequence[ComparedFigure]) -> str:
    return ", ".join(figure.label for figure in figures)


def said(versus: Versus) -> str:
    """The word, in capitals where somebody has to look."""
    if versus.word == "no difference":
        return f"no difference larger than {_percent_up(_largest(versus.overall))}"
    return versus.word.upper() if versus.word == "worse" else versus.word


def tables(comparison: Comparison, versus: Versus) -> str:
    """What differs, each load, and how it was decided; ends with a line break."""
    names = ((letter, side.label) for letter, side in (("A", comparison.a), ("B", versus.b)))
    parts = ["\n".join(line for x, name in names for line in _wrapped(f"{x} = {printable(name, 60)}"))]
    parts += _differences(versus)
    if len(versus.loads) > 1:
        parts.append(_overall(versus))
    for load in versus.loads:
        parts.append(_table(_head(load), load.figures, unlike=load.value_b is not None))
    if versus.not_compared:
        parts.append("\n".join(["not compared", *_listed(versus.not_compared)]))
    rule = _RULE.format(
        smallest=100 * comparison.smallest,
        widest=100 * comparison.widest,
        intervals=_intervals(comparison, versus),
    )
    parts.append("\n".join(textwrap.wrap(rule, WIDTH)))
    return "\n\n".join(parts) + "\n"


def _intervals(comparison: Comparison, versus: Versus) -> str:
    """How many there are, and what they are made of."""
    figures = [*versus.overall, *(figure for load in versus.loads for figure in load.figures)]
    if not comparison.intervals:
        return _NO_INTERVAL + (_NEAREST if any(figure.apart is not None for figure in figures) else "")
    sources = sorted({figure.interval_from for figure in figures if figure.low})
    made = "; ".join(_SOURCES[source] for source in sources) or "none of them of these two"
    n = comparison.intervals
    words = "intervals, which all hold together" if n > 1 else "interval, which holds"
    return f"{n} {words} in 95 % of cases ({made})"


def _not_valid(side: Side) -> Iterator[str]:
    if not side.valid:
        reasons = "; ".join(printable(reason) for reason in side.reasons) or "no reason was recorded"
        yield from _wrapped(f"NOT VALID: {printable(side.label, 60)}: {reasons}")


def _single_loads(versus: Versus) -> Iterator[str]:
    """What single loads say that all of them together do not."""
    overall = {figure.metric: figure.word for figure in versus.overall}
    for load in versus.loads if len(versus.loads) > 1 else ():
        for word in ("worse", "better"):
            figures = [f for f in load.figures if f.word == word and overall.get(f.metric) != word]
            if figures:
                yield f"at {load.load} {word}: {', '.join(map(_by_how_much, figures))}"


def _by_how_much(figure: ComparedFigure) -> str:
    if figure.ratio is None:
        return figure.label
    return f"{figure.label} {_change(figure.ratio)}{_interval(figure)}"


def _differences(versus: Versus) -> Iterator[str]:
    """What is not the same, what was meant to differ first."""
    for kind, head in (
        ("compared", "what is compared"),
        ("asked", "NOT THE SAME WORK (--anyway)"),
        ("also", "also differs, and may be the cause"),
    ):
        texts = [
            f"{printable(each.what, 60)}: {printable(each.a, 60) or NOT_MEASURED} -> "
            f"{printable(each.b, 60) or NOT_MEASURED}"
            for each in versus.differences
            if each.kind == kind
        ]
        if texts:
            yield "\n".join([head, *_listed(texts)])
    if versus.warnings:
        yield "\n".join(["to be known", *_listed(versus.warnings)])
    if not versus.differences:
        yield "nothing differs between the two manifests"


def _listed(texts: Sequence[str]) -> list[str]:
    wrapped = (
        textwrap.wrap(printable(text, 300), WIDTH, initial_indent="  - ", subsequent_indent="    ")
        for text in texts
    )
    return [line for lines in wrapped for line in lines]


def _head(load: ComparedLoad) -> str:
    name = printable(load.name, 30)
    what = name if name == load.load else f"{name}, {load.load}"
    failed = f", failed {load.failed_a:,} / {load.failed_b:,}" if load.failed_a or load.failed_b else ""
    return f"{what}: requests {load.requests_a:,} / {load.requests_b:,}{failed}"


def _table(head: str, figures: Sequence[ComparedFigure], *, unlike: bool = False) -> str:
    """A row a figure: both sides, how much B is more than A with its interval, and the word. `unlike`: they
    are of two loads, so that nothing but what can be told of that is said of the two together."""
    measured = [figure for figure in figures if figure.because != UNMEASURED]
    rows = [["ms", "A", "B", "B / A", ""]] if any(f.a is not None for f in measured) else []
    for figure in measured:
        places = _places(figure)
        known = figure.ratio is not None and not (unlike and figure.word == "cannot tell")
        change = _change(figure.ratio or 0.0) + _interval(figure) if known else NOT_MEASURED
        rows.append([figure.label, *places, change, _word(figure) if known or not unlike else "other load"])
    if not measured:
        return f"{head}\n  nothing was measured on both sides"
    widths = [max(cells(row[i]) for row in rows) for i in range(4)]
    a, b, c, d = widths
    lines = [f"{row[0]:<{a}}  {row[1]:>{b}}  {row[2]:>{c}}  {row[3]:<{d}}  {row[4]}" for row in rows]
    return "\n".join([head, *(line.rstrip() for line in lines)])


def _overall(versus: Versus) -> str:
    """Each figure over all loads, and at how many of them it could be compared."""
    n = len(versus.loads)
    rows = [
        (
            f.label,
            NOT_MEASURED if f.ratio is None else _change(f.ratio) + _interval(f),
            _word(f) + (f" ({f.loads} of {n})" if f.loads < n else ""),
        )
        for f in versus.overall
        if f.because != UNMEASURED
    ]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(2)]
    lines = [f"{name:<{widths[0]}}  {change:<{widths[1]}}  {word}" for name, change, word in rows]
    return "\n".join([f"over all {n} loads, B / A", *(lines or ["  nothing could be compared"])])


def _places(figure: ComparedFigure) -> list[str]:
    if figure.metric.partition(".")[0] in _LATENCIES:
        return [milliseconds(figure.a), milliseconds(figure.b)]
    return [_short(figure.a), _short(figure.b)]


def _short(value: float | None) -> str:
    return number(value, 0 if value is not None and abs(value) >= 100 else 2)


def _word(figure: ComparedFigure) -> str:
    if figure.word == "no difference":
        return f"no difference larger than {_percent_up(figure.no_difference_larger_than)}"
    return f"{figure.word} ({figure.because})" if figure.because else figure.word


def _largest(figures: Sequence[ComparedFigure]) -> float | None:
    known = [f.no_difference_larger_than for f in figures if f.no_difference_larger_than is not None]
    return max(known, default=None)


def _percent_up(share: float | None) -> str:
    """Rounded up to a whole percent: 0.0312 is 4 %."""
    return NOT_MEASURED if share is None else f"{max(math.ceil(share * 100 - 1e-9), 1)} %"


def _change(ratio: float) -> str:
    said = _signed(ratio)
    return f"{said} %" if said[0] in "+-" else said


def _interval(figure: ComparedFigure) -> str:
    if figure.apart is not None:
        nearest = _signed(figure.apart)  # how far it is on the other side nobody knows
        return f" ({nearest}..)" if figure.apart > 1 else f" (..{nearest})"
    if figure.low is None or figure.high is None:
        return ""
    return f" ({_signed(figure.low)}..{_signed(figure.high)})"


def _signed(ratio: float) -> str:
    """2.0 is +100; from ten times on it is so many times; above 100 there is nothing left to compare."""
    if ratio > 100:
        return ">x100"
    if ratio >= _TIMES_FROM:
        return f"x{ratio:.0f}"
    percent = (ratio - 1) * 100
    return f"{percent:+.0f}" if abs(percent) >= 9.95 else f"{percent:+.1f}"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
