"""The process that will host a run, started before it is known which: what it imports takes as long as that.

Imports next to nothing itself, so that it can be started first.
"""

from __future__ import annotations

import subprocess

from sessions.own_process import module_command

HostProcess = subprocess.Popen[bytes]


def start_host() -> HostProcess:
    """A host in a process and terminal session of its own. It waits for `sessions.run.launch.Orders`.

    If its stdin ends without any, it ends in silence.

    Raises:
        OSError: no process can be started.
    """
    return subprocess.Popen(
        module_command("sessions.run"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


class PrestartedSupervisor:
    """A host that waits from now on; gone when its `with` block is left, unless it was taken."""

    def __init__(self) -> None:
        """Raises:
        OSError: no process can be started.
        """
        self._host: HostProcess | None = start_host()

    def __enter__(self) -> PrestartedSupervisor:
        return self

    def take(self) -> HostProcess:
        """The host; whoever takes it answers for it. Only once."""
        host, self._host = self._host, None
        assert host is not None
        return host

    def __exit__(self, *_: object) -> None:
        if self._host is not None:
            self._host.kill()
            self._host.communicate()
