"""The charts of the overview, as panels: each with its figures in its title."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sessions.frame.baseline import Against
from sessions.frame.schema import Band, Frame, Series, Stat
from sessions.frame.targets import unjudged
from tui.controls.screen_state import ScreenState
from tui.draw import numbers
from tui.draw.layout import Columns
from tui.draw.rows import Field
from tui.draw.theme import Theme
from tui.panels import fans, gpus, throughput, time_axis
from tui.panels.baseline import Deltas, in_titles, of_stat
from tui.panels.box import Panel, labelled
from tui.panels.server import in_one_bucket
from tui.panels.strip import marks_of
from tui.panels.throughput import Plotting
from tui.plots.scale import Scale, ticks

Scales = Mapping[str, Scale]


@dataclass(frozen=True)
class Charted:
    """What a panel is drawn from."""

    frame: Frame
    screen_state: ScreenState
    scales: Scales
    at: Columns
    width: int
    later: Frame | None
    against: Against | None = None

    def ghost(self, metric: str) -> Series | None:
        over = self.frame if self.later is None else self.later
        return None if self.against is None else self.against.ghost(metric, over)

    def deltas(self, metric: str, stat: Stat) -> Deltas | None:
        """For a title; None where it has no room for them."""
        return of_stat(self.against, metric, stat) if in_titles(self.at) else None

    @property
    def theme(self) -> Theme:
        return self.screen_state.theme

    @property
    def upto(self) -> int:
        """Columns up to the one that holds the playhead."""
        return gpus.columns_so_far(self.frame)

    @cached_property
    def plotting(self) -> Plotting:
        marks = marks_of(self.frame if self.later is None else self.later, self.at.plot)
        return Plotting(self.frame, self.later, self.upto, self.at.plot, self.theme, marks)


def _failed_later(frame: Frame) -> list[Field]:
    """Of a run that is over: how many of its first tokens are of requests that failed. They are not in the
    exact figures of a summary."""
    count = frame.ttft_run.count - frame.succeeded
    if frame.state not in ("ended", "killed") or count <= 0:
        return []
    return [Field(2, ("failed ", "label"), (f"{numbers.count(count)} of run", "dim"))]


def _own(d: Charted, stat: Stat | None) -> list[Field]:
    """The same as the server sees it, where that has no panel: the rest is network and client."""
    if d.at.side or stat is None or in_one_bucket(stat):
        return []
    return [fans.three(3, "server", stat, "server")]


def _send_lag(frame: Frame) -> list[Field]:
    p99 = frame.send_lag_recent.p99_ms
    return [] if p99 is None else [Field(5, ("send lag ", "label"), (numbers.ms(p99), "dim"))]


def _per_chunk(frame: Frame) -> list[Field]:
    if frame.tokens_per_chunk is None:
        return []
    return [Field(5, ("tok/chunk ", "label"), (f"{frame.tokens_per_chunk:.2f}", "dim"))]


def _ttft(d: Charted, rows: int, gutter: int) -> Panel:
    frame, later = d.frame, d.later
    if frame.e2e is not None:
        return _e2e(d, frame.e2e, rows, gutter)
    return fans.latency(
        "TTFT ms",
        frame.ttft,
        frame.ttft_recent,
        frame.ttft_run,
        d.scales["ttft"],
        (gutter, d.at.plot, rows),
        d.theme,
        targets=frame.targets.get("ttft", ()),
        later=None if later is None else (later.ttft, d.upto),
        marks=d.plotting.marks,
        labels=time_axis.mark_labels(frame if later is None else later, d.at.plot, d.theme),
        more=[*_failed_later(frame), *_own(d, frame.server.ttft), *_send_lag(frame)],
        recent_s=frame.recent_s,
        ghost=d.ghost("ttft"),
        deltas=d.deltas("ttft", frame.ttft_recent),
    )


def _e2e(d: Charted, band: Band, rows: int, gutter: int) -> Panel:
    """In the place of TTFT, where answers have no tokens."""
    frame, later = d.frame, d.later
    return fans.latency(
        "E2E ms",
        band,
        frame.e2e_recent or Stat(),
        frame.e2e_run or Stat(),
        d.scales["ttft"],
        (gutter, d.at.plot, rows),
        d.theme,
        targets=frame.targets.get("e2e", ()),
        later=None if later is None or later.e2e is None else (later.e2e, d.upto),
        marks=d.plotting.marks,
        labels=time_axis.mark_labels(frame if later is None else later, d.at.plot, d.theme),
        more=_send_lag(frame),
        recent_s=frame.recent_s,
        ghost=d.ghost("e2e"),
        deltas=d.deltas("e2e", frame.e2e_recent or Stat()),
    )


def _itl(d: Charted, rows: int, gutter: int) -> Panel:
    frame, later = d.frame, d.later
    if frame.e2e is not None:
        none = Field(1, ("none: answers have no tokens", "dim"))
        return Panel([Field(0, ("ITL ms", "title")), none], [[]] * rows)
    metric = "chunk_gap" if frame.itl_is_chunk_gap else "itl"
    return fans.latency(
        "CHUNK GAP ms" if frame.itl_is_chunk_gap else "ITL ms",
        frame.itl,
        frame.itl_recent,
        frame.itl_run,
        d.scales["itl"],
        (gutter, d.at.plot, rows),
        d.theme,
        targets=frame.targets.get(metric, ()),
        not_known=unjudged(frame, "itl"),
        later=None if later is None else (later.itl, d.upto),
        marks=d.plotting.marks,
        more=[*_own(d, frame.server.itl), *_per_chunk(frame)],
        recent_s=frame.recent_s,
        ghost=d.ghost(metric),
        deltas=d.deltas(metric, frame.itl_recent),
    )


FILLED: Mapping[str, tuple[Callable[[Frame], list[Field]], Callable[[Frame], str], str, str | None]] = {
    "rate": (throughput.sent, lambda frame: "achieved", "tokens_fill", "offered"),
    "tokens": (
        throughput.tokens,
        lambda frame: "input_tokens" if frame.only_input else "output_tokens",
        "tokens_fill",
        None,
    ),
    "in_flight": (throughput.in_flight, lambda frame: "in_flight_series", "in_flight_fill", None),
}
"""Fields of its title, its series, its role, and the series drawn as a line over it."""


def _filled(name: str) -> Callable[[Charted, int, int], Panel]:
    def panel(d: Charted, rows: int, gutter: int) -> Panel:
        of, series, role, line = FILLED[name]
        scale = d.scales[name]
        plot = d.plotting.filled(series(d.frame), role, scale, rows, line if rows > 1 else None)
        labels = ticks(scale, rows, numbers.label) if rows > 1 else {0: numbers.label(scale.high)}
        return Panel(of(d.frame), labelled(plot, labels, gutter))

    return panel


CHART_OF: Mapping[str, Callable[[Charted, int, int], Panel]] = {
    "ttft": _ttft,
    "itl": _itl,
    **{name: _filled(name) for name in FILLED},
}
