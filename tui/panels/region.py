"""The row with the figures between A and B, and where both stand on the time axis."""

from __future__ import annotations

from sessions.frame.region import Region, region
from sessions.frame.schema import Frame, Stat
from sessions.timeline.timeline import Timeline
from tui.controls.screen_state import ScreenState
from tui.draw import numbers
from tui.draw.rows import Field, Row, chosen, fitted


def region_row(frame: Frame, timeline: Timeline, screen_state: ScreenState, width: int) -> list[Row]:
    """One row, or none where no region is marked."""
    span = screen_state.region
    if span is None:
        return []
    to_ns = frame.at_ns if span.b_ns is None else span.b_ns
    found = region(timeline, span.a_ns, to_ns, chunk_gaps=frame.itl_is_chunk_gap)
    name = f" A-{'now' if span.b_ns is None else 'B'} "
    if found is None:
        begin = numbers.clock(span.a_ns - frame.first_ns, hours=False)
        return [fitted([(name, "region"), (f"from {begin}: go to its other end, then a", "dim")], width)]
    return [fitted(chosen(_fields(name, found, frame), width, gap=2), width)]


def _fields(name: str, found: Region, frame: Frame) -> list[Field]:
    begin, end = (numbers.clock(t_ns - frame.first_ns, hours=False) for t_ns in (found.from_ns, found.to_ns))
    j = found.j_per_token
    return [
        Field(0, (name, "region"), (f"{found.seconds:.2f}".rstrip("0").rstrip(".") + " s", "strong")),
        Field(9, (f"{begin}-{end}", "dim")),
        Field(2, ("n ", "label"), (numbers.count(found.ttft.count), "")),
        Field(1, ("TTFT ", "label"), *_quantiles(found.ttft, named=True)),
        Field(3, ("GAP " if frame.itl_is_chunk_gap else "ITL ", "label"), *_quantiles(found.itl)),
        Field(5, ("req/s ", "label"), (numbers.rate(found.succeeded_rps), "")),
        Field(8, ("sent ", "label"), (numbers.rate(found.sent_rps), "")),
        Field(4, ("tok/s ", "label"), (numbers.count(found.output_tps), "")),
        Field(6, ("errors ", "label"), (numbers.count(found.failed), "bad" if found.failed else "")),
        Field(7, ("J/tok ", "label"), (numbers.NONE if j is None else numbers.three(j), "")),
    ]


def _quantiles(stat: Stat, *, named: bool = False) -> list[tuple[str, str]]:
    """p50, p95 and p99, their names with the first metric of the row: `p50 120 p95 300 p99 ~420`."""
    out = []
    for name, value in (("p50", stat.p50_ms), ("p95", stat.p95_ms), ("p99", stat.p99_ms)):
        role = "thin" if name in stat.thin else name
        figure = f"{numbers.sign(stat, name)}{numbers.ms(value)}" + " " * (name != "p99")
        out.append((f"{name} {figure}" if named else figure, role))
    return out


def bracket(cells: list[str], roles: list[str], frame: Frame, screen_state: ScreenState) -> None:
    """Marks the region in the cells of a time axis, the last of which is the frame's last slot."""
    span, theme = screen_state.region, screen_state.theme
    if span is None or frame.slot_ns <= 0:
        return
    first_ns = frame.start_ns + (frame.slots - len(cells)) * frame.slot_ns
    b_ns = frame.at_ns if span.b_ns is None else span.b_ns
    a, b = ((t_ns - first_ns - 1) // frame.slot_ns for t_ns in sorted((span.a_ns, b_ns)))
    for i in range(max(a, 0), min(b + 1, len(cells))):
        roles[i] = "region"
        if cells[i] == theme.glyph("floor"):
            cells[i] = theme.glyph("within")
    named = b - a >= 4
    _put(cells, a, "[A" if named else "[")
    if span.b_ns is not None:
        _put(cells, b - 1 if named else b, "B]" if named else "]")


def _put(cells: list[str], at: int, text: str) -> None:
    if at >= 0 and at + len(text) <= len(cells):
        cells[at : at + len(text)] = list(text)
