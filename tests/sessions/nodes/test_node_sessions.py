"""Runs whose load workers are on nodes: agents on this machine, real workers, a simulator."""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadgen.records import Request, Tick, WorkerNote
from sessions.plan.config import LoadConfig, NodesConfig, OnNodeLost, RunConfig, WorkloadConfig
from sessions.plan.target_config import TargetConfig
from sessions.run.launch import Launched, LaunchError, launch
from sessions.store.follow import SessionFollower
from sessions.store.manifest import read
from sessions.store.records import AnyRecord, LoadChange, Note
from sessions.summary.read import read_summary

KEY = "sk-canary-5f2b9c"
PATIENCE_S = 60.0

Started = Callable[..., Launched]


@pytest.fixture
def started(tmp_path: Path, simulator_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """Launches runs with an open end of 200 requests, one worker a node; nodes keep their files in `nodes`."""
    (tmp_path / "nodes").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nodes"))
    runs: list[Launched] = []

    def start(
        *nodes: str, on_lost: OnNodeLost = "end", workers: int = 2, url: str = simulator_url, **load: Any
    ) -> Launched:
        config = RunConfig(
            target=TargetConfig(url),
            load=LoadConfig(**{"rate_rps": 40.0, "requests": 80, "seed": 7, "workers": workers, **load}),
            workload=WorkloadConfig(input_tokens=16, output_tokens=4),
            telemetry=["none"],
            nodes=NodesConfig(list(nodes), on_lost) if nodes else None,
        )
        runs.append(launch(config, root=tmp_path / "sessions", api_key=KEY))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
        run.process.wait()
        assert run.process.stdout is not None
        run.process.stdout.close()


def ended(run: Launched) -> int:
    run.wait_ready(PATIENCE_S)
    return run.process.wait(PATIENCE_S)


def records(directory: Path) -> list[AnyRecord]:
    follower = SessionFollower(directory, requests=True)
    found = follower.poll()
    while follower.behind:
        found += follower.poll()
    return found


def of_kind(found: list[AnyRecord], kind: type) -> list[Any]:
    return [one for one in found if isinstance(one, kind)]


def processes_of(directory: str, kind: str = "") -> list[int]:
    """Processes that have `directory` among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if directory.encode() in words and kind.encode() in b" ".join(words):
            found.append(int(path.parent.name))
    return found


def agents() -> dict[int, int]:
    """Agents that descend from us, by their parent."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"sessions.nodes.agent" in path.read_bytes().split(b"\0"):
                stat = (path.parent / "stat").read_text()
                found[int(path.parent.name)] = int(stat.rpartition(")")[2].split()[1])
        except OSError:
            continue
    return found


def agents_of(run: Launched) -> list[int]:
    return sorted(pid for pid, parent in agents().items() if parent == run.process.pid)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_a_run_by_nodes_is_that_by_local_workers_to_the_nanosecond(tmp_path: Path, started: Started) -> None:
    def dues(run: Launched) -> dict[int, int]:
        (start,) = of_kind(records(run.directory), LoadChange)
        found = {}
        for path in run.directory.glob(
            "requests-*.gz"
        ):  # as workers wrote it: readers move it by their clock
            for line in gzip.decompress(path.read_bytes()).splitlines():
                request = msgspec.json.decode(line)
                found[request["index"]] = request["due_ns"] - start.t_ns
        return found

    there, here = started("local://a", "local://b"), started()
    assert (ended(there), ended(here)) == (0, 0)
    assert dues(there) == dues(here)
    assert len(dues(there)) == 80

    def names(run: Launched) -> set[str]:
        return {path.name for path in run.directory.iterdir()}

    assert names(there) - {"log"} == names(here)
    assert {path.stat().st_mode & 0o777 for path in there.directory.glob("*.gz")} == {0o600}
    manifest = read(there.directory)
    assert read_summary(there.directory).valid
    assert [(node["name"], node["workers"]) for node in manifest.client["nodes"]] == [("a", [0]), ("b", [1])]
    assert list((tmp_path / "nodes").iterdir()) == [], "what the host has is removed from nodes"
    said = [one.text for one in of_kind(records(there.directory), Note)]
    assert any(text.startswith("node a: 1 load worker;") for text in said)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds agents by /proc")
@pytest.mark.parametrize("on_lost", ["end", "go-on"])
def test_a_node_that_dies_ends_the_run_or_its_share_is_not_sent(
    on_lost: OnNodeLost, started: Started
) -> None:
    run = started("local://a", "local://b", on_lost=on_lost, requests=200)
    run.wait_ready(PATIENCE_S)
    until(lambda: of_kind(records(run.directory), Request))
    os.kill(agents_of(run)[1], signal.SIGKILL)
    assert run.process.wait(PATIENCE_S) == 1
    manifest, found = read(run.directory), records(run.directory)
    assert manifest.end is not None
    (said,) = [one.text for one in of_kind(found, Note) if "is lost" in one.text]
    assert said.startswith("node b is lost: its agent ended (signal 9)")
    # What the dead node had not given yet could not be saved.
    assert manifest.end.reason == ("worker_lost" if on_lost == "end" else "unsaved")
    assert "node b" in manifest.end.message
    summary = read_summary(run.directory)
    assert not summary.valid
    if on_lost == "go-on":
        assert {one.index for one in of_kind(found, Request) if one.worker == 0} == set(range(0, 200, 2))
        # Its share of what the rate says is due, to the last: not sent, and in the sum.
        counts = summary.requests
        assert counts.due == counts.sent + counts.not_sent
        assert 40 <= counts.not_sent <= 100
        assert abs(counts.due - 200) <= 40


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers by /proc")
def test_workers_of_a_host_that_is_killed_write_all_and_their_node_keeps_it(
    tmp_path: Path, started: Started
) -> None:
    run = started("local://a", workers=1, requests=None, duration_s=600.0)
    run.wait_ready(PATIENCE_S)
    until(lambda: of_kind(records(run.directory), Request))
    place = Path(read(run.directory).client["nodes"][0]["directory"])
    run.process.kill()
    until(lambda: not processes_of(str(place)))
    found = records(place)
    assert "host_lost" in [one.event for one in of_kind(found, WorkerNote)]
    assert len(of_kind(found, Request)) == sum(one.sent for one in of_kind(found, Tick)) > 0
    for name in ("worker-0.jsonl.gz", "requests-0.jsonl.gz"):
        have = (run.directory / name).read_bytes()
        assert (place / name).read_bytes()[: len(have)] == have


@pytest.mark.slow
def test_a_host_that_stands_still_loses_nothing(tmp_path: Path, started: Started) -> None:
    run = started("local://a", "local://b", requests=160)
    run.wait_ready(PATIENCE_S)
    until(lambda: of_kind(records(run.directory), Request))
    os.kill(run.process.pid, signal.SIGSTOP)
    had = sum(path.stat().st_size for path in run.directory.glob("*.gz"))
    until(
        lambda: sum(path.stat().st_size for path in (tmp_path / "nodes").glob("*/*.gz")) > had + 2000
    )  # nodes go on
    os.kill(run.process.pid, signal.SIGCONT)
    run.process.wait(PATIENCE_S)  # on a busy machine the client may have been the limit meanwhile
    end = read(run.directory).end
    assert end is not None
    assert end.reason == "completed"
    assert sorted(one.index for one in of_kind(records(run.directory), Request)) == list(range(160))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes by /proc")
def test_the_key_is_in_no_arguments_environment_or_file_of_a_node(tmp_path: Path, started: Started) -> None:
    run = started("local://a", requests=40, workers=1)
    run.wait_ready(PATIENCE_S)
    (agent,) = agents_of(run)
    place = read(run.directory).client["nodes"][0]["directory"]
    pids = [agent, *processes_of(place)]
    assert len(pids) == 2
    for pid in pids:
        for name in ("cmdline", "environ"):
            assert KEY.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    while run.process.poll() is None:
        for below in (place, run.directory):
            for where, _, names in os.walk(below):
                for name in names:
                    with contextlib.suppress(OSError):  # gone meanwhile
                        assert KEY.encode() not in (Path(where) / name).read_bytes(), name
    assert run.process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize(
    ("nodes", "script", "why"),
    [
        (
            ["ssh://far"],
            "echo 'ssh: Could not resolve hostname far' >&2; exit 255",
            "node far: cannot connect",
        ),
        (["ssh://far"], "echo 'No module named sessions' >&2; exit 1", "no ttftop there"),
    ],
)
def test_a_node_that_cannot_be_had_is_one_line(
    nodes: list[str], script: str, why: str, tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "ssh"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    run = started(*nodes)
    with pytest.raises(LaunchError, match=why) as caught:
        run.wait_ready(PATIENCE_S)
    assert caught.value.exit_code == 2
    run.process.wait(PATIENCE_S)
    assert not run.directory.exists()


@pytest.mark.slow
def test_a_run_over_ssh_is_valid(tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an `ssh` that is a shell here, in a directory of the login's and behind words of its own."""
    import sys

    fake = tmp_path / "bin" / "ssh"
    fake.parent.mkdir()
    fake.write_text(
        f"#!/bin/sh\necho \"$@\" >> '{tmp_path}/asked'\necho Welcome\n"
        'for last; do :; done\nexec sh -c "$last"\n'
    )
    fake.chmod(0o755)
    python = fake.parent / "python3"
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    run = started("ssh://me@far:2222", workers=1, requests=20)
    assert ended(run) == 0
    asked = (tmp_path / "asked").read_text()
    assert "-p 2222 -l me -- far" in asked
    assert "ServerAliveInterval=15" in asked
    assert read(run.directory).client["nodes"][0]["name"] == "far"
