"""What a run says, as text for 80 columns: `summary` prints it, and a headless run ends with it.

Everything here reads the summary's dictionary (docs/commands.md lists its keys) and only lays it out. A
figure that rests on too few samples is marked with `~`; one that was not measured is a dash, never 0.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from loadgen.errors import describe, printable
from sessions.metrics import THIN_FLOORS

Summary = Mapping[str, Any]

LATENCIES = {
    "ttft_from_due_ms": "TTFT from due",
    "ttft_from_sent_ms": "TTFT from sent",
    "itl_ms": "ITL per token",
    "chunk_gap_ms": "chunk gap",
    "tpot_ms": "TPOT",
    "e2e_ms": "E2E",
    "send_lag_ms": "send lag (ours)",
}
COLUMNS = ("mean", "p50", "p90", "p95", "p99", "max")
NOT_MEASURED = "-"
STEPS = 24
"""Rows that are shown of a run cut at its changes of load."""


LIMITS = 16
"""Rows that are shown of what bound when."""


def render(summary: Summary) -> str:
    """The whole report, without charts and without colours; ends with a line break."""
    parts = [
        _head(summary),
        _counts(summary),
        _latencies(summary),
        _steps(summary.get("steps") or []),
        _marks(summary.get("marks") or []),
        _gpus(summary.get("gpus") or []),
        _activity(summary.get("gpus") or []),
        _energy(summary),
        _server(summary.get("server") or {}),
        _telemetry(summary.get("telemetry") or []),
        _limits(summary.get("limits") or []),
        _errors(summary.get("errors") or {}),
        _notes(summary.get("notes") or []),
        verdict(summary),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(summary: Summary) -> str:
    """`valid`, or why not, a reason a line."""
    if summary.get("valid"):
        return "valid"
    reasons = [printable(str(reason)) for reason in summary.get("reasons") or ["no reason was recorded"]]
    return "\n".join(["NOT VALID", *(f"  - {reason}" for reason in reasons)])


def _head(summary: Summary) -> str:
    where = [summary.get(key) for key in ("id", "target", "model")]
    first = "  ".join(printable(str(text)) for text in where if text)
    if summary.get("simulated"):
        first += "  SIMULATED"
    ended = summary.get("end") or {}
    reason = ended.get("message") or ended.get("reason") if isinstance(ended, Mapping) else ended
    load_s, whole_s = summary.get("load_s"), summary.get("duration_s")
    second = [f"{number(whole_s if load_s is None else load_s, 1)} s of load"]
    if load_s is not None and whole_s is not None and whole_s - load_s >= 0.1:
        second.append(f"{whole_s - load_s:,.1f} s more to the last answer")
    if reason:
        second.append(printable(str(reason)))
    return "\n".join(line for line in (first, _asked(summary), ", ".join(second)) if line)


def _asked(summary: Summary) -> str:
    """What was run: how it was asked, how it arrived, how long prompts and answers were, when."""
    load, work = summary.get("load") or {}, summary.get("workload") or {}
    if not load or not work:
        return ""
    ramp = load.get("ramp")
    if load.get("concurrency") is not None:
        how = f"closed loop of {load['concurrency']}"
    elif ramp:
        how = f"{load['arrivals']} {ramp['from_rps']:g} to {ramp['to_rps']:g} rps in {ramp['over_s']:g} s"
    else:
        how = f"{load['arrivals']} {load['rate_rps']:g} rps"
    words = [
        printable(str(summary.get("endpoint") or ""), 20),
        how,
        f"{work['input_tokens']} tokens in, {work['output_tokens']} out",
        f"seed {load['seed']}",
        printable(str(summary.get("started_at") or ""), 40).replace("T", " ")[:19],
    ]
    return ", ".join(word for word in words if word)


def _marks(marks: Sequence[Mapping[str, Any]]) -> str:
    """Those a person set."""
    if not marks:
        return ""
    rows = [f"{number(mark['at_s'], 1):>8} s  {printable(str(mark['text']), 200)}" for mark in marks]
    return "\n".join(["marks", *rows])


def _counts(summary: Summary) -> str:
    requests = summary.get("requests") or {}
    rate = summary.get("rate") or {}
    through = summary.get("throughput") or {}
    tokens = summary.get("tokens") or {}
    estimated = " (estimated from chunks)" if tokens.get("source") == "chunks" else ""
    rows = [
        (
            "requests",
            [
                *((name.replace("_", " "), number(requests.get(name), 0)) for name in _REQUESTS),
                *([("stale", f"{stale:,} (sent again)")] if (stale := summary.get("stale_retries")) else []),
            ],
        ),
        (
            "rate, rps",
            [
                ("offered", number(rate.get("offered_rps"), 2)),
                ("achieved", number(rate.get("achieved_rps"), 2)),
                ("completed", f"{number(through.get('request_rps'), 2)} (to the last answer)"),
            ],
        ),
        (
            "tokens",
            [
                ("input", number(tokens.get("input"), 0)),
                ("output", number(tokens.get("output"), 0) + estimated),
                ("output/s", number(through.get("output_tps"), 1)),
                ("total/s", number(through.get("total_tps"), 1)),
            ],
        ),
    ]
    return "\n".join(f"{name:<10}" + "   ".join(f"{key} {value}" for key, value in row) for name, row in rows)


_REQUESTS = ("due", "sent", "succeeded", "failed", "not_sent")


def _latencies(summary: Summary) -> str:
    rows = [["ms", "count", *COLUMNS]]
    for key, label in LATENCIES.items():
        figures = summary.get(key) or {}
        thin = figures.get("thin") or ()
        cells = [("~" if name in thin else "") + milliseconds(figures.get(name)) for name in COLUMNS]
        rows.append([label, number(figures.get("count"), 0), *cells])
    text = aligned(rows)
    text += "\n~ rests on few samples" if "~" in text else ""
    if unknown := (summary.get("itl_ms") or {}).get("unknown"):
        known = (summary.get("requests") or {}).get("succeeded", 0) - unknown
        text += (
            f"\nITL is that of {known:,} requests: of {unknown:,} others the server did not say how many "
            "tokens each chunk bore"
        )
    return text


def _steps(steps: Sequence[Mapping[str, Any]]) -> str:
    """The run cut where its load changed; nothing when it did not."""
    if len(steps) < 2:
        return ""
    # Where nobody counted the tokens of a chunk, only the gaps between chunks are known.
    between = "ITL" if any(step["itl_p50_ms"] is not None for step in steps) else "gap"
    figures = ("ttft_p50", "ttft_p99", *(f"{_BETWEEN[between]}_{name}" for name in ("p50", "p99")))
    rows = [
        [
            *("from", "to s", "rps", "at once", "sent/s", "tokens/s", "n"),
            *("TTFT p50", "p99", f"{between} p50", "p99", "J/tok"),
        ]
    ]
    shown = _telling(steps)
    for step in shown:
        rows.append(
            [
                number(step["from_s"], 1),
                number(step["to_s"], 1),
                number(step["offered_rps"], 2),
                number(step["concurrency"], 0),
                number(step["achieved_rps"], 2),
                number(step["output_tps"], 0),
                number(step.get("count"), 0),
                *(_figure(step, key) for key in figures),
                number(step.get("j_per_output_token"), 3),
            ]
        )
    unused = {column for column in (2, 3, 11) if all(row[column] == NOT_MEASURED for row in rows[1:])}
    rows = [[cell for column, cell in enumerate(row) if column not in unused] for row in rows]
    dropped = len(steps) - len(shown)
    more = f"\nwithout {dropped} holds and shortest steps: --json has all" if dropped else ""
    return aligned(rows, left=0) + more


def _figure(step: Mapping[str, Any], name: str) -> str:
    """In ms; a TTFT that rests on too few requests is marked."""
    value, (metric, _, quantile) = step.get(f"{name}_ms"), name.rpartition("_")
    thin = metric == "ttft" and value is not None and (step.get("count") or 0) < THIN_FLOORS[quantile]
    return ("~" if thin else "") + milliseconds(value)


_BETWEEN = {"ITL": "itl", "gap": "chunk_gap"}


def _telling(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """At most `STEPS`, in order: the holds go first, then the shortest, so that a ramp's end stays."""
    if len(steps) <= STEPS:
        return list(steps)

    def weight(i: int) -> tuple[bool, float]:
        held = not steps[i]["offered_rps"] and not steps[i]["concurrency"]
        return held, steps[i]["from_s"] - steps[i]["to_s"]

    kept = sorted(sorted(range(len(steps)), key=weight)[:STEPS])
    return [steps[i] for i in kept]


