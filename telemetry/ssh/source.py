"""Another node's GPUs and host: our own poller there, over the user's own ssh."""

from __future__ import annotations

from collections.abc import Callable

from telemetry.records import SourceNote, TelemetryRecord
from telemetry.source import NowNs, unchanged
from telemetry.source_spec import Node
from telemetry.ssh.command import command, unknown_option
from telemetry.ssh.session import FLOODS, Session

INTERVAL_NS = 250_000_000
RETRY_NS = 30_000_000_000


class SshSource:
    """What the poller of another node says, on our clock, until it is closed.

    Args:
        node: where to connect, as `telemetry.source_spec.parse_node` gives it.
        target_url: the server under test, so that the node can mark the GPUs that serve it; empty when its
            address means something else there.
        redact: hides our key in what the node says.
    """

    def __init__(self, node: Node, target_url: str = "", redact: Callable[[str], str] = unchanged) -> None:
        self._node = node
        self._target_url = target_url
        self._redact = redact
        self.name = f"ssh {node.host}"
        self.interval_ns: int | None = INTERVAL_NS
        self._session: Session | None = None
        self._connecting: Session | None = None
        self._interrupted = False
        self._without: frozenset[str] = frozenset()
        """Options that this machine's ssh has been found not to know."""
        self._retry_ns = 0
        self._told_lost = ""

    def open(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """Connects, and waits for the node's first word: seconds, with a key that is slow to be found."""
        return self._connect(now_ns)

    def sample(self, now_ns: NowNs) -> list[TelemetryRecord]:
        if self._session is None:
            return self._connect(now_ns) if now_ns() >= self._retry_ns else []
        records = self._session.take(now_ns)
        why = self._session.over()
        return [*records, *self._lost(why, now_ns)] if why else records

    def interrupt(self) -> None:
        """Gives up connecting, at once: `open` or `sample` returns. Called from another thread."""
        self._interrupted = True
        connecting = self._connecting
        if connecting is not None:
            connecting.kill()

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _connect(self, now_ns: NowNs) -> list[TelemetryRecord]:
        while why := self._start(now_ns):
            unknown = unknown_option(why) - self._without
            if not unknown:
                return self._lost("no answer before the end" if self._interrupted else why, now_ns)
            self._without |= unknown
        session = self._session
        assert session is not None
        again = "answers again" if self._told_lost else "runs our poller"
        self._told_lost = ""
        within_ns = session.clock.within_ns(now_ns())
        text = f"{self.name}: {again}; its clock is known within {within_ns / 1e6:.1f} ms"
        return [SourceNote(now_ns(), self.name, True, text), *session.take(now_ns)]

    def _start(self, now_ns: NowNs) -> str:
        """Sets `_session`, or returns why there is none."""
        session = self._connecting = Session(self._node, self.name, self._redact)
        argv = command(self._node, self._target_url, self._without)
        why = session.start(argv, now_ns, lambda: self._interrupted)
        self._connecting = None
        if why:
            session.close()
        else:
            self._session = session
        return why

    def _lost(self, why: str, now_ns: NowNs) -> list[TelemetryRecord]:
        if self._session is not None:
            self._session.close()
        self._session, self._retry_ns = None, now_ns() + RETRY_NS
        if why == self._told_lost:
            return []
        self._told_lost = why
        if why == FLOODS:
            self.interval_ns = None
            return [SourceNote(now_ns(), self.name, False, f"{self.name}: {why}")]
        again = "" if self._interrupted else "; tried again every 30 s"
        return [SourceNote(now_ns(), self.name, False, f"{self.name}: {why}{again}")]
