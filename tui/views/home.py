"""The home screen as text: a line of its list, and what is known of the line under the cursor. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from sessions.plan.slo import kept_targets
from sessions.plan.target_figure import figure_words
from sessions.summary.digest import Digest
from sessions.summary.stored import Quantiles
from telemetry.local_servers import LocalServer
from tui.controls.home_list import HomeList, Item, when
from tui.controls.run_form import Checked
from tui.draw.numbers import count, length, ms, rate
from tui.draw.rows import Field, Row, Span, chosen, fitted
from tui.draw.text import fit, safe
from tui.draw.theme import Theme

if TYPE_CHECKING:
    from sessions.frame.course import Course

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
    "no limit": "bad",
    "not valid": "bad",
    "killed": "bad",
    "unreadable": "bad",
}


def _verdict_role(verdict: str) -> str:
    return "ok" if verdict.startswith("limit ") else _VERDICTS.get(verdict, "dim")


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


class Columns(NamedTuple):
    """Cells of a session's line, each with the blank behind it; 0 is left out."""

    name: int
    model: int
    load: int
    p95: int


def columns(items: Sequence[Item], width: int) -> Columns:
    """As wide as what stands in them and as their names; where that is too much, first blanks between them
    give way, then the longer one of name and model."""
    sessions = [item.session for item in items if item.session is not None]
    load = _named("load", min(max((len(one.load) for one in sessions), default=0), 16)) if width >= 60 else 0
    p95 = len(_P95) if width >= 60 else 0
    names = max((len(_name(one)) for one in sessions), default=0)
    models = _named("model", max((len(one.model) for one in sessions), default=0)) if width >= 60 else 0
    gaps = 1 + sum(1 for cells in (models, load, p95) if cells)
    room = width - _WHEN_CELLS - _VERDICT_CELLS - load - p95
    gap = 2 if names + models + 2 * gaps <= room else 1
    load, p95 = (cells + gap if cells else 0 for cells in (load, p95))
    names, models = names + gap, models + gap if models else 0
    room = width - _WHEN_CELLS - _VERDICT_CELLS - load - p95
    if names + models > room:
        even = room // 2
        models = min(models, max(room - names, even))
        names = room - models
    spare = room - names - models  # a list across a wide screen keeps its columns near each other
    return Columns(min(names + spare // 2, 48) if models else room, models, load, p95)


def _named(name: str, cells: int) -> int:
    return max(len(name), cells) if cells else 0


_P95 = "TTFT p95"
_WHEN_CELLS, _VERDICT_CELLS = 15, 10


def _name(session: Digest) -> str:
    """Without the time that it begins with, which stands beside it."""
    name = session.name or session.directory.name
    return name[16:] if when(name).strip() and len(name) > 16 else name


def item_row(item: Item, width: int, theme: Theme, at: Columns | None = None) -> Row:
    """Exactly `width` cells. `at`: of all lines together; None: of this one."""
    if item.server is not None:
        return fitted(_server(item.server, width, theme), width)
    if item.session is not None:
        row = _session(item.session, at if at is not None else columns([item], width))
        mark = theme.glyph("ghost") if item.base else " "
        return fitted([(f" {mark} ", "ghost"), (row[0][0][3:], row[0][1]), *row[1:]], width)
    said = " " + safe(item.heading, 200)
    if item.key == "sessions" and at is not None and at.p95:
        return fitted(_heads(said, at), width)
    return fitted([(said, "dim" if item.note else "title")], width)


def _heads(said: str, at: Columns) -> Row:
    """The heading, and as far as it and their columns leave room the names of the columns; that of the figure
    always."""
    model = _WHEN_CELLS + at.name
    load = model + at.model
    row: Row = []
    where = 0
    for start, cells, text in (
        (model, at.model, "model"),
        (load, at.load, "load"),
        (load + at.load, at.p95, _P95),
    ):
        if text == _P95 or (cells > len(text) and start > len(said) + 1):
            before = said[where : start - 1]
            row += [(fit(before, start - where), "title"), (text, "dim")]
            where = start + len(text)
    return row


def _server(server: LocalServer, width: int, theme: Theme) -> Row:
    dot = theme.glyph("dot")
    models = ", ".join(safe(model, 100) for model in server.models)
    return [
        (f"   {dot} ", "ok"),
        (fit(safe(server.name, 40), 13), "strong"),
        (fit(server.url, 27) + " ", ""),
        (fit(models or ("wants a key" if server.wants_key else "no model"), max(width - 48, 10)), "p50"),
    ]


def _session(session: Digest, at: Columns) -> Row:
    ttft = session.summary.ttft_from_due_ms
    p95 = "-" if ttft.p95 is None else ttft.sign("p95") + length(ttft.p95)
    cells = (
        (safe(_name(session), 100), at.name, ""),
        (safe(session.model, 100), at.model, "dim"),
        (safe(session.load, 40), at.load, "p50"),
        (p95, at.p95, ""),
    )
    return [
        (f"   {when(session.directory.name)} ", "dim"),
        *[(fit(fit(text, width - 1), width), role) for text, width, role in cells if width],
        (fit(session.verdict, _VERDICT_CELLS), _verdict_role(session.verdict)),
    ]


def preview_rows(
    item: Item | None, width: int, height: int, theme: Theme, course: Course | None = None
) -> list[Row]:
    """Exactly `height` rows of `width` cells. `course`: of that session, drawn where there is room."""
    rows: list[Row] = []
    if item is None:
        rows = [
            [(" d", "key"), (" the demo: a simulated server under load; risks nothing", "dim")],
            [(" u", "key"), (" loads a server that you know by its URL", "dim")],
        ]
    elif item.server is not None:
        rows = _of_server(item.server, theme)
    elif item.session is not None:
        rows = _of_session(item.session, width)
        if course is not None:
            from tui.views.home_course import course_rows  # numpy: not before there is something to draw

            target_ms = _ttft_target_ms(item.session)
            rows += [[], *course_rows(course, width, height - len(rows) - 1, theme, target_ms)]
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


def _of_session(session: Digest, width: int) -> list[Row]:
    name = session.directory.name
    title: Row = [(" " + safe(session.name or name, 100), "name")]
    if session.badge:
        title.append((f"  {session.badge}", "warn"))
    if session.state == "":
        return [title, [(" reading ...", "dim")]]
    if session.state == "unreadable":
        return [title, [(" " + safe(session.problem, 200), "bad")]]
    said, role = session.summary, _verdict_role(session.verdict)
    requests = said.requests
    sent = "-" if requests.sent is None else f"{requests.sent:,} sent, {rate(said.rate.achieved_rps)}/s"
    failed = f", {requests.failed:,} failed" if requests.failed else ""
    rows: list[Row] = [
        title,
        _pair("load", session.load + _for(said.load_s if said.load_s is not None else said.duration_s)),
        _pair("verdict", session.verdict or "-", role),
        *[_pair("", line, "dim") for line in _reasons([session.problem], width - 12)],
        *[_pair("", line, "bad") for line in _reasons(said.reasons, width - 12)],
        *[
            _of_target(safe(one.target, 60), one.figure, one.verdict)
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


def _ttft_target_ms(session: Digest) -> float | None:
    """Of TTFT p95, where it had one."""
    asked = session.config.slo if session.config is not None else ()
    targets = [one for one in kept_targets(asked) if (one.metric, one.statistic) == ("ttft", "p95")]
    return targets[0].limit if targets else None


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
    values = (("p50", of.p50), ("p95", of.p95), ("p99", of.p99))
    return "  ".join(
        f"{name} {of.sign(name) if value is not None else ''}{ms(value)}" for name, value in values
    )


def _reasons(reasons: Sequence[str], width: int) -> list[str]:
    """Two of them, each in two lines at most."""
    return [line for reason in reasons[:2] for line in wrap(safe(reason, 200), max(width, 20), max_lines=2)]


def _of_target(target: str, figure: float | None, verdict: str) -> Row:
    """`ttft.p95<500ms  3,871 ms  missed`."""
    word = _CAME.get(verdict, safe(verdict, 12))
    got = "-" if figure is None else figure_words(target, figure)
    return [*_pair("", f"{target}  {got}  "), (word, _VERDICTS.get(word, "dim"))]


_CAME = {"pass": "held", "fail": "missed"}


def _for(duration_s: float | None) -> str:
    if duration_s is None:
        return ""
    return f" for {duration_s:.0f} s" if duration_s < 120 else f" for {duration_s / 60:.0f} min"
