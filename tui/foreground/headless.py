"""A run without a screen: a progress line each second on stderr, the summary on stdout at the end."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import msgspec

from loadgen.errors import printable
from loadgen.signals import ending_signals, restored
from sessions.plan.config import RunConfig
from tui.draw.failures import failures
from tui.draw.numbers import about, clock, sign
from tui.foreground.plain import LINE_S, next_line_s, plain_line
from tui.foreground.progress import Progress
from tui.foreground.results import print_json, told_to_ci
from tui.options.exit_codes import INTERRUPTED, NOT_VALID, OK, CommandError, tell
from tui.report.figures import milliseconds, number

if TYPE_CHECKING:
    from sessions.frame.schema import Frame, PlanProgress, Stat
    from sessions.frame.session_view import SessionView
    from sessions.run.launch import Launched

END_S = 60.0
"""How long a run without screen lasts when nothing says so."""
POLL_S = 0.1
_BEFORE_LOAD = ("starting", "probing")
WINDOW_NS = 10_000_000_000


def with_end(config: RunConfig) -> tuple[RunConfig, str]:
    """`config` with an end, and a sentence saying so; an empty one when it had an end already."""
    if config.has_end:
        return config, ""
    ramp = config.load.ramp
    seconds = ramp.over_s if ramp is not None else END_S
    reason = "the length of its ramp" if ramp is not None else "no --duration or --requests was given"
    load = msgspec.structs.replace(config.load, duration_s=seconds)
    return msgspec.structs.replace(config, load=load), f"this run ends after {seconds:g} s ({reason})"


class Interrupts:
    """How often a signal has come that would have ended the process."""

    count = 0
    _first: Callable[[], object] | None = None

    def on_first(self, stop: Callable[[], object]) -> None:
        """`stop` is called by the first one, in its handler: whatever the process is at, no request waits for
        that to be over. At once where one has come already."""
        self._first = stop
        if self.count:
            stop()

    def note(self, _signal: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.count == 1 and self._first is not None:
            self._first()


@contextmanager
def counted_interrupts(*, enabled: bool) -> Iterator[Interrupts]:
    """In the block, signals are counted instead of ending the process, where that is `enabled`."""
    interrupts = Interrupts()
    counted = ending_signals() if enabled else []
    with restored(counted):
        for one in counted:
            signal.signal(one, interrupts.note)
        yield interrupts


def follow(launched: Launched, interrupts: Interrupts, options: argparse.Namespace) -> int:
    """Stays with a run until its supervisor has ended, then prints its summary; returns the exit code.

    Raises:
        CommandError: the supervisor refused to start the run.
        OSError: lines that were asked for found no place where stdout goes.
    """
    # As a signal, which is sent without a wait; a second one, which aborts, has time.
    interrupts.on_first(launched.process.terminate)
    # One JSON object alone is what stands on stdout where it is asked for.
    progress = Progress((sys.stderr if options.json else sys.stdout) if options.plain else None)
    try:
        heeded = _told_until_its_end(launched, interrupts, options, progress)
    except BaseException:
        launched.process.terminate()  # no load goes on of which nobody is told
        raise
    error = launched.poll_error()
    if error is not None:
        raise CommandError(str(error), INTERRUPTED if heeded else error.exit_code)
    code = conclude(launched.directory, options)
    if progress.lost is not None and code != INTERRUPTED:  # which is more than 1, and is not to become it
        raise progress.lost
    return code


def _told_until_its_end(
    launched: Launched, interrupts: Interrupts, options: argparse.Namespace, progress: Progress
) -> int:
    """A line a second until the supervisor has ended; how many interrupts were heeded."""
    line_of = plain_line if options.plain else progress_line
    watched: SessionView | None = None
    heeded = 0
    began_s = time.monotonic()
    next_s = began_s + LINE_S
    while launched.process.poll() is None:
        if interrupts.count > heeded:
            heeded += 1
            progress.close()
            tell("ttftop: aborting" if heeded > 1 else "ttftop: ending the run (again to abort)")
            if heeded > 1:
                abort(launched)
        if time.monotonic() >= next_s:
            next_s = next_line_s(next_s, time.monotonic())
            watched = watched or view_of(launched.directory)
            if watched is not None:
                watched.poll()
                frame = watched.frame(watched.last_ns, WINDOW_NS, 1)
                progress.tell_model(watched)
                progress.tell(frame.marks)
                if frame.state in _BEFORE_LOAD:
                    progress.show(waiting_line(time.monotonic() - began_s))
                else:
                    progress.show(line_of(frame))
        time.sleep(POLL_S)
    progress.close()
    return heeded


def view_of(directory: Path) -> SessionView | None:
    """A view of a session; None when a supervisor that refuses has just taken the session away."""
    from sessions.frame.session_view import SessionView
    from sessions.store.manifest import SessionError

    try:
        return SessionView(directory)
    except SessionError:
        return None


def abort(launched: Launched) -> None:
    """Asks the supervisor to end the run at once."""
    from sessions.run.commands import AbortRun
    from sessions.run.control_client import ControlError, send_once

    try:
        send_once(launched.directory, AbortRun())
    except ControlError:  # it does not listen yet, or no longer
        launched.process.terminate()


def conclude(directory: Path, options: argparse.Namespace) -> int:
    """Prints what the run says, or writes it where `options` ask for it; returns its exit code, which counts
    no target where `options.targets_judge` is False."""
    from sessions.store.directory import default_root, place_of
    from sessions.store.manifest import SessionError, read
    from sessions.summary.read import read_summary
    from sessions.summary.schema import plain
    from tui.foreground.plan_left import how_it_goes_on
    from tui.report.text import render

    directory = place_of(directory)
    try:
        summary, manifest = read_summary(directory), read(directory)
    except SessionError as error:
        raise CommandError(str(error), NOT_VALID) from None
    with contextlib.suppress(BrokenPipeError):  # `| head`: how it went is told by the exit code all the same
        if options.json:
            print_json(plain(summary))
            tell(f"ttftop: session {directory.name} in {directory.parent}")
        else:
            print(render(summary), end="")
            print(f"\nsession {directory.name} in {directory.parent}")
            session = directory.name if directory.parent == default_root() else str(directory)
            if goes_on := how_it_goes_on(directory, manifest.config, session):
                print(goes_on)
    end = manifest.end
    interrupted = end is not None and end.reason in ("interrupted", "aborted")
    holds = summary.holds if getattr(options, "targets_judge", True) else summary.valid
    code = INTERRUPTED if interrupted else OK if holds else NOT_VALID
    return told_to_ci(summary, options, code)


def waiting_line(waited_s: float) -> str:
    """Before any load: a server that is busy may take minutes to answer even a few tokens."""
    return f"{waited_s:6.1f} s  waiting for the server to answer the probe, no load before it (Ctrl-C leaves)"


def _plan(plan: PlanProgress) -> str:
    """Which stage, and how long the plan goes on."""
    where = f"step {plan.stage}" if plan.of is None else f"stage {plan.stage}/{plan.of}"
    text = f"{where} {plan.stage_name}"
    if plan.state == "draining":
        text += ", awaiting answers"
    if plan.search is not None and plan.search.after_s is not None:
        text += f", search over in {about((plan.search.left_s or 0.0) + plan.search.after_s)}"
    if plan.left_s:
        text += f", {clock(int(plan.left_s * 1e9), hours=False)} left"
    return text


def progress_line(frame: Frame) -> str:
    """What a frame shows, in one line."""
    elapsed_s = max(frame.at_ns - frame.first_ns, 0) / 1e9 if frame.first_ns else 0.0
    state = frame.state if frame.unreachable_since_ns is None else "server unreachable"
    if lost := frame.lost_targets:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        state += f", {printable(lost[0], 60)}{more} unreachable"
    if frame.in_flight and frame.drains_until_ns is not None:
        left = clock(max(frame.drains_until_ns - frame.at_ns, 0), hours=False)
        state += f" (at most {left} more, Ctrl-C ends it)"
    parts = [f"{elapsed_s:6.1f} s", state, *(["CLIENT SATURATED"] if frame.client_saturated else [])]
    if frame.plan is not None:
        parts.append(_plan(frame.plan))
    if frame.failing:  # first of all: a terminal may have room for nothing else
        parts.append(f"FAILING errors {failures(frame.failed, frame.succeeded + frame.failed, frame.causes)}")
    if frame.closed_loop:
        parts.append(f"concurrency {number(frame.concurrency, 0)}")
    else:
        sent = f"sent {number(frame.achieved_rps, 2)} of {number(frame.due_rps, 2)}/s"
        parts += [f"rate {number(frame.rate_rps, 2)} rps", sent]
    parts += [
        f"in flight {frame.in_flight}" + (f"+{frame.backlog} waiting" if frame.backlog else ""),
        f"last {frame.recent_s:g} s:",
        *_latencies(frame),
        f"done {frame.succeeded}",
        *([] if frame.failing else [f"errors {frame.failed}"]),
        *([f"cut off {frame.cut_off}"] if frame.cut_off else []),
    ]
    parts += [
        f"GPU {gpu.label} {number(gpu.util_pct, 0)} % {number(gpu.power_w, 0)} W" for gpu in frame.gpus[:2]
    ]
    if frame.insecure:
        parts.append("TLS NOT VERIFIED")
    if frame.simulated:
        parts.append("SIMULATED")
    return printable("  ".join(parts), 500)


def _latencies(frame: Frame) -> list[str]:
    """Of the last seconds; where answers have no tokens their own, and how many of prompts go through."""
    if (e2e := frame.e2e_recent) is not None:
        text = f"E2E {_figure(e2e, 'p50', e2e.p50_ms)} {_figure(e2e, 'p99', e2e.p99_ms)} ms"
        return [text, f"in {number(frame.input_tps, 1)} tokens/s"]
    ttft, itl = frame.ttft_recent, frame.itl_recent
    name = "gap" if frame.itl_is_chunk_gap else "ITL"
    return [
        f"TTFT {_figure(ttft, 'p50', ttft.p50_ms)} {_figure(ttft, 'p99', ttft.p99_ms)} ms",
        f"{name} {_figure(itl, 'p50', itl.p50_ms)} ms",
    ]


def _figure(stat: Stat, quantile: str, value_ms: float | None) -> str:
    known = "" if value_ms is None else sign(stat, quantile)
    return f"{quantile} {known}{milliseconds(value_ms)}"
