"""A key that a server repeats in every form there is: looked for in all that a run makes, shows and hands on."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from benchmarks.common.jobs import MARK, ROOT, processes
from tests.cli.conftest import NOT_OURS, Command
from tests.cli.test_connection_options import running
from tests.loadgen.probe.servers import Asked, Reply, Vllm, as_json
from tests.security.canary import KEY, WRITTEN, contents, handed_on, hits, of_process
from tests.tui.terminal import RawTerminal

__all__ = ["home", "ttftop", "typed"]
from tests.cli.conftest import home, ttftop, typed

pytestmark = pytest.mark.slow
LOAD = ["--rate", "20", "--input-tokens", "16", "--output-tokens", "5", "--telemetry", "none", "--debug"]


def repeating(asked: Asked) -> Reply:
    """Fails every fifth request of the load with our key, in a header and in its body, written in each form."""
    if asked.headers.get("authorization") != f"Bearer {KEY}":
        return as_json({"error": "no such key"}, 401)
    body = asked.json() if asked.body else {}
    if body.get("max_tokens") == 5 and body["prompt"][0] % 5 == 0:
        form = list(WRITTEN.values())[body["prompt"][0] // 5 % len(WRITTEN)]
        return Reply(500, b'{"error": "' + form + b'"}', headers={"x-key": KEY, "server": KEY})
    return Vllm()(asked)


def test_a_key_is_in_no_argument_environment_file_log_screen_report_or_export(
    tmp_path: Path, home: Path, ttftop: Command, typed: Command
) -> None:
    key, out, sessions = tmp_path / "key", tmp_path / "out", tmp_path / "sessions"
    key.write_text(KEY + "\n", encoding="utf-8")
    key.chmod(0o600)
    out.mkdir()
    kept = ["--sessions-dir", str(sessions)]
    shown: dict[str, bytes] = {}
    with running(repeating) as served:
        told = ttftop(served.url, *LOAD, *kept, "--duration", "1s", "--json", OPENAI_API_KEY=KEY)
        assert told.returncode == 1, told.stderr
        shown["lines"] = (told.stdout + told.stderr).encode()
        argv = [sys.executable, "-m", "tui.cli", served.url, *LOAD, *kept, "--api-key-file", str(key)]
        environment = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
        environment |= {"HOME": str(home), "TERM": "xterm-256color", MARK: tmp_path.name}
        with RawTerminal(argv, (120, 40), environment, ROOT) as terminal:
            terminal.read_until(b"***")
            there = processes(tmp_path.name)
            assert {"command", "supervisor", "worker"} <= set(there.values())
            for pid, name in there.items():
                shown |= {f"{file} of {name}": data for file, data in of_process(pid).items()}
            terminal.process.send_signal(signal.SIGTERM)
            terminal.ended()
            for pid, name in there.items():
                if name == "supervisor":
                    os.kill(pid, signal.SIGTERM)
            while processes(tmp_path.name):
                terminal.read_for(0.1)
            shown["terminal"] = terminal.output
    (first, second) = sorted(path.name for path in sessions.iterdir())
    shown |= handed_on(typed, first, second, out, kept)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != key]
    assert {"command.log", "session.toml", "r.html", "e.jsonl"} <= {path.name for path in files}
    shown |= {str(path.relative_to(tmp_path)): contents(path) for path in files}
    assert any(b"***" in data for data in shown.values()), "the server did repeat it"
    assert {where: found for where, data in shown.items() if (found := hits(data))} == {}
    assert [path for path in files if path.is_relative_to(sessions) and path.stat().st_mode & 0o077] == []
