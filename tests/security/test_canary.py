"""A key that a server repeats in every form there is: looked for in all that a run makes, shows and hands on."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from benchmarks.common.jobs import COMMAND, MARK, ROOT, processes
from tests.cli.conftest import NOT_OURS, Command
from tests.cli.test_connection_options import running
from tests.loadgen.probe.servers import Asked, Reply, Vllm, as_json
from tests.security.canary import (
    BREAKS,
    KEY,
    MADE,
    WRITTEN,
    files_in,
    handed_on,
    hits,
    of_processes,
    searched_to_its_end,
)
from tests.tui.terminal import RawTerminal

__all__ = ["home", "typed"]
from tests.cli.conftest import home, typed

pytestmark = pytest.mark.slow
LOAD = ["--input-tokens", "16", "--output-tokens", "5", "--telemetry", "none"]
PLAN = """
name = "canary"

[run]
input_tokens = 16
output_tokens = 5

[[stages]]
rate = [20, 30]
duration = "500ms"
"""


def repeating(asked: Asked) -> Reply:
    """Fails every fifth request of the load with our key, in a header and in its body, written in each form."""
    if asked.headers.get("authorization") != f"Bearer {KEY}":
        return as_json({"error": "no such key"}, 401)
    body = asked.json() if asked.body else {}
    if body.get("max_tokens") == 5 and body["prompt"][0] % 5 == 0:
        form = list(WRITTEN.values())[body["prompt"][0] // 5 % len(WRITTEN)]
        return Reply(500, b'{"error": "' + form + b'"}', headers={"x-key": KEY, "server": KEY})
    return Vllm()(asked)


def echoing(asked: Asked) -> Reply:
    """Refuses everything, in words that are our key."""
    return Reply(500, f'{{"error": {{"message": "no {KEY}"}}}}'.encode(), headers={"server": KEY})


def surroundings(tmp_path: Path, home: Path) -> dict[str, str]:
    """Without a key. What is called ssh does on this machine what it is told, and stays while that goes on."""
    places = {name: tmp_path / name for name in ("bin", "nodes")}
    for place in places.values():
        place.mkdir()
    ssh = places["bin"] / "ssh"
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nsh -c "$last"\n', encoding="utf-8")
    ssh.chmod(0o755)
    (places["bin"] / "python3").symlink_to(sys.executable)
    environment = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    return environment | {
        "HOME": str(home),
        "TERM": "xterm-256color",
        "TMPDIR": str(places["nodes"]),
        "PATH": f"{places['bin']}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT), *sys.path[1:]]),
        MARK: tmp_path.name,
    }


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(KEY + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_key_is_in_no_argument_environment_file_log_screen_report_or_export(
    tmp_path: Path, home: Path, key_file: Path, typed: Command
) -> None:
    """Of a plan's run on a node, of a search, and of a run on a screen; and of what is made of them."""
    environment, sessions, out = surroundings(tmp_path, home), tmp_path / "sessions", tmp_path / "out"
    out.mkdir()
    kept = ["--sessions-dir", str(sessions)]
    given = [*kept, "--debug", "--api-key-file", str(key_file)]
    (tmp_path / "plan.toml").write_text(PLAN, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        page = f"127.0.0.1:{free.getsockname()[1]}"
    with running(repeating) as served:
        planned = ["run", served.url, "--plan", str(tmp_path / "plan.toml"), "--json", *given]
        planned += ["--nodes", "ssh://far", "--telemetry", "ssh://far", "--metrics-port", page]
        planned += ["--name", "planned", "--slo", "ttft.p95<2s", "--junit", str(tmp_path / "junit.xml")]
        nodes = tmp_path / "nodes"
        code, shown = searched_to_its_end([*COMMAND, *planned], environment, nodes, f"http://{page}/metrics")
        assert code == 1, shown["said"]
        seen = {where.rpartition(" ")[0] for where in shown if where.startswith("environ")}
        assert seen >= {f"environ of {name}" for name in ("command", "supervisor", "ssh", "agent", "worker")}
        assert b"ttftop_requests_sent" in shown["/metrics"]
        assert any(b"***" in data for where, data in shown.items() if where.startswith("node: "))
        search = ["limit", served.url, "--slo", "ttft.p95<2s", "--name", "search", "--from", "20", *given]
        _, more = searched_to_its_end(
            [*COMMAND, *search, *LOAD], environment, nodes, enough="sessions/*-search/requests-*"
        )
        shown |= {f"limit: {where}": data for where, data in more.items()}
        argv = [*COMMAND, served.url, "--rate", "20", *LOAD, *given]
        with RawTerminal(argv, (120, 40), environment, ROOT) as terminal:
            terminal.read_until(b"***")
            shown |= {f"screen: {where}": data for where, data in of_processes(tmp_path.name).items()}
            terminal.process.send_signal(signal.SIGTERM)
            terminal.ended()
            for pid, name in processes(tmp_path.name).items():
                if name == "supervisor":
                    os.kill(pid, signal.SIGTERM)
            while processes(tmp_path.name):
                terminal.read_for(0.1)
            shown["terminal"] = terminal.output
    (first,), (second,) = ([path.name for path in sessions.glob(f"*-{of}")] for of in ("search", "planned"))
    shown |= handed_on(typed, first, second, out, kept)
    key_file.unlink()
    files = files_in(tmp_path)
    assert {"junit.xml", "out/r.html", "out/e.jsonl", "out/e.aiperf/profile_export.jsonl"} <= files.keys()
    shown |= files
    assert any(b"***" in data for data in shown.values()), "the server did repeat it"
    assert {where: found for where, data in shown.items() if (found := hits(data))} == {}
    ours = [path for place in (sessions, nodes, out) for path in place.rglob("*") if path.is_file()]
    assert [path for path in ours if path.name != "said" and path.stat().st_mode & 0o077] == []


def test_a_doctor_says_no_key_that_a_server_repeats(key_file: Path, typed: Command) -> None:
    with running(echoing) as served:
        asked = [
            "doctor",
            served.url,
            "--telemetry",
            f"{served.url}/metrics",
            "--api-key-file",
            str(key_file),
        ]
        told = typed(*asked)
    assert told.returncode != 0
    assert "***" in told.stdout + told.stderr
    assert hits((told.stdout + told.stderr).encode()) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("loadgen.worker.engine:Engine._launch", " of {}"),
        ("sessions.run.supervisor:Supervisor._begin", " of {}"),
        ("tui.views.overview:compose", ""),
    ],
)
def test_a_bug_says_nothing_of_the_key_that_its_variables_hold(
    broken: str, said: str, tmp_path: Path, home: Path, key_file: Path
) -> None:
    """In a load worker and the supervisor, whose log a session keeps, not even where it is its message; on the screen."""
    (tmp_path / "sitecustomize.py").write_text(BREAKS, encoding="utf-8")
    environment = surroundings(tmp_path, home) | {
        "CANARY_BREAKS": broken,
        "CANARY_SAID": said,
        "CANARY_FILE": str(key_file),
    }
    given = ["--debug", "--api-key-file", str(key_file), "--sessions-dir", str(tmp_path / "sessions")]
    with running(repeating) as served:
        argv = [*COMMAND, served.url, *LOAD, *given]
        with RawTerminal(argv, (120, 40), environment, ROOT) as terminal:
            until = time.monotonic() + 40
            while MADE not in terminal.output + b"".join(files_in(tmp_path / "sessions").values()):
                assert time.monotonic() < until, terminal.output[-2000:]
                terminal.read_for(0.1)
            while still := processes(tmp_path.name):
                for pid in still:
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGTERM)
                terminal.read_for(0.1)
            shown = {"terminal": terminal.output}
    key_file.unlink()
    shown |= files_in(tmp_path)
    assert {where: found for where, data in shown.items() if (found := hits(data))} == {}
