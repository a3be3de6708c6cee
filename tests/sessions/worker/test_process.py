"""The load worker's own process: garbage kept away from tokens, starvation told, times said to be whose."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from loadgen.arrivals.load import ClosedLoad
from loadgen.records import Request, WorkerNote
from loadgen.worker_config import Address, SetLoad
from sessions.frame.session_view import SessionView
from sessions.plan.config import LoadConfig, RunConfig, WorkloadConfig
from sessions.plan.target_config import TargetConfig
from sessions.run.launch import Launched, launch
from sessions.store.follow import SessionFollower
from sessions.store.manifest import read
from sessions.summary.read import read_summary
from sessions.worker.process import addresses, quiet_garbage
from tests.loadgen.raw_server import RawServer, good
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generations that are collected from `quiet_garbage` on; all is put back afterwards."""
    before = gc.get_threshold()
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            found.append(info["generation"])

    quiet_garbage()
    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)
    gc.set_threshold(*before)
    gc.unfreeze()


def stream_tokens(requests: int, tokens: int) -> Emitted:
    async def body() -> Emitted:
        async with RawServer(lambda number, sent: good(tokens)) as server:
            return await run_engine(worker_config(server.port, ClosedLoad(8), requests=requests))

    return asyncio.run(body())


def test_streams_start_no_collection_of_old_objects(collections: list[int]) -> None:
    emitted = stream_tokens(requests=200, tokens=40)
    assert emitted.total("chunks") == 8000
    assert [generation for generation in collections if generation > 0] == []
    assert len(collections) <= 2, "the youngest generation, a few ms after thousands of requests"


def worker_pids(run: Launched) -> list[int]:
    supervisor = run.process.pid
    return [int(pid) for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()]


@pytest.fixture
def launched(tmp_path: Path, simulator_url: str) -> Iterator[Launched]:
    config = RunConfig(
        target=TargetConfig(simulator_url),
        load=LoadConfig(rate_rps=40.0, arrivals="constant", duration_s=30.0),
        workload=WorkloadConfig(input_tokens=32, output_tokens=8),
        telemetry=["none"],
    )
    run = launch(config, root=tmp_path, api_key=None)
    yield run
    if run.process.poll() is None:
        run.process.kill()
    run.process.wait()
    assert run.process.stdout is not None
    run.process.stdout.close()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the worker by /proc")
def test_a_starved_worker_is_on_the_screen_as_saturated_and_makes_the_run_invalid(launched: Launched) -> None:
    launched.wait_ready(30)
    (pid,) = worker_pids(launched)
    view = SessionView(launched.directory)

    def frame():  # type: ignore[no-untyped-def]
        view.poll()
        return view.frame(view.last_ns, 10_000_000_000, 40)

    for _ in range(10):
        if frame().client_saturated:
            pytest.skip("this machine is so busy that it starves the worker by itself")
        time.sleep(0.25)
    stop = threading.Event()

    def starve() -> None:
        while not stop.is_set():
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.1)

    starver = threading.Thread(target=starve)
    since_ns = read(launched.directory).clock.origin_monotonic_ns
    began_ns = time.monotonic_ns() - since_ns
    starver.start()
    try:
        deadline = time.monotonic() + 15
        while not (seen := frame()).client_saturated:
            assert time.monotonic() < deadline, "never said"
            time.sleep(0.05)
        while frame().at_ns < seen.at_ns + 2_000_000_000:  # the summary counts in whole seconds
            time.sleep(0.05)
    finally:
        stop.set()
        starver.join()
    assert "late" in seen.client_note
    # two troubled seconds at most, the tick that closes them, and this machine
    assert seen.at_ns - began_ns <= 2_800_000_000
    launched.process.send_signal(signal.SIGINT)
    assert launched.process.wait(20) == 130
    result = read_summary(launched.directory)
    assert result.valid is False
    assert any("the client was saturated" in reason for reason in result.reasons)


