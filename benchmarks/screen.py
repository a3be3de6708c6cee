"""What the screen costs in a real pseudo-terminal: bytes, CPU, memory, a frame's time, a key's.

The run is SIMULATED (`common/growing_session.py`): 20 k tokens/s, 8 GPUs and a server read at 4 Hz, two
minutes old.
`python benchmarks/screen.py [SECONDS] [--peers] [--peer NAME=COMMAND] [--docs docs/measured/screen.md]`

A row for each of 80x24, 120x40 and 200x60, live and paused, for each view at 120x40, and for others in the
same terminals in the same run: with `--peers` nvitop (in an environment of its own, with 8 GPUs by the tests'
stand-in for NVML) and btop (its Debian package, unpacked), and whatever `--peer` names, such as AIPerf's
dashboard, which takes long to start: `--settle 30 --peer 'AIPerf=aiperf profile --ui dashboard --url ...'`.

Deflated: as `ssh -C` would send it, flushed with each write. CPU and memory are those of the command and what
it started; of ttftop that of the screen, whose load runs elsewhere.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import shlex
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
import zlib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SIZES = ((80, 24), (120, 40), (200, 60))
ALLOWED = {"bytes/s": 16_384, "deflated": 2048, "CPU %": 15.0, "frame ms": 10.0, "key ms": 100.0}
HEADER = ("", "bytes/s", "deflated", "CPU %", "MB", "frame ms", "key ms")


class Cost(NamedTuple):
    bytes_per_s: float
    deflated_per_s: float
    cpu_pct: float
    rss_mb: float
    frame_ms: float | None = None
    key_ms: float | None = None


# -- the child: the screen itself


def child(figures: str) -> None:
    from benchmarks.common.growing_session import GrowingSession
    from tui.screens.app import run_screen
    from tui.screens.session import SessionScreen

    spent: dict[str, list[float]] = {}  # by view: until a key is pressed it is the overview
    draw = SessionScreen._draw

    def timed(screen: SessionScreen) -> None:
        before = time.process_time()
        draw(screen)
        state = screen.screen_state
        spent_ms = (time.process_time() - before) * 1e3
        spent.setdefault("help" if state.help else state.view, []).append(spent_ms)

    SessionScreen._draw = timed  # type: ignore[method-assign]
    try:
        run_screen(GrowingSession(), None)
    finally:
        spent.pop("help", None)
        late = sorted(list(spent.values())[-1][10:]) or [0.0]
        Path(figures).write_text(f"{late[len(late) // 2]}", encoding="ascii")


# -- the terminal


def measured(
    command: list[str],
    size: tuple[int, int],
    seconds: float,
    key: str = "",
    most: int = 0,
    environment: dict[str, str] | None = None,
    settle_s: float = 8.0,
) -> Cost:
    """`key` is pressed before, to pause, or, with `most`, after: until the screen has sent so many bytes."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        os.environ.pop("COLORTERM", None)
        os.environ.update(environment or {})
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

    read_until(time.monotonic() + settle_s)
    if key and not most:  # paused: the past of a live run stands still
        os.write(fd, key.encode())
        read_until(time.monotonic() + 3)
    sent = packed = 0
    cpu_s, began_s = cpu_of(pid), time.monotonic()
    read_until(began_s + seconds)
    wall_s = time.monotonic() - began_s
    cpu_pct = 100 * (cpu_of(pid) - cpu_s) / wall_s
    cost = Cost(sent / wall_s, packed / wall_s, cpu_pct, rss_mb_of(pid))
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


def with_children(pid: int) -> list[list[str]]:
    """Fields of `/proc/PID/stat` from the state on, of a process and all below it."""
    found: dict[int, list[str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(path.parent.name)] = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
    below = [pid]
    for each in below:
        below += [child for child, fields in found.items() if int(fields[1]) == each]
    return [found[each] for each in below if each in found]


def cpu_of(pid: int) -> float:
    """Seconds."""
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in with_children(pid))
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_mb_of(pid: int) -> float:
    return sum(int(fields[21]) for fields in with_children(pid)) * os.sysconf("SC_PAGE_SIZE") / 1e6


# -- what is measured


