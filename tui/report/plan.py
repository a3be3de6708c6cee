"""A plan and what its stages came to: its table, and those of others beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from loadgen.errors import printable
from sessions.metrics import THIN_FLOORS
from sessions.plan.plan_table import Published
from sessions.steady.verdict import DRIFTING
from tui.draw.words import verdict
from tui.report.figures import NOT_MEASURED, aligned, milliseconds, number

if TYPE_CHECKING:
    from sessions.summary.plan_schema import Plan, PlanStage, StageLatency

Cell = tuple[str, Callable[["PlanStage"], str]]


def _latency(metric: str, head: str) -> dict[str, Cell]:
    """Columns of one metric: `ttft_p99_ms` and so on."""

    def cell(name: str) -> Callable[[PlanStage], str]:
        def read(stage: PlanStage) -> str:
            of: StageLatency = getattr(stage, f"{metric}_ms")
            value = getattr(of, name)
            thin = value is not None and of.count < THIN_FLOORS.get(name, 0)
            return ("~" if thin else "") + milliseconds(value)

        return read

    return {
        f"{metric}_{name}_ms": (f"{head} {name}", cell(name)) for name in ("mean", "p50", "p90", "p95", "p99")
    }


def _figure(name: str, head: str, digits: int) -> dict[str, Cell]:
    return {name: (head, lambda stage: number(getattr(stage, name), digits))}


def _ms(name: str, head: str) -> dict[str, Cell]:
    return {name: (head, lambda stage: milliseconds(getattr(stage, name)))}


COLUMNS: dict[str, Cell] = {
    **_figure("offered_rps", "rps", 2),
    **_figure("concurrency", "conc.", 0),
    "input_tokens": ("in", lambda stage: str(stage.input_tokens)),
    "output_tokens": ("out", lambda stage: str(stage.output_tokens)),
    **_figure("input_tokens_mean", "in got", 0),
    **_figure("output_tokens_mean", "out got", 0),
    **_figure("requests", "n", 0),
    **_figure("failed", "failed", 0),
    **_figure("request_rps", "req/s", 2),
    **_figure("output_tps", "tokens/s", 1),
    **_figure("output_tps_sending", "sending", 1),
    **_figure("total_tps", "total/s", 1),
    **_latency("ttft", "TTFT"),
    **_ms("itl_mean_ms", "ITL mean"),
    **_ms("itl_p50_ms", "ITL p50"),
    **_ms("itl_p99_ms", "ITL p99"),
    **_latency("tpot", "TPOT"),
    **_latency("e2e", "E2E"),
    **_figure("tps_per_user", "tok/s/user", 1),
    **_figure("output_tps_per_gpu", "tok/s/GPU", 1),
    **_figure("joules_per_output_token", "J/tok", 3),
    **_figure("mean_w", "W", 0),
    "window": (
        "window",
        lambda stage: NOT_MEASURED if stage.window is None else verdict(stage.window.verdict),
    ),
}
"""What `[report] columns` may name, as in `summary --json`: the head of the column, and its cell."""

USUAL = (
    *("offered_rps", "concurrency", "requests", "failed", "request_rps", "output_tps", "ttft_p50_ms"),
    *("ttft_p99_ms", "itl_mean_ms", "tpot_p50_ms", "e2e_p50_ms", "joules_per_output_token"),
)


def plan_table(plan: Plan) -> str:
    """The table of its stages, less the columns in which no stage has a figure."""
    lines = [f"plan {printable(plan.name)}{f': {printable(plan.title)}' if plan.title else ''}"]
    if plan.source:
        lines.append(f"after {printable(plan.source)}")
    if plan.scale != 1.0:
        lines.append(f"at {plan.scale:g} of its times and numbers: not what the source measured")
    begun, asked = len(plan.stages), plan.stages_asked
    if begun < asked:
        lines.append(f"{begun} of its {asked} stages began")
    names = [name for name in plan.columns or USUAL if name in COLUMNS]
    names += [] if "window" in names else ["window"]
    rows = [["stage", *(COLUMNS[name][0] for name in names)]]
    for stage in plan.stages:
        mark = "" if stage.state == "done" else f" ({stage.state})"
        rows.append(
            [f"{stage.number} {printable(stage.name, 30)}{mark}", *(COLUMNS[n][1](stage) for n in names)]
        )
    unused = {i for i in range(1, len(rows[0])) if all(row[i] in (NOT_MEASURED, "") for row in rows[1:])}
    rows = [[cell for i, cell in enumerate(row) if i not in unused] for row in rows]
    text = "\n".join([*lines, aligned(rows)])
    text += "\nms where a column says no other unit; ~ rests on few samples" if "~" in text else ""
    text = "\n".join([text, *_unsteady(plan.stages)])
    return "\n\n".join([text, *_published(plan.published)])


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
    return printable(cell, 40) if isinstance(cell, str) else f"{cell:,.10g}"
