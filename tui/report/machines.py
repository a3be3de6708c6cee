"""What GPUs, their energy and the server's own figures say of a run: parts of the report."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from loadgen.errors import printable
from tui.report.figures import NOT_MEASURED, aligned, mean_max, milliseconds, number, scaled, spread

Summary = Mapping[str, Any]


def gpus_table(gpus: Sequence[Mapping[str, Any]]) -> str:
    if not gpus:
        return ""
    rows = [["GPU", "name", "util % mean/max", "GiB used at most", "W mean/max", "kJ"]]
    for gpu in gpus:
        total = spread(gpu.get("memory_total_bytes"))[1]
        used = spread(gpu.get("memory_used_bytes"))[1]
        energy = spread(gpu.get("energy_j"))[0]
        rows.append(
            [
                str(gpu.get("index", NOT_MEASURED)),
                printable(str(gpu.get("name") or NOT_MEASURED).removeprefix("NVIDIA "), 20),
                mean_max(gpu.get("util_pct")),
                f"{scaled(used, 2**30, 1)} of {scaled(total, 2**30, 1)}",
                mean_max(gpu.get("power_w")),
                scaled(energy, 1000, 2),
            ]
        )
    return aligned(rows, left=2)


def activity(gpus: Sequence[Mapping[str, Any]]) -> str:
    """What the chips did, where the driver tells, in means; then what befell them."""
    rows = [["GPU", "SM %", "DRAM %", "tensor %", "slowed %", "C most", "mem C", "PCIe GB/s", "NVLink GB/s"]]
    befell = []
    for gpu in gpus:
        name = str(gpu.get("index", NOT_MEASURED))
        means = [spread(gpu.get(f"{key}_active_pct"))[0] for key in ("sm", "dram", "tensor")]
        slowed = {word: mean for key, word in _SLOWED if (mean := spread(gpu.get(key))[0]) is not None}
        worst = max(slowed, key=lambda word: slowed[word], default=None)
        rows.append(
            [
                name,
                *(number(mean, 0) for mean in means),
                NOT_MEASURED
                if worst is None
                else f"{slowed[worst]:.0f}" + (f" {worst}" if slowed[worst] else ""),
                number(spread(gpu.get("temperature_c"))[1], 0),
                number(spread(gpu.get("memory_temperature_c"))[1], 0),
                *(_traffic(gpu, way) for way in ("pcie", "nvlink")),
            ]
        )
        events = [
            f"{count:,} {printable(str(kind), 20)}" for kind, count in (gpu.get("events") or {}).items()
        ]
        if gpu.get("lost_pct"):
            events.append(f"lost for {gpu['lost_pct']:.0f} % of the time")
        if (age_s := spread(gpu.get("age_s"))[1]) is not None and age_s >= 2:
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
    means = [spread(gpu.get(f"{way}_{one}_bytes_per_s"))[0] for one in ("rx", "tx")]
    known = [mean for mean in means if mean is not None]
    return number(sum(known) / 1e9, 1) if known else NOT_MEASURED


def energy(summary: Summary) -> str:
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


def server(server: Mapping[str, Any]) -> str:
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


def telemetry(sources: Sequence[Mapping[str, Any]]) -> str:
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
