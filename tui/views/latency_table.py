"""A latency in figures: lately, of the run, under the load that is on and the one before."""

from __future__ import annotations

from collections.abc import Mapping

from sessions.curve.loads import LoadStage
from sessions.frame.latency import LatencyNow, Under
from sessions.frame.schema import Stat
from tui.draw import numbers
from tui.draw.rows import Row, Span, fitted
from tui.panels.baseline import Deltas, change

FIGURES = {"p50": "fan50_3", "p95": "fan95", "p99": "fan99"}
"""As in the charts: how bad one is, is said by its target."""
LINES = {"p50": "p50", "p95": "p95", "p99": "p99"}
"""Likewise, where they are lines before a heatmap."""


def latency_table(
    now: LatencyNow,
    title: str,
    recent_s: float,
    width: int,
    roles: Mapping[str, str] = FIGURES,
    deltas: Deltas | None = None,
) -> list[Row]:
    """The figures in words: lately, with `deltas` to a baseline, of the run, under this load and the last; 40
    cells hold it."""
    name, cell = (24, 9) if width >= 62 else (19, 8) if width >= 51 else (16, 6)
    head: Row = [(title.ljust(name), "title")]
    head += [(quantile.rjust(cell), role) for quantile, role in roles.items()]
    out: list[Row] = [[*head, ("n".rjust(cell), "label")]]
    rows: list[tuple[str, str, Stat]] = [
        (f"last {recent_s:g} s", "label", now.recent),
        ("run", "label", now.run),
    ]
    if now.now is not None:
        rows.append((f"this {load_words(now.now.stage)}", "stage_now", now.now.stat))
    if now.before is not None:
        rows.append((f"before {load_words(now.before.stage)}", "stage_before", now.before.stat))
    for label, role, stat in rows:
        out.append([(label[:name].ljust(name), role), *_figures(stat, cell, roles)])
        if deltas is not None and len(out) == 2:
            changes = [(text.rjust(cell), how) for text, how in map(change, deltas.values())]
            out.append([("  vs baseline"[:name].ljust(name), "ghost"), *changes])
    if now.now is not None and now.before is not None:
        out.append([("this over before"[:name].ljust(name), "label"), *_ratios(now.now, now.before, cell)])
    return [fitted(row, width) for row in out]


def load_words(stage: LoadStage) -> str:
    number = f"{stage.load:.3g}"
    return f"{number} at once" if stage.closed else f"~{number} rps" if stage.ramp else f"{number} rps"


def _figures(stat: Stat, cell: int, roles: Mapping[str, str]) -> list[Span]:
    out: list[Span] = []
    for name, value in (("p50", stat.p50_ms), ("p95", stat.p95_ms), ("p99", stat.p99_ms)):
        thin = name in stat.thin or value is None
        text = ("" if value is None else numbers.sign(stat, name)) + numbers.ms(value, short=cell < 8)
        out.append((text.rjust(cell), "thin" if thin else roles[name]))
    return [*out, (numbers.count(stat.count).rjust(cell), "dim")]


def _ratios(now: Under, before: Under, cell: int) -> list[Span]:
    out: list[Span] = []
    for name in ("p50", "p95", "p99"):
        a, b = getattr(before.stat, f"{name}_ms"), getattr(now.stat, f"{name}_ms")
        if not a or b is None:
            out.append((numbers.NONE.rjust(cell), "thin"))
            continue
        ratio = b / a
        thin = name in now.stat.thin or name in before.stat.thin
        times = f"x{ratio:.1f}" if cell < 8 else f"x{numbers.three(ratio)}"
        role = "thin" if thin else "warn" if ratio > 1.2 else "ok" if ratio < 0.8 else ""
        out.append((("~" * thin + times).rjust(cell), role))
    return out
