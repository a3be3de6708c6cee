"""What a run says, as text for 80 columns: `summary` prints it, and a headless run ends with it.

Everything here reads the summary's dictionary (docs/guide/commands.md lists its keys) and only lays it out. A
figure that rests on too few samples is marked with `~`; one that was not measured is a dash, never 0.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from loadgen.errors import describe, printable
from tui.report.figures import number
from tui.report.load import counts, latencies, steps_table
from tui.report.machines import activity, energy, gpus_table, server, telemetry

Summary = Mapping[str, Any]

LIMITS = 16
"""Rows that are shown of what bound when."""


def render(summary: Summary) -> str:
    """The whole report, without charts and without colours; ends with a line break."""
    parts = [
        _head(summary),
        counts(summary),
        latencies(summary),
        steps_table(summary.get("steps") or []),
        _marks(summary.get("marks") or []),
        gpus_table(summary.get("gpus") or []),
        activity(summary.get("gpus") or []),
        energy(summary),
        server(summary.get("server") or {}),
        telemetry(summary.get("telemetry") or []),
        _limits(summary.get("limits") or []),
        _errors(summary.get("errors") or {}),
        _notes(summary.get("notes") or []),
        outcome_of(summary),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def outcome_of(summary: Summary) -> str:
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
    if changes := summary.get("load_changes"):
        how += f" at first, then changed {'once' if changes == 1 else f'{changes} times'}"
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
