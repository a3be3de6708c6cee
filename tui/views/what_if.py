"""The target that keys move: what other targets would have said of the requests that are stored."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sessions.curve.what_if import ALL_READ, WhatIf
from sessions.plan.slo import Target
from tui.draw import numbers
from tui.draw.rows import Field, Row, chosen, fitted

_A_DECADE = 20
"""Steps of a key."""
_ROUNDED = 0.25
"""How far from its step a limit may be that was rounded to two digits."""


def target_of(targets: Sequence[Target], metric: str) -> Target | None:
    """The one that asks a percentile of `metric`, as `sessions.plan.slo` names it; None where none does."""
    return next((each for each in targets if each.metric == metric and each.quantile is not None), None)


def moved(target: Target | None, metric: str, seen_ms: float | None, up: bool) -> Target | None:
    """A step on from `target`, or, where there was none, from what was seen; None where nothing was."""
    limit = target.limit if target is not None else seen_ms
    if limit is None or limit <= 0:
        return None
    statistic = target.statistic if target is not None else "p95"
    place = math.log10(limit) * _A_DECADE
    step = math.floor(place + _ROUNDED) + 1 if up else math.ceil(place - _ROUNDED) - 1
    to = 10 ** (min(max(step, -3 * _A_DECADE), 7 * _A_DECADE) / _A_DECADE)
    to = float(f"{to:.2g}")
    return Target(f"{metric}.{statistic}<{to:g}ms", metric, statistic, True, to)


def with_target(targets: Sequence[Target], own: Target | None) -> list[Target]:
    """`targets` with `own` in the place of those of its metric."""
    if own is None:
        return list(targets)
    return [*(each for each in targets if each.metric != own.metric or each.quantile is None), own]


def said(found: WhatIf, share_read: float, targets: Sequence[Target], unit: str, width: int) -> Row:
    """`WHAT IF ttft.p95<320ms  held by 93.1%  goodput 11.2/s  capacity 10 to 12 rps`."""
    share = found.whole.share
    held = numbers.NONE if share is None else f"{share * 100:.1f}%"
    capacity = bracket(found.capacity.low, found.capacity.high, unit)
    fields = [
        Field(0, (" WHAT IF ", "badge"), (" " + ", ".join(each.text for each in targets), "target")),
        Field(1, ("held by ", "label"), (held, "strong")),
        Field(3, ("goodput ", "label"), (numbers.rate(found.whole.goodput_rps) + "/s", "strong")),
        Field(2, ("capacity ", "label"), (capacity, "strong")),
    ]
    if share_read < ALL_READ:
        fields.append(Field(1, (f"of {share_read * 100:.0f}% of the requests, reading", "warn")))
    return fitted(chosen(fields, width), width)


def bracket(low: float | None, high: float | None, unit: str) -> str:
    """`10 to 12 rps`; `at least 10 rps`, `below 12 rps`, `not known`."""
    if low is None and high is None:
        return "not known yet"
    if high is None:
        return f"at least {low:.3g} {unit}"
    return f"below {high:.3g} {unit}" if low is None else f"{low:.3g} to {high:.3g} {unit}"
