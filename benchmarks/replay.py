"""What opening a recorded session costs: CPU until its first full frame, and a seek, cached and not.

The sessions are SIMULATED: 64 rps x 200 tokens, 8 GPUs at 4 Hz, by the writers of `summary_cost.py`.
`python benchmarks/replay.py [HOURS ...] [--docs docs/measured/screen.md]`: 1 and 8 unless told; eight hours
take 100 MB of disk.

Each figure is of a process of its own, from its start: Textual and the screen imported, the session read to
its end, and the frame drawn as rows of 120x40. What the terminal itself takes is not in it.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

WIDTH, HEIGHT, SEEKS, ROUNDS = 120, 40, 40, 3
SEEK_LIMIT_MS = 50.0
OPEN_LIMITS_S = {(1.0, True): 1.0, (1.0, False): 2.5, (8.0, True): 3.0}
"""By hours, and whether there is a cache."""


def opened(directory: Path) -> None:
    """In a process of its own: prints the CPU seconds until the first frame, then the median seek's and the
    longest one's."""
    import tui.screens.app  # noqa: F401  # what a replay imports
    from sessions.frame.session_view import SessionView
    from tui.controls.playhead import Playhead
    from tui.controls.screen_state import ScreenState
    from tui.controls.shown_axis import shown_axis
    from tui.draw.layout import overview_columns
    from tui.views.overview import compose, scales_for

    view = SessionView(directory)
    view.read_all()

    def draw(at_ns: int, window_s: float | None) -> float:
        began = time.process_time()
        state = replace(ScreenState(), playhead=Playhead(at_ns=at_ns), replay=True, window_s=window_s)
        frame = shown_axis(view, state, overview_columns(WIDTH).plot).frame(view, at_ns)
        compose(frame, state, scales_for(frame, state, {}), WIDTH, HEIGHT)
        return time.process_time() - began

    draw(view.last_ns, None)
    open_s = time.process_time()
    draws = random.Random(1)
    windows_s = (None, 60.0, 300.0, 1800.0)
    seeks = [draw(draws.randrange(view.last_ns), windows_s[i % 4]) for i in range(SEEKS)]
    print(open_s, float(np.median(seeks)), max(seeks))


def written(directory: Path, hours: float) -> None:
    """The session; no request lines, which a screen does not read."""
    from benchmarks.journal_size import ticks
    from benchmarks.summary_cost import write_session

    draw = np.random.default_rng(1)
    made_ticks = ticks(draw, 0.3)
    write_session(directory, round(60 * hours), [], made_ticks)


def cached(directory: Path) -> float:
    """Writes the cache; the CPU seconds of that."""
    from sessions.frame.session_view import SessionView

    view = SessionView(directory)
    view.read_all()
    began = time.process_time()
    view.poll()
    if view.keeping is not None:
        view.keeping.join()
    return time.process_time() - began


def measured(directory: Path) -> tuple[float, float, float]:
    """Medians of some rounds."""
    command = [sys.executable, __file__, "--open", str(directory)]
    told = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(ROUNDS)]
    open_s, seek_s, most_s = np.median([[float(part) for part in line.split()] for line in told], axis=0)
    return float(open_s), float(seek_s), float(most_s)


def main() -> int:
    if sys.argv[1:2] == ["--open"]:
        opened(Path(sys.argv[2]))
        return 0
    from benchmarks.common.section import machine, write
    from sessions.timeline.cache import FILE

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hours", nargs="*", type=float, default=[1.0, 8.0])
    parser.add_argument("--docs", type=Path, help="a page whose section is rewritten")
    args = parser.parse_args()
    lines = [machine()]
    print(lines[0])

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    missed = False
    for hours in args.hours:
        with tempfile.TemporaryDirectory() as place:
            directory = Path(place) / "session"
            directory.mkdir()
            written(directory, hours)
            say(f"SIMULATED {hours:g} h, 8 GPUs; CPU of the process that opens it, medians of {ROUNDS}")
            for with_cache in (False, True):
                if with_cache:
                    wrote_s = cached(directory)
                    size = (directory / FILE).stat().st_size
                    say(f"  the cache: {size / 1e6:.1f} MB, written beside the screen in {wrote_s:.1f} s")
                else:
                    (directory / FILE).unlink(missing_ok=True)
                open_s, seek_s, most_s = measured(directory)
                limit_s = OPEN_LIMITS_S.get((hours, with_cache))
                wanted = "" if limit_s is None else f" (wanted: {limit_s:g} s)"
                named = "with it" if with_cache else "without a cache"
                say(f"  {named:<16} first full frame {open_s:5.2f} s{wanted}")
                seeks = f"a seek {seek_s * 1e3:.0f} ms, at most {most_s * 1e3:.0f} ms"
                say(f"  {'':<16} {seeks} (wanted: {SEEK_LIMIT_MS:g} ms)")
                missed |= limit_s is not None and open_s > limit_s
                missed |= most_s * 1e3 > SEEK_LIMIT_MS
    if args.docs:
        write(args.docs, "replay", "\n".join(["```", *lines, "```"]))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
