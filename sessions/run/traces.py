"""The traces that a run asks for: read and compiled before it starts, kept in its session while it runs.

A session is a trace as well: its requests as they were due, with the lengths that were asked for.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from loadgen.trace.compile import compiled
from loadgen.trace.formats import TraceText, read_trace
from loadgen.trace.rows import TraceError, TraceRow
from sessions.plan.config import ConfigError, LoadConfig, PlanConfig, RunConfig
from sessions.plan.stages import Stage
from sessions.plan.trace_config import TraceConfig
from sessions.store.manifest import FILE, SessionError

_STORED = "trace-{}.bin"


class Traces:
    """What was compiled so far, each under the name that its file gets in the session."""

    def __init__(self, sessions: Path | None = None) -> None:
        """`sessions`: where sessions are kept, one of which may be named as a trace."""
        self._sessions = sessions
        self._files: dict[str, BinaryIO] = {}
        self._known: dict[tuple[str, int | None, float | None], TraceConfig] = {}

    def read(self, asked: TraceConfig, requests: int | None, duration_s: float | None) -> TraceConfig:
        """`asked` with what stands in its file, of which no more is taken than these let come.

        Raises:
            ConfigError: it is no trace.
        """
        until_s = None
        if duration_s is not None and asked.rate_rps is None:
            until_s = duration_s * asked.times_as_fast
        part = (asked.file, requests, until_s)
        if part not in self._known:
            try:
                text = self._text(asked.file)
                file, figures = compiled(text.rows, requests=requests, until_s=until_s)
            except (TraceError, SessionError) as error:
                raise ConfigError(f"trace {asked.file[:200]}: {error}") from None
            except OSError as error:
                raise ConfigError(f"trace {asked.file[:200]}: cannot compile it: {error.strerror}") from None
            stored = _STORED.format(len(self._files))
            self._files[stored] = file
            self._known[part] = TraceConfig(asked.file, form=text.form, figures=figures, compiled=stored)
        return msgspec.structs.replace(self._known[part], speed=asked.speed, rate_rps=asked.rate_rps)

    def load(self, load: LoadConfig) -> LoadConfig:
        """`load` with its trace read.

        Raises:
            ConfigError: it is none.
        """
        if load.trace is None:
            return load
        trace = self.read(load.trace, load.requests, load.duration_s)
        return msgspec.structs.replace(load, trace=trace, rate_rps=trace.mean_rate_rps)

    def stage(self, stage: Stage, by: float = 1.0) -> Stage:
        """`stage` with its trace read; if it has no other end, the part `by` of it.

        Raises:
            ConfigError: it is none.
        """
        if stage.trace is None:
            return stage
        trace = self.read(stage.trace, stage.requests, stage.duration_s)
        if by < 1 and stage.requests is None and stage.duration_s is None and trace.figures is not None:
            trace = self.read(stage.trace, max(1, round(trace.figures.requests * by)), None)
        return msgspec.structs.replace(stage, trace=trace, rate_rps=trace.mean_rate_rps)

    def plan(self, plan: PlanConfig) -> PlanConfig:
        """`plan`, which another session kept, with its traces read again.

        Raises:
            ConfigError: one is not there any more, say.
        """
        return msgspec.structs.replace(plan, stages=[self.stage(stage) for stage in plan.stages])

    def put(self, config: RunConfig, directory: Path) -> RunConfig:
        """Writes the compiled traces into a session's directory; `config` with their paths.

        Raises:
            OSError: the disk refused.
        """
        if not self._files:
            return config
        for name, file in self._files.items():
            descriptor = os.open(
                directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            file.seek(0)
            with open(descriptor, "wb") as stored:
                shutil.copyfileobj(file, stored, 1 << 20)
        load, plan = config.load, config.plan
        if load.trace is not None:
            load = msgspec.structs.replace(load, trace=_at(load.trace, directory))
        if plan is not None:
            stages = [
                stage
                if stage.trace is None
                else msgspec.structs.replace(stage, trace=_at(stage.trace, directory))
                for stage in plan.stages
            ]
            plan = msgspec.structs.replace(plan, stages=stages)
        return msgspec.structs.replace(config, load=load, plan=plan)

    def remove(self, directory: Path) -> None:
        """Takes them out of a session that cannot be."""
        for name in self._files:
            (directory / name).unlink(missing_ok=True)

    def _text(self, text: str) -> TraceText:
        try:
            path = Path(text).expanduser()
        except RuntimeError:
            raise TraceError("nobody's home directory is known by that name") from None
        if not os.path.lexists(path) and self._sessions is not None and os.sep not in text:
            from sessions.store.directory import find

            try:
                path = find(self._sessions, text)
            except SessionError:
                where = f"no such file, and no session of that name in {self._sessions}"
                raise TraceError(f"{where}; need the one or the other") from None
        if path.name == FILE:
            path = path.parent
        return TraceText("ttftop", _of_session(path)) if path.is_dir() else read_trace(path)


def _at(trace: TraceConfig, directory: Path) -> TraceConfig:
    return msgspec.structs.replace(trace, compiled=str(directory / trace.compiled))


def _of_session(directory: Path) -> Iterator[TraceRow]:
    """Raises:
    SessionError: it is none.
    """
    from loadgen.records import Request
    from sessions.store.follow import SessionFollower
    from sessions.store.manifest import read
    from sessions.store.parse import parse_packed
    from sessions.timeline.requests import NONE, RequestColumns  # numpy: only who asks for a session needs it

    read(directory)
    files = SessionFollower(directory, requests=True, parse=parse_packed)
    requests = RequestColumns()
    while True:
        for record in files.poll():
            if isinstance(record, Request):
                requests.add(record)
        if not files.behind:
            break
    files.close()
    names = ("due_ns", "conversation", "turn", "tags")
    asked = ("asked_input_tokens", "asked_output_tokens", "input_tokens", "output_tokens")
    for row in requests.rows:
        due_ns, conversation, turn, tags = (int(row[name]) for name in names)
        into, out, had, gave = (int(row[name]) for name in asked)
        yield TraceRow(
            due_ns,
            max(0, had if into == NONE else into),
            max(0, gave if out == NONE else out),
            conversation=None if conversation == NONE else conversation,
            turn=None if turn == NONE else turn,
            tags=() if tags == NONE else requests.tags[tags],
        )
