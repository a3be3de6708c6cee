"""The figures of a result that has one number a key, such as `p99_ttft_ms`: vLLM's, and SGLang's after it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sessions.interchange.documents import number
from sessions.store.imported import ToolFigure

_STAT = re.compile(r"(mean|median|std|p[0-9.]{1,8})_([a-z0-9_]{1,40})_ms")


def flat_figures(
    one: dict[str, Any],
    totals: Mapping[str, tuple[str, str, str]],
    latencies: Mapping[str, tuple[str, str]],
    statistics: Mapping[str, str],
) -> list[ToolFigure]:
    """Those that are numbers, in the file's order.

    Args:
        totals: by its key, what it is called here, how alike that is, and its unit.
        latencies: by its name of a metric, ours and how alike it is.
        statistics: by its name of one, ours.
    """
    made = []
    for name, value in one.items():
        known = number(value)
        if known is None:
            continue
        if name in totals:
            ours, how, unit = totals[name]
            made.append(ToolFigure(name, known, unit, ours, how))
        elif stat := _STAT.fullmatch(name):
            metric, how = latencies.get(stat[2], ("", ""))
            of = statistics.get(stat[1], "")
            ours = f"{metric}.{of}" if metric and of else ""
            made.append(ToolFigure(name, known, "ms", ours, how if ours else ""))
    return made
