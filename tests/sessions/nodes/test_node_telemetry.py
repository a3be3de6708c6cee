"""The pollers of nodes: real processes over a stand-in for NVML, each node with a clock and GPUs of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from sessions.nodes.messages import StartTelemetry
from sessions.nodes.telemetry import words_for_nodes
from sessions.own_process import module_command
from sessions.plan.config import LoadConfig, NodesConfig, RunConfig, WorkloadConfig
from sessions.plan.target_config import TargetConfig
from sessions.run.launch import launch
from sessions.store.follow import SessionFollower
from sessions.store.journal import SUPERVISOR_FILE, JournalWriter
from sessions.store.manifest import read
from sessions.store.records import AnyRecord, NodeClock
from sessions.summary.read import read_summary
from sessions.timeline.energy import curves, used
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuSamples, HostSample

S = 1_000_000_000
PATIENCE_S = 60.0
FAKE = Path(__file__).parents[2] / "telemetry" / "nvml" / "fake_nvml.c"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("no C compiler (cc) to build the stand-in for libnvidia-ml.so.1")
    built = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(built), str(FAKE)], check=True)
    return built


Polls = Callable[[str, int, str], None]


@pytest.fixture
def polls(tmp_path: Path, library: Path) -> Iterator[Polls]:
    """Starts the poller of a node, whose clock is so far ahead; its GPUs are what a text says."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(node: str, ahead_ns: int, gpus: str) -> None:
        state = tmp_path / f"{node}.txt"
        state.write_text(gpus.replace(";", "\n") + "\n")
        env = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), "TTFTOP_FAKE_NVML": str(state)}
        process = subprocess.Popen(
            module_command("sessions.nodes.telemetry", str(tmp_path)), stdin=subprocess.PIPE, env=env
        )
        processes.append(process)
        asked = StartTelemetry(node, ["nvml", "host"], time.monotonic_ns() - ahead_ns)
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(asked) + b"\n")
        process.stdin.flush()

    yield start
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0


def until_there(follower: SessionFollower, there: Callable[[list[AnyRecord]], bool]) -> list[AnyRecord]:
    records: list[AnyRecord] = []
    deadline = time.monotonic() + PATIENCE_S
    while not there(records):
        assert time.monotonic() < deadline, records
        time.sleep(0.05)
        records += follower.poll()
    return records


def test_gpus_of_nodes_with_one_host_name_and_clocks_apart_are_told_apart_in_session_time(
    tmp_path: Path, polls: Polls
) -> None:
    """By the clock records: one is 100 s ahead of what it was told, the other behind."""
    journal = JournalWriter(tmp_path / SUPERVISOR_FILE)
    journal.append(NodeClock(1, "a", -100.0 * S, 1000, 0.0, 15.0))
    journal.append(NodeClock(1, "b", 50.0 * S, 1000, 0.0, 15.0))
    journal.close()
    polls("a", 200 * S, "count 8;energy 5000")
    polls("b", 50 * S, "count 8;uuid_from 8")
    follower = SessionFollower(tmp_path, requests=False)

    def both(records: list[AnyRecord]) -> bool:
        seen = [record.source for record in records if isinstance(record, GpuSamples | HostSample)]
        return {"node a nvml", "node b nvml", "node a host", "node b host"} <= set(seen)

    timeline = Timeline()
    for record in until_there(follower, both):
        timeline.apply(record)
        assert record.t_ns <= 1 or 100 * S <= record.t_ns < 100 * S + PATIENCE_S * S
    gpus = [gpu.device(timeline.newest_ns) for gpu in timeline.gpus.values()]
    assert sorted((gpu.host, gpu.index) for gpu in gpus) == [(node, i) for node in "ab" for i in range(8)]
    assert {host.host for host in timeline.hosts.values()} == {"a", "b"}
    said = {source: notes[0][2] for source, notes in timeline.sources.items()}
    assert said["node a nvml"].startswith("a: ")


def test_a_gpu_that_two_nodes_tell_of_is_one(tmp_path: Path, polls: Polls) -> None:
    for node in ("a", "b"):
        polls(node, 100 * S, "count 2;power 100000")
    follower = SessionFollower(tmp_path, requests=False)

    def twice(records: list[AnyRecord]) -> bool:
        seen = [record.source for record in records if isinstance(record, GpuSamples)]
        return min(seen.count("node a nvml"), seen.count("node b nvml")) > 2

    timeline = Timeline()
    for record in until_there(follower, twice):
        timeline.apply(record)
    assert len(timeline.gpus) == 2
    parts = curves(timeline.gpus, timeline.newest_ns)
    assert len(parts) == 2
    of_one = used(parts[:1], 100 * S, timeline.newest_ns).joules
    assert used(parts, 100 * S, timeline.newest_ns).joules == pytest.approx(2 * (of_one or 0.0))


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        (["auto"], ["nvml", "host"]),
        (["none"], []),
        (["host"], ["host"]),
        (["http://x:1/metrics"], []),
        (["http://x:1/metrics", "nvml"], ["nvml"]),
    ],
)
def test_a_node_watches_what_is_its_own_of_what_was_asked(asked: list[str], there: list[str]) -> None:
    assert words_for_nodes(asked) == there


@pytest.mark.slow
def test_a_run_on_two_nodes_has_their_gpus_hosts_and_clocks(
    tmp_path: Path, simulator_url: str, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gpus.txt").write_text("count 4\n")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library.parent))
    monkeypatch.setenv("TTFTOP_FAKE_NVML", str(tmp_path / "gpus.txt"))
    config = RunConfig(
        target=TargetConfig(simulator_url),
        load=LoadConfig(rate_rps=20.0, requests=60, workers=2),
        workload=WorkloadConfig(input_tokens=16, output_tokens=4),
        telemetry=["nvml", "host"],
        nodes=NodesConfig(["local://a", "local://b"]),
    )
    run = launch(config, root=tmp_path / "sessions", api_key=None)
    try:
        run.wait_ready(PATIENCE_S)
        assert run.process.wait(PATIENCE_S) == 0
    finally:
        if run.process.poll() is None:
            run.process.kill()
        assert run.process.stdout is not None
        run.process.stdout.close()
    follower = SessionFollower(run.directory, requests=True)
    timeline = Timeline()
    for record in follower.poll():
        timeline.apply(record)
    assert not follower.notes()
    assert set(timeline.clocks) == {"a", "b"}
    for clocks in timeline.clocks.values():  # it is our own clock there
        assert all(abs(clock.correction_ns) <= 2 * clock.within_ns + 1e6 for clock in clocks)
        assert clocks[-1].within_ns < 100_000_000
    assert len(timeline.gpus) == 4
    sources = {source for gpu in timeline.gpus.values() for source in gpu.tables}
    assert sources == {"nvml", "node a nvml", "node b nvml"}
    assert {host.host for host in timeline.hosts.values()} > {"a", "b"}
    told = read(run.directory).client["nodes"]
    assert [(node["name"], node["workers"]) for node in told] == [("a", [0]), ("b", [1])]
    assert all(node["clock_within_ns"] > 0 for node in told)
    assert len(read_summary(run.directory).gpus) == 4
