"""All that a run says, as text for 80 columns: `summary --all` prints it, and a headless run ends with it.

Everything here reads a `Summary` and only lays it out. A figure that rests on too few samples is marked with
`~`; one that was not measured is a dash, never 0.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from loadgen.errors import describe, printable
from sessions.digits import digits
from tui.draw.failures import failures
from tui.draw.words import limit_name
from tui.report.advice import ADVICE
from tui.report.figures import number
from tui.report.imported import imported
from tui.report.lengths import asked_words, lengths
from tui.report.limit import limit_text
from tui.report.load import counts, latencies, stages_table, turns_table, windows
from tui.report.machines import activity, energy, gpus_table, server, telemetry
from tui.report.plan import plan_table
from tui.report.slo import not_held, slo_table
from tui.report.tags import tags_table
from tui.report.targets import targets_table

if TYPE_CHECKING:
    from sessions.bottleneck.history import LimitSpan
    from sessions.plan.config import LoadConfig
    from sessions.summary.schema import LoadNode, Mark, Summary

VALID = "measurement valid: its figures may be relied on"
FAILED_SHARE = 0.9
"""Of what ended, from which on failures are the first thing that is said."""
LIMITS = 16
"""Rows that are shown of what bound when."""
ADDRESSES = 4
NODES = 8
"""Addresses of a server that are named."""


def render(summary: Summary) -> str:
    """The whole report, without charts and without colours; ends with a line break."""
    limit = limit_text(None if summary.plan is None else summary.plan.limit)
    parts = [
        failed_first(summary),
        ", ".join(filter(None, ("" if summary.valid else "NOT VALID", not_held(summary)))),
        limit.partition("\n")[0],
        head(summary),
        counts(summary) + lengths(summary),
        latencies(summary),
        stages_table(summary.stages, has_tokens=summary.has_tokens)
        if summary.plan is None
        else plan_table(summary.plan),
        windows(summary.stages) if summary.plan is None else "",
        turns_table(summary.turns),
        tags_table(summary.by_tag),
        targets_table(summary.by_target),
        _marks(summary.marks),
        gpus_table(summary.gpus),
        activity(summary.gpus),
        energy(summary),
        server(summary.server),
        telemetry(summary.telemetry),
        _limits(summary.limits),
        limit,
        slo_table(summary.slo, searched=summary.plan is not None and summary.plan.limit is not None),
        errors(summary),
        imported(summary.imported),
        _notes(summary.notes),
        verdict(summary.valid, summary.reasons),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(valid: bool, reasons: Sequence[str]) -> str:
    """That the measurement is valid, whatever its targets came to; or why not, a reason a line."""
    if valid:
        return VALID
    lines = [printable(reason) for reason in reasons or ["no reason was recorded"]]
    return "\n".join(["NOT VALID", *(f"  - {line}" for line in lines)])


def failed_first(summary: Summary) -> str:
    """The first words where next to nothing succeeded: how many failed, why, and what to do."""
    failed, ended = summary.requests.failed, summary.requests.failed + summary.requests.succeeded
    if not failed or failed < FAILED_SHARE * ended:
        return ""
    what = "EVERY REQUEST FAILED" if failed == ended else "NEARLY ALL REQUESTS FAILED"
    lines = textwrap.wrap(f"{what}: {failures(failed, ended, summary.causes)}", 80, subsequent_indent="  ")
    if summary.causes and (advice := ADVICE.get(summary.causes[0].kind)):
        lines += textwrap.wrap(advice, 80, initial_indent="  what to do: ", subsequent_indent="    ")
    return "\n".join(lines)


def head(summary: Summary) -> str:
    first = "  ".join(printable(text) for text in (summary.id, summary.target, summary.model) if text)
    if summary.tls_verified is False:
        first += "  TLS NOT VERIFIED (--insecure)"
    first = "  ".join([first, *summary.badges])
    second = [f"{number(summary.load_s, 1)} s of load"]
    if summary.duration_s - summary.load_s >= 0.1:
        second.append(f"{summary.duration_s - summary.load_s:,.1f} s more to the last answer")
    if summary.end.message:
        second.append(printable(summary.end.message))
    lines = [first, _asked(summary), *textwrap.wrap(", ".join(second), 80, subsequent_indent="  ")]
    if summary.note:
        lines += textwrap.wrap(f"note: {printable(summary.note, 2000)}", 80, subsequent_indent="  ")
    if summary.nodes:
        lines += textwrap.wrap(nodes_line(summary.nodes), 80, subsequent_indent="  ")
    if summary.by_target:
        lines.append(f"requests went to {len(summary.by_target)} targets, by weight: below")
    elif len(at := summary.probe.addresses) > 1 or summary.probe.addresses_left_out:
        lines.append(_addresses(at, summary.probe.addresses_left_out))
    return "\n".join(lines)


def nodes_line(nodes: Sequence[LoadNode]) -> str:
    """Where the load came from."""
    some = ", ".join(f"{printable(node.name, 60)} {node.workers}" for node in nodes[:NODES])
    some += f", and {len(nodes) - NODES} nodes more" if len(nodes) > NODES else ""
    known = [node.clock_within_ms for node in nodes if node.workers and node.clock_within_ms is not None]
    clocks = f"; clocks known within {digits(max(known), 3)} ms" if known else ""
    return f"load workers on {len(nodes)} node{'' if len(nodes) == 1 else 's'}: {some}{clocks}"


def _addresses(at: Sequence[str], left_out: Sequence[str]) -> str:
    """Where requests went, of a server with several addresses."""
    some = ", ".join(printable(ip, 40) for ip in at[:ADDRESSES]) + (", ..." if len(at) > ADDRESSES else "")
    where = f"to {some}" if len(at) == 1 else f"to {len(at)} addresses in turn: {some}"
    lost = f"; {len(left_out)} more did not answer the probe" if left_out else ""
    return f"requests went {where}{lost}"


def _asked(summary: Summary) -> str:
    """What was run: how it was asked, how it arrived, how long prompts and answers were, when."""
    load, work = summary.load, summary.workload
    if summary.plan is not None:
        how = f"plan {printable(summary.plan.name)}"
    elif load.concurrency is not None:
        how = f"closed loop of {load.concurrency}"
    elif load.trace is not None:
        how = printable(load.trace.words)
    elif load.ramp is not None:
        ramp = load.ramp
        from_, to, over = (digits(value, 6) for value in (ramp.from_rps, ramp.to_rps, ramp.over_s))
        how = f"{_arrivals(load)} {from_} to {to} rps in {over} s"
    else:
        how = f"{_arrivals(load)} {digits(load.rate_rps, 6)} rps"
    if changes := summary.load_changes:
        how += f" at first, then changed {'once' if changes == 1 else f'{changes} times'}"
    turns = "" if work.turns is None else f"conversations of {work.turns} turns"
    if work.think is not None:
        turns += f", {work.think} to think"
    asked = asked_words(work)
    if not summary.has_tokens:
        asked = asked.partition(" tokens in")[0] + " tokens in"
    if load.trace is not None and (of := load.trace.figures) is not None:
        asked = f"{of.input_mean:.0f} tokens in, {of.output_mean:.0f} out on average"
    words = [
        printable(summary.endpoint, 20),
        how,
        # What another tool asked for is not known.
        *((printable(turns, 120), asked, f"seed {load.seed}") if summary.imported is None else ()),
        printable(summary.started_at, 40).replace("T", " ")[:19],
    ]
    return ", ".join(word for word in words if word)


def _arrivals(load: LoadConfig) -> str:
    return f"gamma (burstiness {load.burstiness:g})" if load.arrivals == "gamma" else load.arrivals


def _marks(marks: Sequence[Mark]) -> str:
    """Those a person set."""
    if not marks:
        return ""
    return "\n".join(
        ["marks", *(f"{number(mark.at_s, 1):>8} s  {printable(mark.text, 200)}" for mark in marks)]
    )


def _limits(limits: Sequence[LimitSpan]) -> str:
    """What bound when."""
    if not limits:
        return ""
    rows = [["from", "to s", "bound", "typical figures"]]
    rows += [
        [number(span.from_s, 0), number(span.to_s, 0), limit_name(span.limit), printable(span.why, 50)]
        for span in limits[:LIMITS]
    ]
    more = f"\n{len(limits) - LIMITS} more: --json has all" if len(limits) > LIMITS else ""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        f"{a.rjust(widths[0])}  {b.rjust(widths[1])}  {c.ljust(widths[2])}  {d}".rstrip()
        for a, b, c, d in rows
    )
    return "\n".join(lines) + more


def errors(summary: Summary) -> str:
    """Each kind with its number, and what was said of most of them."""
    if not summary.errors:
        return ""
    lines = ["errors"]
    said = {cause.kind: cause for cause in summary.causes}
    for kind, count in sorted(summary.errors.items(), key=lambda item: (-item[1], item[0])):
        lines.append(f"  {count:>6,}  {printable(kind)}: {describe(kind)}")
        if (cause := said.get(kind)) is not None and cause.text:
            share = "" if cause.text_count >= count else f"{cause.text_count:,} of them: "
            lines += textwrap.wrap(
                f'{share}"{printable(cause.text, 200)}"',
                80,
                initial_indent=" " * 10,
                subsequent_indent=" " * 11,
            )
    return "\n".join(lines)


def _notes(notes: Sequence[str]) -> str:
    """What is to be known of the session's files: lines that were damaged, a supervisor that was killed."""
    lines = []
    for note in notes:
        lines += textwrap.wrap(printable(note, 300), 80, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join(["notes on the session", *lines]) if lines else ""
