"""A run of another tool as a session on disk: every command opens it like one of ours, marked as imported."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec

from loadgen.version import VERSION
from sessions.interchange.documents import ImportFailed
from sessions.interchange.imported_run import ImportedRun
from sessions.interchange.made_ticks import made_ticks
from sessions.plan.config import RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store.directory import create
from sessions.store.imported import ImportedInfo
from sessions.store.journal import (
    SUPERVISOR_FILE,
    TELEMETRY_FILE,
    JournalWriter,
    RequestJournalWriter,
    request_file,
    worker_file,
)
from sessions.store.manifest import ClockAnchor, EndInfo, Manifest, SessionInfo, write
from sessions.store.records import End, LoadChange, State
from sessions.summary.read import read_summary
from sessions.summary.schema import plain

MOST_SPAN_NS = 48 * 3600 * 10**9
_FIGURES = 600
"""Of the tool's own, that a manifest keeps."""


def write_session(run: ImportedRun, root: Path, now: datetime, name: str = "") -> Path:
    """The directory of the new session.

    Raises:
        ImportFailed: the run takes longer than a session of another tool may.
        SessionError: it cannot be written.
    """
    if run.span_ns > MOST_SPAN_NS:
        raise ImportFailed(f"{run.file}: its times span {run.span_ns / 3600e9:,.0f} h, need at most 48")
    started = _started(run, now)
    plain_name = name or "-".join(
        part for part in (run.tool.split()[0].lower(), run.label or run.file) if part
    )
    directory = create(root, plain_name, started)
    ended = started + timedelta(microseconds=run.span_ns / 1000)
    simulated = {"simulated": True} if run.simulated else {}
    manifest = Manifest(
        SessionInfo(directory.name, plain_name, started.isoformat(timespec="seconds"), VERSION),
        ClockAnchor(run.started_unix_ns or round(started.timestamp() * 1e9), 0),
        RunConfig(TargetConfig(run.target or "imported:", run.model or None), run.load, telemetry=["none"]),
        server={"model": run.model, "endpoint": run.endpoint, **simulated},
        end=EndInfo("completed", ended.isoformat(timespec="seconds"), run.span_ns / 1e9),
        imported=msgspec.to_builtins(
            ImportedInfo(
                tool=run.tool,
                file=run.file,
                version=run.version,
                label=run.label,
                replayable=bool(run.requests),
                succeeded=run.succeeded,
                failed=run.failed,
                input_tokens=run.input_tokens,
                output_tokens=run.output_tokens,
                notes=run.notes,
                figures=run.figures[:_FIGURES],
            )
        ),
    )
    write(directory, manifest)
    _write_lines(run, directory)
    manifest.result = plain(read_summary(directory, keep=True))
    write(directory, manifest)
    return directory


def _write_lines(run: ImportedRun, directory: Path) -> None:
    supervisor = JournalWriter(directory / SUPERVISOR_FILE)
    load = run.load
    begins = load.ramp.from_rps if load.ramp is not None else load.rate_rps
    closed = load.concurrency is not None
    lines: list[msgspec.Struct] = [
        State(0, "running"),
        LoadChange(0, "start", rate_rps=None if closed else begins, concurrency=load.concurrency),
    ]
    if run.load_over_ns is not None:
        lines.append(State(run.load_over_ns, "draining"))
    lines += [State(run.span_ns, "ended"), End(run.span_ns, "completed")]
    supervisor.append(lines)
    supervisor.close()
    if run.requests:
        ticks = JournalWriter(directory / worker_file(0))
        ticks.append(made_ticks(run.requests, run.span_ns, load))
        ticks.close()
        requests = RequestJournalWriter(directory / request_file(0))
        requests.append(run.requests)
        requests.close()
    if run.telemetry:
        telemetry = JournalWriter(directory / TELEMETRY_FILE)
        telemetry.append(run.telemetry)
        telemetry.close()


def _started(run: ImportedRun, now: datetime) -> datetime:
    """By the tool's wall clock where its files hold one; else `now`."""
    try:
        if run.started_unix_ns is not None:
            return datetime.fromtimestamp(run.started_unix_ns / 1e9, timezone.utc).astimezone()
        if run.ended_local:
            ended = datetime.strptime(run.ended_local, "%Y%m%d-%H%M%S").astimezone()
            return ended - timedelta(microseconds=run.span_ns / 1000)
    except (ValueError, OverflowError, OSError):
        pass
    return now
