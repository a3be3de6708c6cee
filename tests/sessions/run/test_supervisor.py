"""Live runs in real processes: they outlive what starts them, end in order, and lose nothing on disk."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadgen.records import Request, Tick
from sessions.plan.config import DRAIN_S, LoadConfig, RunConfig, WorkloadConfig
from sessions.plan.target_config import TargetConfig
from sessions.run.commands import (
    AbortRun,
    Ack,
    AddMark,
    CommandError,
    FinishRun,
    Hello,
    Hold,
    Refusal,
    SetRamp,
    SetRate,
    SetWorkload,
    StepLoad,
)
from sessions.run.control_client import ControlClient, ControlError, send_once
from sessions.run.launch import Launched, LaunchError, Orders, launch
from sessions.run.place import SessionPlace
from sessions.run.preflight import preflight
from sessions.run.run_load import LOAD_OVER
from sessions.run.supervisor import Supervisor
from sessions.store.directory import hold_lock, is_live
from sessions.store.follow import Follower, GzipFollower, following
from sessions.store.journal import SUPERVISOR_FILE, request_paths, timeline_paths
from sessions.store.manifest import read, write
from sessions.store.records import End, LoadChange, Note, State
from sessions.summary.read import read_summary
from sessions.summary.schema import plain
from tests.faults.disk import limit_files
from tests.sessions.conftest import Maker

pytestmark = pytest.mark.slow

CANARY = "sk-CANARY-7f3a9"


def until(condition: Callable[[], Any], what: str, timeout_s: float = 20.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {timeout_s} s: {what}")


def host_records(directory: Path) -> list[Any]:
    return list(Follower(directory / SUPERVISOR_FILE).poll())


def requests_of(directory: Path) -> list[Request]:
    return [
        r for path in request_paths(directory) for r in GzipFollower(path).poll() if isinstance(r, Request)
    ]


def ticks_of(directory: Path) -> list[Tick]:
    return [r for path in timeline_paths(directory) for r in following(path).poll() if isinstance(r, Tick)]


def ended(directory: Path) -> End | None:
    return next((r for r in host_records(directory) if isinstance(r, End)), None)


@pytest.fixture
def start(tmp_path: Path, simulator_url: str) -> Iterator[Callable[..., Launched]]:
    runs: list[Launched] = []

    def begin(
        *,
        url: str = simulator_url,
        wait: bool = True,
        telemetry: str = "none",
        output_tokens: int = 8,
        drain_s: float = DRAIN_S,
        **load: Any,
    ) -> Launched:
        config = RunConfig(
            target=TargetConfig(url),
            load=LoadConfig(**load),
            workload=WorkloadConfig(input_tokens=32, output_tokens=output_tokens),
            telemetry=[telemetry],
            drain_s=drain_s,
        )
        run = launch(config, root=tmp_path, api_key=CANARY)
        runs.append(run)
        if wait:
            run.wait_ready(30)
        return run

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
        run.process.wait()
        assert run.process.stdout is not None
        run.process.stdout.close()


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


def test_a_run_completes_by_itself_and_leaves_a_private_session_without_the_key(
    start: Callable[..., Launched],
) -> None:
    run = start(rate_rps=40.0, requests=30)
    assert run.process.wait(30) == 0
    manifest = read(run.directory)
    assert manifest.end is not None
    assert (manifest.end.reason, manifest.end.exit_code) == ("completed", 0)
    assert manifest.simulated
    assert stat.S_IMODE(run.directory.stat().st_mode) == 0o700
    for path in run.directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert CANARY.encode() not in path.read_bytes(), path
    requests = requests_of(run.directory)
    assert sorted(r.index for r in requests) == list(range(30))
    assert {r.output_tokens for r in requests} == {8}
    assert {r.input_tokens for r in requests} == {32}
    assert [r.state for r in host_records(run.directory) if isinstance(r, State)] == [
        "probing",
        "running",
        "draining",
        "ended",
    ]
    assert not is_live(run.directory)


def test_the_summary_in_the_manifest_equals_the_one_read_back_to_the_digit(
    start: Callable[..., Launched],
) -> None:
    run = start(rate_rps=40.0, duration_s=1.5, telemetry="auto")
    assert run.process.wait(30) == 0
    fresh = plain(read_summary(run.directory))
    stored = read(run.directory).result
    assert stored is not None

    def without_none(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without_none(v) for k, v in value.items() if v is not None}
        return [without_none(v) for v in value] if isinstance(value, list) else value

    assert stored == without_none(fresh)
    assert fresh["requests"]["succeeded"] > 20
    assert fresh["simulated"] is True


def test_a_key_press_is_followed_within_100_ms_of_its_arrival(start: Callable[..., Launched]) -> None:
    run = start(rate_rps=50.0, arrivals="constant", duration_s=2.0)
    until(lambda: ticks_of(run.directory), "a first tick")
    answer = send_once(run.directory, SetRate(100.0))
    run.process.wait(30)
    change = next(r for r in host_records(run.directory) if isinstance(r, LoadChange) and r.change == "rate")
    assert change.received_ns is not None
    assert answer == Ack(change.t_ns, "running", rate_rps=100.0)
    due = sorted(r.due_ns for r in requests_of(run.directory))
    first_on_new = next(t for t in due if t >= change.t_ns)
    assert first_on_new - change.received_ns < 100_000_000
    after = [t for t in due if t >= first_on_new]
    assert {b - a for a, b in itertools.pairwise(after)} <= {10_000_000, 9_999_999, 10_000_001}


def test_a_ramp_that_is_asked_for_is_due_as_its_integral_says_over_all_workers(
    start: Callable[..., Launched],
) -> None:
    run = start(rate_rps=20.0, arrivals="constant", duration_s=2.5, workers=2)
    until(lambda: ticks_of(run.directory), "a first tick")
    answer = send_once(run.directory, SetRamp(100.0, 1.0))
    assert send_once(run.directory, SetRamp(1e6, 1.0)) == Refusal(
        "ramp: got 1e+06 rps, need above 0 and at most 1000"
    )
    run.process.wait(30)
    change = next(r for r in host_records(run.directory) if isinstance(r, LoadChange) and r.change == "ramp")
    assert change.label == "ramp from 20 to 100 rps in 1 s"
    assert (change.rate_rps, change.previous_rate_rps) == (20.0, 20.0)
    assert answer == Ack(change.t_ns, "running", rate_rps=20.0)
    after = sorted(r.due_ns for r in requests_of(run.directory) if r.due_ns > change.t_ns)

    def expected(t_ns: int) -> float:
        x = (t_ns - change.t_ns) / 1e9
        return 20 * x + 40 * x * x if x < 1 else 60 + 100 * (x - 1)

    # Each is due one whole request after the one before it, whatever the rate is by then.
    counts = [expected(t_ns) for t_ns in after]
    assert len(after) > 80
    assert all(abs(b - a - 1) < 1e-3 for a, b in itertools.pairwise(counts))


def test_what_requests_ask_for_changes_in_all_workers_at_the_instant_that_was_answered(
    start: Callable[..., Launched],
) -> None:
    run = start(rate_rps=40.0, duration_s=2.0, workers=2)
    until(lambda: any(tick.due for tick in ticks_of(run.directory)), "a first request")
    answer = send_once(run.directory, SetWorkload("short-chat"))
    run.process.wait(30)
    change = next(
        r for r in host_records(run.directory) if isinstance(r, LoadChange) and r.change == "workload"
    )
    assert answer == Ack(change.t_ns, "running", rate_rps=40.0, workload="short-chat")
    assert change.label == "workload: short-chat"
    asked = {
        (r.asked_input_tokens, r.asked_output_tokens, r.tags, r.due_ns >= change.t_ns)
        for r in requests_of(run.directory)
    }
    assert asked == {(32, 8, (), False), (128, 128, ("short-chat",), True)}


def test_two_viewers_that_press_up_at_the_same_moment_raise_the_load_twice(
    start: Callable[..., Launched],
) -> None:
    run = start(rate_rps=50.0)

    async def both() -> list[Any]:
        viewers = [ControlClient(run.directory), ControlClient(run.directory)]
        before = [await viewer.send(Hello(viewer=True)) for viewer in viewers]
        after = await asyncio.gather(*(viewer.send(StepLoad(1)) for viewer in viewers))
        for viewer in viewers:
            viewer.close()
        return [*before, *after]

    answers = asyncio.run(both())
    assert [(answer.state, answer.rate_rps) for answer in answers[:2]] == [("running", 50.0)] * 2
    assert sorted(answer.rate_rps for answer in answers[2:]) == [51.0, 52.0]
    changes = [r for r in host_records(run.directory) if isinstance(r, LoadChange) and r.change == "rate"]
    assert [(r.previous_rate_rps, r.rate_rps) for r in changes] == [(50.0, 51.0), (51.0, 52.0)]
    assert {answer.at_ns for answer in answers[2:]} == {change.t_ns for change in changes}
    until(lambda: [tick for tick in ticks_of(run.directory) if tick.rate_rps == 52.0], "the workers follow")


def test_a_flood_of_marks_is_refused_in_words_and_the_run_goes_on(
    tmp_path: Path, make_run: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.run.supervisor._MARKS_CAP", 3)
    write(tmp_path, make_run().manifest)
    place = SessionPlace(tmp_path, hold_lock(tmp_path))
    supervisor = Supervisor(tmp_path, Orders(str(tmp_path), make_run().manifest.config), place)
    for _ in range(3):
        assert isinstance(supervisor._obey(AddMark("m" * 10_000)), Ack)
    with pytest.raises(CommandError, match="3 marks are set already"):
        supervisor._obey(AddMark("one more"))
    assert isinstance(supervisor._obey(Hello()), Ack)
    place.close()
    assert [record.text for record in host_records(tmp_path)] == ["m" * 200] * 3


def test_before_its_load_and_after_it_a_run_refuses_to_change_it_in_words(
    start: Callable[..., Launched], silent_server: str
) -> None:
    early = start(url=silent_server, wait=False)
    until(lambda: "probing" in [getattr(r, "state", "") for r in host_records(early.directory)], "the probe")
    assert send_once(early.directory, StepLoad(1)) == Refusal("the load has not begun yet; wait for it")
    late = start(rate_rps=20.0)
    worker = worker_pids(late.process.pid)[0]
    os.kill(worker, signal.SIGSTOP)  # so that the run cannot end before it is asked
    assert isinstance(send_once(late.directory, FinishRun()), Ack)
    assert send_once(late.directory, StepLoad(1)) == Refusal(LOAD_OVER)
    os.kill(worker, signal.SIGCONT)
    late.process.wait(30)
    end = ended(late.directory)
    assert end is not None
    assert end.reason == "finished"


def test_two_workers_send_what_one_would(start: Callable[..., Launched]) -> None:
    due = []
    for workers in (1, 2):
        run = start(rate_rps=30.0, duration_s=1.5, workers=workers, seed=5)
        assert run.process.wait(30) == 0
        started = next(r for r in host_records(run.directory) if isinstance(r, LoadChange))
        due.append(
            [
                (r.index, r.due_ns - started.t_ns)
                for r in sorted(requests_of(run.directory), key=lambda r: r.index)
            ]
        )
    assert due[0] == due[1]
    assert len(due[0]) > 25


def test_fewer_slots_than_workers_do_not_keep_a_number_of_requests_from_coming_to_its_end(
    start: Callable[..., Launched],
) -> None:
    run = start(concurrency=2, workers=2, requests=60)
    answer = send_once(run.directory, StepLoad(-1))
    assert run.process.wait(30) == 0
    assert len(requests_of(run.directory)) == 60
    assert isinstance(answer, Refusal)
    assert "need a whole number from 2 " in answer.reason


def test_sigterm_ends_the_run_saved_within_5_s_and_sighup_does_not(start: Callable[..., Launched]) -> None:
    run = start(rate_rps=20.0)
    until(lambda: requests_of(run.directory), "a first request on disk")
    run.process.send_signal(signal.SIGHUP)
    assert isinstance(send_once(run.directory, AddMark("still here")), Ack)
    began = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(30) == 130
    assert time.monotonic() - began < 5.0
    manifest = read(run.directory)
    assert manifest.end is not None
    assert (manifest.end.reason, manifest.end.exit_code) == ("interrupted", 130)
    assert manifest.result is not None
    assert manifest.result["valid"] is False
    requests = manifest.result["requests"]
    assert requests["due"] == requests["sent"] + requests["not_sent"]
    assert requests["sent"] == requests["succeeded"] + requests["failed"]


def worker_pids(host_pid: int) -> list[int]:
    path = Path(f"/proc/{host_pid}/task/{host_pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_killing_the_supervisor_leaves_a_session_that_opens_with_a_note(
    start: Callable[..., Launched],
) -> None:
    run = start(rate_rps=30.0)
    until(lambda: len(requests_of(run.directory)) > 20, "twenty requests on disk")
    workers = worker_pids(run.process.pid)
    seen = len(requests_of(run.directory))
    run.process.kill()
    run.process.wait()
    until(lambda: not any(map(is_running, workers)), "the workers end by themselves")
    assert not is_live(run.directory)
    assert ended(run.directory) is None
    summary = read_summary(run.directory)
    assert summary.requests.succeeded >= seen
    assert summary.valid is False
    assert any("kill" in reason for reason in summary.reasons)
    with pytest.raises(ControlError):
        send_once(run.directory, Hold())


def test_killing_a_worker_ends_the_run_in_order_and_says_so(start: Callable[..., Launched]) -> None:
    run = start(rate_rps=30.0, workers=2)
    until(lambda: len(requests_of(run.directory)) > 20, "twenty requests on disk")
    os.kill(worker_pids(run.process.pid)[0], signal.SIGKILL)
    assert run.process.wait(30) == 1
    end = ended(run.directory)
    assert end is not None
    assert end.reason == "worker_lost"
    assert any(isinstance(r, Note) and "signal 9" in r.text for r in host_records(run.directory))
    summary = read_summary(run.directory)
    assert summary.valid is False
    assert summary.requests.succeeded >= 20


def test_a_worker_that_dies_while_the_run_ends_spoils_it(start: Callable[..., Launched]) -> None:
    run = start(rate_rps=30.0)
    until(lambda: len(requests_of(run.directory)) > 20, "twenty requests on disk")
    worker = worker_pids(run.process.pid)[0]
    os.kill(worker, signal.SIGSTOP)
    assert isinstance(send_once(run.directory, FinishRun()), Ack)
    until(lambda: "draining" in [getattr(r, "state", "") for r in host_records(run.directory)], "the end")
    os.kill(worker, signal.SIGKILL)
    assert run.process.wait(30) == 1
    end = ended(run.directory)
    assert end is not None
    assert end.reason == "unsaved"
    assert "load worker 0 ended before all was written (signal 9)" in end.message
    assert read_summary(run.directory).valid is False


def test_a_worker_that_dies_before_the_load_is_named_and_no_interruption(
    start: Callable[..., Launched], silent_server: str
) -> None:
    run = start(url=silent_server, wait=False)
    until(lambda: worker_pids(run.process.pid), "a worker")
    until(lambda: "probing" in [getattr(r, "state", "") for r in host_records(run.directory)], "the probe")
    os.kill(worker_pids(run.process.pid)[0], signal.SIGKILL)
    with pytest.raises(LaunchError, match="load worker 0: signal 9") as refused:
        run.wait_ready(30)
    assert refused.value.exit_code == 1
    run.process.wait(10)


def test_a_worker_that_dies_between_the_probe_and_the_load_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    simulator_url: str,
    capfd: pytest.CaptureFixture[str],
    make_run: Maker,
) -> None:
    directory, probed = tmp_path / "run", tmp_path / "probed"
    directory.mkdir()
    config = RunConfig(TargetConfig(simulator_url), LoadConfig(), WorkloadConfig(32, 8), telemetry=["none"])
    write(directory, make_run().manifest)
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nuntil [ -e {probed} ]; do sleep 0.01; done\nexit 7\n")
    python.chmod(0o700)

    async def probe_first(*asked: Any) -> Any:
        found = await preflight(*asked)
        probed.touch()
        return found

    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setattr("sessions.run.supervisor.preflight", probe_first)
    monkeypatch.setattr("sessions.worker.processes.WorkerProcesses.ready_s", 10.0)
    place = SessionPlace(directory, hold_lock(directory))
    assert asyncio.run(Supervisor(directory, Orders(str(directory), config), place).run()) == 1
    place.close()
    assert msgspec.json.decode(capfd.readouterr().out) == {
        "state": "refused",
        "message": "load worker 0: exit code 7",
        "exit_code": 1,
    }
    assert not directory.exists()


def limit_files_of_workers(run: Launched, most_bytes: int | None) -> None:
    for pid in worker_pids(run.process.pid):
        limit_files(pid, most_bytes)


def test_a_disk_that_stays_full_is_told_at_once_and_spoils_the_run(start: Callable[..., Launched]) -> None:
    run = start(rate_rps=60.0)
    until(lambda: len(requests_of(run.directory)) > 10, "ten requests on disk")
    limit_files_of_workers(run, 1)
    too_large = os.strerror(errno.EFBIG)
    until(lambda: [n for n in host_records(run.directory) if too_large in getattr(n, "text", "")], "a word")
    assert isinstance(send_once(run.directory, FinishRun()), Ack)
    assert run.process.wait(30) == 1
    end = ended(run.directory)
    assert end is not None
    assert end.reason == "unsaved"
    assert "were lost" in end.message
    assert too_large in end.message
    summary = read_summary(run.directory)
    assert summary.valid is False
    assert "part of what was measured could not be saved" in summary.reasons
    assert [path.name for path in run.directory.iterdir() if path.name.startswith("reserve")] == []


def test_a_disk_that_takes_again_loses_nothing(start: Callable[..., Launched]) -> None:
    run = start(rate_rps=60.0)
    until(lambda: len(requests_of(run.directory)) > 10, "ten requests on disk")
    limit_files_of_workers(run, 1)
    until(lambda: [n for n in host_records(run.directory) if getattr(n, "level", "") == "error"], "a word")
    limit_files_of_workers(run, None)
    until(
        lambda: [n for n in host_records(run.directory) if "takes data again" in getattr(n, "text", "")],
        "the disk takes data again",
    )
    assert isinstance(send_once(run.directory, FinishRun()), Ack)
    assert run.process.wait(30) == 0
    summary = read_summary(run.directory)
    assert summary.valid is True
    assert summary.requests.succeeded == summary.requests.sent == len(requests_of(run.directory))


def test_a_closed_port_is_refused_in_one_line_with_exit_code_3_and_leaves_nothing(
    start: Callable[..., Launched], tmp_path: Path
) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        run = start(url=f"http://127.0.0.1:{port}", wait=False)
        with pytest.raises(LaunchError, match=f"127.0.0.1:{port}") as refused:
            run.wait_ready(30)
    assert refused.value.exit_code == 3
    assert "\n" not in str(refused.value)
    run.process.wait(10)
    assert list(tmp_path.iterdir()) == []


def test_workers_of_a_refused_run_do_not_end_unexpectedly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    config = RunConfig(target=TargetConfig(f"http://127.0.0.1:{port}"), telemetry=["none"])
    run = launch(config, root=tmp_path, api_key=None, debug=True)  # what it says is kept, then
    with pytest.raises(LaunchError, match="connection refused"):
        run.wait_ready(30)
    assert run.process.wait(30) == 3
    assert run.process.stdout is not None
    run.process.stdout.close()
    assert [record.text for record in host_records(run.directory) if isinstance(record, Note)] == []


def test_telemetry_in_words_that_mean_nothing_together_is_refused_before_the_server_is_asked(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        config = RunConfig(target=TargetConfig(url), telemetry=["none", "nvml"])
        run = launch(config, root=tmp_path, api_key=None)
        with pytest.raises(LaunchError, match="none stands alone") as refused:
            run.wait_ready(30)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert refused.value.exit_code == 2
    assert run.process.wait(30) == 2
    assert run.process.stdout is not None
    run.process.stdout.close()


def test_finish_drains_and_abort_cuts_off(start: Callable[..., Launched]) -> None:
    run = start(rate_rps=30.0)
    until(lambda: requests_of(run.directory), "a first request")
    assert isinstance(send_once(run.directory, FinishRun()), Ack)
    assert run.process.wait(30) == 0
    end = ended(run.directory)
    assert end is not None
    assert end.reason == "finished"
    assert read_summary(run.directory).errors == {}

    other = start(rate_rps=30.0)
    until(lambda: requests_of(other.directory), "a first request")
    assert isinstance(send_once(other.directory, AbortRun()), Ack)
    assert other.process.wait(30) == 130


def test_answers_that_last_longer_than_the_drain_are_cut_off_and_no_failures(
    start: Callable[..., Launched],
) -> None:
    run = start(concurrency=3, duration_s=1.0, output_tokens=8_000, drain_s=0.5)
    assert run.process.wait(30) == 1
    end, summary = ended(run.directory), read_summary(run.directory)
    assert end is not None
    assert (end.reason, end.message) == ("completed", "requests still in flight 0.5 s later (--drain)")
    counts = summary.requests
    assert (counts.sent, counts.cut_off, counts.failed, summary.errors) == (3, 3, 0, {})
    assert summary.reasons[:1] == [
        "the end of the run cut off 3 of 3 answers, above all long ones (100.0%, allowed 1%)"
    ]
    assert read(run.directory).config.drain_s == 0.5


def test_who_aborts_a_run_that_is_finished_cuts_its_answers_off_and_no_more(
    start: Callable[..., Launched],
) -> None:
    run = start(concurrency=3, output_tokens=8_000)
    until(lambda: sum(tick.sent for tick in ticks_of(run.directory)) == 3, "three requests")
    assert isinstance(send_once(run.directory, FinishRun()), Ack)
    assert isinstance(send_once(run.directory, AbortRun()), Ack)
    assert run.process.wait(30) == 1, "for what was cut off; an abort of a load would be 130"
    end, summary = ended(run.directory), read_summary(run.directory)
    assert end is not None
    assert (end.reason, end.message) == ("finished", "answers in flight were cut off by hand")
    assert (summary.requests.cut_off, summary.errors) == (3, {})


def test_an_open_end_without_a_viewer_stops_itself_and_with_one_does_not(
    tmp_path: Path, simulator_url: str
) -> None:
    config = RunConfig(
        TargetConfig(simulator_url),
        LoadConfig(rate_rps=10.0),
        WorkloadConfig(32, 8),
        telemetry=["none"],
        interactive=True,
        orphan_timeout_s=1.0,
    )

    async def body() -> Launched:
        run = launch(config, root=tmp_path, api_key=None)
        await asyncio.to_thread(run.wait_ready, 30)
        viewer = ControlClient(run.directory)
        await viewer.send(Hello(viewer=True))
        await asyncio.sleep(2.5)
        assert run.process.poll() is None
        viewer.close()
        return run

    run = asyncio.run(body())
    assert run.process.wait(30) == 0
    end = ended(run.directory)
    assert end is not None
    assert end.reason == "orphaned"
    assert run.process.stdout is not None
    run.process.stdout.close()


def test_the_key_reaches_the_server_and_no_command_line(start: Callable[..., Launched]) -> None:
    run = start(rate_rps=10.0)
    for pid in [run.process.pid, *worker_pids(run.process.pid)]:
        assert CANARY.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert CANARY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    send_once(run.directory, AbortRun())
    run.process.wait(30)
    assert CANARY not in msgspec.json.encode(read(run.directory)).decode()
