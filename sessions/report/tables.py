"""The tables of a report, as rows of texts: every form of it lays out the same ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sessions.bottleneck.names import limit_name
from sessions.report.finding import load_words, slo_verdict, ttft_of, verdict
from sessions.report.words import NOT_MEASURED, figure, ms, plain, share
from sessions.summary.asked import BY_STAGE, TRACE
from sessions.summary.plan_schema import PlanStage
from sessions.summary.quantile_schema import ExactQuantiles
from sessions.summary.schema import Stage, Summary

_OF_TOKENS = ("tok/s", "TTFT p50", "p95", "p99", "ITL p50", "ITL p99", "TPOT p50", "J/tok")
"""Columns that say nothing where answers have no tokens."""
_SAID: dict[int | str, str] = {TRACE: "as in the trace", BY_STAGE: "by stage"}
Table = list[list[str]]
"""The first row is its head."""

_LATENCIES = {
    "TTFT from due": "ttft_from_due_ms",
    "TTFT from sent": "ttft_from_sent_ms",
    "ITL per token": "itl_ms",
    "chunk gap": "chunk_gap_ms",
    "TPOT": "tpot_ms",
    "E2E": "e2e_ms",
    "send lag": "send_lag_ms",
}


def headlines(summary: Summary) -> list[tuple[str, str, str]]:
    """Name, figure, and what belongs beside it."""
    ttft = ttft_of(summary)
    gaps = summary.itl_ms if summary.itl_ms.count else summary.chunk_gap_ms
    through = summary.throughput
    way, tps = ("Output", through.output_tps) if summary.has_tokens else ("Input", through.input_tps)
    said = [
        ("TTFT p95", _marked(ttft, "p95"), f"p50 {ms(ttft.p50)}, p99 {ms(ttft.p99)}"),
        (
            "ITL p99" if summary.itl_ms.count else "chunk gap p99",
            _marked(gaps, "p99"),
            f"p50 {ms(gaps.p50)}",
        ),
        ("E2E p95", _marked(summary.e2e_ms, "p95"), f"p50 {ms(summary.e2e_ms.p50)}"),
        (way, figure(tps, "tok/s"), f"{figure(through.request_rps)} requests/s"),
        (
            "Requests",
            f"{summary.requests.succeeded:,}",
            f"{summary.requests.failed:,} failed, {summary.requests.cut_off:,} cut off",
        ),
    ]
    if not summary.has_tokens:
        del said[:2]
    if summary.energy.j_per_output_token is not None:
        said.append(
            (
                "Energy",
                figure(summary.energy.j_per_output_token, "J/tok"),
                f"{figure(summary.energy.mean_w)} W",
            )
        )
    if summary.cost is not None and summary.cost.per_million_output_tokens is not None:
        money = f"{plain(summary.cost.currency, 4)}{figure(summary.cost.per_million_output_tokens)}"
        said.append(("Cost", money, "per million output tokens"))
    return said


def _marked(of: ExactQuantiles, name: str) -> str:
    value: float | None = getattr(of, name)
    return ("~" if value is not None and name in of.thin else "") + ms(value)


def about(summary: Summary) -> Table:
    """What was measured, how and when."""
    into, out = summary.workload.input_tokens, summary.workload.output_tokens
    asked = f"{into} in, {out} out" if into != out or into not in _SAID else _SAID[into]
    rows = [
        ["server", summary.target],
        ["model", summary.model or NOT_MEASURED],
        ["endpoint", summary.endpoint or NOT_MEASURED],
        ["load", f"plan {summary.plan.name}" if summary.plan is not None else load_words(summary)],
        ["begun", summary.started_at.replace("T", " ")],
        ["length", f"{figure(summary.duration_s)} s"],
        ["session", summary.id],
    ]
    if summary.imported is None:
        rows.insert(4, ["tokens asked", f"{asked}, seed {summary.load.seed}"])
    else:
        rows.insert(4, ["measured by", f"{summary.imported.tool} {summary.imported.version}".strip()])
    return [["", ""], *rows]


def latencies(summary: Summary) -> Table:
    rows = [["ms", "count", "mean", "p50", "p90", "p95", "p99", "max"]]
    for name, field in _LATENCIES.items():
        of: ExactQuantiles = getattr(summary, field)
        if of.count:
            rows.append(
                [
                    name,
                    f"{of.count:,}",
                    *(_ms_cell(of, stat) for stat in ("mean", "p50", "p90", "p95", "p99", "max")),
                ]
            )
    return rows


def _ms_cell(of: ExactQuantiles, name: str) -> str:
    return _marked(of, name).removesuffix(" ms")


def stages(summary: Summary) -> Table:
    """A row a stage of the plan, or a stretch of constant load."""
    if summary.plan is not None:
        rows = [
            ["stage", "rps", "at a time", "requests", "failed", "req/s", "tok/s", "TTFT p50", "p95", "p99"]
        ]
        rows[0] += ["ITL p99", "TPOT p50", "E2E p95", "J/tok", "targets"]
        rows += [_plan_row(stage) for stage in summary.plan.stages]
        return rows if summary.has_tokens else _without(rows, _OF_TOKENS)
    rows = [
        [
            "from s",
            "to s",
            "rps",
            "at a time",
            "answered",
            "sent/s",
            "tok/s",
            "TTFT p50",
            "p95",
            "p99",
            "ITL p50",
        ]
    ]
    rows[0] += ["ITL p99", "J/tok"]
    rows += [_stage_row(stage) for stage in summary.stages]
    return rows if summary.has_tokens else _without(rows, _OF_TOKENS)


def _without(rows: Table, names: Collection[str]) -> Table:
    """All but the columns of these names."""
    kept = [column for column, name in enumerate(rows[0]) if name not in names]
    return [[row[column] for column in kept] for row in rows]


def _plan_row(stage: PlanStage) -> list[str]:
    ttft = stage.ttft_ms
    verdicts = {one.verdict for one in stage.targets}
    worst = next((word for word in ("fail", "undecided", "pass") if word in verdicts), "")
    return [
        f"{stage.number} {plain(stage.name, 44)}" + ("" if stage.state == "done" else f" ({stage.state})"),
        *(figure(stage.offered_rps), figure(stage.concurrency), f"{stage.requests:,}", f"{stage.failed:,}"),
        *(figure(stage.request_rps), figure(stage.output_tps), ms(ttft.p50), ms(ttft.p95), ms(ttft.p99)),
        *(ms(stage.itl_p99_ms), ms(stage.tpot_ms.p50), ms(stage.e2e_ms.p95)),
        *(figure(stage.joules_per_output_token), worst or NOT_MEASURED),
    ]


def _stage_row(stage: Stage) -> list[str]:
    return [
        *(figure(stage.from_s), figure(stage.to_s), figure(stage.offered_rps), figure(stage.concurrency)),
        *(f"{stage.count:,}", figure(stage.achieved_rps), figure(stage.output_tps), ms(stage.ttft_p50_ms)),
        *(ms(stage.ttft_p95_ms), ms(stage.ttft_p99_ms), ms(stage.itl_p50_ms), ms(stage.itl_p99_ms)),
        figure(stage.j_per_output_token),
    ]


def gpus(summary: Summary) -> Table:
    rows = [["GPU", "name", "util %", "power W", "max W", "memory GiB", "of", "temperature C", "energy J"]]
    for gpu in summary.gpus:
        used, whole = gpu.memory_used_bytes.max, gpu.memory_total_bytes
        rows.append(
            [
                f"{plain(gpu.host, 24)}:{gpu.index}" if gpu.host else str(gpu.index),
                plain(gpu.name, 40),
                *(figure(gpu.util_pct.mean), figure(gpu.power_w.mean), figure(gpu.power_w.max)),
                *(
                    figure(None if used is None else used / 2**30),
                    figure(None if whole is None else whole / 2**30),
                ),
                *(figure(gpu.temperature_c.max), figure(gpu.energy_j)),
            ]
        )
    return rows


def energy(summary: Summary) -> Table:
    used, rows = summary.energy, [["", ""]]
    if used.joules is not None:
        rows += [
            ["energy", f"{figure(used.joules)} J by {plain(used.source or '', 20)}, {used.gpus} GPUs"],
            ["of the run not known", f"{figure(used.gap_s)} s"],
            ["per output token", figure(used.j_per_output_token, "J")],
            ["output tokens/s per W", figure(used.output_tps_per_w)],
        ]
        if (checked := used.validity) is not None:
            valid = "yes" if checked.valid else f"no: {plain('; '.join(checked.reasons), 600)}"
            rows.append([f"energy valid, {checked.window}", valid])
    if (cost := summary.cost) is not None:
        money = plain(cost.currency, 4)
        rows += [
            ["price of the GPUs", f"{figure(cost.per_hour)} {money}/h, prices of {plain(cost.dated, 20)}"],
            ["a million output tokens", f"{figure(cost.per_million_output_tokens)} {money}"],
        ]
    return rows


def limits(summary: Summary) -> Table:
    rows = [["from s", "to s", "bound", "typical figures"]]
    spans = summary.limits[:40]
    return rows + [
        [figure(one.from_s), figure(one.to_s), limit_name(one.limit), plain(one.why, 120)] for one in spans
    ]


def by_target(summary: Summary) -> Table:
    """A row for each of several servers."""
    rows = [
        ["target", "weight", "sent", "sent/s", "failed", "not sent", "TTFT p50", "p95", "gap p50", "tok/s"]
    ]
    for of in summary.by_target:
        rows.append(
            [
                plain(of.url, 60) or f"target {of.target}",
                NOT_MEASURED if of.weight is None else f"{of.weight}",
                f"{of.sent:,}",
                figure(of.sent_rps),
                f"{of.failed:,}",
                f"{of.not_sent:,}",
                _marked(of.ttft_from_due_ms, "p50"),
                _marked(of.ttft_from_due_ms, "p95"),
                ms(of.gaps_ms.p50),
                figure(of.output_tps),
            ]
        )
    return rows


def errors(summary: Summary) -> Table:
    rows = [["failures", "of all that failed", "why"]]
    return rows + [[f"{one.count:,}", share(one.share), plain(one.words, 300)] for one in summary.causes]


def compared(summaries: Sequence[Summary]) -> Table:
    """A row a run, with how it stands to the first."""
    rows = [
        [
            "run",
            "verdict",
            "req/s",
            "tok/s",
            "of the first's tok/s",
            "TTFT p95",
            "of the first's TTFT",
            "E2E p95",
            "failed",
            "J/tok",
        ]
    ]
    first = summaries[0]
    for said in summaries:
        rows.append(
            [
                plain(said.name or said.id, 40),
                ", ".join(filter(None, [slo_verdict(said), verdict(said), *said.badges])),
                *(figure(said.throughput.request_rps), figure(said.throughput.output_tps)),
                _ratio(said.throughput.output_tps, first.throughput.output_tps),
                _marked(ttft_of(said), "p95"),
                _ratio(ttft_of(said).p95, ttft_of(first).p95),
                *(ms(said.e2e_ms.p95), f"{said.requests.failed:,}", figure(said.energy.j_per_output_token)),
            ]
        )
    return rows


def _ratio(value: float | None, first: float | None) -> str:
    return NOT_MEASURED if value is None or not first else f"{value / first:.2f}x"


DEFINITIONS = {
    "due, sent": "when the arrival process wanted a request sent, and when its first byte was",
    "TTFT from due": "time to first token since the request was due: a request that had to wait waited",
    "TTFT from sent": "the same since its first byte was sent, which is what most other tools print",
    "ITL": "time between tokens; a chunk of n tokens after a gap g counts as n times g/n. Only where "
    "the server says how many tokens a chunk bore",
    "chunk gap": "time between chunks that bore tokens, however many: vLLM's ITL",
    "TPOT": "(last token - first token) / (shown tokens - 1), one figure a request",
    "E2E": "from due to the last token; what comes behind it does not count",
    "send lag": "first byte sent minus due: the client's own lateness and the wait for a free slot",
    "percentiles": "over all requests that succeeded, linear between order statistics as numpy's; ~ marks "
    "those that rest on too few (11 for p50, 64 for p90, 130 for p95, 662 for p99). Charts over time are "
    "within 1 %",
    "req/s, tok/s": "requests that succeeded, and their output tokens, over the time to the last answer",
    "J/tok": "energy of the GPUs that the load runs on, over exactly that time, by output token",
    "valid": "no more than 1 % of the requests failed or were cut off, the client was not the limit, at "
    "least 95 % of what was due was sent, and nothing of the session is lost",
    "–": "not measured; never 0",
}
"""Of every figure, as docs/figures/metrics.md has them in full."""
