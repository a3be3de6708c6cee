"""What was sent and how fast it was answered, whole and cut at its changes of load: parts of the report."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sessions.metrics import THIN_FLOORS
from sessions.steady.verdict import DRIFTING
from tui.draw.words import verdict
from tui.report.figures import NOT_MEASURED, aligned, marked, milliseconds, number

if TYPE_CHECKING:
    from sessions.summary.quantile_schema import ExactQuantiles
    from sessions.summary.schema import Stage, Summary, Turn

COLUMNS = ("mean", "p50", "p90", "p95", "p99", "max")
TURNS = 12
"""Rows that are shown of conversations."""
STAGES = 24
"""Rows that are shown of a run cut at its changes of load."""


def counts(summary: Summary) -> str:
    requests, rate, through = summary.requests, summary.rate, summary.throughput
    tokens, stale = summary.tokens, summary.stale_retries
    estimated = " (estimated from chunks)" if tokens.source == "chunks" else ""
    cached = f" ({tokens.cached:,} of them cached)" if tokens.cached else ""
    no_answers = requests.succeeded > 0 and through.output_tps is None
    rows = [
        (
            "requests",
            [
                ("due", number(requests.due, 0)),
                ("sent", number(requests.sent, 0)),
                ("succeeded", number(requests.succeeded, 0)),
                ("failed", number(requests.failed, 0)),
                *([("cut off", f"{requests.cut_off:,}")] if requests.cut_off else []),
                ("not sent", number(requests.not_sent, 0)),
                *([("stale", f"{stale:,} (sent again)")] if stale else []),
            ],
        ),
        (
            "rate, rps",
            [
                ("offered", number(rate.offered_rps, 2)),
                ("achieved", number(rate.achieved_rps, 2)),
                ("completed", f"{number(through.request_rps, 2)} (to the last answer)"),
            ],
        ),
        (
            "tokens",
            [
                ("input", number(tokens.input, 0) + cached),
                *(
                    [("input/s", number(through.input_tps, 1))]
                    if no_answers
                    else [
                        ("output", number(tokens.output, 0) + estimated),
                        ("output/s", number(through.output_tps, 1)),
                        ("total/s", number(through.total_tps, 1)),
                    ]
                ),
            ],
        ),
    ]
    lines = [f"{name:<10}" + "   ".join(f"{key} {value}" for key, value in row) for name, row in rows]
    return "\n".join([*lines, *_counted_in_part(summary)])


def _counted_in_part(summary: Summary) -> list[str]:
    """Which tokens nobody counted, where the server counted others."""
    tokens, notes = summary.tokens, []
    if tokens.input is not None and (unknown := tokens.input_unknown):
        others = summary.requests.succeeded - unknown
        notes.append(f"input tokens are of {others:,} requests: of {unknown:,} others nobody counted them")
    if tokens.source == "mixed" and tokens.estimated:
        notes.append(f"{tokens.estimated:,} of the output tokens are estimated from chunks")
    return [line for note in notes for line in textwrap.wrap(note, 80)]


def latencies(summary: Summary) -> str:
    of_tokens = [
        _latency("TTFT from due", summary.ttft_from_due_ms),
        _latency("TTFT from sent", summary.ttft_from_sent_ms),
        _latency("ITL per token", summary.itl_ms),
        _latency("chunk gap", summary.chunk_gap_ms),
        _latency("TPOT", summary.tpot_ms),
    ]
    text = aligned(
        [
            ["ms", "count", *COLUMNS],
            *(of_tokens if summary.has_tokens else ()),
            _latency("E2E", summary.e2e_ms),
            _latency("send lag" if summary.imported else "send lag (ours)", summary.send_lag_ms),
        ]
    )
    text += "\n~ rests on few samples" if "~" in text else ""
    bounded = {"TTFT from due": summary.ttft_from_due_ms} if summary.has_tokens else {}
    if bound := _tail({**bounded, "E2E": summary.e2e_ms}):
        text += f"\n{bound}"
    others = {"failed": summary.ttft_of_failed_ms, "were cut off": summary.ttft_of_cut_off_ms}
    apart = {what: of for what, of in others.items() if of is not None and of.count}
    for what, of in apart.items():
        text += (
            f"\n{of.count:,} requests {what} after their first token: their TTFT from due, "
            f"p50 {milliseconds(of.p50)} p99 {milliseconds(of.p99)}, is not in the table"
        )
    if apart and summary.streamed is not None and (seen := summary.streamed.ttft_from_due_ms).count:
        text += (
            f"\nscreen and replay show all {seen.count:,} first tokens: TTFT from due p50 "
            f"{milliseconds(seen.p50)} p95 {milliseconds(seen.p95)} p99 {milliseconds(seen.p99)}"
        )
    if unknown := summary.itl_ms.unknown:
        text += (
            f"\nITL is that of {summary.requests.succeeded - unknown:,} requests: of {unknown:,} others the "
            "server did not say how many tokens each chunk bore"
        )
    return "\n".join([text, *_about_tpot(summary)])


def _about_tpot(summary: Summary) -> list[str]:
    """What TPOT rests on where that is not plainly the server's count."""
    tokens, notes = summary.tokens, []
    if tokens.hidden:
        notes.append(
            f"{tokens.hidden:,} output tokens were counted by the server and never shown: "
            "TPOT is of the others"
        )
    if tokens.hidden_unknown:
        notes.append(
            f"no TPOT of {tokens.hidden_unknown:,} requests: the server counted more tokens than what it "
            "sent can hold (hidden reasoning?), and did not say how many it kept to itself"
        )
    if tokens.source in ("chunks", "mixed"):
        some = "" if tokens.source == "chunks" else " of the requests that the server did not count"
        notes.append(f"TPOT is an estimate: each chunk{some} is taken for one token")
    return [line for note in notes for line in textwrap.wrap(note, 80)]


