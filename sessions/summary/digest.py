"""What a list shows of a session: what its manifest alone says, of any version, also of a damaged one."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sessions.digits import digits
from sessions.plan.config import RunConfig
from sessions.store.directory import is_live
from sessions.store.manifest import END_REASONS, SessionError, read
from sessions.summary.stored import StoredSummary, stored_summary


class Digest(msgspec.Struct, frozen=True):
    """Texts are as they were written: they may be a stranger's."""

    directory: Path
    state: str = ""
    """`live`, `ended`, `killed` or `unreadable`; empty while the manifest is still to be read."""
    name: str = ""
    started_at: str = ""
    target: str = ""
    model: str = ""
    badge: str = ""
    """`SIMULATED`, `IMPORTED`, or empty."""
    config: RunConfig | None = None
    summary: StoredSummary = StoredSummary()
    problem: str = ""
    """Why it cannot be read, or how it ended where that was no good end."""

    @property
    def load(self) -> str:
        """What it put on the server, in a few words: as asked, or as it came where a person changed or ended
        that."""
        if self.config is None:
            return ""
        return _came_load(self.config, self.summary) or asked_load(self.config)

    @property
    def verdict(self) -> str:
        """In a word: of its targets where it had any and is valid, else whether it is valid; of a search, its
        limit.

        Empty where it does not say.
        """
        summary = self.summary
        if self.state != "ended":
            return self.state
        if summary.valid is False:
            return "not valid"
        if summary.plan is not None and (limit := summary.plan.limit) is not None:
            return "no limit" if limit.passed is None else f"limit {digits(limit.passed, 3)}"
        if summary.slo is not None and summary.slo.verdict:
            return {"pass": "held", "fail": "missed"}.get(summary.slo.verdict, summary.slo.verdict)
        return "valid" if summary.valid else ""


def _came_load(config: RunConfig, summary: StoredSummary) -> str:
    """Of a rate that was to be another one; empty where it came as asked, or nobody can tell."""
    load, offered = config.load, [one.offered_rps for one in summary.stages if one.offered_rps]
    if config.limit is not None or config.plan is not None or load.trace is not None or load.concurrency:
        return ""
    first = load.rate_rps if load.ramp is None else load.ramp.from_rps
    if summary.load_changes and offered:
        return _from_to(min(first, *offered), max(first, *offered))
    if load.ramp is not None and summary.load_s is not None and summary.load_s < load.ramp.over_s:
        share = summary.load_s / load.ramp.over_s
        return _from_to(first, first + (load.ramp.to_rps - first) * share)
    return ""


def _from_to(low_rps: float, high_rps: float) -> str:
    return f"{digits(low_rps, 3)}..{digits(high_rps, 3)} rps"


def asked_load(config: RunConfig) -> str:
    """What a run was to put on the server, in a few words."""
    load, plan = config.load, config.plan
    if config.limit is not None:
        return "limit search"
    if plan is not None:
        return f"plan {plan.name}"
    if load.trace is not None:
        return "trace"
    if load.concurrency is not None:
        return f"{load.concurrency:,} at a time"
    if load.ramp is not None:
        return f"{digits(load.ramp.from_rps, 6)}..{digits(load.ramp.to_rps, 6)} rps"
    return f"{digits(load.rate_rps, 6)} rps"


def digest(directory: Path) -> Digest:
    """Reads the manifest. Never raises: what cannot be read says why."""
    live_now = is_live(directory)
    try:
        manifest = read(directory)
    except SessionError as error:
        return Digest(directory, "unreadable", problem=str(error))
    state = "live" if live_now else "ended" if manifest.end is not None else "killed"
    reason = "killed" if state == "killed" else manifest.end.reason if manifest.end is not None else ""
    return Digest(
        directory,
        state,
        manifest.session.name,
        manifest.session.started_at,
        manifest.target,
        manifest.model,
        "SIMULATED" if manifest.simulated else "IMPORTED" if manifest.imported is not None else "",
        manifest.config,
        stored_summary(manifest) or StoredSummary(),
        "" if reason in ("", "completed", "finished") else END_REASONS.get(reason, reason),
    )
