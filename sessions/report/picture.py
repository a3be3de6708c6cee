"""A report as one picture: what was found, and its charts in two columns, in light colours.

The PNG is our own SVG drawn by resvg, which needs no browser and no system library.
"""

from __future__ import annotations

import importlib
import re
import textwrap
from collections.abc import Sequence

from sessions.report import charts
from sessions.report.finding import finding, finding_of_several, slo_verdict, verdict
from sessions.report.run_data import RunData
from sessions.report.svg import STYLE, drawn
from sessions.report.words import escaped

RENDERER = "resvg_py"
_COLUMN, _EDGE, _GAP, _LINE = 570, 24, 16, 21
_WRAP = 150
"""Characters of a line of the finding."""
_ZOOM = 2
_LIGHT, _ = STYLE.split("@media", 1)
_COLOURS = dict(re.findall(r"--(\w+):(#[0-9a-f]{6})", _LIGHT))


class NoPicture(Exception):
    """One line: why none can be drawn."""


def as_png(runs: Sequence[RunData]) -> bytes:
    """Raises:
    NoPicture: what draws it failed.
    ModuleNotFoundError: it is not installed.
    """
    try:
        made: bytes = importlib.import_module(RENDERER).svg_to_bytes(
            svg_string=as_picture(runs), zoom=_ZOOM, sans_serif_family="DejaVu Sans"
        )
    except ValueError as error:
        raise NoPicture(f"resvg could not draw it: {error}") from None
    return made


def as_picture(runs: Sequence[RunData]) -> str:
    """An SVG without variables, scripts and hover values: every reader of SVG draws it alike."""
    said = [run.summary for run in runs]
    course = charts.over_time(runs[0].wide, said=said[0]) if len(runs) == 1 else []
    found = [*charts.over_load(runs), *course, *charts.distributions(runs)]
    width, y, made = 2 * _COLUMN + 2 * _EDGE + _GAP, _EDGE + 16, []
    for place, one in enumerate(said):
        words = (slo_verdict(one).upper(), verdict(one).upper(), *one.badges)
        name = f"{one.name or one.id}   {'   '.join(filter(None, words))}"
        dot = f'<circle class="f{place % 8}" cx="{_EDGE + 5}" cy="{y - 6}" r="5"/>' if len(said) > 1 else ""
        made.append(
            f'{dot}<text class="n" x="{_EDGE + (18 if dot else 0)}" y="{y}">{escaped(name, 120)}</text>'
        )
        y += _LINE + 6
    sentences = finding(said[0]) if len(said) == 1 else finding_of_several(said)
    if charts.over_load(runs):
        sentences = [*sentences[:3], f"Points over the load: {charts.POINTS}."]
    for line in [line for one in sentences[:4] for line in textwrap.wrap(one, _WRAP)]:
        made.append(f'<text class="w" x="{_EDGE}" y="{y}">{escaped(line, _WRAP)}</text>')
        y += _LINE
    place_in_row, row_height = 0, 0
    for chart in found:
        body = drawn(chart, _COLUMN)
        if not body:
            continue
        x = _EDGE + place_in_row * (_COLUMN + _GAP)
        made.append(f'<g transform="translate({x} {y})">{body}</g>')
        row_height = max(row_height, chart.height + _GAP)
        place_in_row = (place_in_row + 1) % 2
        if not place_in_row:
            y, row_height = y + row_height, 0
    y += row_height + _EDGE
    style = _LIGHT + STYLE[STYLE.index("svg .t") :]
    style += "svg .n{font-size:17px;font-weight:600;fill:var(--fg)}svg .w{font-size:14px;fill:var(--fg)}"
    size = f'width="{width}" height="{y}"'
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" {size}>'
        f'<style>{_plain(style)}</style><rect {size} fill="#fff"/>{"".join(made)}</svg>\n'
    )
    return re.sub(r'<rect class="h"[^>]*>.*?</rect>', "", text, flags=re.DOTALL)


def _plain(style: str) -> str:
    """Without variables and what a mouse does."""
    style = re.sub(r"--\w+:#[0-9a-f]{6};?\n?", "", re.sub(r"svg \.h[^}]*\}", "", style))
    return re.sub(
        r"var\(--(\w+)\)", lambda found: _COLOURS[found[1]], style.replace("system-ui,-apple-system,", "")
    )
