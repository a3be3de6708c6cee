"""A plan that goes on where another session left it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sessions.plan.config import ConfigError, RunConfig
from sessions.store.journal import SUPERVISOR_FILE
from sessions.store.manifest import SessionError, read
from sessions.store.parse import BadLine, parse
from sessions.store.records import StageChange


def resumed(directory: Path) -> RunConfig:
    """What the session in `directory` was asked, with its plan to begin at the first stage that is not over.

    Raises:
        ConfigError: it had no plan, or all of its stages are over.
        SessionError: it cannot be read.
    """
    manifest = read(directory)
    plan, session = manifest.config.plan, manifest.session.id
    if plan is None:
        raise ConfigError(f"--resume: session {session} ran no plan")
    done = _stages_over(directory)
    number = next((n for n in range(plan.first_stage, len(plan.stages)) if n not in done), None)
    if number is None:
        raise ConfigError(f"--resume: all stages of session {session} are over")
    going_on = msgspec.structs.replace(plan, first_stage=number, resumes=session)
    return msgspec.structs.replace(manifest.config, plan=going_on)


def _stages_over(directory: Path) -> set[int]:
    path = directory / SUPERVISOR_FILE
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SessionError(f"{path}: {error.strerror}") from None
    done = set()
    for line in lines:
        try:
            record = parse(line)
        except BadLine:
            continue
        if isinstance(record, StageChange) and record.event in ("over", "left_out"):
            done.add(record.number)
    return done
