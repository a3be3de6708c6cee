"""Charts that begin with the load and fill from the left; when they are full they move on by some columns
at once, so that between two moves only the newest column is redrawn.

Scrolling by every column would send each chart anew each time one closes: over SSH most of all bytes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sessions.frame.schema import Band, ChartMark, Frame, Gpu, Series, Server

PAGE = 4
"""Columns of a move; up to one fewer stay free at the right."""


def free_columns(start_ns: int, slot_ns: int) -> int:
    """How many columns stay free at the right of a window that begins at `start_ns`: 0 to `PAGE - 1`."""
    return -(start_ns // slot_ns) % PAGE if slot_ns > 0 else 0


def paged(frame: Frame) -> Frame:
    """The frame with its window moved to the next whole page: the columns to come are gaps.

    Of a run that is shorter than the window, it begins with the column in which the load began.
    """
    before = (frame.first_ns - frame.start_ns) // frame.slot_ns if frame.slot_ns > 0 else 0
    free = max(free_columns(frame.start_ns, frame.slot_ns), min(before, frame.slots - 1))
    if not free:
        return frame

    def moved(values: Series) -> Series:
        return np.concatenate([values[free:], np.full(min(free, len(values)), np.nan)])

    def band(of: Band) -> Band:
        return Band(moved(of.p50), moved(of.p95), moved(of.p99))

    def gpu(of: Gpu) -> Gpu:
        return replace(
            of,
            util=moved(of.util),
            memory_pct=moved(of.memory_pct),
            power=moved(of.power),
            temperature=moved(of.temperature),
            sm=None if of.sm is None else moved(of.sm),
            dram=None if of.dram is None else moved(of.dram),
        )

    def server(of: Server) -> Server:
        return replace(
            of,
            kv=None if of.kv is None else moved(of.kv),
            waiting_series=None if of.waiting_series is None else moved(of.waiting_series),
        )

    def mark(of: ChartMark) -> ChartMark:
        slot = None if of.slot is None or of.slot < free else of.slot - free
        return replace(of, slot=slot)

    return replace(
        frame,
        start_ns=frame.start_ns + free * frame.slot_ns,
        ttft=band(frame.ttft),
        itl=band(frame.itl),
        offered=moved(frame.offered),
        achieved=moved(frame.achieved),
        output_tokens=moved(frame.output_tokens),
        in_flight_series=moved(frame.in_flight_series),
        failed_series=moved(frame.failed_series),
        gpus=tuple(gpu(each) for each in frame.gpus),
        server=server(frame.server),
        marks=tuple(mark(each) for each in frame.marks),
    )
