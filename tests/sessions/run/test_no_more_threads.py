"""Where the system gives no more threads: a run is refused in one line before any load, or goes on without."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadgen.version import VERSION
from sessions.plan.config import LoadConfig, RunConfig, WorkloadConfig
from sessions.plan.target_config import TargetConfig
from sessions.run.launch import Orders, SupervisorAnswer
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo, write
from sessions.worker.pipes import Status
from telemetry.host import HostSource
from telemetry.poller import Poller
from telemetry.records import SourceNote
from tests.cli.conftest import ROOT

SAID = "no process or thread can be started: Resource temporarily unavailable"
NO_MORE = """
import sys, threading
left, start = int(sys.argv.pop(1)), threading.Thread.start
def counted(thread):
    global left
    if not left:
        raise RuntimeError("can't start new thread")
    left -= 1
    start(thread)
threading.Thread.start = counted
"""


def ended(most: int, module: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A process of ours that gets `most` threads, and no more."""
    code = f"{NO_MORE}\nfrom {module} import main\nsys.exit(main())"
    command = [sys.executable, "-c", code, str(most), *arguments]
    return subprocess.run(command, input=stdin, cwd=ROOT, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("most", [0, 3, 5])
def test_a_supervisor_without_its_threads_refuses_the_run_and_leaves_no_session(
    tmp_path: Path, most: int
) -> None:
    """5: all its own; then asyncio, before Python 3.12, finds none to wait for a load worker, nor one to end
    the others."""
    if most == 5 and sys.version_info >= (3, 12):
        pytest.skip("a load worker is waited for without a thread")
    directory = tmp_path / "s"
    directory.mkdir(0o700)
    config = RunConfig(
        TargetConfig("http://127.0.0.1:9"), LoadConfig(requests=1), WorkloadConfig(9, 9), telemetry=["none"]
    )
    session = SessionInfo("s", "s", "2026-11-26T12:00:00+00:00", VERSION)
    write(directory, Manifest(session, ClockAnchor(0, 0), config))
    orders = msgspec.json.encode(Orders(str(directory), config))
    done = ended(most, "sessions.run.__main__", stdin=orders)
    answer = msgspec.json.decode(done.stdout, type=SupervisorAnswer)
    assert (done.returncode, answer) == (2, SupervisorAnswer("refused", SAID, 2))
    assert not directory.exists()


def test_a_load_worker_without_its_thread_says_why(tmp_path: Path) -> None:
    done = ended(0, "sessions.worker.process", str(tmp_path), "0")
    assert msgspec.json.decode(done.stdout, type=Status) == Status("refused", SAID)
    assert done.stderr == b""


def test_telemetry_that_gets_no_thread_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[Any] = []
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if thread.name == "telemetry a":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    first, second = HostSource(), HostSource()
    first.name, second.name = "a", "b"  # type: ignore[misc]
    poller = Poller([first, second], records.append, lambda: 7)
    poller.start()
    poller.stop()
    (note,) = [one for one in records if isinstance(one, SourceNote) and one.source == "a"]
    assert (note.ok, note.t_ns) == (False, 7)
    assert "need more memory or processes" in note.message
