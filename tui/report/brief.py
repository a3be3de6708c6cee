"""What a run says on one screen: the verdict, three headlines, the tables that most people look at."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from sessions.report.finding import finding
from sessions.report.tables import headlines
from tui.report.figures import aligned
from tui.report.limit import limit_text
from tui.report.load import latencies, stages_table
from tui.report.plan import plan_table
from tui.report.slo import not_held, slo_table
from tui.report.targets import targets_that_failed
from tui.report.text import errors, failed_first, head, verdict

if TYPE_CHECKING:
    from sessions.summary.schema import Summary

WIDTH = 80
_LATENCIES, _STAGES, _ERRORS, _TARGETS, _REASONS = 9, 10, 4, 8, 6
"""Lines of each that are shown."""


def brief(summary: Summary) -> str:
    """Without charts and without colours; ends with a line break."""
    limit = limit_text(None if summary.plan is None else summary.plan.limit)
    parts = [
        failed_first(summary),
        *_verdicts(summary, limit.partition("\n\n")[0]),
        _found(summary),
        _headlines(summary),
        head(summary),
        targets_that_failed(summary.by_target),
        _upto(latencies(summary), _LATENCIES),
        _upto(
            stages_table(summary.stages, has_tokens=summary.has_tokens)
            if summary.plan is None
            else plan_table(summary.plan),
            _STAGES,
        ),
        _upto(errors(summary), _ERRORS),
        _rest(summary, limit),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdicts(summary: Summary, limit: str) -> list[str]:
    """First what nobody may pass over: not valid, then a search's answer, or targets that were not held."""
    valid = _upto(verdict(summary.valid, summary.reasons), _REASONS)
    targets = _upto(slo_table(summary.slo, searched=bool(limit)), _TARGETS)
    first = bool(limit or not_held(summary)) and summary.valid
    return [limit, targets, valid] if first else [valid, limit, targets]


def _upto(text: str, most: int) -> str:
    lines = text.splitlines()
    if len(lines) <= most + 1:
        return text
    return "\n".join([*lines[:most], f"... {len(lines) - most} lines more: --all"])


def _found(summary: Summary) -> str:
    """In a sentence or two; that it is not valid is said already."""
    said = finding(summary)
    said = said if summary.valid else said[:-1]
    return "\n".join(line for text in said for line in textwrap.wrap(text, WIDTH))


def _headlines(summary: Summary) -> str:
    """Of answers with tokens TTFT, ITL and tokens per second."""
    every = headlines(summary)
    three = [every[0], every[1], every[3]] if summary.has_tokens else every[:3]
    return aligned([[name, value, beside] for name, value, beside in three], left=3)


def _rest(summary: Summary, limit: str) -> str:
    """What `--all` has besides."""
    there = {
        "counts and rates": True,
        "measured windows": summary.plan is None and any(stage.window for stage in summary.stages),
        "steps of the search": "\n\n" in limit,
        "turns": bool(summary.turns),
        "tags": bool(summary.by_tag),
        "targets": bool(summary.by_target),
        "marks": bool(summary.marks),
        "GPUs": bool(summary.gpus),
        "energy": summary.energy.joules is not None or summary.cost is not None,
        "the server's own figures": summary.server is not None,
        "telemetry": bool(summary.telemetry),
        "what bound when": bool(summary.limits),
        "the other tool's figures": summary.imported is not None,
        "notes on the session": bool(summary.notes),
    }
    words = ", ".join(name for name, is_there in there.items() if is_there)
    return "\n".join(textwrap.wrap(f"--all: {words}, charts", WIDTH, subsequent_indent="  "))
