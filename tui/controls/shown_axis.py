"""Which columns of time the charts show. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from sessions.frame.schema import Frame, Gpu
from tui.controls.screen_state import ScreenState
from tui.controls.session_source import SessionSource
from tui.controls.time_window import column_ns
from tui.draw.paged_axis import first_column_ns, now_at_right_ns, young_column_ns


class ShownAxis(NamedTuple):
    slot_ns: int
    start_ns: int
    slots: int

    def frame(self, source: SessionSource, at_ns: int) -> Frame:
        return source.frame(at_ns, self.slot_ns * self.slots, self.slots, self.start_ns)


def shown_axis(source: SessionSource, state: ScreenState, slots: int) -> ShownAxis:
    """Now, or the playhead, at the right. While a live run is younger than the window, its columns are
    narrower. Of a run that is over and shown whole they stay where they are, wherever the playhead is."""
    run_ns = state.end_ns(source.last_ns) - source.first_ns
    slot_ns = column_ns(state.window_s, run_ns, slots)
    at_ns = state.playhead.at_ns
    if source.live:
        slot_ns = young_column_ns(run_ns, slots, slot_ns)
    elif state.window_s is None:
        return ShownAxis(slot_ns, first_column_ns(source.last_ns, source.first_ns, slot_ns, slots), slots)
    return ShownAxis(slot_ns, now_at_right_ns(at_ns, slot_ns, slots), slots)


def with_rest(frame: Frame, later: Frame) -> Frame:
    """The figures of `frame` with the series of `later`, and a GPU without figures for each that is heard of
    later: what is drawn of GPUs and server over time goes on after the playhead, and nothing moves."""
    known = {gpu.label: gpu for gpu in frame.gpus}
    gpus = tuple(
        replace(
            known.get(gpu.label) or _blank(gpu),
            util=gpu.util,
            memory_pct=gpu.memory_pct,
            power=gpu.power,
            temperature=gpu.temperature,
        )
        for gpu in later.gpus
    )
    server = replace(frame.server, kv=later.server.kv, waiting_series=later.server.waiting_series)
    return replace(frame, gpus=gpus, server=server)


def _blank(gpu: Gpu) -> Gpu:
    """As it is before its first sample."""
    series = (gpu.util, gpu.memory_pct, gpu.power, gpu.temperature)
    return Gpu(
        *(gpu.label, gpu.name, *(None,) * 9, *series, None),
        stale=False,
        mig=gpu.mig,
        host=gpu.host,
        role=gpu.role,
    )


class LaterFrames:
    """The frame of a run's end on the axis that is shown, for what lies after the playhead. Kept while the
    axis stays."""

    def __init__(self) -> None:
        self._of: tuple[ShownAxis, int] | None = None
        self._frame: Frame | None = None
        self.memo: dict[str, object] = {}
        """What views have made of it."""

    def frame(self, source: SessionSource, state: ScreenState, axis: ShownAxis) -> Frame | None:
        """None where nothing that is shown lies after the playhead, or the run is not over."""
        if source.live or state.playhead.at_ns >= source.last_ns or not source.first_ns:
            return None
        if axis.start_ns + axis.slot_ns * axis.slots <= state.playhead.at_ns:
            return None
        if self._of != (axis, source.last_ns):
            self._of, self._frame = (axis, source.last_ns), axis.frame(source, source.last_ns)
            self.memo = {}
        return self._frame
