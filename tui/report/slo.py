"""Targets: which held, which were missed by how much, and what is still undecided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.errors import printable
from sessions.digits import digits
from sessions.plan.target_figure import figure_words
from tui.report.figures import NOT_MEASURED, aligned, number

if TYPE_CHECKING:
    from sessions.summary.schema import Summary
    from sessions.summary.slo_schema import Slo, TargetResult
    from sessions.summary.stored import StoredSlo

_HEADS = {"pass": "SLO HELD", "fail": "SLO MISSED", "undecided": "SLO UNDECIDED"}
_TIMES = 10
"""So many times a limit, nobody reads per cent any more."""
WORDS = {"pass": "PASS", "fail": "FAIL", "undecided": "undecided"}


def slo_table(slo: Slo | None, *, searched: bool = False) -> str:
    """Its verdict first, then each target of a run; of a plan the stages have their own. `searched`: the run
    looked for the load that holds them, and has no verdict but that."""
    if slo is None:
        return ""
    head = _HEADS[slo.verdict]
    head = "over all steps of the search" if searched else head
    lines = [head + (f": {attained(slo)}" if slo.good is not None else "")]
    if slo.targets:
        rows = [["target", "figure", "", "why"]]
        rows += [
            [printable(each.target, 40), shown(each.target, each.figure), WORDS[each.verdict], why(each)]
            for each in slo.targets
        ]
        lines.append(aligned(rows, left=4))
    return "\n".join(lines)


def not_held(summary: Summary) -> str:
    """`SLO MISSED` or `SLO UNDECIDED`; empty where it was held, or of a search for the load that holds."""
    searched = summary.plan is not None and summary.plan.limit is not None
    if summary.slo is None or summary.slo.verdict == "pass" or searched:
        return ""
    return _HEADS[summary.slo.verdict]


def slo_line(slo: StoredSlo | None) -> str:
    """One line of what a manifest keeps: `SLO MISSED: ttft.p95<50ms: 182 ms`; empty where there is none."""
    if slo is None or slo.verdict not in WORDS:
        return ""
    told = [each for each in slo.targets if each.verdict == slo.verdict] or slo.targets
    said = "; ".join(f"{printable(each.target, 40)}: {shown(each.target, each.figure)}" for each in told)
    head = _HEADS[slo.verdict]
    return f"{head}: {said}" if said else head


def attained(slo: Slo) -> str:
    """`96.2 % of 1,200 scheduled requests held every limit, 3.85 per second`."""
    share = NOT_MEASURED if slo.attainment is None else f"{digits(slo.attainment * 100, 4)} %"
    goodput = "" if slo.goodput_rps is None else f"; goodput {number(slo.goodput_rps, 2)} requests/s"
    return f"{share} of {slo.scheduled:,} scheduled requests held every limit{goodput}"


def shown(target: str, figure: float | None) -> str:
    """In the unit of `target`."""
    return NOT_MEASURED if figure is None else figure_words(target, figure)


def why(result: TargetResult) -> str:
    """By how much it was missed, or what is wanting."""
    words = []
    if result.verdict == "undecided":
        if result.figure is None and not result.of:
            return "not measured"
        words.append(
            "too close to tell" if result.needs is None else f"{result.needs:,} more requests needed"
        )
    figure, limit = result.figure, result.limit
    if result.verdict == "fail" and figure is not None and limit:
        off = (figure / limit - 1) * 100
        if off >= _TIMES * 100:
            words.append(f"{digits(figure / limit, 3)} times the limit")
        elif abs(off) >= 0.05:
            words.append(f"{digits(abs(off), 3)} % {'over' if off > 0 else 'under'}")
    if result.misses is not None and result.of:
        words.append(
            f"{result.misses:,} of {result.of:,} missed, {digits((result.allowed or 0) * 100, 4)} % may"
        )
    return "; ".join(words)


def missed(summary: Summary) -> list[tuple[str, TargetResult]]:
    """Each target that failed, with the stage of the plan that it is of."""
    if summary.slo is None:
        return []
    if summary.plan is None:
        return [("", each) for each in summary.slo.targets if each.verdict == "fail"]
    return [
        (f"stage {stage.number} {stage.name}", each)
        for stage in summary.plan.stages
        for each in stage.targets
        if each.verdict == "fail"
    ]
