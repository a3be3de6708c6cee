"""What the screen of a long session holds in memory, and what of it grows.

    python benchmarks/screen_memory.py [HOURS] [--docs docs/measured/endurance.md]

The session is SIMULATED: 64 rps x 200 tokens, 8 GPUs at 4 Hz, by the writers of `summary_cost.py`, without
its request lines, which a screen does not read before a view asks for them.
24 hours unless told; a day takes 400 MB of disk.

Three processes open it as the screen does, reading a part, drawing a view, and so on to the end, where each
view is drawn once more: without a cache, which is then written, with it, and one that follows while another
process writes as fast as it can. Told is resident memory (`VmRSS`) in the end, the most of all (`VmHWM`), and
what of that in the end is of files (`RssFile`): the program's own, and large columns
(`sessions.timeline.paged`), which the system takes back when it wants it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common.section import machine, write

WIDTH, HEIGHT = 120, 40
LIMIT_MB = 300.0
MOST_MB = 400.0
"""At any moment: while a session of a day is read, or its cache written."""
DRAWN_S = 0.5
"""A frame is drawn so often while it is read."""


def resident_mb(name: str = "VmRSS") -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = [line for line in lines if line.startswith(name + ":")]
    return int(line.split()[1]) * 1024 / 1e6


def opened(directory: Path, end_ns: int) -> None:
    """In a process of its own: prints what is resident in the end, the most of all, and what holds it."""
    import tui.screens.app  # noqa: F401  # what a screen imports
    from sessions.frame.session_view import SessionView
    from sessions.timeline.cache import FILE
    from tui.controls.playhead import Playhead
    from tui.controls.screen_state import ScreenState
    from tui.foreground.screen import POLL_BYTES
    from tui.views.picture import Picture
    from tui.views.views import VIEWS

    view = SessionView(directory, most=POLL_BYTES)
    picture, names, drawn, next_s = Picture(view), ("overview", *VIEWS), 0, 0.0
    before_mb = resident_mb()

    def draw(name: str) -> None:
        # Request lines are for those who look at requests: told in `summary_cost.py`, bytes of each.
        if name != "requests":
            state = ScreenState(view=name, playhead=Playhead(at_ns=view.last_ns), window_s=None)
            picture.rows(state, WIDTH, HEIGHT, VIEWS.get(name))

    while view.last_ns < end_ns or view.behind:
        news = view.poll()
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + DRAWN_S
            draw(names[drawn % len(names)])
            drawn += 1
        if not news:
            time.sleep(0.01)
    for name in names:
        draw(name)
        view.poll()
    if view.keeping is not None:
        view.keeping.join()
        view.poll()
    parts = " ".join(f"{name}={size / 1e6:.0f}" for name, size in held(view.timeline).items())
    figures = [before_mb, *map(resident_mb, ("VmRSS", "RssAnon", "RssFile", "VmHWM")), drawn]
    print(*figures, parts, f"cache={(directory / FILE).exists():d}")


def held(timeline: Any) -> dict[str, float]:
    """Bytes of the timeline's columns as they are filled, by what they are of."""
    logs, ticks = timeline.sketch_logs.values(), timeline.ticks
    gpus = [table for gpu in timeline.gpus.values() for table in gpu.tables.values()]
    servers = [server.samples for server in timeline.servers.values()]
    return {
        "ticks": ticks.cells().nbytes,
        "sketches": sum(part.nbytes for log in logs for part in log.entries()),
        "sketch totals": sum(log._totals.nbytes for log in logs),
        "GPUs": sum(table.cells().nbytes for table in gpus),
        "servers": sum(table.cells().nbytes for table in servers),
    }


def writes(directory: Path, hours: float) -> None:
    """The session, as fast as it goes; as long as it is not over its files have no end."""
    from benchmarks.replay import written

    written(directory, hours)


class Told(NamedTuple):
    """MB."""

    how: str
    before: float
    resident: float
    own: float
    of_files: float
    most: float
    frames: int


def told(how: str, output: str) -> Told:
    *figures, parts = output.split(maxsplit=6)
    before, now, own, of_files, most, frames = map(float, figures)
    print(
        f"  {how:<16} {now:5.0f} MB in the end ({own:.0f} its own), {most:5.0f} at most, {before:.0f} before",
        end="",
    )
    print(f" ({frames:.0f} frames)\n{'':<19}{parts.strip()}", flush=True)
    return Told(how, before, now, own, of_files, most, int(frames))


def table(found: list[Told], hours: float) -> str:
    """In Markdown."""
    return "\n".join(
        [
            f"{hours:g} h of 64 rps x 200 tokens with 8 GPUs, SIMULATED; {time.strftime('%Y-%m-%d')},",
            f"{machine()}. Resident memory of the screen's process, MB.",
            "",
            "| opened | before | in the end | its own | of files | most at any moment | frames drawn |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(
                f"| {one.how} | {one.before:.0f} | {one.resident:.0f} | {one.own:.0f} | {one.of_files:.0f} "
                f"| {one.most:.0f} | {one.frames} |"
                for one in found
            ),
        ]
    )


def main() -> int:
    if sys.argv[1:2] == ["--open"]:
        opened(Path(sys.argv[2]), int(sys.argv[3]))
        return 0
    if sys.argv[1:2] == ["--write"]:
        writes(Path(sys.argv[2]), float(sys.argv[3]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hours", type=float, nargs="?", default=24.0)
    parser.add_argument("--docs", type=Path, help="a page whose section is rewritten")
    asked = parser.parse_args()
    found = measured(asked.hours)
    print(f"wanted: {LIMIT_MB:g} MB after 24 h; most {max(one.resident for one in found):.0f} MB")
    if asked.docs is not None:
        write(asked.docs, "screen memory", table(found, asked.hours))
    missed = any(one.resident > LIMIT_MB or one.most > MOST_MB for one in found)
    return int(missed)


def measured(hours: float) -> list[Told]:
    from sessions.timeline.cache import FILE

    end_ns = round(60 * hours) * 60 * 10**9
    found = []
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "session"
        directory.mkdir()
        command = [sys.executable, __file__, "--open", str(directory), str(end_ns)]
        print(f"SIMULATED {hours:g} h of 64 rps x 200 tokens, 8 GPUs; the process of the screen", flush=True)
        writer = subprocess.Popen([sys.executable, __file__, "--write", str(directory), str(hours)])
        found.append(told("followed", _output(command)))
        writer.wait()
        (directory / FILE).unlink(missing_ok=True)
        found.append(told("without a cache", _output(command)))
        found.append(told("with a cache", _output(command)))
    return found


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
