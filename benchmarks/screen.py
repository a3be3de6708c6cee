"""What the screen costs in a real pseudo-terminal: bytes, CPU, the time of a frame, from a key to the screen.

The run is SIMULATED: 100 rps x 200 tokens (20 k tokens/s), 8 GPUs and a server read at 4 Hz, two minutes old.
`python benchmarks/screen.py [SECONDS]` prints a row for each of 80x24, 120x40 and 200x60, live and paused,
and rows of nvitop and btop in the same terminal where they are installed.

Deflated: as `ssh -C` would send it, flushed with each write. CPU is that of the screen's process alone.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SIZES = ((80, 24), (120, 40), (200, 60))
AGE_S = 120
ALLOWED = {"bytes/s": 16_384, "deflated": 2048, "frame ms": 10.0, "key ms": 100.0}


class Cost(NamedTuple):
    bytes_per_s: float
    deflated_per_s: float
    cpu_pct: float
    frame_ms: float | None
    key_ms: float | None


# -- the child: the screen itself


def child(figures: str) -> None:
    from benchmarks.frame_cost import records
    from sessions.bottleneck.history import BottleneckHistory
    from sessions.frame.session_view import SessionView
    from sessions.plan.config import RunConfig
    from sessions.plan.target_config import TargetConfig
    from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo
    from tui.screens.app import run_screen
    from tui.screens.session import SessionScreen

    config = RunConfig(TargetConfig("http://127.0.0.1:1"), slo=["ttft.p95<500ms", "itl.p95<50ms"])

    class Growing(SessionView):
        """A session of which records come in as time passes; nothing is on disk."""

        def __init__(self) -> None:
            super().__init__(ROOT / "no-such-session")
            self.manifest = Manifest(SessionInfo("i", "screen", ""), ClockAnchor(0, 0), config)
            self._history = BottleneckHistory(self.timeline)
            self._records: Iterator[Any] = records(4 * 3600, 1, rps=100)
            self._next = next(self._records)
            self._begin_s = time.monotonic() - AGE_S
            self.poll()

        def poll(self) -> bool:
            upto_ns, new = int((time.monotonic() - self._begin_s) * 1e9), False
            while self._next.t_ns <= upto_ns:
                self.timeline.apply(self._next)
                self._history.noted(self._next.t_ns)
                self._next, new = next(self._records), True
            return new

        live = property(lambda self: True)  # type: ignore[assignment]

    spent: list[float] = []
    draw = SessionScreen._draw

    def timed(screen: SessionScreen) -> None:
        before = time.process_time()
        draw(screen)
        spent.append((time.process_time() - before) * 1e3)

    SessionScreen._draw = timed  # type: ignore[method-assign]
    try:
        run_screen(Growing(), None)
    finally:
        late = sorted(spent[10:]) or [0.0]
        Path(figures).write_text(f"{late[len(late) // 2]} {late[int(len(late) * 0.99)]}", encoding="ascii")


# -- the terminal


def measured(command: list[str], size: tuple[int, int], seconds: float, key: str, most: int = 0) -> Cost:
    """`key` is pressed before, to pause, or, with `most`, after: until the screen has sent so many bytes."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        os.environ.pop("COLORTERM", None)
        os.execvp(command[0], command)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    packer, sent, packed = zlib.compressobj(6), 0, 0

    def read_until(until_s: float, wanted: int = 0) -> bool:
        nonlocal sent, packed
        seen = 0
        while (left := until_s - time.monotonic()) > 0:
            if select.select([fd], [], [], left)[0]:
                data = os.read(fd, 65536)
                sent += len(data)
                packed += len(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))
                seen += len(data)
                if wanted and seen >= wanted:
                    return True
        return False

    read_until(time.monotonic() + 8)
    if key and not most:  # paused: the past of a live run stands still
        os.write(fd, key.encode())
        read_until(time.monotonic() + 3)
    sent = packed = 0
    cpu_s, began_s = cpu_of(pid), time.monotonic()
    read_until(began_s + seconds)
    wall_s = time.monotonic() - began_s
    cost = Cost(sent / wall_s, packed / wall_s, 100 * (cpu_of(pid) - cpu_s) / wall_s, None, None)
    if most:
        pressed_s = time.monotonic()
        os.write(fd, key.encode())
        if read_until(pressed_s + 5, most):
            cost = cost._replace(key_ms=(time.monotonic() - pressed_s) * 1e3)
    os.kill(pid, signal.SIGTERM)
    read_until_gone(pid, fd)
    return cost


def read_until_gone(pid: int, fd: int) -> None:
    until_s = time.monotonic() + 5
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > until_s:
            os.kill(pid, signal.SIGKILL)
        try:
            if select.select([fd], [], [], 0.05)[0]:
                os.read(fd, 65536)
        except OSError:
            time.sleep(0.01)
    os.close(fd)


def cpu_of(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def row(name: str, cost: Cost) -> None:
    frame = "-" if cost.frame_ms is None else f"{cost.frame_ms:.1f}"
    key = "-" if cost.key_ms is None else f"{cost.key_ms:.0f}"
    sent = f"{cost.bytes_per_s:>9.0f} {cost.deflated_per_s:>9.0f}"
    print(f"{name:<24} {sent} {cost.cpu_pct:>6.1f} {frame:>9} {key:>7}", flush=True)


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
        return 0
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    print("SIMULATED 20 k tokens/s, 8 GPUs")
    print(f"{'':<24} {'bytes/s':>9} {'deflated':>9} {'CPU %':>6} {'frame ms':>9} {'key ms':>7}")
    bad = False
    with tempfile.NamedTemporaryFile() as figures:
        ours = [sys.executable, str(Path(__file__)), "--child", figures.name]
        for size in SIZES:
            name = f"{size[0]}x{size[1]}"
            # The help draws nearly every cell anew.
            cost = measured(ours, size, seconds, "?", 1500)
            cost = cost._replace(frame_ms=float(Path(figures.name).read_text(encoding="ascii").split()[0]))
            row(f"ttftop {name} live", cost)
            if size == (120, 40):
                found = (cost.bytes_per_s, cost.deflated_per_s, cost.frame_ms or 0.0, cost.key_ms or 1e9)
                bad = any(value > most for value, most in zip(found, ALLOWED.values(), strict=True))
            row(f"ttftop {name} paused", measured(ours, size, seconds / 2, "\x1b[D"))
            for other in ("nvitop", "btop"):
                if shutil.which(other):
                    row(f"{other} {name}", measured([other], size, seconds, ""))
    print("allowed at 120x40, live: " + ", ".join(f"{name} {most:g}" for name, most in ALLOWED.items()))
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
