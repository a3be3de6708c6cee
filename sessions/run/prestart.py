"""The supervisor of a run, started before it is known which: what it imports takes as long as that.

Imports next to nothing itself, so that it can be started first.
"""

from __future__ import annotations

import os
import signal
import subprocess

from sessions.own_process import SECRETS, module_command

SupervisorProcess = subprocess.Popen[bytes]
ENDING = (signal.SIGINT, signal.SIGTERM)
"""What ends a run in order."""


def start_supervisor() -> SupervisorProcess:
    """A supervisor in a process and a POSIX session (setsid(2)) of its own.

    It waits for `sessions.run.launch.Orders`; if its stdin ends without, it ends in silence. `ENDING` wait
    until it heeds them: one that came before would end it by default, and leave a session that nobody ends.

    Raises:
        OSError: no process can be started.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        return subprocess.Popen(
            module_command("sessions.run"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in SECRETS},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class PrestartedSupervisor:
    """A supervisor that waits from now on; gone when its `with` block is left, unless it was taken."""

    def __init__(self) -> None:
        """Raises:
        OSError: no process can be started.
        """
        self._process: SupervisorProcess | None = start_supervisor()

    def __enter__(self) -> PrestartedSupervisor:
        return self

    def take(self) -> SupervisorProcess:
        """The supervisor; whoever takes it answers for it. Only once."""
        process, self._process = self._process, None
        assert process is not None
        return process

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
