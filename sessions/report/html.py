"""A report as one page: no script, nothing from a network, light or dark as its reader is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sessions.report import charts, tables
from sessions.report.finding import finding, finding_of_several, slo_verdict, verdict
from sessions.report.page_style import PAGE_STYLE
from sessions.report.run_data import RunData
from sessions.report.svg import STYLE, Chart, drawn
from sessions.report.words import escaped
from sessions.summary.schema import Summary

WIDE, HALF, NARROW = 1128, 556, 348
_HEAD = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title><style>{style}</style></head><body><main>
"""


def page(runs: Sequence[RunData], version: str) -> str:
    """Of one run, or of several: then what they share on one pair of axes first, and each by itself below."""
    names = ", ".join(escaped(run.summary.name or run.summary.id, 80) for run in runs[:3])
    title = f"{len(runs)} runs side by side" if len(runs) > 1 else names
    parts = [_HEAD.format(title=f"{names}: ttftop", style=STYLE + PAGE_STYLE)]
    if len(runs) == 1:
        parts += _run(runs[0])
    else:
        first_sentence, *more = finding_of_several([run.summary for run in runs])
        parts.append(f'<header><h1>{title}</h1><p class="lead">{escaped(first_sentence, 600)}</p>')
        parts.append("".join(f"<p>{escaped(one, 600)}</p>" for one in more) + "</header>")
        parts.append(
            _section("Side by side", _names(runs) + _table(tables.compared([run.summary for run in runs])))
        )
        parts += _curve(runs)
        parts.append(_section("Distributions", _grid(charts.distributions(runs))))
        for run in runs:
            name = escaped(run.summary.name or run.summary.id, 80)
            parts += [f"<details><summary>{name}</summary>", *_run(run), "</details>"]
    parts.append(_section("What the figures mean", _definitions()))
    parts.append(f"<footer>ttftop {escaped(version, 20)}</footer></main></body></html>\n")
    return "".join(parts)


def _run(run: RunData) -> Iterator[str]:
    said = run.summary
    yield f"<header><h1>{escaped(said.name or said.id, 80)} {_badges(said)}</h1>"
    first, *more = finding(said)
    yield f'<p class="lead">{escaped(first, 600)}</p>'
    yield "".join(f"<p>{escaped(sentence, 900)}</p>" for sentence in more) + "</header>"
    yield '<div class="tiles">'
    for name, value, beside in tables.headlines(said):
        yield f"<div><b>{escaped(name)}</b><strong>{escaped(value)}</strong><i>{escaped(beside)}</i></div>"
    yield "</div>"
    yield from _curve([run])
    wide = charts.over_time(run.wide, run.wide_targets, said)
    narrow = charts.over_time(run.narrow, run.narrow_targets, said)
    pairs = zip(wide, narrow, strict=True)
    yield _section(
        "Over time",
        "".join(_both(a, b, WIDE) for a, b in pairs),
        "Upright lines: what happened. Dashed: targets.",
    )
    yield _section("Latencies", _table(tables.latencies(said)), "~ rests on too few requests")
    yield _section("Distributions", _grid(charts.distributions([run])))
    yield _section("By target", _table(tables.by_target(said)), "gap: ITL as it came, or between chunks")
    yield _section("GPUs", _table(tables.gpus(said)))
    yield _section("Energy and cost", _table(tables.energy(said)))
    yield _section("What bound", _table(tables.limits(said)))
    yield _section("Failures", _table(tables.errors(said)))
    if said.imported is not None:
        yield _section("Imported", _imported(said))
    notes = [
        *(said.reasons if not said.valid else ()),
        *said.notes,
        *(said.imported.notes if said.imported else ()),
    ]
    yield _section("To be known", "".join(f"<li>{escaped(note, 600)}</li>" for note in notes))
    yield _section("What was measured", _table(tables.about(said)))


