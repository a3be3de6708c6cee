"""A latency in figures: lately, of the run, under the load that is on and the one before."""

from __future__ import annotations

from sessions.curve.loads import LoadStage
from sessions.frame.latency import LatencyNow, Under
from sessions.frame.schema import Stat
from tui.draw import numbers
from tui.draw.rows import Row, Span, fitted


def latency_table(now: LatencyNow, title: str, recent_s: float, width: int, height: int) -> list[Row]:
    """The figures in words: lately, of the run, under this load and the last."""
    rows: list[tuple[str, str, Stat | None]] = [
        (f"last {recent_s:g} s", "", now.recent),
        ("run", "", now.run),
    ]
    if now.now is not None:
        rows.append((f"this load {load_words(now.now.stage)}", "stage_now", now.now.stat))
    if now.before is not None:
        rows.append((f"before {load_words(now.before.stage)}", "stage_before", now.before.stat))
    name = min(max(max(len(row[0]) for row in rows) + 1, 16), 30)
    cell = 9
    head: Row = [(f" {title} ms".ljust(name + 1), "title")]
    head += [(quantile.rjust(cell), quantile) for quantile in ("p50", "p95", "p99")]
    out: list[Row] = [[*head, ("samples".rjust(cell + 1), "label")]]
    for label, role, stat in rows:
        out.append([(f" {label}".ljust(name + 1), role or "label"), *figure_cells(stat, cell)])
    if now.now is not None and now.before is not None:
        out.append([(" this over before".ljust(name + 1), "label"), *_ratios(now.now, now.before, cell)])
    return [fitted(row, width) for row in (out + [[]] * height)[:height]]


def load_words(stage: LoadStage) -> str:
    number = f"{stage.load:.3g}"
    return f"{number} at once" if stage.closed else f"~{number} rps" if stage.ramp else f"{number} rps"


def figure_cells(stat: Stat | None, cell: int) -> list[Span]:
    if stat is None or not stat.count:
        return [(numbers.NONE.rjust(cell), "thin")] * 3 + [("0".rjust(cell + 1), "dim")]
    out: list[Span] = []
    for name, value in (("p50", stat.p50_ms), ("p95", stat.p95_ms), ("p99", stat.p99_ms)):
        thin = name in stat.thin or value is None
        out.append(((numbers.sign(stat, name) + numbers.ms(value)).rjust(cell), "thin" if thin else name))
    return [*out, (numbers.count(stat.count).rjust(cell + 1), "dim")]


def _ratios(now: Under, before: Under, cell: int) -> list[Span]:
    out: list[Span] = []
    for name in ("p50", "p95", "p99"):
        a, b = getattr(before.stat, f"{name}_ms"), getattr(now.stat, f"{name}_ms")
        if not a or b is None:
            out.append((numbers.NONE.rjust(cell), "thin"))
            continue
        ratio = b / a
        thin = name in now.stat.thin or name in before.stat.thin
        text = f"{'~' if thin else ''}x{numbers.three(ratio)}"
        out.append(
            (text.rjust(cell), "thin" if thin else "warn" if ratio > 1.2 else "ok" if ratio < 0.8 else "")
        )
    return out
