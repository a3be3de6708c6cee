"""When processor time is short, the screen goes without, not the load."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.tui.terminal import Terminal
from tui.foreground.screen import NICER


def nice_of(pid: int) -> int:
    """Of a process, from /proc (proc(5), field 19 of stat)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16])


def command_lines() -> dict[int, str]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_the_screen_is_niced_and_the_load_is_not(tmp_path: Path, simulator_url: str) -> None:
    argv = [sys.executable, "-m", "tui.cli", simulator_url, "--rate", "5", "--output-tokens", "4"]
    argv += ["--sessions-dir", str(tmp_path), "--orphan-timeout", "2"]
    ours = nice_of(os.getpid())
    with Terminal(argv, size=(120, 40), cwd=Path(__file__).parents[2]) as terminal:
        deadline = time.monotonic() + 40
        workers: list[int] = []
        while not workers or nice_of(terminal.process.pid) == ours:
            assert time.monotonic() < deadline, terminal.text()
            time.sleep(0.1)
            mine = {pid: line for pid, line in command_lines().items() if str(tmp_path) in line}
            workers = [pid for pid, line in mine.items() if "sessions.worker.process" in line]
        hosts = [pid for pid, line in mine.items() if "sessions.run" in line]
        assert nice_of(terminal.process.pid) == ours + NICER
        assert [nice_of(pid) for pid in [*hosts, *workers]] == [ours] * len([*hosts, *workers])
        terminal.press("q")
