from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def fake_ssh(tmp_path, monkeypatch):
    """`fake_ssh(script)` puts a shell script called ssh first on PATH; without one it runs the command here."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path[1:]]))

    def put(script='for last; do :; done; echo "$@" > "$0.args"; exec sh -c "$last"'):
        ssh = folder / "ssh"
        ssh.write_text(f"#!/bin/sh\n{script}\n")
        ssh.chmod(ssh.stat().st_mode | stat.S_IEXEC)
        return ssh

    return put
