"""Why and how a run ends, and the last two writings of its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from sessions.store.manifest import END_REASONS, EndInfo, Manifest, write

DRAIN_S = 60.0
"""How long requests in flight are waited for when a run comes to its end."""


@dataclass(frozen=True)
class RunEnd:
    reason: str
    """A key of `END_REASONS`."""
    drain_s: float
    """How long requests in flight are waited for."""
    message: str = ""

    def without(self, unsaved: list[str]) -> RunEnd:
        """The same end, of a run of which `unsaved` tells what could not be saved; itself without any."""
        if not unsaved:
            return self
        orderly = self.reason in ("completed", "finished", "orphaned")
        said = [self.message] if self.message else []
        return RunEnd("unsaved" if orderly else self.reason, self.drain_s, "; ".join([*said, *unsaved]))


def sum_up(directory: Path, manifest: Manifest, ending: RunEnd, ran_s: float) -> int:
    """Writes the end, then the result: a bug in summing up must not cost the end. Returns the exit code.

    Raises:
        SessionError: the disk refused.
    """
    interrupted = ending.reason in ("interrupted", "aborted")
    manifest.end = EndInfo(
        reason=ending.reason,
        ended_at=datetime.now(timezone.utc).astimezone().isoformat(timespec="milliseconds"),
        duration_s=ran_s,
        exit_code=130 if interrupted else 1,
        message=ending.message or END_REASONS[ending.reason],
    )
    write(directory, manifest)
    from sessions.summary.summarise import summarise  # numpy: not before there is something to sum up

    result = summarise(directory)
    manifest.end.exit_code = 130 if interrupted else 0 if result["valid"] else 1
    manifest.result = result
    write(directory, manifest)
    return manifest.end.exit_code
