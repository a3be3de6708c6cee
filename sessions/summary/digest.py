"""What a list shows of a session: what its manifest alone says, of any version, also of a damaged one."""

from __future__ import annotations

from pathlib import Path

import msgspec

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
        """What it put on the server, in a few words."""
        if self.config is None:
            return ""
        load, plan = self.config.load, self.config.plan
        if self.config.limit is not None:
            return "limit search"
        if plan is not None:
            return f"plan {plan.name}"
        if load.trace is not None:
            return "trace"
        if load.concurrency is not None:
            return f"{load.concurrency:,} at once"
        if load.ramp is not None:
            return f"{load.ramp.from_rps:g}..{load.ramp.to_rps:g} rps"
        return f"{load.rate_rps:g} rps"

    @property
    def verdict(self) -> str:
        """In a word: of its targets where it had any and is valid, else whether it is valid.

        Empty where it does not say.
        """
        summary = self.summary
        if self.state != "ended":
            return self.state
        if summary.valid is False:
            return "not valid"
        if summary.slo is not None and summary.slo.verdict:
            return {"pass": "held", "fail": "missed"}.get(summary.slo.verdict, summary.slo.verdict)
        return "valid" if summary.valid else ""


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
