"""Kills processes of what people start at random moments, and counts what that cost.

    python benchmarks/kill_loop.py [--kills 100] [--seed 0] [--at-once 3] [--docs docs/measured/endurance.md]

Each kill: a job on the simulator (what it says is SIMULATED; processes, files and signals are real): a run
of two load workers without a screen, a run with its screen, a run from an agent (`--nodes local://`), a plan,
a search, an import or a replay. One of its processes (the command that a person typed, the supervisor, a load
worker, the agent) gets a SIGKILL: three times in ten while it starts, three in ten within half a second of
its session's directory, the rest while it is at work: once the first tick is on disk, or what an import
writes first. Then every session must open, no file may be for others than its owner, and nothing may be left
running. What was lost is the time between the kill and the newest tick that reads back of the worker whose
ticks end first; a tick is due every 250 ms. `--at-once` jobs go side by side; a kill is drawn from the seed
and its number alone.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common.jobs import MARK, RECORDED, ROOT, SCREENS, Jobs, processes, simulator
from benchmarks.common.section import write
from sessions.frame.session_view import SessionView
from sessions.store.manifest import SessionError, read
from sessions.timeline.columns import Table
from tests.tui.terminal import on_a_terminal

SHARES = {"run": 5, "screen": 3, "nodes": 3, "plan": 4, "limit": 4, "import": 2, "replay": 1}
STARTING_S, MADE_S, AT_WORK_S = (0.1, 1.5), (0.0, 0.5), (0.0, 2.0)
"""To the kill from the start of the command, from the session's directory, or from the first tick on disk."""
WRITING_S = (0.0, 1.0)
"""Likewise from the first that an import has written, which is soon over."""
REPLAY_S = (0.1, 2.0)
"""A replay has no session of its own: from its start."""
NO_LOAD = ("import", "replay")
LEAVE_S = 30.0
"""How long what is left of a job may take to end."""
MOST_LOST_S = 1.0


class Kill(NamedTuple):
    job: str
    victim: str
    session: bool
    unopened: int
    """Sessions that are there and cannot be opened."""
    lost_s: float | None
    """None where the victim writes nothing, or had written nothing yet."""
    open_to_others: int
    """Files whose mode is not 0600, directories whose mode is not 0700."""
    left_running: int


def kill_once(jobs: Jobs, job: str, root: Path, draw: random.Random) -> Kill:
    """One job with one kill. Raises nothing of what a kill leads to."""
    mark = f"{os.getpid()}-{root.name}"
    started = _start(jobs.argv(job, root), mark, screen=job in SCREENS)
    try:
        _wait_for_the_moment(job, root, started, draw)
        there = processes(mark)
        kinds = sorted(set(there.values()))
        victim = draw.choice(kinds) if kinds else "command"
        pid = draw.choice(sorted(pid for pid, name in there.items() if name == victim) or [started.pid])
        killed_ns = time.monotonic_ns()
        _signal(pid, signal.SIGKILL)
        left = _left_running(mark, job, victim)
    finally:
        for pid in processes(mark):
            _signal(pid, signal.SIGKILL)
        started.wait()
    return _outcome(root, job, victim, killed_ns, left)


