"""A plan and what its stages came to: its table, and those of others beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from loadgen.errors import printable
from sessions.digits import digits
from sessions.plan.plan_table import Published
from sessions.plan.target_figure import figure_words
from sessions.steady.verdict import DRIFTING
from tui.draw.words import verdict
from tui.report.figures import NOT_MEASURED, aligned, number
from tui.report.plan_columns import COLUMNS
from tui.report.slo import WORDS, why

if TYPE_CHECKING:
    from sessions.summary.plan_schema import Plan, PlanStage
    from sessions.summary.slo_schema import TargetResult

_REASONS = 16
"""So many are named; a sweep misses most of its targets."""
USUAL = (
    *("offered_rps", "concurrency", "requests", "failed", "request_rps", "output_tps", "ttft_p50_ms"),
    *("ttft_p99_ms", "itl_mean_ms", "tpot_p50_ms", "e2e_p50_ms", "joules_per_output_token"),
)

_NAME_CHARS = 44
"""The end of a name is what tells stages apart: `2048 in, 2048 out, concurrency 200, #3`."""


def plan_table(plan: Plan) -> str:
    """The table of its stages, less the columns in which no stage has a figure."""
    lines = [f"plan {printable(plan.name)}{f': {printable(plan.title)}' if plan.title else ''}"]
    if plan.source:
        lines.append(f"after {printable(plan.source)}")
    if plan.scale != 1.0:
        lines.append(f"at {digits(plan.scale, 6)} of its times and numbers: not what the source measured")
    begun, asked = len(plan.stages), plan.stages_asked
    if begun < asked:
        lines.append(f"{begun} of its {asked} stages began")
    names = [name for name in plan.columns or USUAL if name in COLUMNS]
    names += [] if "window" in names else ["window"]
    rows = [["stage", *(COLUMNS[name][0] for name in names)]]
    for stage in plan.stages:
        rows.append([_stage(stage), *(COLUMNS[n][1](stage) for n in names)])
    unused = {i for i in range(1, len(rows[0])) if all(row[i] in (NOT_MEASURED, "") for row in rows[1:])}
    rows = [[cell for i, cell in enumerate(row) if i not in unused] for row in rows]
    text = "\n".join([*lines, aligned(rows)])
    text += "\nms where a column says no other unit; ~ rests on few samples" if "~" in text else ""
    text = "\n".join([text, *_unsteady(plan.stages)])
    return "\n\n".join([text, *_fits(plan), *_targets(plan), *_providers(plan), *_published(plan.published)])


def _stage(stage: PlanStage) -> str:
    """Its number and name, and how it came out where that is not as usual."""
    odd = [stage.state] if stage.state != "done" else []
    odd += [f"{stage.cut_off} cut off"] if stage.cut_off else []
    odd += [f"{stage.not_sent} not sent"] if stage.not_sent else []
    return f"{stage.number} {printable(stage.name, _NAME_CHARS)}{' (' + ', '.join(odd) + ')' if odd else ''}"


def _unsteady(stages: Sequence[PlanStage]) -> Iterator[str]:
    """Which stages came to no steady state, and what that makes of their figures."""
    judged = [(stage.number, stage.window) for stage in stages if stage.window is not None]
    for number_, window in judged:
        if window.verdict in DRIFTING:
            yield f"stage {number_} was {verdict(window.verdict)}: {window.why}"
    if any(window.verdict in DRIFTING for _, window in judged):
        yield "what drifts depends on how long it went on: its figures are no rates that the server holds"
    if short := [str(number_) for number_, window in judged if window.verdict == "too_short"]:
        yield f"too short to tell whether the server kept up: {', '.join(short)}"


def _published(tables: Sequence[Published]) -> Iterator[str]:
    """What others published, as they printed it."""
    for table in tables:
        rows = [[printable(column, 40) for column in table.columns]]
        rows += [[_cell(cell) for cell in row] for row in table.rows]
        head = f"published: {printable(table.title)}\n{printable(table.source)}"
        if table.definition:
            head += f"\n{printable(table.definition)}"
        yield f"{head}\n{aligned(rows)}"


def _cell(cell: str | float | None) -> str:
    if cell is None:
        return NOT_MEASURED
    return printable(cell, 40) if isinstance(cell, str) else digits(cell, 10)


def _targets(plan: Plan) -> Iterator[str]:
    """PASS or FAIL of each target, stage by stage."""
    if not any(stage.targets for stage in plan.stages):
        return
    names = [result.target for result in plan.stages[0].targets]
    rows = [["target", *(printable(name, 40) for name in names), "all of them"]]
    for stage in plan.stages:
        attained = NOT_MEASURED if stage.attainment is None else f"{digits(stage.attainment * 100, 4)} %"
        rows.append(
            [f"{stage.number} {printable(stage.name, _NAME_CHARS)}", *map(_verdict, stage.targets), attained]
        )
    yield aligned(rows) + "\nundecided: too few requests for that percentile, not measured, or still going on"
    reasons = [
        f"  {stage.number} {printable(stage.name, _NAME_CHARS)}: {printable(each.target, 40)}: {said}"
        for stage in plan.stages
        for each in stage.targets
        if each.verdict != "pass" and (said := why(each))
    ]
    if reasons:
        more = f"\n  {len(reasons) - _REASONS} more: --json has all" if len(reasons) > _REASONS else ""
        yield "\n".join(["missed or undecided", *reasons[:_REASONS]]) + more


def _verdict(result: TargetResult) -> str:
    word = WORDS[result.verdict]
    if result.figure is None:
        return word
    return f"{word} {figure_words(result.target, result.figure)}"


def _fits(plan: Plan) -> Iterator[str]:
    for fit in plan.fits:
        a, *rest = reversed(fit.coefficients)
        terms = [f"{a:.6g} * {fit.x}{'^2' if len(rest) == 2 else ''}"]
        if len(rest) == 2:
            terms.append(f"{rest[0]:.6g} * {fit.x}")
        terms.append(f"{rest[-1]:.6g}")
        yield f"fit over {fit.points} stages: {fit.y} = {' + '.join(terms)}   (r2 {fit.r2:.3f})"


def _providers(plan: Plan) -> Iterator[str]:
    if not plan.providers:
        return
    money = printable(plan.currency, 4)
    rows = [
        [
            "GPU",
            "provider",
            f"{money}/h",
            f"{money}/M tokens",
            "published tok/s",
            f"{money}/M printed",
            "by arithmetic",
        ]
    ]
    for cost in plan.providers:
        differs = (
            cost.published_per_million is not None
            and cost.published_by_arithmetic is not None
            and abs(cost.published_per_million - cost.published_by_arithmetic) > 0.005
        )
        rows.append(
            [
                printable(cost.gpu, 24),
                printable(cost.provider, 24),
                number(cost.per_hour, 2),
                number(cost.per_million, 2),
                number(cost.published_tps, 0),
                number(cost.published_per_million, 2),
                number(cost.published_by_arithmetic, 2) + (" differs" if differs else ""),
            ]
        )
    yield (
        "a million output tokens, if that GPU were as fast as what was measured here; cheapest first\n"
        + aligned(rows, left=2)
    )