def _gpus(gpus: Sequence[Mapping[str, Any]]) -> str:
    if not gpus:
        return ""
    rows = [["GPU", "name", "util % mean/max", "GiB used at most", "W mean/max", "kJ"]]
    for gpu in gpus:
        total = _spread(gpu.get("memory_total_bytes"))[1]
        used = _spread(gpu.get("memory_used_bytes"))[1]
        energy = _spread(gpu.get("energy_j"))[0]
        rows.append(
            [
                str(gpu.get("index", NOT_MEASURED)),
                printable(str(gpu.get("name") or NOT_MEASURED), 24),
                _mean_max(gpu.get("util_pct")),
                f"{_scaled(used, 2**30, 1)} of {_scaled(total, 2**30, 1)}",
                _mean_max(gpu.get("power_w")),
                _scaled(energy, 1000, 2),
            ]
        )
    return aligned(rows, left=2)


def _activity(gpus: Sequence[Mapping[str, Any]]) -> str:
    """What the chips did, where the driver tells, in means; then what befell them."""
    rows = [["GPU", "SM %", "DRAM %", "tensor %", "slowed %", "C most", "mem C", "PCIe GB/s", "NVLink GB/s"]]
    befell = []
    for gpu in gpus:
        name = str(gpu.get("index", NOT_MEASURED))
        means = [_spread(gpu.get(f"{key}_active_pct"))[0] for key in ("sm", "dram", "tensor")]
        slowed = {word: mean for key, word in _SLOWED if (mean := _spread(gpu.get(key))[0]) is not None}
        worst = max(slowed, key=lambda word: slowed[word], default=None)
        rows.append(
            [
                name,
                *(number(mean, 0) for mean in means),
                NOT_MEASURED
                if worst is None
                else f"{slowed[worst]:.0f}" + (f" {worst}" if slowed[worst] else ""),
                number(_spread(gpu.get("temperature_c"))[1], 0),
                number(_spread(gpu.get("memory_temperature_c"))[1], 0),
                *(_traffic(gpu, way) for way in ("pcie", "nvlink")),
            ]
        )
        events = [
            f"{count:,} {printable(str(kind), 20)}" for kind, count in (gpu.get("events") or {}).items()
        ]
        if gpu.get("lost_pct"):
            events.append(f"lost for {gpu['lost_pct']:.0f} % of the time")
        if (age_s := _spread(gpu.get("age_s"))[1]) is not None and age_s >= 2:
            events.append(f"its figures were up to {age_s:.0f} s old")
        if events:
            befell.append(f"GPU {name}: {', '.join(events)}")
    unused = {column for column in range(1, 9) if all(row[column] == NOT_MEASURED for row in rows[1:])}
    rows = [[cell for column, cell in enumerate(row) if column not in unused] for row in rows]
    # Temperatures alone are no reason for a second table.
    table = aligned(rows) if not {1, 2, 3, 4, 7, 8} <= unused else ""
    return "\n".join(part for part in (table, *befell) if part)


