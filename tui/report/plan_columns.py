"""The columns that a plan's table may have, by their names in `summary --json`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from loadgen.errors import printable
from sessions.metrics import THIN_FLOORS
from tui.draw.words import verdict
from tui.report.figures import NOT_MEASURED, marked, milliseconds, number

if TYPE_CHECKING:
    from sessions.summary.plan_schema import PlanStage, StageLatency

Cell = tuple[str, Callable[["PlanStage"], str]]


def _latency(metric: str, head: str) -> dict[str, Cell]:
    """Columns of one metric: `ttft_p99_ms` and so on."""

    def cell(name: str) -> Callable[[PlanStage], str]:
        def read(stage: PlanStage) -> str:
            of: StageLatency = getattr(stage, f"{metric}_ms")
            return marked(getattr(of, name), of.count < THIN_FLOORS.get(name, 0))

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
    "input_tokens": ("in", lambda stage: printable(str(stage.input_tokens), 30)),
    "output_tokens": ("out", lambda stage: printable(str(stage.output_tokens), 30)),
    **_figure("input_tokens_mean", "in got", 0),
    **_figure("output_tokens_mean", "out got", 0),
    **_figure("cached_share", "cached", 3),
    **_figure("requests", "n", 0),
    **_figure("failed", "failed", 0),
    **_figure("cut_off", "cut off", 0),
    **_figure("not_sent", "not sent", 0),
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
