"""`ttftop import` and `ttftop export`, as typed."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.cli.conftest import Command
from tests.sessions.interchange import made_results as made


def test_a_result_goes_in_by_one_command_and_out_by_another(ttftop: Command, tmp_path: Path) -> None:
    result, out = made.written(tmp_path / "r.json", made.vllm()), tmp_path / "x.csv"
    told = ttftop("import", str(result), "--sessions-dir", str(tmp_path / "s"), "--name", "theirs")
    assert told.returncode == 0
    assert "vLLM bench serve, 3 requests" in told.stdout
    assert "IMPORTED" in ttftop("sessions", "--sessions-dir", str(tmp_path / "s")).stdout
    done = ttftop("export", "theirs", "--as", "csv", "-o", str(out), "--sessions-dir", str(tmp_path / "s"))
    assert done.returncode == 0
    assert len(out.read_text().splitlines()) == 4
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_what_no_tool_wrote_is_one_line(ttftop: Command, tmp_path: Path) -> None:
    told = ttftop("import", str(made.written(tmp_path / "x.json", {"a": 1})), "--sessions-dir", str(tmp_path))
    assert told.returncode == 2
    assert told.stderr.startswith("ttftop: error: import: ")
    assert len(told.stderr.splitlines()) == 1