def _start(argv: list[str], mark: str, *, screen: bool) -> subprocess.Popen[bytes]:
    environment = {**os.environ, MARK: mark, "TERM": "xterm-256color"}
    if not screen:
        nothing = subprocess.DEVNULL
        return subprocess.Popen(
            argv,
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
    process, terminal = on_a_terminal(argv, (120, 40), environment, ROOT)

    def read_all() -> None:
        with suppress(OSError):
            while os.read(terminal, 1 << 16):
                pass
        os.close(terminal)

    threading.Thread(target=read_all, daemon=True).start()
    return process


def _wait_for_the_moment(job: str, root: Path, started: subprocess.Popen[bytes], draw: random.Random) -> None:
    moment = draw.random()
    if job == "replay" or moment < 0.3:
        time.sleep(draw.uniform(*(REPLAY_S if job == "replay" else STARTING_S)))
        return
    made, writing_s = moment < 0.6, WRITING_S if job == "import" else AT_WORK_S
    first = "*/*" if made else "*/requests-*" if job == "import" else "*/worker-*"
    while started.poll() is None and not any(made or path.stat().st_size for path in root.glob(first)):
        time.sleep(0.005)
    time.sleep(draw.uniform(*(MADE_S if made else writing_s)))


def _left_running(mark: str, job: str, victim: str) -> int:
    """How many processes are left, once they had their time to end."""
    told, until_s = set[int](), time.monotonic() + LEAVE_S
    while (left := processes(mark)) and time.monotonic() < until_s:
        # Without its command a run goes on, without its run a screen, as they should: ended in order.
        if victim == "command":
            over = {pid for pid, name in left.items() if name == "supervisor"}
        else:
            over = set(left) if job in SCREENS and set(left.values()) == {"command"} else set()
        for pid in over - told:
            _signal(pid, signal.SIGTERM)
        told |= over
        time.sleep(0.1)
    return len(left)


def _outcome(root: Path, job: str, victim: str, killed_ns: int, left: int) -> Kill:
    # What has no manifest yet is no session: the next command removes it.
    directories = [path.parent for path in root.glob("*/session.toml")]
    unopened, lost = 0, list[float]()
    for directory in directories:
        try:
            lost += _lost_s(directory, killed_ns)
        except (SessionError, OSError, ValueError):
            unopened += 1
    files = [path for path in root.rglob("*") if path.exists() and not path.is_symlink()]
    open_to_others = sum(path.stat().st_mode & 0o077 != 0 for path in files)
    writes = victim != "command" and job not in NO_LOAD
    return Kill(
        job, victim, bool(directories), unopened, max(lost) if lost and writes else None, open_to_others, left
    )


def _lost_s(directory: Path, killed_ns: int) -> list[float]:
    """At most one figure. A killed worker's ticks end, and after a killed supervisor those of all."""
    manifest = read(directory)
    view = SessionView(directory)
    view.read_all()
    ended = [_newest_ns(table) for table in view.timeline.worker_ticks.values()]
    view.close()
    at_ns = killed_ns - manifest.clock.origin_monotonic_ns
    return [max((at_ns - min(ended)) / 1e9, 0.0)] if ended and at_ns > 0 else []


def _newest_ns(table: Table) -> int:
    table.merge_pending()
    return int(table["t"][-1])


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_often(kills: int, seed: int, at_once: int, told: Callable[[Kill], None]) -> list[Kill]:
    """So many kills, in the order of their numbers; `told` hears of each as it is done."""
    with simulator() as url, tempfile.TemporaryDirectory() as shared:
        recorded = Path(shared) / "recorded"
        shutil.copytree(RECORDED, recorded)
        jobs = Jobs(url, Path(shared), recorded)

        def once(number: int) -> Kill:
            draw = random.Random(f"{seed}-{number}")
            job = draw.choices(list(SHARES), list(SHARES.values()))[0]
            with tempfile.TemporaryDirectory(prefix=f"kill-{number}-") as place:
                kill = kill_once(jobs, job, Path(place), draw)
            told(kill)
            return kill

        with ThreadPoolExecutor(at_once) as pool:
            done = list(pool.map(once, range(kills)))
        _lost_s(recorded, 0)  # still opens, after all its replays were killed
        return done


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=3, help="jobs side by side (3)")
    parser.add_argument("--docs", type=Path, help="a page whose section is rewritten")
    options = parser.parse_args()
    counted = Counter[str]()

    def told(kill: Kill) -> None:
        counted["kills"] += 1
        if not within(kill):
            print(f"\n{kill}", file=sys.stderr)
        print(f"\r{counted['kills']} of {options.kills}", end="", file=sys.stderr, flush=True)

    begun_s = time.monotonic()
    found = kill_often(options.kills, options.seed, options.at_once, told)
    print(f", {time.monotonic() - begun_s:.0f} s", file=sys.stderr)
    said = report(found, options.seed)
    print(said)
    if options.docs is not None:
        write(options.docs, "kills", said)
    return 0 if all(map(within, found)) else 1


def within(kill: Kill) -> bool:
    """Whether it cost no more than it may."""
    harm = kill.unopened + kill.open_to_others + kill.left_running
    return not harm and (kill.lost_s or 0.0) <= MOST_LOST_S


def report(kills: list[Kill], seed: int) -> str:
    """Two tables in Markdown: by the process that was killed, and by what it belonged to."""
    lost = [kill.lost_s for kill in kills if kill.lost_s is not None]
    lines = [
        f"{len(kills)} kills, seed {seed}, {time.strftime('%Y-%m-%d')}; simulated server, real processes. "
        f"Lost at most {max(lost, default=0):.2f} s of records; "
        f"{sum(kill.unopened for kill in kills)} sessions do not open, "
        f"{sum(kill.open_to_others for kill in kills)} files open to others, "
        f"{sum(kill.left_running for kill in kills)} processes left running. "
        f"{sum(not kill.session for kill in kills)} came before there was a session, "
        f"{sum(kill.session for kill in kills)} after.",
    ]
    for title, key in (("killed", 1), ("of", 0)):
        lines += [
            "",
            f"| {title} | times | before a session | after | lost s | do not open | open to others | "
            "left running |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for name in sorted({kill[key] for kill in kills}):
            own = [kill for kill in kills if kill[key] == name]
            lost = [kill.lost_s for kill in own if kill.lost_s is not None]
            most = f"{max(lost):.2f}" if lost else "-"
            sums = " | ".join(str(sum(kill[column] for kill in own)) for column in (3, 5, 6))
            after = sum(kill.session for kill in own)
            lines.append(f"| {name} | {len(own)} | {len(own) - after} | {after} | {most} | {sums} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
