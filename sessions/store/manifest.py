"""`session.toml`: what was asked, where, and, once it ended, what came out. Written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
import tomli

from loadgen.decoding import ready
from sessions.plan.config import RunConfig
from sessions.store.manifest_values import CAP_BYTES, check, encoded, plain

FILE = "session.toml"
FORMAT = "ttftop-session"
VERSION = "1.0"
SOURCES_CAP = 64
"""Telemetry sources, of a run or at an instant, of which the last word is kept."""

END_REASONS = {
    "completed": "the run came to its end",
    "finished": "finished by hand",
    "interrupted": "interrupted by a signal",
    "aborted": "aborted by hand: requests in flight were cut off",
    "orphaned": "stopped itself: no screen was attached any more",
    "gave_up": "gave up, since every request failed from the first on",
    "worker_lost": "a load worker died",
    "failed": "the run could not be started",
    "unsaved": "part of what was measured could not be saved",
    "killed": "the run was killed: what was on disk is shown",
}
"""Reason of an end to the sentence a person reads. `killed` is never written: a reader finds it."""


class SessionError(Exception):
    """A session that cannot be found, read or written: one line naming the path and the cause."""


class SessionInfo(msgspec.Struct):
    id: str
    name: str
    started_at: str
    """RFC 3339 with zone."""
    ttftop_version: str = ""
    python: str = ""
    host: str = ""
    pid: int = 0
    """The supervisor's process."""
    note: str = ""
    """What a person wrote of it afterwards."""


class ClockAnchor(msgspec.Struct):
    """The same instant on two clocks: session time 0."""

    origin_unix_ns: int
    origin_monotonic_ns: int


class SupervisorInfo(msgspec.Struct):
    """The table `[host]`: that is what the supervisor was called once."""

    control_socket: str = ""


class EndInfo(msgspec.Struct):
    reason: str
    """A key of `END_REASONS`."""
    ended_at: str
    """RFC 3339 with zone."""
    duration_s: float | None = None
    exit_code: int = 0
    message: str = ""


class Manifest(msgspec.Struct):
    session: SessionInfo
    clock: ClockAnchor
    config: RunConfig
    server: dict[str, Any] = {}
    """What the probe learned: `model`, `context_tokens`, `simulated`, `probe_requests`, capabilities."""
    client: dict[str, Any] = {}
    """What the load workers were planned with: `workers`, `calibrated_events_per_s`, `descriptors`, ..."""
    telemetry: dict[str, Any] = {}
    """What was found and tried, as `sessions.run.telemetry_inventory` tells it: `sources`, `gpus`."""
    host: SupervisorInfo = msgspec.field(default_factory=SupervisorInfo)
    end: EndInfo | None = None
    """None while the run goes on, and for ever when it was killed."""
    result: dict[str, Any] | None = None
    """The summary when the run ended, as `sessions.summary.schema.plain` gives it."""
    imported: dict[str, Any] | None = None
    """As `sessions.store.imported.ImportedInfo` reads it; None where ttftop measured it."""
    format: str = FORMAT
    version: str = VERSION

    @property
    def model(self) -> str:
        """The model's id, or an empty text while it is not known."""
        return str(self.server.get("model") or self.config.target.model or "")

    @property
    def simulated(self) -> bool:
        return self.server.get("simulated") is True

    @property
    def unverified(self) -> bool:
        """There is TLS, and a person asked for no look at the server's certificate."""
        return self.config.target.insecure and self.has_tls

    @property
    def has_tls(self) -> bool:
        return any(each.url.lower().startswith("https:") for each in self.config.target.all)

    @property
    def target(self) -> str:
        """URL without credentials."""
        return without_credentials(self.config.target.url)

    @property
    def targets(self) -> list[str]:
        """URLs of several targets by their numbers, without credentials; empty where there is one."""
        each = self.config.target.all
        return [without_credentials(one.url) for one in each] if len(each) > 1 else []


def without_credentials(url: str) -> str:
    """`url` without `user:password@`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def read(directory: Path) -> Manifest:
    """The manifest of a session.

    Raises:
        SessionError: no session, not ours, of a newer major version, or unreadable.
    """
    path = directory / FILE
    try:
        fields = tomli.loads(_text(path))
    except SessionError:
        raise
    except (tomli.TOMLDecodeError, RecursionError, ValueError) as error:
        raise SessionError(f"{path}: not readable as TOML: {_line(error)}; {_NEED}") from None
    if fields.get("format") != FORMAT:
        found = f"format is {fields.get('format')!r:.40}"
        raise SessionError(f"{path}: not a ttftop session ({found}); need the directory of one")
    version = str(fields.get("version"))
    major = version.partition(".")[0]
    ours = VERSION.partition(".")[0]
    if not (major.isascii() and major.isdigit() and len(major) < 6):
        raise SessionError(f"{path}: version is {version!r:.40}, need a text like {VERSION!r}")
    if int(major) > int(ours):
        raise SessionError(
            f"{path}: written by a newer ttftop (session version {version!r:.40}, this one reads {ours}.x); "
            "need that one"
        )
    try:
        check(fields)
    except ValueError as error:
        raise SessionError(f"{path}: {_line(error)}; {_NEED}") from None
    try:
        return msgspec.convert(fields, ready(Manifest))
    except (msgspec.ValidationError, RecursionError) as error:
        raise SessionError(f"{path}: {_line(error)}; {_NEED}") from None


_NEED = "need it as ttftop wrote it"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _text(path: Path) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        why = "no such file, so this is no ttftop session; need the directory of one"
        raise SessionError(f"{path}: {why}") from None
    except OSError as error:
        link = "a link, which is not followed" if error.errno == errno.ELOOP else ""
        raise SessionError(f"{path}: {link or error.strerror}; need the directory of a session") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise SessionError(f"{path}: not a regular file; {_NEED}")
    with open(fd, "rb") as file:
        data = file.read(CAP_BYTES + 1)
    if len(data) > CAP_BYTES:
        raise SessionError(f"{path}: more than {CAP_BYTES} bytes; {_NEED}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SessionError(f"{path}: not UTF-8 at byte {error.start}; {_NEED}") from None


def write(directory: Path, manifest: Manifest) -> None:
    """Replaces the session's manifest: a reader sees the old one or the new one, also after a power cut.

    Where the file would outgrow what `read` takes, what was measured is left out as far as it must be.

    Raises:
        SessionError: the disk refused, or what was asked of the run is too long to be kept.
    """
    fields = plain(manifest)
    fields["config"]["target"]["url"] = manifest.target
    for other, url in zip(fields["config"]["target"].get("others", []), manifest.targets[1:], strict=True):
        other["url"] = url
    path = directory / FILE
    data = encoded(fields)
    if len(data) > CAP_BYTES:
        raise SessionError(
            f"{path}: what the run was asked is {len(data)} bytes long, allowed are {CAP_BYTES} in all"
        )
    fresh = directory / f".{FILE}.{os.getpid()}.{threading.get_ident()}"
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        fresh.replace(path)
        at = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(at)
        finally:
            os.close(at)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise SessionError(f"{path}: {error.strerror}") from None
