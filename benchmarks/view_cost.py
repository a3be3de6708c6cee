"""What drawing each view costs in CPU: from a session's records to what the terminal is told, by size.

The session is SIMULATED (`common/growing_session.py`): 20 k tokens/s, 8 GPUs, two minutes old and going on.
`python benchmarks/view_cost.py [FRAMES] [--view NAME] [--size 120x40] [--profile]`

A frame is what the screen draws when a tick has come in: the figures, the rows, and the orders for the cells
that differ from those before. Textual and the terminal are not in it.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common.growing_session import AGE_S, GrowingSession
from tui.controls.playhead import Playhead
from tui.controls.screen_state import ScreenState
from tui.draw.changes import orders
from tui.draw.rows import Row
from tui.views.picture import Picture
from tui.views.views import OVERVIEW, VIEWS

SIZES = ((80, 24), (120, 40), (200, 60))
LIMIT_MS = 10.0
STEP_S = 0.25


class Drawn:
    """A view at a size, drawn tick by tick."""

    def __init__(self, view: str, size: tuple[int, int]) -> None:
        self.now_s = 0.0
        self.source = GrowingSession(lambda: self.now_s)
        self.picture = Picture(self.source)
        self.state = ScreenState(view=view)
        self.size = size
        self.view = VIEWS.get(view)
        self.shown: list[Row] = []
        self.styles = self.state.theme.styles()
        while True:  # limits are judged a little a frame: not what is measured
            self.frame()
            if self.picture.frame is not None and not self.picture.frame.limits_pending:
                break

    def frame(self) -> tuple[float, int]:
        """Milliseconds of CPU, and bytes for the terminal, of the next one."""
        self.now_s += STEP_S
        self.source.poll()
        _ = self.source.timeline.ticks
        before = time.process_time()
        state = replace(self.state, playhead=Playhead(at_ns=self.source.last_ns))
        rows = self.picture.rows(state, *self.size, self.view)
        if len(rows) == len(self.shown):
            both = enumerate(zip(self.shown, rows, strict=True))
            changed = [(y, old, new) for y, (old, new) in both if old != new]
            text = orders(changed, 0, 0, self._code, self._paints)
        else:
            text = ""
        spent_ms = (time.process_time() - before) * 1e3
        self.shown = rows
        return spent_ms, len(text.encode())

    def _code(self, role: str) -> str:
        return role  # as long as what a terminal is sent, about

    def _paints(self, role: str) -> bool:
        style = self.styles[role]
        return bool(style.bgcolor or style.reverse or style.underline)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", nargs="?", type=int, default=40)
    parser.add_argument("--view", action="append", choices=(OVERVIEW, *VIEWS))
    parser.add_argument("--size", action="append")
    parser.add_argument("--profile", action="store_true", help="where the time goes, by function")
    args = parser.parse_args()
    sizes = [tuple(map(int, size.split("x"))) for size in args.size] if args.size else SIZES
    names = args.view or (OVERVIEW, *VIEWS)
    print(f"SIMULATED 20 k tokens/s, 8 GPUs, from {AGE_S:g} s on")
    print(f"ms of CPU a frame: medians (and the least) of {args.frames}")
    print(f"{'':<10}" + "".join(f"{f'{width}x{height}':>15}" for width, height in sizes))
    worst = 0.0
    for name in names:
        found = []
        for width, height in sizes:
            drawn = Drawn(name, (width, height))
            profile = cProfile.Profile()
            if args.profile:
                profile.enable()
            spent_ms = [drawn.frame()[0] for _ in range(args.frames)]
            found.append((float(np.median(spent_ms)), min(spent_ms)))
            if args.profile:
                profile.disable()
                pstats.Stats(profile).sort_stats("tottime").print_stats(35)
            if (width, height) == (120, 40):
                worst = max(worst, found[-1][0])
        cells = [f"{middle:>8.1f} ({least:4.1f})" for middle, least in found]
        print(f"{name:<10}" + "".join(cells), flush=True)
    print(f"allowed at 120x40: {LIMIT_MS:g} ms in every view")
    return int(worst > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
