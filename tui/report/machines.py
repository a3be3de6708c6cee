"""What GPUs, their energy and the server's own figures say of a run: parts of the report."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from loadgen.errors import printable
from tui.report.figures import NOT_MEASURED, aligned, mean, milliseconds, most, number, scaled

if TYPE_CHECKING:
    from sessions.summary.schema import Summary
    from sessions.summary.telemetry_schema import (
        Cost,
        Gpu,
        Said,
        Server,
        ServerLatency,
        Spread,
        TelemetrySource,
    )


def gpus_table(gpus: Sequence[Gpu]) -> str:
    """A name is cut only where the line would be too long."""
    if not gpus:
        return ""
    rows = [["util %", "max", "GiB used", "W", "max", "kJ"]]
    for gpu in gpus:
        used, total = gpu.memory_used_bytes.max, gpu.memory_total_bytes
        rows.append(
            [
                number(gpu.util_pct.mean, 0),
                number(gpu.util_pct.max, 0),
                f"{scaled(used, 2**30, 1)} of {scaled(total, 2**30, 1)}",
                number(gpu.power_w.mean, 0),
                number(gpu.power_w.max, 0),
                scaled(gpu.energy_j, 1000, 2),
            ]
        )
    numbers = ["GPU", *(str(gpu.index) for gpu in gpus)]
    taken = max(map(len, aligned(rows).splitlines())) + max(map(len, numbers)) + 4
    names = ["name", *((gpu.name or NOT_MEASURED).removeprefix("NVIDIA ") for gpu in gpus)]
    cut = [printable(name, max(_WIDTH - taken, _LEAST_NAME)) for name in names]
    return aligned([[n, name, *row] for n, name, row in zip(numbers, cut, rows, strict=True)], left=2)


_WIDTH, _LEAST_NAME = 80, 12


def activity(gpus: Sequence[Gpu]) -> str:
    """What the chips did, where the driver tells, in means; then what befell them."""
    rows = [["GPU", "SM %", "DRAM %", "tensor %", "slowed %", "C most", "mem C", "PCIe GB/s", "NVLink GB/s"]]
    befell = []
    for gpu in gpus:
        rows.append(
            [
                str(gpu.index),
                number(mean(gpu.sm_active_pct), 0),
                number(mean(gpu.dram_active_pct), 0),
                number(mean(gpu.tensor_active_pct), 0),
                _slowed(gpu),
                number(most(gpu.temperature_c), 0),
                number(most(gpu.memory_temperature_c), 0),
                _traffic(gpu.pcie_rx_bytes_per_s, gpu.pcie_tx_bytes_per_s),
                _traffic(gpu.nvlink_rx_bytes_per_s, gpu.nvlink_tx_bytes_per_s),
            ]
        )
        events = [f"{count:,} {printable(kind, 20)}" for kind, count in gpu.events.items()]
        if gpu.lost_pct:
            events.append(f"lost for {gpu.lost_pct:.0f} % of the time")
        if (age_s := most(gpu.age_s)) is not None and age_s >= 2:
            events.append(f"its figures were up to {age_s:.0f} s old")
        if events:
            befell.append(f"GPU {gpu.index}: {', '.join(events)}")
    unused = {column for column in range(1, 9) if all(row[column] == NOT_MEASURED for row in rows[1:])}
    rows = [[cell for column, cell in enumerate(row) if column not in unused] for row in rows]
    # Temperatures alone are no reason for a second table.
    table = aligned(rows) if not {1, 2, 3, 4, 7, 8} <= unused else ""
    return "\n".join(part for part in (table, *befell) if part)


def _slowed(gpu: Gpu) -> str:
    """Of the time, and by what most."""
    shares = {
        "power": mean(gpu.power_throttled_pct),
        "heat": mean(gpu.thermal_throttled_pct),
        "brake": mean(gpu.brake_throttled_pct),
    }
    known = {word: share for word, share in shares.items() if share is not None}
    if not known:
        return NOT_MEASURED
    worst = max(known, key=lambda word: known[word])
    return f"{known[worst]:.0f}" + (f" {worst}" if known[worst] else "")


def _traffic(*ways: Spread | None) -> str:
    """Both directions, means."""
    known = [way.mean for way in ways if way is not None and way.mean is not None]
    return number(sum(known) / 1e9, 1) if known else NOT_MEASURED


def energy(summary: Summary) -> str:
    """Joules, what a token takes of them, and money where a table of prices was given."""
    energy, rows = summary.energy, []
    if energy.joules is not None:
        how = "" if energy.source == "counter" else " (integrated from power)"
        said = [f"{energy.joules / 1000:,.2f} kJ{how}"]
        if energy.gpus > 1:
            said.append(f"{energy.gpus} GPUs")
        if energy.gap_s > 0:
            said.append(f"{energy.gap_s:,.1f} s not known")
        if energy.mean_w is not None:
            said.append(f"{number(energy.mean_w, 0)} W")
        if energy.j_per_output_token is not None:
            said.append(f"{number(energy.j_per_output_token, 3)} J/output token")
            said.append(f"{number(energy.output_tps_per_w, 2)} tokens/s/W")
        rows.append("energy    " + "   ".join(said))
        if (checked := energy.validity) is not None and not checked.valid:
            words = f"energy not valid: {printable('; '.join(checked.reasons), 600)}"
            rows += textwrap.wrap(words, 80, subsequent_indent="          ")
    if summary.cost is not None:
        rows.append("cost      " + _money(summary.cost))
    return "\n".join(rows)


def _money(cost: Cost) -> str:
    missing = [printable(name, 40) for name in cost.gpus_without_price]
    if missing:
        return f"no price for {', '.join(missing)} in {printable(cost.table, 60)}"
    if cost.per_hour is None:
        return "no GPU was seen that could be paid for"
    unit, dated = printable(cost.currency, 8), printable(cost.dated or "no date", 20)
    return (
        f"{number(cost.per_million_output_tokens, 2)} {unit} a million output tokens   "
        f"{number(cost.per_hour, 2)} {unit}/h   (prices of {dated})"
    )


def server(server: Server | None) -> str:
    """The server's own latencies: beside ours, the difference is network and client."""
    if server is None:
        return ""
    said = [
        f"{label} p50 {_own(own, 'p50', own.p50)} p99 {_own(own, 'p99', own.p99)}"
        for label, own in (("TTFT", server.ttft_ms), ("ITL", server.itl_ms), ("queue", server.queue_ms))
        if own is not None
    ]
    return f"server's own, ms   {'   '.join(said)}" if said else ""


