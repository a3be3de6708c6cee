"""Where a session that is over is first looked at. Pure."""

from __future__ import annotations

from sessions.frame.gpus import RECENT_NS
from tui.controls.session_source import SessionSource
from tui.draw.paged_axis import TICK_NS


def telling_ns(source: SessionSource) -> int:
    """The end, or, where by then nothing had been due for longer than recent figures reach back, the last
    instant under load: at an idle one every figure is empty."""
    idle_ns = next((t_ns for t_ns, state, _ in source.timeline.states if state == "draining"), source.last_ns)
    if source.last_ns - idle_ns < RECENT_NS:
        return source.last_ns
    return max(idle_ns - TICK_NS, source.first_ns)