_SLOWED = (
    ("power_throttled_pct", "power"),
    ("thermal_throttled_pct", "heat"),
    ("brake_throttled_pct", "brake"),
)


def _traffic(gpu: Mapping[str, Any], way: str) -> str:
    """Both directions, means."""
    means = [_spread(gpu.get(f"{way}_{one}_bytes_per_s"))[0] for one in ("rx", "tx")]
    known = [mean for mean in means if mean is not None]
    return number(sum(known) / 1e9, 1) if known else NOT_MEASURED


def _energy(summary: Summary) -> str:
    """Joules, what a token takes of them, and money where a table of prices was given."""
    energy = summary.get("energy") or {}
    rows = []
    if energy.get("joules") is not None:
        how = "" if energy.get("source") == "counter" else " (integrated from power)"
        gap = energy.get("gap_s") or 0
        said = [f"{energy['joules'] / 1000:,.2f} kJ{how}"]
        if energy.get("gpus", 1) > 1:
            said.append(f"{energy['gpus']} GPUs")
        if gap > 0:
            said.append(f"{gap:,.1f} s not known")
        if energy.get("mean_w") is not None:
            said.append(f"{number(energy['mean_w'], 0)} W")
        if energy.get("j_per_output_token") is not None:
            said.append(f"{number(energy['j_per_output_token'], 3)} J/output token")
            said.append(f"{number(energy['output_tps_per_w'], 2)} tokens/s/W")
        rows.append("energy    " + "   ".join(said))
    cost = summary.get("cost")
    if cost is not None:
        rows.append("cost      " + _money(cost))
    return "\n".join(rows)


