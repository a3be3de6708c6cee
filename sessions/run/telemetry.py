"""The telemetry of a run: asked for, polled, written down, and summed up for the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadgen.clock import Clock
from loadgen.target.redaction import Redactor
from sessions.plan.config import RunConfig
from sessions.plan.roles import roles_of
from sessions.run.telemetry_inventory import TelemetryInventory
from sessions.store.journal import TELEMETRY_FILE, JournalWriter

if TYPE_CHECKING:
    from telemetry.poller import Poller
    from telemetry.records import TelemetryRecord

_AGAIN_NS = 5_000_000_000
"""The manifest is not written anew more often for what telemetry finds and loses."""
_STOP_S = 0.5


class TelemetryRecorder:
    """Nothing is watched before `start`; the methods may be called all the same."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._found = TelemetryInventory()
        self._told_ns = 0
        self._poller: Poller | None = None
        self._journal: JournalWriter | None = None

    def start(
        self,
        config: RunConfig,
        api_key: str | None,
        directory: Path,
        model: str = "",
        secrets: Sequence[str] = (),
    ) -> None:
        """Begins to poll what `config` asks for, and to write it to `directory`.

        Args:
            model: of the run; empty when it is not known.
            secrets: what no record may hold, beside the key.

        Raises:
            telemetry.source.TelemetryError: `config` asks for what means nothing.
        """
        # Not before: the first request would wait for these imports.
        from telemetry.discover import resolve
        from telemetry.of_node import with_role
        from telemetry.poller import Poller

        target = config.target
        sources = resolve(
            config.telemetry,
            target.url,
            api_key,
            model=model,
            redact=Redactor(api_key or "", *secrets).text,
            ca_file=target.ca_file,
            insecure=target.insecure,
            more_targets=[other.url for other in target.others or ()],
        )
        journal = self._journal = JournalWriter(directory / TELEMETRY_FILE)

        roles = roles_of(config.roles)

        def emit(record: TelemetryRecord) -> None:
            if roles:
                with_role(record, roles)
            journal.append(record)
            self._found.take(record)

        self._poller = Poller(sources, emit, self._clock.now_ns)
        self._poller.start()

    def news(self, now_ns: int) -> bool:
        """Something was found or lost that `table` was not asked about yet, nor anything a moment ago."""
        if not self._found.changed or now_ns - self._told_ns < _AGAIN_NS:
            return False
        self._told_ns = now_ns
        return True

    def table(self) -> dict[str, Any]:
        """For the manifest."""
        return self._found.table()

    def stop(self) -> None:
        """Takes no more samples. May block for a moment."""
        if self._poller is not None:
            self._poller.stop(_STOP_S)

    def close(self) -> str:
        """Writes the last of it; what was lost, in words, or nothing."""
        if self._journal is None:
            return ""
        self._journal.close()
        return self._journal.unsaved

    def take_written_again(self) -> str:
        """The name of the file if it was removed and is there again, since this was asked last."""
        return "" if self._journal is None else self._journal.take_written_again()
