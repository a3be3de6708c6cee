"""Kills the processes of runs at random moments, and counts what that cost.

    python benchmarks/kill_loop.py [--kills 100] [--seed 0] [--docs docs/measured/endurance.md]

Each kill: a run on the simulator (what it says is SIMULATED; processes, files and signals are real), and a
SIGKILL to one of its processes (the command that a person typed, the supervisor, a load worker), three times
in ten while it starts, else while it is under load. Then the session must open, and nothing may be left
running. What was lost is the time between the kill and the newest tick that reads back of the worker whose
ticks end first; a tick is due every 250 ms.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common.section import write
from sessions.frame.session_view import SessionView
from sessions.store.manifest import SessionError, read
from sessions.timeline.columns import Table

NAMES = {"sessions.run": "supervisor", "sessions.worker.process": "worker"}
COMMAND = [sys.executable, "-m", "tui.cli"]
STARTING_S, LOADED_S = (0.2, 3.0), (0.0, 3.0)
"""From the start of the command, or from the first tick that is on disk, to the kill."""
LEAVE_S = 15.0
"""How long what is left of a run may take to end."""


class Kill(NamedTuple):
    victim: str
    opened: bool
    """The session opens, or there is none since the run had not begun."""
    session: bool
    lost_s: float | None
    """None where the victim writes nothing, or had written nothing yet."""
    left_running: int


def kill_once(url: str, root: Path, draw: random.Random) -> Kill:
    """One run with one kill. Raises nothing of what a kill leads to."""
    command = [*COMMAND, "run", url, "--headless", "--rate", "20", "--duration", "30s", "--workers", "2"]
    run = subprocess.Popen(
        [*command, "--sessions-dir", str(root), "--output-tokens", "20", "--telemetry", "none"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    seen: dict[int, psutil.Process] = {}

    def wait(seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while True:
            _see(run.pid, seen)
            if time.monotonic() >= until_s:
                return
            time.sleep(0.05)

    if draw.random() < 0.3:
        wait(draw.uniform(*STARTING_S))
    else:
        while run.poll() is None and not any(path.stat().st_size for path in root.glob("*/worker-*")):
            wait(0.02)
        wait(draw.uniform(*LOADED_S))
    there = [(name, process) for process in seen.values() if (name := _name(process)) is not None]
    kinds = sorted({name for name, _ in there})
    victim = draw.choice(["command", *kinds])
    pid = run.pid if victim == "command" else draw.choice([p.pid for name, p in there if name == victim])
    killed_ns = time.monotonic_ns()
    _signal(pid, signal.SIGKILL)
    until_s, told = time.monotonic() + LEAVE_S, set[int]()
    while time.monotonic() < until_s and (run.poll() is None or _alive(seen)):
        _see(run.pid, seen)
        # Without its command a run goes on, as it should: it is ended in order.
        for process in _alive(seen) if victim == "command" else ():
            if process.pid not in told and _name(process) == "supervisor":
                told.add(process.pid)
                _signal(process.pid, signal.SIGTERM)
        time.sleep(0.05)
    left = _alive(seen)
    for process in left:
        _signal(process.pid, signal.SIGKILL)
    run.kill()
    run.wait()
    return _outcome(root, victim, killed_ns, len(left))


def _see(pid: int, seen: dict[int, psutil.Process]) -> None:
    """Adds the descendants that `pid`, and those seen before, have now."""
    for known in (pid, *list(seen)):
        with suppress(psutil.Error):
            seen.update({child.pid: child for child in psutil.Process(known).children()})


def _name(process: psutil.Process) -> str | None:
    """What it is of a run; None where it is something else, or gone."""
    with suppress(psutil.Error):
        words = process.cmdline()
        return next((name for module, name in NAMES.items() if module in words), None)
    return None


def _alive(seen: dict[int, psutil.Process]) -> list[psutil.Process]:
    out = []
    for process in seen.values():
        with suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                out.append(process)
    return out


def _outcome(root: Path, victim: str, killed_ns: int, left: int) -> Kill:
    directories = [path for path in root.iterdir() if path.is_dir() and (path / "session.toml").exists()]
    if not directories:
        return Kill(victim, True, False, None, left)
    try:
        manifest = read(directories[0])
        view = SessionView(directories[0])
        view.read_all()
    except (SessionError, OSError, ValueError):
        return Kill(victim, False, True, None, left)
    lost_s = None
    if victim != "command":
        at_ns = killed_ns - manifest.clock.origin_monotonic_ns
        ended = [_newest_ns(table) for table in view.timeline.worker_ticks.values()]
        if ended and at_ns > 0:
            # A killed worker's ticks end, and after a killed supervisor those of all.
            lost_s = max((at_ns - min(ended)) / 1e9, 0.0)
    view.close()
    return Kill(victim, True, True, lost_s, left)


def _newest_ns(table: Table) -> int:
    table.merge_pending()
    return int(table["t"][-1])


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--docs", type=Path, help="a page whose section is rewritten")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    port = _free_port()
    server = subprocess.Popen([*COMMAND, "simulate", "--port", str(port)], stdout=subprocess.DEVNULL)
    found = []
    try:
        _wait_for(port)
        for number in range(options.kills):
            with tempfile.TemporaryDirectory() as place:
                found.append(kill_once(f"http://127.0.0.1:{port}", Path(place), draw))
            print(f"\r{number + 1} of {options.kills}", end="", file=sys.stderr, flush=True)
    finally:
        server.kill()
    print(file=sys.stderr)
    said = report(found, options.seed)
    print(said)
    if options.docs is not None:
        write(options.docs, "kills", said)
    return int(any(not kill.opened or kill.left_running for kill in found))


def report(kills: list[Kill], seed: int) -> str:
    """A table in Markdown."""
    lines = [
        f"{len(kills)} kills, seed {seed}, {time.strftime('%Y-%m-%d')}; simulated server, real processes.",
        "",
        "| killed | times | with a session | lost at most, s | do not open | left running |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for victim in Counter(kill.victim for kill in kills):
        own = [kill for kill in kills if kill.victim == victim]
        lost = [kill.lost_s for kill in own if kill.lost_s is not None]
        lines.append(
            f"| {victim} | {len(own)} | {sum(kill.session for kill in own)} | {max(lost):.2f} |"
            if lost
            else f"| {victim} | {len(own)} | {sum(kill.session for kill in own)} | - |"
        )
        lines[-1] += f" {sum(not kill.opened for kill in own)} | {sum(kill.left_running for kill in own)} |"
    return "\n".join(lines)


def _free_port() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(port: int) -> None:
    import socket

    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
