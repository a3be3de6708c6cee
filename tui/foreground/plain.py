"""`--plain`: a session as a line a second, for logs, screen readers, and terminals without a screen."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.errors import printable
from tui.draw.numbers import clock, ms, rate, sign
from tui.draw.words import limit_name
from tui.foreground.reading import reading

if TYPE_CHECKING:
    from sessions.frame.schema import Frame, Stat
    from sessions.frame.session_view import SessionView
    from sessions.metrics import Floats

SECOND_NS = 1_000_000_000
WINDOW_NS = 10 * SECOND_NS
LONGEST_GAP_NS = 3600 * SECOND_NS
"""Where nothing was recorded for longer, one line says so in place of thousands: a run that lay still, or a
line that somebody dated years ahead."""
POLL_S = 0.1
LINE_S = 1.0


def plain_line(frame: Frame) -> str:
    """What a frame shows, in words and figures that always stand in the same order, all ASCII."""
    load = (
        f"concurrency {frame.concurrency or 0}" if frame.closed_loop else f"rate {rate(frame.rate_rps)} rps"
    )
    ttft, itl = frame.ttft_recent, frame.itl_recent
    parts = [
        clock(max(frame.at_ns - frame.first_ns, 0) if frame.first_ns else 0),
        load,
        f"sent {rate(frame.achieved_rps)}/s",
        f"TTFT p50 {_figure(ttft, 'p50', ttft.p50_ms)} p95 {_figure(ttft, 'p95', ttft.p95_ms)}",
        f"{'gap' if frame.itl_is_chunk_gap else 'ITL'} p95 {_figure(itl, 'p95', itl.p95_ms)}",
        f"errors {frame.failed}",
        f"binds {limit_name(frame.limit.name)}",
        *([] if frame.state == "running" else [frame.state]),
        *(["CLIENT SATURATED"] if frame.client_saturated else []),
        *(["TLS NOT VERIFIED"] if frame.insecure else []),
        *(["SIMULATED"] if frame.simulated else []),
        *(["IMPORTED"] if frame.imported else []),
    ]
    return printable("  ".join(parts), 300)


def next_line_s(due_s: float, now_s: float) -> float:
    """When the line after the one that was due at `due_s` is, on the same beat: those that were missed while
    this process stood still are not made up for, all at once."""
    return due_s + LINE_S * max(1, math.floor((now_s - due_s) / LINE_S) + 1)


def _figure(stat: Stat, quantile: str, value_ms: float | None) -> str:
    """`158 ms`, `1.20 s`, with the sign of a figure that is a bound or rests on few samples."""
    if value_ms is None:
        return "-"
    text = ms(value_ms)
    return sign(stat, quantile) + (f"{text[:-1]} s" if text.endswith("s") else f"{text} ms")


def replayed(directory: Path) -> None:
    """A line for each second of a recorded run, on stdout, as fast as they can be made."""
    from sessions.frame.session_view import SessionView

    view = SessionView(directory)
    try:
        with reading(directory.name) as told:
            view.read_all(told)
        first_ns, last_ns = view.first_ns, view.last_ns
        for at_ns, empty_ns in _seconds(view.timeline.ticks["t"], first_ns, last_ns):
            if empty_ns:
                since = clock(max(at_ns - empty_ns - first_ns, 0))
                print(f"{since}  nothing recorded for {clock(empty_ns)}")
            print(plain_line(_judged(view, at_ns)))
    finally:
        view.close()


def _seconds(ticks_ns: Floats, first_ns: int, last_ns: int) -> Iterator[tuple[int, int]]:
    """The end of each second, the last of which may be a part of one, and how long nothing was recorded
    before it: 0 but behind a gap that is passed over. `ticks_ns` ascends."""
    at_ns, empty_ns = first_ns + SECOND_NS, 0
    while at_ns < last_ns:
        yield at_ns, empty_ns
        row = int(ticks_ns.searchsorted(at_ns, side="right"))
        next_ns = last_ns if row == len(ticks_ns) else min(int(ticks_ns[row]), last_ns)
        empty_ns = (next_ns - at_ns) // SECOND_NS * SECOND_NS if next_ns - at_ns > LONGEST_GAP_NS else 0
        at_ns += empty_ns + SECOND_NS
    yield last_ns, empty_ns


def attached(directory: Path) -> bool:
    """A line a second of a live run, on stdout, until it ends; False when Ctrl-C came before."""
    from sessions.frame.session_view import SessionView
    from tui.foreground.viewer import Viewer

    view = SessionView(directory)
    next_s = time.monotonic()
    try:
        with Viewer(directory):
            view.read_all()
            while view.live:
                view.poll()
                if time.monotonic() >= next_s:
                    next_s = next_line_s(next_s, time.monotonic())
                    print(plain_line(_judged(view, view.last_ns)), flush=True)
                time.sleep(POLL_S)
    except KeyboardInterrupt:
        return False
    finally:
        view.close()
    return True


def _judged(view: SessionView, at_ns: int) -> Frame:
    """The frame once all seconds before it are judged, which a run that is read at once has not at first."""
    frame = view.frame(at_ns, WINDOW_NS, 1)
    while frame.limits_pending:
        frame = view.frame(at_ns, WINDOW_NS, 1)
    return frame