def _names(runs: Sequence[RunData]) -> str:
    """Which run has which colour in the charts that they share."""
    made = [
        f'<span><svg width="10" height="10"><circle class="f{number % 8}" cx="5" cy="5" r="5"/></svg>'
        f"{escaped(run.summary.name or run.summary.id, 60)}</span>"
        for number, run in enumerate(runs)
    ]
    return f'<p class="names">{"".join(made)}</p>'


def _badges(said: Summary) -> str:
    made = [f'<span class="{"ok" if said.valid else "bad"}">{escaped(verdict(said)).upper()}</span>']
    if (targets := slo_verdict(said)) and said.slo is not None:
        role = {"pass": "ok", "fail": "bad"}.get(said.slo.verdict)
        made.insert(0, f"<span{f' class={role!r}' if role else ''}>{targets.upper()}</span>")
    made += [f"<span>{badge}</span>" for badge in said.badges]
    if said.tls_verified is False:
        made.append('<span class="bad">TLS NOT VERIFIED</span>')
    return " ".join(made)


def _curve(runs: Sequence[RunData]) -> Iterator[str]:
    body = _grid(charts.over_load(runs))
    if len(runs) == 1 and len(runs[0].summary.stages) + len(getattr(runs[0].summary.plan, "stages", ())) > 1:
        body += _table(tables.stages(runs[0].summary))
    yield _section("Latency and throughput over load", body, charts.POINTS)


def _section(name: str, body: str, beside: str = "") -> str:
    """Empty where there is nothing in it."""
    if not body:
        return ""
    more = f"<small>{escaped(beside)}</small>" if beside else ""
    return f"<section><h2>{escaped(name)} {more}</h2>{body}</section>"


def _grid(made: Sequence[Chart]) -> str:
    cells = [_both(chart, chart, HALF) for chart in made]
    return f'<div class="grid">{"".join(cells)}</div>' if any(cells) else ""


def _both(wide: Chart, narrow: Chart, width: int) -> str:
    """The same twice: text in a drawing that is made smaller cannot be read."""
    large, small = drawn(wide, width), drawn(narrow, NARROW)
    return f'<div class="wide">{large}</div><div class="narrow">{small}</div>' if large else ""


def _table(rows: tables.Table) -> str:
    head, *body = rows
    if not body:
        return ""
    used = [i for i in range(len(head)) if i == 0 or any(row[i] not in ("–", "") for row in body)]
    kinds = {i: ' class="w"' if head[i] in _WORDS else "" for i in used}
    made = []
    if any(head):
        made.append("<tr>" + "".join(f"<th{kinds[i]}>{escaped(head[i], 40)}</th>" for i in used) + "</tr>")
    for row in body:
        made.append("<tr>" + "".join(f"<td{kinds[i]}>{escaped(row[i], 300)}</td>" for i in used) + "</tr>")
    words = ' class="words"' if not any(head) else ""
    return f'<div class="scroll"><table{words}>{"".join(made)}</table></div>'


_WORDS = ("name", "bound", "why", "typical figures", "unit", "here", "definition", "verdict", "targets")
"""Columns that hold words."""


def _imported(said: Summary) -> str:
    if said.imported is None:
        return ""
    words = {"same": "same definition", "near": "near, not the same", "": "no counterpart"}
    rows = [["its figure", "value", "unit", "here", "definition"]]
    ordered = sorted(said.imported.figures, key=lambda one: not one.ours)
    rows += [[one.name, f"{one.value:,.6g}", one.unit, one.ours, words.get(one.how, "")] for one in ordered]
    return f"<details><summary>the tool's own {len(rows) - 1} figures</summary>{_table(rows)}</details>"


def _definitions() -> str:
    made = [
        f"<dt>{escaped(name)}</dt><dd>{escaped(what, 600)}</dd>" for name, what in tables.DEFINITIONS.items()
    ]
    return f"<dl>{''.join(made)}</dl>"
