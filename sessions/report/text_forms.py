"""A report as Markdown, as rows of comma-separated values, and as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from sessions.report import charts, tables
from sessions.report.finding import finding, finding_of_several, slo_verdict, verdict
from sessions.report.run_data import RunData
from sessions.report.svg import STYLE, drawn
from sessions.report.words import escaped, markdown
from sessions.summary.schema import Summary, plain

_SVG_WIDTH = 900


def as_markdown(runs: Sequence[Summary], version: str) -> str:
    """What was found, and the tables."""
    parts: list[str] = []
    if len(runs) > 1:
        first, *more = finding_of_several(runs)
        parts += ["# Side by side", f"**{markdown(first, 600)}**", *(markdown(one, 600) for one in more)]
        parts += [_table(tables.compared(runs))]
    for run in runs:
        parts += _run_as_markdown(run)
    parts.append("## What the figures mean")
    parts.append(
        "\n".join(f"- **{name}**: {markdown(what, 600)}" for name, what in tables.DEFINITIONS.items())
    )
    return "\n\n".join([*(part for part in parts if part), f"ttftop {version}"]) + "\n"


def _run_as_markdown(said: Summary) -> Iterator[str]:
    yield f"# {markdown(said.name or said.id, 80)} ({_badges(said)})"
    first, *more = finding(said)
    yield f"**{markdown(first, 600)}**"
    yield from (markdown(sentence, 900) for sentence in more)
    heads = tables.headlines(said)
    yield _table(
        [[name for name, _, _ in heads], [value for _, value, _ in heads], [more for _, _, more in heads]]
    )
    for name, rows in (
        ("Over load", tables.stages(said)),
        ("Latencies", tables.latencies(said)),
        ("By target", tables.by_target(said)),
        ("GPUs", tables.gpus(said)),
        ("Energy and cost", tables.energy(said)),
        ("What bound", tables.limits(said)),
        ("Failures", tables.errors(said)),
        ("What was measured", tables.about(said)),
    ):
        if len(rows) > 1:
            yield f"## {name}\n\n{_table(rows)}"
    notes = [*said.notes, *(said.imported.notes if said.imported is not None else ())]
    if notes:
        yield "## To be known\n\n" + "\n".join(f"- {markdown(note, 600)}" for note in notes)


def _badges(said: Summary) -> str:
    return ", ".join(filter(None, (slo_verdict(said).upper(), verdict(said).upper(), *said.badges)))


def _table(rows: tables.Table) -> str:
    lines = ["| " + " | ".join(markdown(cell, 300) for cell in row) + " |" for row in rows]
    lines.insert(1, "| --- |" + " ---: |" * (len(rows[0]) - 1))
    return "\n".join(lines)


def as_csv(runs: Sequence[Summary]) -> str:
    """A row a stage of the plan, or a stretch of constant load; an empty cell was not measured."""
    found: list[dict[str, Any]] = []
    for said in runs:
        pieces = said.plan.stages if said.plan is not None else said.stages
        for piece in pieces:
            about = {"session": said.id, "valid": said.valid, "badges": " ".join(said.badges)}
            found.append(about | _flat(msgspec.to_builtins(piece)))
    columns = list(dict.fromkeys(name for row in found for name in row)) or ["session", "valid", "badges"]
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    table.writeheader()
    table.writerows(found)
    return text.getvalue()


def _flat(value: dict[str, Any], before: str = "") -> dict[str, Any]:
    """`ttft_ms.p95` and the like; a text cannot be a formula, and a list is no cell."""
    made: dict[str, Any] = {}
    for name, one in value.items():
        if isinstance(one, dict):
            made |= _flat(one, f"{before}{name}.")
        elif isinstance(one, str):
            made[before + name] = f"'{one}" if one[:1] in ("=", "+", "-", "@", "\t", "\r") else one
        elif not isinstance(one, list):
            made[before + name] = one
    return made


def as_json(runs: Sequence[Summary]) -> str:
    """As `ttftop summary --json`, with what was found; of several a list."""
    made = [plain(said) | {"finding": finding(said)} for said in runs]
    return json.dumps(made[0] if len(made) == 1 else made, indent=2, allow_nan=False) + "\n"


def as_svg(runs: Sequence[RunData]) -> str:
    """What runs these are, the curve over load and the course of the first, one below the other."""
    found = [*charts.over_load(runs), *charts.over_time(runs[0].wide, said=runs[0].summary)]
    found += charts.distributions(runs)
    made, y = [], 12
    for run in runs:
        y += 18
        name = f"{run.summary.name or run.summary.id} ({_badges(run.summary)})"
        made.append(f'<text class="t" x="20" y="{y}">{escaped(name, 120)}</text>')
    y += 14
    for chart in found:
        if body := drawn(chart, _SVG_WIDTH):
            made.append(f'<g transform="translate(10 {y})">{body}</g>')
            y += chart.height + 14
    width = _SVG_WIDTH + 20
    back = (
        "<style>"
        + STYLE
        + "rect.b{fill:#fff}@media (prefers-color-scheme:dark){rect.b{fill:#1a2028}}</style>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}">'
        f'{back}<rect class="b" width="{width}" height="{y}"/>{"".join(made)}</svg>\n'
    )