def _money(cost: Mapping[str, Any]) -> str:
    missing = [printable(str(name), 40) for name in cost.get("gpus_without_price") or []]
    if missing:
        return f"no price for {', '.join(missing)} in {printable(str(cost.get('table')), 60)}"
    if cost.get("per_hour") is None:
        return "no GPU was seen that could be paid for"
    unit = printable(str(cost.get("currency") or ""), 8)
    dated = printable(str(cost.get("dated") or "no date"), 20)
    return (
        f"{number(cost.get('per_million_output_tokens'), 2)} {unit} a million output tokens   "
        f"{number(cost['per_hour'], 2)} {unit}/h   (prices of {dated})"
    )


def _server(server: Mapping[str, Any]) -> str:
    """The server's own latencies: beside ours, the difference is network and client."""
    said = [
        f"{label} p50 {_own(own, 'p50')} p99 {_own(own, 'p99')}"
        for name, label in (("ttft_ms", "TTFT"), ("itl_ms", "ITL"), ("queue_ms", "queue"))
        if (own := server.get(name))
    ]
    return f"server's own, ms   {'   '.join(said)}" if said else ""


def _own(own: Mapping[str, Any], name: str) -> str:
    """A quantile of a server's histogram; `<10.0` or `>80,000` where its buckets tell no more."""
    low, high = (own.get("between") or {}).get(name, (None, None))
    if low is None:
        return milliseconds(own[name])
    return f">{milliseconds(low)}" if high is None else f"<{milliseconds(high)}"


def _telemetry(sources: Sequence[Mapping[str, Any]]) -> str:
    """Sources that did not work, each with what it said first and how often; others show by their figures."""
    lines = []
    for source in sources:
        failed = [said for said in source.get("said") or [] if not said["ok"]]
        if failed:
            again = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            text = printable(str(failed[0]["message"]), 300) + again
            if source["ok"]:
                text += "; it answered again"
            lines += textwrap.wrap(text, 80, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join(["telemetry that was missing", *lines]) if lines else ""


def _limits(limits: Sequence[Mapping[str, Any]]) -> str:
    """What bound when."""
    if not limits:
        return ""
    rows = [["from", "to s", "limit", "figures it began with"]]
    rows += [
        [
            number(span["from_s"], 0),
            number(span["to_s"], 0),
            str(span["limit"]),
            printable(str(span["why"]), 50),
        ]
        for span in limits[:LIMITS]
    ]
    more = f"\n{len(limits) - LIMITS} more: --json has all" if len(limits) > LIMITS else ""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        f"{a.rjust(widths[0])}  {b.rjust(widths[1])}  {c.ljust(widths[2])}  {d}".rstrip()
        for a, b, c, d in rows
    )
    return "\n".join(lines) + more


def _errors(errors: Mapping[str, int]) -> str:
    if not errors:
        return ""
    most = sorted(errors.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join(
        ["errors", *(f"  {count:>6,}  {printable(kind)}: {describe(kind)}" for kind, count in most)]
    )


def _notes(notes: Sequence[str]) -> str:
    """What is to be known of the session's files: lines that were damaged, a host that was killed."""
    lines = []
    for note in notes:
        text = printable(str(note), 300)
        lines += textwrap.wrap(text, 80, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join(["notes on the session", *lines]) if lines else ""


def _spread(value: Any) -> tuple[float | None, float | None]:
    """Mean and maximum of a figure that may also be a single number."""
    if isinstance(value, Mapping):
        return value.get("mean"), value.get("max")
    return value, value


def _mean_max(value: Any) -> str:
    mean, most = _spread(value)
    return f"{number(mean, 0)} / {number(most, 0)}"


def _scaled(value: float | None, unit: float, places: int) -> str:
    return number(None if value is None else value / unit, places)


def number(value: float | None, places: int) -> str:
    """With thousands separated; a dash for None."""
    return NOT_MEASURED if value is None else f"{value:,.{places}f}"


def milliseconds(value: float | None) -> str:
    """Three to four digits that matter: 0.42, 15.1, 231, 12,043."""
    if value is None:
        return NOT_MEASURED
    return number(value, 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0)


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns as wide as their widest cell; the first `left` of them flush left, figures flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
