"""Hands a new run to its supervisor, a process of its own, and hears what becomes of it."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loadgen.decoding import ready
from loadgen.readable import readable
from loadgen.version import VERSION
from sessions.plan.config import RunConfig
from sessions.run.prestart import SupervisorProcess, start_supervisor
from sessions.store.directory import LOG_FILE, create
from sessions.store.manifest import ClockAnchor, Manifest, SessionError, SessionInfo, write

if TYPE_CHECKING:
    from sessions.run.traces import Traces


class LaunchError(Exception):
    """The run was refused before any load: one line, and the exit code it stands for."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Orders(msgspec.Struct):
    """What the supervisor reads on its stdin. The key and the headers go nowhere else."""

    directory: str
    config: RunConfig
    api_key: str | None = None
    debug: bool = False
    """Each process of the run keeps a log (`sessions.store.debug_log`)."""
    headers: list[tuple[str, str]] = []
    """What a person added to every request, names in lower case."""

    def secrets(self) -> list[str]:
        """What no log may hold."""
        from loadgen.target.redaction import secrets_of

        return [self.api_key or "", *secrets_of(self.headers)]

    def __repr__(self) -> str:
        return "Orders(***)"


class SupervisorAnswer(msgspec.Struct, omit_defaults=True):
    """What the supervisor says on its stdout: one line, `running` or `refused`."""

    state: str
    message: str = ""
    exit_code: int = 0


class Launched:
    """A supervisor that was started. `directory` is the session; it may still be refused."""

    def __init__(self, directory: Path, process: SupervisorProcess) -> None:
        self.directory = directory
        self.process = process
        self._heard = b""
        self._word: SupervisorAnswer | None = None

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Returns once load is on its way.

        Raises:
            LaunchError: the supervisor refused, died, or took longer than `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while self._word is None:
            left = deadline - time.monotonic()
            if left <= 0:
                why = f"{self.directory.name}: the supervisor did not start within {timeout_s:g} s"
                raise LaunchError(f"{why}; see {self.directory / LOG_FILE}", 3)
            self._listen(left)
        if self._word.state != "running":
            raise LaunchError(self._word.message, self._word.exit_code)

    def poll_error(self) -> LaunchError | None:
        """The refusal, if there is one by now; never waits."""
        if self._word is None:
            self._listen(0)
        if self._word is None or self._word.state == "running":
            return None
        return LaunchError(self._word.message, self._word.exit_code)

    def _listen(self, timeout_s: float) -> None:
        assert self.process.stdout is not None
        if not readable(self.process.stdout.fileno(), timeout_s):
            return
        data = os.read(self.process.stdout.fileno(), 65536)
        self._heard += data
        if b"\n" in self._heard:
            self._word = msgspec.json.decode(self._heard.partition(b"\n")[0], type=ready(SupervisorAnswer))
        elif not data:
            self._word = SupervisorAnswer("refused", self._last_words(), 1)

    def _last_words(self) -> str:
        try:
            lines = (self.directory / LOG_FILE).read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        last = lines[-1][:80] if lines else "no word"
        return f"{self.directory.name}: the supervisor died at once ({last}); see {self.directory / LOG_FILE}"


def launch(
    config: RunConfig,
    *,
    root: Path,
    api_key: str | None,
    supervisor: Callable[[], SupervisorProcess] = start_supervisor,
    debug: bool = False,
    headers: Sequence[tuple[str, str]] = (),
    traces: Traces | None = None,
) -> Launched:
    """Makes the session's directory and tells its supervisor, which outlives us, our terminal and our login.

    Args:
        supervisor: gives one that waits for orders.
        debug: each process of the run keeps a log in the session.
        headers: what a person added to every request, as secret as the key.
        traces: those that `config` names, read.

    Raises:
        sessions.store.manifest.SessionError: the directory cannot be made.
        OSError: no process can be started.
    """
    now = datetime.now(timezone.utc).astimezone()
    directory = create(root, config.name or "run", now)
    if traces is not None:
        try:
            config = traces.put(config, directory)
        except OSError as error:
            traces.remove(directory)
            with contextlib.suppress(OSError):
                directory.rmdir()
            raise SessionError(f"{directory}: {error.strerror}") from None
    manifest = Manifest(
        session=SessionInfo(
            id=directory.name,
            name=config.name or directory.name,
            started_at=now.isoformat(timespec="milliseconds"),
            ttftop_version=VERSION,
            python=platform.python_version(),
            host=os.uname().nodename,
        ),
        clock=ClockAnchor(origin_unix_ns=time.time_ns(), origin_monotonic_ns=time.monotonic_ns()),
        config=config,
    )
    try:
        write(directory, manifest)
    except SessionError:
        if traces is not None:
            traces.remove(directory)
        with contextlib.suppress(OSError):
            directory.rmdir()
        raise
    process = supervisor()
    orders = msgspec.json.encode(Orders(str(directory), config, api_key, debug, list(headers)))
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # one that is dead tells so by its silence
        process.stdin.write(orders)
        process.stdin.close()
    return Launched(directory, process)
