"""A latency over time: p50, p95 and p99 as lines, the room between p50 and p99 filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessions.frame.schema import Band as LatencyBand
from sessions.frame.schema import Stat
from tui.draw import numbers
from tui.draw.layout import Columns
from tui.draw.numbers import sign
from tui.draw.rows import Row, Span
from tui.draw.theme import Theme
from tui.panels.strip import strip
from tui.plots.chart import Band, Line, Mark, chart, with_labels
from tui.plots.scale import Scale, ticks

QUANTILES = ("p50", "p95", "p99")


def latency(
    title: str,
    band: LatencyBand,
    recent: Stat,
    run: Stat,
    recent_s: float,
    scale: Scale,
    at: Columns,
    height: int,
    theme: Theme,
    *,
    marks: Sequence[Mark] = (),
    labels: Mapping[int, tuple[Sequence[str], str]] | None = None,
    more: Sequence[Sequence[Span]] = (),
    server: Stat | None = None,
) -> list[Row]:
    """`server` is the same as the server sees it: the difference is network and client. `labels` are written
    into the top row where it is free; `more` are rows of numbers below the table.
    """
    named = ticks(scale, height, numbers.ms_label)
    grid = chart(
        [
            # Where they meet, the worse one is seen: the tail is what a load is judged by.
            Line(band.p99, "p99", "^"),
            Line(band.p95, "p95", "+"),
            Line(band.p50, "p50", "*", thick=height >= 12),
        ],
        [Band(band.p99, band.p50, "band")],
        scale,
        at.plot,
        height,
        marks=marks,
        ascii_only=theme.ascii_only,
    )
    rows = grid.rows()
    if rows and labels:
        rows[0] = with_labels(rows[0], labels, at.plot)
    return strip(rows, named, table(title, recent, run, recent_s, at.side, more, server), at, theme)


def table(
    title: str,
    recent: Stat,
    run: Stat,
    recent_s: float,
    width: int,
    more: Sequence[Sequence[Span]] = (),
    server: Stat | None = None,
) -> list[list[Span]]:
    """The legend and the figures: the last seconds, as the server sees them, and the whole run."""
    name, cell = table_cells(width)
    head: list[Span] = [(title[:name].ljust(name), "title")]
    head += [(quantile.rjust(cell), quantile) for quantile in QUANTILES]
    rows = [
        head,
        _figures(f"last {recent_s:g}s" if name > 7 else f"{recent_s:g}s", recent, name, cell),
        *([] if server is None else [_figures("server", server, name, cell)]),
        _figures("run", run, name, cell),
    ]
    counted = f"{numbers.count(recent.count)} / {numbers.count(run.count)}"
    rows.append([("samples".ljust(name), "label"), (counted.rjust(3 * cell), "dim")])
    rows += [list(row) for row in more]
    return rows


def table_cells(width: int) -> tuple[int, int]:
    """Cells of a table's names and of each of its figures, in numbers of `width` cells."""
    return next(
        cells for least, cells in ((48, (14, 10)), (36, (12, 8)), (28, (9, 6)), (0, (7, 5))) if width >= least
    )


def _figures(label: str, stat: Stat, name: int, cell: int) -> list[Span]:
    row: list[Span] = [(label.ljust(name), "label")]
    for quantile, value in zip(QUANTILES, (stat.p50_ms, stat.p95_ms, stat.p99_ms), strict=True):
        thin = quantile in stat.thin and value is not None
        text = ("" if value is None else sign(stat, quantile)) + numbers.ms(value, short=cell < 8)
        row.append((text.rjust(cell), "thin" if thin or value is None else quantile))
    return row
