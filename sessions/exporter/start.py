"""Starts the process that serves a run's figures: nothing that is measured waits for it."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from sessions.own_process import SECRETS, module_command


def start_exporter(directory: Path, listening: socket.socket) -> None:
    """In a process of its own, which ends by itself; `listening` is its from now on."""
    fd = listening.fileno()
    subprocess.Popen(
        [*module_command("sessions.exporter"), str(directory), str(fd)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(fd,),
        env={name: value for name, value in os.environ.items() if name not in SECRETS},
        start_new_session=True,
    )
    listening.close()
