"""Ends what people start by signals at random moments: terminal restored, session saved, load off?

    python benchmarks/signals.py [--moments 100] [--seed 0] [--at-once 2] [--docs docs/measured/endurance.md]

Each moment: a job on the simulator (what it says is SIMULATED; processes, terminals, signals are real): a
run with its screen on a pseudo-terminal, one without, one without whose answers take long (its end waits for
them, 1 s), a plan, a search, a replay; a screen that attaches to a run of somebody else's, which goes on;
`doctor`, `compare` and `report`. It gets SIGINT, SIGTERM, SIGHUP or SIGQUIT while it starts, while it
is under load, or while it ends; a run on its screen also its stop key `x`, then a signal. Looked at is

- how long it took: of a screen, until its command has ended; without one, until the session is saved, since
  what is printed after it keeps nothing from being there. 2 s is what it may, also with answers to wait for:
  none of these jobs has the thousands of them at a worker that may take longer,
- whether the terminal is as it was found: every mode that was set is reset, and its line as before,
- whether the session opens and has an end. A run that its screen has left goes on, as it should: it then gets
  a SIGTERM of its own, which is its stop,
- the latest request after the stop (the signal, or the key); 100 ms is what it may,
- what is left running that nobody was told of.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common.jobs import MARK, RECORDED, ROOT, SCREENS, Jobs, processes, simulator
from benchmarks.common.section import write
from loadgen.records import Request
from sessions.store.follow import following
from sessions.store.journal import request_paths
from sessions.store.manifest import SessionError, read
from sessions.summary.read import read_summary
from tests.tui.terminal import RawTerminal, left_over

BRIEF = ("doctor", "compare", "report")
"""Jobs that put no load on."""
JOBS = {"screen": 5, "run": 4, "drain": 3, "plan": 2, "limit": 2, "replay": 2, "attach": 2} | dict.fromkeys(
    BRIEF, 1
)
MOMENTS = {"starting": 4, "under load": 5, "ending": 1}
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
STARTING_S, UNDER_LOAD_S, LASTS_S = (0.02, 1.6), (0.0, 1.5), 3.0
MOST_S, MOST_REQUEST_MS = 2.0, 100.0
GIVEN_UP_S = 30.0


class Moment(NamedTuple):
    job: str
    moment: str
    signal: str
    took_s: float
    left_over: list[str]
    """What of the screen the terminal still has."""
    saved: bool
    """The session opens and has an end, or there is none since the run had not begun."""
    request_ms: float | None
    """From the stop to the latest request; None: no load yet, or none any more. Negative: none after it."""
    left_running: int


def once(jobs: Jobs, root: Path, draw: random.Random) -> Moment:
    """One job and its signal. Raises nothing of what the signal leads to."""
    job = draw.choices(list(JOBS), list(JOBS.values()))[0]
    of_no_run = job in ("replay", "attach", *BRIEF)
    moment = "starting" if of_no_run else draw.choices(list(MOMENTS), list(MOMENTS.values()))[0]
    number, mark = draw.choice(SIGNALS), f"{os.getpid()}-{root.name}"
    argv = jobs.argv(job, root)
    if moment == "ending":
        argv = [f"{LASTS_S}s" if before == "--duration" else word for before, word in pairwise(["", *argv])]
    environment = {**os.environ, MARK: mark, "TERM": "xterm-256color", "HOME": str(root / "home")}
    with RawTerminal(argv, (120, 40), environment, ROOT) as child:
        try:
            _wait_for(moment, root, child, draw)
            stopped_ns = None
            if job == "screen" and moment == "under load" and draw.random() < 0.5:
                stopped_ns = time.monotonic_ns()
                child.write(b"x")
                child.read_for(draw.uniform(0.3, 0.8))
            at_ns = time.monotonic_ns()
            with suppress(ProcessLookupError):
                os.kill(child.process.pid, number)
            took_s = _took_s(child, at_ns, mark, screen=job in SCREENS)
            left = left_over(child)
            if "a traceback" in left:
                left.append(repr(child.output[-400:]))
            goes_on = b"the run goes on" in child.output
            if goes_on and stopped_ns is None:
                at_ns = time.monotonic_ns()
            running = _left_running(mark, told=goes_on)
        finally:
            for pid in processes(mark):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    saved, request_ms = _of_sessions(root, stopped_ns or at_ns)
    name = f"x, {number.name[3:]}" if stopped_ns is not None else number.name[3:]
    return Moment(job, moment, name, took_s, left, saved, request_ms, running)


def _wait_for(moment: str, root: Path, child: RawTerminal, draw: random.Random) -> None:
    if moment == "starting":
        child.read_for(draw.uniform(*STARTING_S))
        return
    until_s = time.monotonic() + GIVEN_UP_S
    while child.process.poll() is None and time.monotonic() < until_s:
        if any(path.stat().st_size for path in root.glob("*/requests-*")):
            break
        child.read_for(0.02)
    child.read_for(LASTS_S - draw.uniform(0.0, 1.0) if moment == "ending" else draw.uniform(*UNDER_LOAD_S))


def _took_s(child: RawTerminal, at_ns: int, mark: str, *, screen: bool) -> float:
    """Seconds until the screen was closed, or the run saved; of what does not end, what it was given."""
    until_s, took_s = time.monotonic() + GIVEN_UP_S, None
    while child.process.poll() is None and time.monotonic() < until_s:
        child.read_for(0.02)
        if took_s is None and not screen and "supervisor" not in processes(mark).values():
            took_s = (time.monotonic_ns() - at_ns) / 1e9
    if took_s is None:
        took_s = (time.monotonic_ns() - at_ns) / 1e9
    child.read_for(0.2)
    return took_s


def _left_running(mark: str, *, told: bool) -> int:
    """What is left a second after the command; where the run was told to go on, of its own end."""
    if told:
        for pid, name in processes(mark).items():
            if name == "supervisor":
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
    until_s = time.monotonic() + (10.0 if told else 1.0)
    while (left := processes(mark)) and time.monotonic() < until_s:
        time.sleep(0.05)
    return len(left)


def _of_sessions(root: Path, stop_ns: int) -> tuple[bool, float | None]:
    """Whether all are saved, and the latest request after `stop_ns`, on CLOCK_MONOTONIC."""
    latest = None
    for directory in [path.parent for path in root.glob("*/session.toml")]:
        try:
            manifest = read(directory)
            read_summary(directory)
        except (SessionError, OSError, ValueError):
            return False, None
        if manifest.end is None:
            return False, None
        for path in request_paths(directory):
            file = following(path)
            while records := file.poll():
                sent = [r.sent_ns for r in records if isinstance(r, Request) and r.sent_ns is not None]
                if sent:
                    at_ms = (manifest.clock.origin_monotonic_ns + max(sent) - stop_ns) / 1e6
                    latest = at_ms if latest is None else max(latest, at_ms)
    return True, latest


def within(moment: Moment) -> bool:
    """Whether all is as it should be."""
    late = moment.request_ms is not None and moment.request_ms > MOST_REQUEST_MS
    wrong = moment.left_over or not moment.saved or moment.left_running or late
    return not wrong and moment.took_s <= MOST_S


def report(moments: list[Moment], seed: int) -> str:
    """Three tables in Markdown: by job, by signal and by moment."""
    lines = [
        f"{len(moments)} moments, seed {seed}, {time.strftime('%Y-%m-%d')}; simulated server, real "
        f"processes. {_said(moments)}",
    ]
    columns = "| times | longest s | not restored | not saved | latest request ms | left running |"
    for title, key in (("job", 0), ("signal", 2), ("moment", 1)):
        lines += ["", f"| {title} {columns}", "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
        for name in sorted({moment[key] for moment in moments}):
            own = [moment for moment in moments if moment[key] == name]
            lines.append(f"| {name} | {len(own)} | " + " | ".join(_figures(own)) + " |")
    return "\n".join(lines)


def _said(moments: list[Moment]) -> str:
    waiting = [moment for moment in moments if moment.job == "drain"]
    brief = _figures([moment for moment in moments if moment.job != "drain"])[0]
    _, terminals, sessions, latest, left = _figures(moments)
    return (
        f"Over within {brief} s, {_figures(waiting)[0]} s with answers to wait for; {terminals} terminals "
        f"not restored, {sessions} sessions not saved, the latest request {latest} ms after the stop, {left} "
        "processes left running."
    )


def _figures(own: list[Moment]) -> tuple[str, ...]:
    """As in the columns of the tables."""
    sent = [moment.request_ms for moment in own if moment.request_ms is not None]
    return (
        f"{max((moment.took_s for moment in own), default=0.0):.2f}",
        str(sum(bool(moment.left_over) for moment in own)),
        str(sum(not moment.saved for moment in own)),
        f"{max(0.0, *sent):.0f}" if sent else "-",
        str(sum(moment.left_running for moment in own)),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=2, help="jobs side by side (2)")
    parser.add_argument("--docs", type=Path, help="a page whose section is rewritten")
    options = parser.parse_args()
    done = Counter[str]()
    begun_s = time.monotonic()
    with simulator() as url, tempfile.TemporaryDirectory() as shared:
        recorded = Path(shared) / "recorded"
        shutil.copytree(RECORDED, recorded)
        jobs = Jobs(url, Path(shared), recorded)

        def numbered(number: int) -> Moment:
            with tempfile.TemporaryDirectory(prefix=f"signal-{number}-") as place:
                moment = once(jobs, Path(place), random.Random(f"{options.seed}-{number}"))
            done["moments"] += 1
            if not within(moment):
                print(f"\n{number}: {moment}", file=sys.stderr)
            print(f"\r{done['moments']} of {options.moments}", end="", file=sys.stderr, flush=True)
            return moment

        with jobs.a_run(), ThreadPoolExecutor(options.at_once) as pool:
            found = list(pool.map(numbered, range(options.moments)))
    print(f", {time.monotonic() - begun_s:.0f} s", file=sys.stderr)
    said = report(found, options.seed)
    print(said)
    if options.docs is not None:
        write(options.docs, "signals", said)
    return 0 if all(map(within, found)) else 1


if __name__ == "__main__":
    sys.exit(main())
