"""What the screen of a long session holds in memory, and what of it grows.

The session is SIMULATED: 64 rps x 200 tokens, 8 GPUs at 4 Hz, by the writers of `summary_cost.py`, without
its request lines, which a screen does not read before a view asks for them.
`python benchmarks/screen_memory.py [HOURS]`: 24 unless told; a day takes 400 MB of disk.

Three processes open it as the screen does, reading a part, drawing each view, and so on to the end: without a
cache, with one, and one that follows while another process writes as fast as it can. Resident memory.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

WIDTH, HEIGHT = 120, 40
LIMIT_MB = 300.0
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
    from tui.controls.playhead import Playhead
    from tui.controls.screen_state import ScreenState
    from tui.foreground.screen import POLL_BYTES
    from tui.views.picture import Picture
    from tui.views.views import VIEWS

    view = SessionView(directory, most=POLL_BYTES)
    picture, names, drawn, next_s = Picture(view), ("overview", *VIEWS), 0, 0.0
    before_mb = resident_mb()
    while True:
        news = view.poll()
        if time.monotonic() >= next_s or not (news or view.behind):
            next_s = time.monotonic() + DRAWN_S
            name = names[drawn % len(names)]
            # Request lines are for those who look at requests: told in `summary_cost.py`, bytes of each.
            if name != "requests":
                state = ScreenState(view=name, playhead=Playhead(at_ns=view.last_ns), window_s=None)
                picture.rows(state, WIDTH, HEIGHT, VIEWS.get(name))
            drawn += 1
        if view.last_ns >= end_ns and not view.behind:
            break
        if not news:
            time.sleep(0.01)
    if view.keeping is not None:
        view.keeping.join()
    parts = " ".join(f"{name}={size / 1e6:.0f}" for name, size in held(view.timeline).items())
    print(before_mb, resident_mb(), resident_mb("VmHWM"), drawn, parts)


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


def told(name: str, output: str) -> float:
    before, now, most, drawn, parts = output.split(maxsplit=4)
    mb = f"{float(now):5.0f} MB in the end, {float(most):5.0f} at most, {float(before):.0f} before"
    print(f"  {name:<16} {mb} ({drawn} frames)\n{'':<19}{parts.strip()}", flush=True)
    return float(now)


def main() -> int:
    if sys.argv[1:2] == ["--open"]:
        opened(Path(sys.argv[2]), int(sys.argv[3]))
        return 0
    if sys.argv[1:2] == ["--write"]:
        writes(Path(sys.argv[2]), float(sys.argv[3]))
        return 0
    from sessions.timeline.cache import FILE

    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 24.0
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
    print(f"wanted: {LIMIT_MB:g} MB after 24 h; most {max(found):.0f} MB")
    return int(max(found) > LIMIT_MB)


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
