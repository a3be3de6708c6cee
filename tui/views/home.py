"""The home screen as text: a line of its list, and what is known of the line under the cursor. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from textwrap import wrap

from sessions.summary.digest import Digest
from sessions.summary.stored import Quantiles
from telemetry.local_servers import LocalServer
from tui.controls.home_list import HomeList, Item, when
from tui.controls.run_form import Checked
from tui.draw.numbers import count, ms, rate, three
from tui.draw.rows import Field, Row, Span, chosen, fitted
from tui.draw.text import fit, safe
from tui.draw.theme import Theme
from tui.views.curve_marks import GHOST, glyph

BESIDE_WIDTH = 110
"""From so many cells on, what is under the cursor stands beside the list, else below it."""
KEYS = (
    ("enter", "open"),
    ("/", "filter"),
    ("b", "compare"),
    ("s", "sort"),
    ("r", "ask again"),
    ("u", "server by URL"),
    ("d", "demo"),
    ("?", "help"),
    ("q", "leave"),
)
_VERDICTS = {
    "held": "ok",
    "valid": "ok",
    "live": "ok",
    "undecided": "warn",
    "missed": "bad",
    "not valid": "bad",
    "killed": "bad",
    "unreadable": "bad",
}


def head_row(home: HomeList, width: int) -> Row:
    """The first row."""
    wanted: list[Span] = [("   only: ", "dim"), (safe(home.wanted, 60), "strong")] if home.wanted else []
    if home.base is not None:
        name = safe(home.base.name or home.base.directory.name, 40)
        wanted += [("   against ", "dim"), (name, "ghost"), (": enter on another compares; b: not", "dim")]
        return fitted([(" ttftop", "name"), *wanted], width)
    return fitted([(" ttftop", "name"), ("  an LLM server under load", "dim"), *wanted], width)


def foot_row(width: int, keys: Sequence[tuple[str, str]] = KEYS) -> Row:
    """The last row: the keys; the last of them and the help stay longest."""
    fields = [
        Field(0 if key in ("?", keys[-1][0]) else rank + 1, (key, "key"), (" " + words, "dim"))
        for rank, (key, words) in enumerate(keys)
    ]
    return fitted([(" ", ""), *chosen(fields, width - 1)], width)


def item_row(item: Item, width: int, theme: Theme) -> Row:
    """Exactly `width` cells."""
    if item.server is not None:
        return fitted(_server(item.server, width, theme), width)
    if item.session is not None:
        row = _session(item.session, width)
        mark = glyph(theme, GHOST) if item.base else " "
        return fitted([(f" {mark} ", "ghost"), (row[0][0][3:], row[0][1]), *row[1:]], width)
    return fitted([(" " + safe(item.heading, 200), "title")], width)


def _server(server: LocalServer, width: int, theme: Theme) -> Row:
    dot = theme.glyph("dot")
    models = ", ".join(safe(model, 100) for model in server.models)
    return [
        (f"   {dot} ", "ok"),
        (fit(safe(server.name, 40), 13), "strong"),
        (fit(server.url, 27) + " ", ""),
        (fit(models or ("wants a key" if server.wants_key else "no model"), max(width - 48, 10)), "p50"),
    ]


def _session(session: Digest, width: int) -> Row:
    name = session.directory.name
    shown = name[16:] if when(name).strip() and len(name) > 16 else name
    model_cells = 24 if width >= 100 else 16 if width >= 76 else 0
    load_cells, p95_cells = (14, 10) if width >= 60 else (0, 0)
    name_cells = max(width - 15 - model_cells - load_cells - p95_cells - 10, 8)
    p95_ms = session.summary.ttft_from_due_ms.p95
    p95 = "" if p95_ms is None else f"p95 {ms(p95_ms)}"
    role = _VERDICTS.get(session.verdict, "dim")
    return [
        (f"   {when(name)} ", "dim"),
        (fit(safe(session.name or shown, 100), name_cells - 1) + " ", ""),
        (fit(safe(session.model, 100), model_cells - 1) + " " if model_cells else "", "dim"),
        (fit(fit(safe(session.load, 40), load_cells - 1), load_cells), "p50"),
        (fit(fit(p95, p95_cells - 1), p95_cells), ""),
        (fit(session.verdict, 10), role),
    ]


def preview_rows(item: Item | None, width: int, height: int, theme: Theme) -> list[Row]:
    """Exactly `height` rows of `width` cells."""
    rows: list[Row] = []
    if item is None:
        rows = [
            [(" d", "key"), (" the demo: a simulated server under load; risks nothing", "dim")],
            [(" u", "key"), (" loads a server that you know by its URL", "dim")],
        ]
    elif item.server is not None:
        rows = _of_server(item.server, theme)
    elif item.session is not None:
        rows = _of_session(item.session)
    return [fitted(row, width) for row in (rows + [[]] * height)[:height]]


def _of_server(server: LocalServer, theme: Theme) -> list[Row]:
    models = [safe(model, 120) for model in server.models]
    rows: list[Row] = [
        [(" " + safe(server.name, 40), "name"), *([("  SIMULATED", "warn")] if server.simulated else [])],
        _pair("address", server.url),
        _pair("GPUs", ", ".join(server.gpus) or "not known"),
        _pair("model", models[0] if models else "it lists none"),
        *[_pair("", model) for model in models[1:6]],
        *([_pair("", f"and {len(models) - 6} more")] if len(models) > 6 else []),
    ]
    if server.wants_key:
        rows.append(_pair("key", "it wants one: TTFTOP_API_KEY, OPENAI_API_KEY", "warn"))
    return [*rows, [], [(" enter", "key"), (" opens a form with what a run would do", "dim")]]


def _of_session(session: Digest) -> list[Row]:
    name = session.directory.name
    title: Row = [(" " + safe(session.name or name, 100), "name")]
    if session.badge:
        title.append((f"  {session.badge}", "warn"))
    if session.state == "":
        return [title, [(" reading ...", "dim")]]
    if session.state == "unreadable":
        return [title, [(" " + safe(session.problem, 200), "bad")]]
    said, role = session.summary, _VERDICTS.get(session.verdict, "dim")
    requests = said.requests
    sent = "-" if requests.sent is None else f"{requests.sent:,} sent, {rate(said.rate.achieved_rps)}/s"
    failed = f", {requests.failed:,} failed" if requests.failed else ""
    rows: list[Row] = [
        title,
        _pair("load", session.load + _for(said.duration_s)),
        [*_pair("verdict", session.verdict or "-", role), ("  " + safe(session.problem, 80), "dim")],
        *[_pair("", safe(reason, 120), "bad") for reason in said.reasons[:2]],
        *[
            _pair("", f"{safe(one.target, 60)}  got {_figure(one.figure)}  {safe(one.verdict, 12)}")
            for one in (said.slo.targets if said.slo is not None else [])[:3]
        ],
        _pair("TTFT ms", _quantiles(said.ttft_from_due_ms)),
        _pair("ITL ms", _quantiles(said.itl_ms)),
        _pair("tokens", f"{count(said.throughput.output_tps)}/s out"),
        _pair("requests", sent + failed),
        _pair("model", safe(session.model, 120) or "-"),
        _pair("server", safe(session.target, 120)),
        _pair("when", safe(session.started_at, 40)),
        _pair("session", safe(name, 160)),
    ]
    return rows


def said_rows(checked: Checked, width: int) -> list[Row]:
    """Below a form: what it comes to, and the command line that would do the same."""
    role = "strong" if checked.ok else "bad"
    typed = safe(shlex.join(("ttftop", *checked.words)), 400)
    rows: list[Row] = [
        *[[(f" {line}", role)] for line in wrap(safe(checked.says, 300), max(width - 2, 10))],
        [],
        [(" the same, typed:", "dim")],
        *[[(f" {line}", "")] for line in wrap(typed, max(width - 2, 10), break_on_hyphens=False)],
    ]
    return [fitted(row, width) for row in rows]


def _pair(label: str, text: str, role: str = "") -> Row:
    return [(f" {label:>8}  ", "label"), (text, role)]


def _quantiles(of: Quantiles) -> str:
    return f"p50 {ms(of.p50)}  p95 {ms(of.p95)}  p99 {ms(of.p99)}"


def _figure(value: float | None) -> str:
    return "-" if value is None else three(value)


def _for(duration_s: float | None) -> str:
    if duration_s is None:
        return ""
    return f", {duration_s:.0f} s" if duration_s < 120 else f", {duration_s / 60:.0f} min"