def _own(own: ServerLatency, quantile: str, value_ms: float | None) -> str:
    """`<=10.0` or `>80,000` where the histogram's buckets tell no more."""
    low, high = own.between.get(quantile, (None, None))
    if low is None:
        return milliseconds(value_ms)
    return f">{milliseconds(low)}" if high is None else f"<={milliseconds(high)}"  # a `<` would be a target


def telemetry(sources: Sequence[TelemetrySource]) -> str:
    """What did not work, each with what was said of it first and how often; the rest shows by its figures."""
    lines = []
    for source in sources:
        least = "at least " if source.unsaid else ""
        failed = _failed(source)
        texts = []
        for words in failed[:_MOST_FAILED]:
            bad = [said for said in words if not said.ok]
            again = f" (and {least}{len(bad) - 1} more)" if len(bad) > 1 else ""
            # Of a source whose later words are left out, the last one counts.
            is_back = words[-1].ok and (source.ok or not source.unsaid)
            back = "; it answered again" if is_back else ""
            texts.append(f"{printable(bad[0].message, 300)}{again}{back}")
        if len(failed) > _MOST_FAILED:
            left = f"{least}{len(failed) - _MOST_FAILED} more"
            texts.append(f"{printable(source.source, 60)}: the same or another thing of {left}")
        for text in texts:
            lines += textwrap.wrap(text, 80, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join(["telemetry that was missing", *lines]) if lines else ""


_MOST_FAILED = 8
_SUBJECT = re.compile(r".*?\bGPU \d+\b|.*?(?=: )")


def _failed(source: TelemetrySource) -> list[list[Said]]:
    """What a source said of each thing that failed: itself, or one of several GPUs."""
    by_subject: dict[str, list[Said]] = {}
    for said in source.said:
        subject = match[0] if (match := _SUBJECT.match(said.message)) else ""
        by_subject.setdefault(subject, []).append(said)
    return [words for words in by_subject.values() if not all(said.ok for said in words)]
