"""Why and how a run ends: who wants it to, what is waited for, and the last two writings of its manifest."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import Any

from loadgen.worker_config import Finish
from sessions.run.commands import AbortRun, EndCommand, FinishRun
from sessions.run.prestart import ENDING
from sessions.store.directory import make_refuge
from sessions.store.manifest import END_REASONS, EndInfo, Manifest, SessionError, write
from sessions.worker.states import Workers

DRAIN_SIGNAL_S = 1.0
"""How long requests in flight are waited for after SIGINT or SIGTERM: all must be saved within 2 s,
which takes longer only where a worker has thousands of answers to cut off (`kill_after_s`)."""
_KILL_AFTER_S = 1.5
_CUT_OFF_PER_S = 2_000
"""Requests in flight that a worker on a busy machine surely cuts off and writes down in a second."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunEnd:
    reason: str
    """A key of `END_REASONS`."""
    drain_s: float
    """How long requests in flight are waited for."""
    message: str = ""
    exit_code: int = 1
    """Of a run that it keeps from beginning."""

    def without(self, unsaved: list[str]) -> RunEnd:
        """The same end, of a run of which `unsaved` tells what could not be saved; itself without any."""
        if not unsaved:
            return self
        orderly = self.reason in ("completed", "finished", "orphaned")
        said = [self.message] if self.message else []
        return RunEnd("unsaved" if orderly else self.reason, self.drain_s, "; ".join([*said, *unsaved]))


def end_by(command: EndCommand, drain_s: float) -> RunEnd:
    """The end that a command asks for, of a run that waits `drain_s` for what is in flight."""
    if isinstance(command, FinishRun):
        return RunEnd("finished", drain_s)
    if isinstance(command, AbortRun):
        return RunEnd("aborted", 0.0)
    return RunEnd("interrupted", DRAIN_SIGNAL_S)


def plan_end(error: BaseException | None, drain_s: float) -> RunEnd:
    """The end of a run whose plan is over, or came to `error`."""
    if error is None:
        return RunEnd("completed", drain_s)
    return RunEnd("failed", DRAIN_SIGNAL_S, f"the plan ended early: {error}")


class EndRequest:
    """The end that is wanted of a run: the first counts, a later one only if it is in more of a hurry."""

    def __init__(self) -> None:
        self.end: RunEnd | None = None
        """None while the run may go on."""
        self.wanted, self.hurried = asyncio.Event(), asyncio.Event()
        """There is an end; it was replaced by one that waits less long."""

    def want(self, end: RunEnd, *, load_over: bool = False) -> None:
        """`load_over`: nothing more was due, so that to abort is but to wait no longer; then the number of
        answers that are cut off says whether the run is valid."""
        if end.reason == "aborted" and (load_over or self.end is not None):
            orderly = self.end or RunEnd("completed", 0.0)
            if orderly.reason in ("completed", "finished", "orphaned"):
                end = RunEnd(orderly.reason, 0.0, "answers in flight were cut off by hand")
        _log.info("end wanted: %s", end)
        if self.end is None:
            self.end = end
            self.wanted.set()
        elif end.drain_s < self.end.drain_s:
            self.end = end
            self.hurried.set()

    async def comes_after(self, task: asyncio.Future[Any], timeout_s: float | None = None) -> bool:
        """Whether `task` is done before an end is wanted, and within `timeout_s`; if not, it is cancelled."""
        wanted = asyncio.ensure_future(self.wanted.wait())
        await asyncio.wait({task, wanted}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        wanted.cancel()
        done = task.done()
        if not done:
            task.cancel()
        return done


def kill_after_s(at_once: int) -> float:
    """How long after its drain a worker with at most `at_once` requests in flight may take to end."""
    return _KILL_AFTER_S + max(0, at_once - _CUT_OFF_PER_S) / _CUT_OFF_PER_S


def heed_signals(end: Callable[[], None]) -> None:
    """Signals that end a run call `end` from now on, also what came since the process was started."""
    for number in ENDING:
        asyncio.get_running_loop().add_signal_handler(number, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


async def drain(processes: Workers, request: EndRequest, at_once: int) -> None:
    """Waits until no worker is left: for what is in flight as long as the end that is wanted says. `at_once`:
    the most that one worker may have in flight."""
    assert request.end is not None
    drain_s, patience_s = request.end.drain_s, kill_after_s(at_once)
    processes.tell_all(Finish(drain_s))
    if request.end.reason == "interrupted":
        # A quarter of a second of imports: a run that must be over soon has time for them now, not later.
        # What fails is told where it is needed, once the end is written. Not in a thread: others import too.
        with contextlib.suppress(Exception):
            import_module("sessions.summary.read")
    gone = asyncio.ensure_future(processes.states.all_gone.wait())
    hurried = asyncio.ensure_future(request.hurried.wait())
    await asyncio.wait({gone, hurried}, timeout=drain_s + patience_s, return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    hurried.cancel()
    wait_s = 0.0
    if request.hurried.is_set():
        drain_s = request.end.drain_s
        processes.tell_all(Finish(drain_s))
        wait_s = drain_s + patience_s
    await processes.wait_or_kill(wait_s)


def sum_up(directory: Path, manifest: Manifest, end: RunEnd, ran_s: float) -> int:
    """Writes the end, then the result: a bug in summing up must not cost the end. Returns the exit code.

    Where the directory takes nothing, beside what its writers have saved elsewhere.

    Raises:
        SessionError: the disk refused.
    """
    try:
        return _sum_up(directory, manifest, end, ran_s)
    except SessionError as error:
        try:
            return _sum_up(make_refuge(directory), manifest, end, ran_s)
        except OSError:
            raise error from None


def _sum_up(directory: Path, manifest: Manifest, end: RunEnd, ran_s: float) -> int:
    interrupted = end.reason in ("interrupted", "aborted")
    manifest.end = EndInfo(
        reason=end.reason,
        ended_at=datetime.now(timezone.utc).astimezone().isoformat(timespec="milliseconds"),
        duration_s=ran_s,
        exit_code=130 if interrupted else 1,
        message=end.message or END_REASONS[end.reason],
    )
    write(directory, manifest)
    from sessions.summary.read import read_summary  # numpy: not before there is something to sum up
    from sessions.summary.schema import plain

    summary = read_summary(directory, keep=True)
    manifest.end.exit_code = 130 if interrupted else 0 if summary.holds else 1
    manifest.result = plain(summary)
    write(directory, manifest)
    return manifest.end.exit_code