def _tail(of: Mapping[str, ExactQuantiles]) -> str:
    """What the last percentile is at most of which so many requests can tell; the first of them decides."""
    first = next(iter(of.values()))
    unknown = f"unknown: {first.count:,} of {THIN_FLOORS['p99']}"
    for name in ("p99", "p95", "p90"):
        bounds = {what: getattr(each, f"{name}_upper_99") for what, each in of.items()}
        if getattr(first, f"{name}_upper_99") is not None:
            told = (f"{what} <= {milliseconds(ms)}" for what, ms in bounds.items() if ms is not None)
            known = f"{name} with 99 % confidence: {', '.join(told)}"
            return known if name == "p99" else f"{known}; p99 {unknown}"
    return f"p99 with 99 % confidence: {unknown}" if first.count else ""


def _latency(label: str, of: ExactQuantiles) -> list[str]:
    figures = zip(COLUMNS, (of.mean, of.p50, of.p90, of.p95, of.p99, of.max), strict=True)
    cells = [marked(value, name in of.thin) for name, value in figures]
    return [label, number(of.count, 0), *cells]


def turns_table(turns: Sequence[Turn]) -> str:
    """TTFT by turn; nothing where there were no conversations."""
    if not turns:
        return ""
    rows = [["turn", "n", "tokens in", "cached", "TTFT p50", "p95", "p99 ms"]]
    rows += [
        [
            number(turn.turn, 0),
            number(turn.count, 0),
            number(turn.input_tokens_mean, 0),
            number(turn.cached_tokens_mean, 0),
            _ttft(turn.ttft_p50_ms, "p50", turn.count),
            _ttft(turn.ttft_p95_ms, "p95", turn.count),
            _ttft(turn.ttft_p99_ms, "p99", turn.count),
        ]
        for turn in turns[:TURNS]
    ]
    more = f"\n{len(turns) - TURNS} more turns: --json has all" if len(turns) > TURNS else ""
    return aligned(rows) + more


def stages_table(stages: Sequence[Stage], *, has_tokens: bool = True) -> str:
    """The run cut where its load changed; nothing when it did not. `has_tokens`: answers do."""
    if len(stages) < 2:
        return ""
    # Where nobody counted the tokens of a chunk, only the gaps between chunks are known.
    itl_known = any(stage.itl_p50_ms is not None for stage in stages)
    rows = [
        [
            *("from", "to s", "rps", "conc.", "sent/s", "tokens/s", "n"),
            *("TTFT p50", "p99", f"{'ITL' if itl_known else 'gap'} p50", "p99", "J/tok"),
        ]
    ]
    shown = _telling(stages)
    for stage in shown:
        rows.append(
            [
                number(stage.from_s, 1),
                number(stage.to_s, 1),
                number(stage.offered_rps, 2),
                number(stage.concurrency, 0),
                number(stage.achieved_rps, 2),
                number(stage.output_tps, 0),
                number(stage.count, 0),
                _ttft(stage.ttft_p50_ms, "p50", stage.count),
                _ttft(stage.ttft_p99_ms, "p99", stage.count),
                milliseconds(stage.itl_p50_ms if itl_known else stage.chunk_gap_p50_ms),
                milliseconds(stage.itl_p99_ms if itl_known else stage.chunk_gap_p99_ms),
                number(stage.j_per_output_token, 3),
            ]
        )
    may_be_unused = (2, 3, 11) if has_tokens else (2, 3, 5, *range(7, 12))
    unused = {column for column in may_be_unused if all(row[column] == NOT_MEASURED for row in rows[1:])}
    rows = [[cell for column, cell in enumerate(row) if column not in unused] for row in rows]
    dropped = len(stages) - len(shown)
    more = f"\nwithout {dropped} holds and shortest stages: --json has all" if dropped else ""
    return aligned(rows, left=0) + more


def windows(stages: Sequence[Stage]) -> str:
    """Whether each stretch of constant load came to a steady state, and what of it was measured."""
    judged = [stage.window for stage in stages if stage.window is not None][:STAGES]
    lines: list[str] = []
    for found in judged:
        from_s = number(found.from_s, 1) if found.from_s < found.to_s else ""
        head = f"{from_s:>8} to {number(found.to_s, 1):>8} s  {verdict(found.verdict):<13}  "
        lines += textwrap.wrap(head + found.why, 80, subsequent_indent=" " * len(head), drop_whitespace=True)
    if any(found.verdict in DRIFTING for found in judged):
        lines.append("what drifts depends on how long it went on: its figures are no rates to be held")
    return "\n".join(["measured window", *lines]) if lines else ""


def _ttft(value_ms: float | None, quantile: str, count: int) -> str:
    return marked(value_ms, count < THIN_FLOORS[quantile])


def _telling(stages: Sequence[Stage]) -> list[Stage]:
    """At most `STAGES`, in order: the holds go first, then the shortest, so that a ramp's end stays."""
    if len(stages) <= STAGES:
        return list(stages)

    def weight(i: int) -> tuple[bool, float]:
        held = not stages[i].offered_rps and not stages[i].concurrency
        return held, stages[i].from_s - stages[i].to_s

    kept = sorted(sorted(range(len(stages)), key=weight)[:STAGES])
    return [stages[i] for i in kept]