@pytest.mark.usefixtures("kernel_stamps")
def test_a_run_says_which_clock_it_had_and_how_the_client_held_up(tmp_path: Path, simulator_url: str) -> None:
    config = RunConfig(
        target=TargetConfig(simulator_url),
        load=LoadConfig(rate_rps=40.0, requests=60),
        workload=WorkloadConfig(input_tokens=32, output_tokens=8),
        telemetry=["none"],
    )
    run = launch(config, root=tmp_path, api_key=None)
    try:
        assert run.process.wait(40) == 0
    finally:
        assert run.process.stdout is not None
        run.process.stdout.close()
    manifest = read(run.directory)
    assert manifest.client["workers"] == 1
    assert manifest.client["planned_events_per_s"] == 320.0
    client = manifest.result["client"]  # type: ignore[index]
    assert client["clock"] == "kernel"
    assert client["kernel_share"] > 0.8
    assert 0 < client["clock_error_us"] < 1000
    assert 0 < client["cpu_share"] < 1
    assert client["workers"] == 1
    files = SessionFollower(run.directory, requests=False)
    notes = [r.event for r in files.poll() if isinstance(r, WorkerNote)]
    files.close()
    assert notes.count("clock") == 2, "at the start and at the end"


def test_a_worker_looks_up_no_name_whose_addresses_the_probe_has_found() -> None:
    found = addresses(Address("no.such.host.invalid", 8000, at=("127.0.0.2", "::1")))
    assert [(family, where[0]) for family, where in found] == [  # type: ignore[index]
        (socket.AF_INET, "127.0.0.2"),
        (socket.AF_INET6, "::1"),
    ]


BROKEN = """
import sys
from loadgen.worker.engine import Engine
from sessions.worker import process

method, of = sys.argv.pop(), Engine.command

def broken(engine, *told):
    if method == "start" or type(told[0]).__name__ == "SetLoad":
        raise ZeroDivisionError("a bug of ours")
    of(engine, *told)

setattr(Engine, method, broken)
sys.exit(process.main())
"""


@contextlib.contextmanager
def broken_worker(directory: Path, method: str) -> Iterator[Callable[[msgspec.Struct], None]]:
    """Gives what tells it something; it has ended with a traceback, its stdin still open, after the block."""
    with subprocess.Popen(
        [sys.executable, "-c", BROKEN, directory, "0", method],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as worker:
        assert worker.stdin is not None
        pipe = worker.stdin.fileno()
        try:
            yield lambda message: os.write(pipe, msgspec.json.encode(message) + b"\n")
            assert worker.wait(30) == 1
        finally:
            worker.kill()
        assert worker.stdout is not None
        assert worker.stderr is not None
        assert b'"ended"' not in worker.stdout.read()
        assert b"ZeroDivisionError: a bug of ours" in worker.stderr.read()


def test_a_bug_at_the_start_ends_the_worker_with_a_traceback_while_its_supervisor_is_there(
    tmp_path: Path,
) -> None:
    with broken_worker(tmp_path, "start") as tell:
        tell(worker_config(9))


def test_a_bug_in_mid_run_ends_the_worker_after_what_is_under_way_was_recorded(tmp_path: Path) -> None:
    load = ClosedLoad(4)

    async def body() -> None:
        async with RawServer(lambda number, sent: [30.0]) as server:
            with broken_worker(tmp_path, "command") as tell:
                tell(worker_config(server.port, load))
                while len(server.bodies) < 4:
                    await asyncio.sleep(0.01)
                tell(SetLoad(0, load))

    asyncio.run(asyncio.wait_for(body(), 60))
    files = SessionFollower(tmp_path, requests=True)
    records = files.poll()
    files.close()
    errors = [
        record.error.kind for record in records if isinstance(record, Request) and record.error is not None
    ]
    assert errors == ["unfinished"] * 4