def cells_of(name: str, cost: Cost) -> list[str]:
    frame = "-" if cost.frame_ms is None else f"{cost.frame_ms:.1f}"
    key = "-" if cost.key_ms is None else f"{cost.key_ms:.0f}"
    sent = [f"{cost.bytes_per_s:.0f}", f"{cost.deflated_per_s:.0f}"]
    return [name, *sent, f"{cost.cpu_pct:.1f}", f"{cost.rss_mb:.0f}", frame, key]


def printed(cells: list[str]) -> list[str]:
    print(f"{cells[0]:<26}" + "".join(f"{cell:>10}" for cell in cells[1:]), flush=True)
    return cells


def ratios(ours: Cost, others: dict[str, Cost]) -> list[str]:
    """How many times what ttftop takes."""

    def times(theirs: float, own: float) -> str:
        return f"{theirs / own:.1f}x" if own else "-"

    return [
        f"{name} at 120x40 to ttftop live: bytes {times(cost.bytes_per_s, ours.bytes_per_s)}, deflated "
        f"{times(cost.deflated_per_s, ours.deflated_per_s)}, CPU {times(cost.cpu_pct, ours.cpu_pct)}, "
        f"memory {times(cost.rss_mb, ours.rss_mb)}"
        for name, cost in others.items()
    ]


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=20.0)
    parser.add_argument("--peers", action="store_true", help="fetch and measure nvitop and btop")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument(
        "--settle", type=float, default=8.0, metavar="S", help="each --peer starts for so long"
    )
    parser.add_argument("--docs", type=Path, help="the page that gets the rows")
    args = parser.parse_args()
    from benchmarks.common.section import machine, write

    where, seconds = machine(), args.seconds
    print(f"SIMULATED 20 k tokens/s, 8 GPUs. {where}")
    rows = [printed(list(HEADER))]
    found: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures"
        ours = [sys.executable, str(Path(__file__)), "--child", str(figures)]

        def add(name: str, cost: Cost, frame: bool = False) -> None:
            if frame:
                cost = cost._replace(frame_ms=float(figures.read_text(encoding="ascii")))
            found[name] = cost
            rows.append(printed(cells_of(name, cost)))

        others = {
            name: shlex.split(command) for name, _, command in (one.partition("=") for one in args.peer)
        }
        named, environment = set(others), {}
        if args.peers:
            from benchmarks.common.screen_peers import fetched

            more, environment = fetched(Path(folder))
            others |= more
        for size in SIZES:
            name = f"{size[0]}x{size[1]}"
            # The help draws nearly every cell anew.
            add(f"ttftop {name} live", measured(ours, size, seconds, "?", 1500), frame=True)
            add(f"ttftop {name} paused", measured(ours, size, seconds / 2, "\x1b[D"))
            for other, command in others.items():
                if shutil.which(command[0]):
                    settle_s = args.settle if other in named else 8.0
                    cost = measured(command, size, seconds, environment=environment, settle_s=settle_s)
                    add(f"{other} {name}", cost)
        for digit in "234567":
            add(f"ttftop 120x40 view {digit}", measured(ours, (120, 40), seconds / 2, digit), frame=True)
    live = found["ttftop 120x40 live"]
    said = ratios(live, {name: found[f"{name} 120x40"] for name in others if f"{name} 120x40" in found})
    values = (live.bytes_per_s, live.deflated_per_s, live.cpu_pct, live.frame_ms or 0.0, live.key_ms or 1e9)
    said.append("allowed at 120x40, live: " + ", ".join(f"{name} {most:g}" for name, most in ALLOWED.items()))
    print("\n".join(said))
    if args.docs:
        table = [rows[0], ["---", *["---:"] * (len(HEADER) - 1)], *rows[1:]]
        lines = ["| " + " | ".join(cells) + " |" for cells in table]
        told = [f"`python benchmarks/screen.py {seconds:g}`. SIMULATED: 20 k tokens/s, 8 GPUs. {where}.", ""]
        if args.peers:
            told[0] += (
                " nvitop reads a stand-in for NVML of which no figure changes, btop what this machine does."
            )
        write(args.docs, "screen", "\n".join([*told, *lines, "", *(f"- {line}" for line in said)]))
    return int(any(value > most for value, most in zip(values, ALLOWED.values(), strict=True)))


if __name__ == "__main__":
    sys.exit(main())
