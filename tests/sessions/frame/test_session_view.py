from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from loadgen.records import TICK_NS, Tick
from loadgen.sketch import bucket, value_ns
from sessions.frame.build import build
from sessions.frame.schema import Frame
from sessions.frame.session_view import SessionView
from sessions.plan.config import LoadConfig, RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store.directory import hold_lock, is_live
from sessions.store.journal import (
    SUPERVISOR_FILE,
    JournalWriter,
    RequestJournalWriter,
    request_file,
    worker_file,
)
from sessions.store.manifest import ClockAnchor, EndInfo, Manifest, SessionInfo, write
from sessions.store.records import End, LoadChange, Mark, State
from sessions.store.request_line import Sought
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples, ServerSample, SourceNote
from tests.sessions.summary.summing import stored

MakeRun = Callable[..., Any]
SECOND = 1_000_000_000


def folded(records: Sequence[Any]) -> Timeline:
    timeline = Timeline()
    for record in records:
        timeline.apply(record)
    return timeline


def frame(
    timeline: Timeline,
    at_ns: int,
    *,
    window_ns: int = 10 * SECOND,
    slots: int = 10,
    manifest: Manifest | None = None,
    live: bool = False,
    killed: bool = False,
    start_ns: int | None = None,
) -> Frame:
    return build(
        timeline,
        manifest,
        at_ns=at_ns,
        window_ns=window_ns,
        slots=slots,
        live=live,
        killed=killed,
        session="made",
        start_ns=start_ns,
    )


def assert_same_drawing(one: Frame, other: Frame) -> None:
    """Equal but for what a live screen cannot know: how far the session will go."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, np.ndarray):
            return [None if np.isnan(item) else item for item in value.tolist()]
        return [plain(item) for item in value] if isinstance(value, tuple) else value

    known_later = {"live": False, "last_ns": 0}
    assert plain(dataclasses.replace(one, **known_later)) == plain(dataclasses.replace(other, **known_later))


def machines(seconds: int) -> list[Any]:
    samples: list[Any] = [
        GpuDevices(
            t_ns=2 * SECOND,
            source="nvml",
            devices=[GpuDevice("GPU-a", 0, "H200"), GpuDevice("GPU-b", 1, "H200")],
        ),
        SourceNote(t_ns=10, source="nvml", ok=True, message="NVML: 2 GPUs"),
    ]
    for i in range(1, 4 * seconds):
        t_ns = i * TICK_NS + 3_000_000
        gpus = [GpuSample(gpu="GPU-a", util_pct=float(i % 100), power_w=300.0 + i), GpuSample(gpu="GPU-b")]
        samples.append(GpuSamples(t_ns=t_ns, took_ns=2_000_000, source="nvml", gpus=gpus))
        samples.append(
            ServerSample(t_ns=t_ns, took_ns=1, source="m", waiting=float(i % 5), preemptions=float(i // 8))
        )
    return samples


def test_live_and_replay_draw_the_same_frame_for_the_same_instant(make_run: MakeRun) -> None:
    run = make_run(workers=2, failing=0.1, changes=((5.0, 40.0),))
    records = sorted([*run.timeline_records, *machines(18)], key=lambda record: record.t_ns)
    replay = folded(records)
    live, given = Timeline(), 0
    for at_ns in range(0, records[-1].t_ns + 2 * TICK_NS, 3 * TICK_NS):
        while given < len(records) and records[given].t_ns <= at_ns:
            live.apply(records[given])
            given += 1
        for window_ns, slots in ((10 * SECOND, 40), (60 * SECOND, 7), (7 * SECOND, 100)):
            shape = {"window_ns": window_ns, "slots": slots, "manifest": run.manifest}
            assert_same_drawing(frame(live, at_ns, live=True, **shape), frame(replay, at_ns, **shape))
    assert given == len(records)


def test_closed_columns_stand_still_while_the_playhead_moves(make_run: MakeRun) -> None:
    timeline = folded([*make_run().timeline_records, *machines(18)])
    one, other = frame(timeline, 8_100_000_000), frame(timeline, 8_900_000_000)
    assert one.start_ns == other.start_ns == -SECOND
    for name in ("offered", "achieved", "output_tokens", "in_flight_series", "failed_series"):
        np.testing.assert_array_equal(getattr(one, name)[:-1], getattr(other, name)[:-1])
    for band in ("ttft", "itl"):
        np.testing.assert_array_equal(getattr(one, band).p95[:-1], getattr(other, band).p95[:-1])
    np.testing.assert_array_equal(one.gpus[0].power[:-1], other.gpus[0].power[:-1])
    later = frame(timeline, 9_100_000_000)
    np.testing.assert_array_equal(later.achieved[:-2], one.achieved[1:-1])


def test_columns_hold_what_ended_in_them_and_gaps_where_nothing_did() -> None:
    itl = [bucket(20_000_000), 10]
    timeline = folded(
        [
            LoadChange(t_ns=2 * SECOND, change="start", rate_rps=8.0, label="start at 8 rps"),
            *(
                Tick(
                    t_ns=2 * SECOND + i * TICK_NS,
                    dt_ns=TICK_NS,
                    worker=worker,
                    sent=1,
                    output_tokens=10,
                    chunks=10,
                    in_flight=3 + worker,
                    rate_rps=8.0,
                    itl=itl,
                    chunk_gap=itl,
                )
                for i in range(1, 5)
                for worker in (0, 1)
            ),
        ]
    )
    drawn = frame(timeline, 5 * SECOND, window_ns=5 * SECOND, slots=5)
    nan = np.nan
    assert (drawn.start_ns, drawn.slot_ns, drawn.slots) == (0, SECOND, 5)
    np.testing.assert_array_equal(drawn.achieved, [nan, nan, 8.0, nan, nan])
    np.testing.assert_array_equal(drawn.offered, [nan, nan, 8.0, nan, nan])
    np.testing.assert_array_equal(drawn.output_tokens, [nan, nan, 80.0, nan, nan])
    np.testing.assert_array_equal(drawn.in_flight_series, [nan, nan, 7.0, nan, nan])
    np.testing.assert_array_equal(drawn.failed_series, [nan, nan, 0.0, nan, nan])
    value_ms = value_ns(bucket(20_000_000)) / 1e6
    np.testing.assert_allclose(drawn.itl.p50, [nan, nan, value_ms, nan, nan])
    assert np.isnan(drawn.ttft.p99).all()
    assert drawn.itl_recent.count == 80
    assert drawn.itl_recent.thin == {"p95", "p99"}
    assert drawn.itl_recent.p50_ms == pytest.approx(20, rel=0.01)
    assert drawn.ttft_recent.p50_ms is None
    assert (drawn.sent, drawn.achieved_rps, drawn.output_tps) == (8, 8.0, 80.0)
    assert (drawn.rate_rps, drawn.tokens_per_chunk, drawn.itl_is_chunk_gap) == (8.0, 1.0, False)


def test_the_open_column_is_divided_by_the_time_it_has_been_open() -> None:
    timeline = folded(
        [Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, sent=2, in_flight=1) for i in range(1, 6)]
    )
    drawn = frame(timeline, 5 * TICK_NS, window_ns=2 * SECOND, slots=2)
    np.testing.assert_array_equal(drawn.achieved, [8.0, 8.0])
    assert drawn.achieved_rps == 8.0
    assert drawn.in_flight == 1


@pytest.mark.parametrize("change", ["rate", "stage", "resume", "ramp"])
def test_what_was_sent_of_due_is_of_the_load_that_is_on_and_of_ten_seconds_at_the_most(change: str) -> None:
    def made(until_s: int) -> Frame:
        ticks = [
            Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, due=n, sent=n, succeeded=n)
            for i in range(1, until_s * 4 + 1)
            for n in ((5,) if i <= 80 else (1,))
        ]
        loads = [LoadChange(1, "start", rate_rps=20.0), LoadChange(20 * SECOND, change, rate_rps=4.0)]
        loads.append(LoadChange(21 * SECOND, "workload", rate_rps=4.0))
        timeline = folded([*loads, *ticks])
        return frame(timeline, until_s * SECOND, window_ns=60 * SECOND, slots=60)

    before, after, later = made(19), made(23), made(50)
    assert (before.due_rps, before.achieved_rps, before.rates_s) == (20.0, 20.0, 10.0)
    assert (after.due_rps, after.achieved_rps, after.completed_rps, after.rates_s) == (4.0, 4.0, 4.0, 3.0)
    assert (later.due_rps, later.rates_s) == (4.0, 10.0)


def test_a_change_of_load_shows_before_the_next_tick_does() -> None:
    timeline = folded(
        [
            LoadChange(t_ns=0, change="start", rate_rps=4.0),
            Tick(t_ns=TICK_NS, dt_ns=TICK_NS, worker=0, rate_rps=4.0),
            LoadChange(t_ns=TICK_NS + 1000, change="rate", rate_rps=5.0),
            Tick(t_ns=2 * TICK_NS, dt_ns=TICK_NS, worker=0, rate_rps=5.5),
        ]
    )
    assert [frame(timeline, at).rate_rps for at in (10, TICK_NS, TICK_NS + 1000, 2 * TICK_NS)] == [
        4.0,
        4.0,
        5.0,
        5.5,
    ]


def test_a_closed_loop_has_slots_and_no_rate() -> None:
    manifest = Manifest(
        SessionInfo("id", "n", "2026"),
        ClockAnchor(0, 0),
        RunConfig(TargetConfig("http://127.0.0.1:1"), LoadConfig(concurrency=6)),
    )
    timeline = folded([Tick(t_ns=TICK_NS, dt_ns=TICK_NS, worker=0, concurrency=6)])
    drawn = frame(timeline, TICK_NS, manifest=manifest)
    assert (drawn.closed_loop, drawn.rate_rps, drawn.concurrency) == (True, None, 6)
    assert np.isnan(drawn.offered).all()


def test_gaps_of_chunks_with_several_tokens_are_labelled_so() -> None:
    gaps = [bucket(60_000_000), 40]
    timeline = folded(
        [Tick(t_ns=TICK_NS, dt_ns=TICK_NS, worker=0, chunks=41, output_tokens=41, chunk_gap=gaps)]
    )
    drawn = frame(timeline, TICK_NS)
    assert drawn.itl_is_chunk_gap
    assert drawn.tokens_per_chunk is None, "nobody said how many tokens the chunks bore"
    assert drawn.itl_run.p50_ms == pytest.approx(60, rel=0.01)
    assert drawn.itl.p50[-1] == pytest.approx(60, rel=0.01)


@pytest.mark.parametrize(("unknown", "is_gap"), [(0, False), (5, False), (6, True), (50, True)])
def test_gaps_taken_for_itls_lose_that_name_once_requests_end_with_more_tokens_than_chunks(
    unknown: int, is_gap: bool
) -> None:
    gaps = [bucket(60_000_000), 40]
    timeline = folded(
        [
            Tick(
                t_ns=TICK_NS,
                dt_ns=TICK_NS,
                worker=0,
                chunks=90,
                output_tokens=90,
                succeeded=50,
                itl_unknown=unknown,
                itl=gaps,
                chunk_gap=gaps,
            )
        ]
    )
    drawn = frame(timeline, TICK_NS)
    assert drawn.itl_is_chunk_gap is is_gap
    assert drawn.tokens_per_chunk == (None if is_gap else 1.0)


def test_marks_fall_on_the_columns_of_all_charts() -> None:
    timeline = folded(
        [Mark(t_ns=500, text="early"), Mark(t_ns=8 * SECOND, text="now"), Mark(t_ns=9 * SECOND, text="later")]
    )
    drawn = frame(timeline, 8 * SECOND, window_ns=4 * SECOND, slots=4)
    assert [(mark.label, mark.slot) for mark in drawn.marks] == [("early", None), ("now", 3)]


def test_gpu_figures_are_the_newest_and_a_lost_gpu_grows_stale_and_leaves_a_gap() -> None:
    device = GpuDevice("GPU-a", 0, "H200", memory_total_bytes=100, power_limit_w=700.0)
    samples = [
        GpuSamples(
            t_ns=i * TICK_NS,
            took_ns=1,
            source="nvml",
            gpus=[GpuSample("GPU-a", util_pct=10.0 * i, memory_used_bytes=25)],
        )
        for i in range(1, 9)
    ]
    timeline = folded([GpuDevices(t_ns=0, source="nvml", devices=[device]), *samples])
    (gpu,) = frame(timeline, 2 * SECOND, window_ns=4 * SECOND, slots=4).gpus
    assert (gpu.label, gpu.name, gpu.util_pct, gpu.power_w) == ("0", "H200", 80.0, None)
    assert (gpu.memory_used_bytes, gpu.memory_total_bytes, gpu.power_limit_w) == (25, 100, 700.0)
    np.testing.assert_array_equal(gpu.util, [np.nan, np.nan, 25.0, 65.0])
    np.testing.assert_array_equal(gpu.memory_pct, [np.nan, np.nan, 25.0, 25.0])
    assert np.isnan(gpu.power).all()
    assert (gpu.age_s, gpu.stale) == (0.0, False)
    (gpu,) = frame(timeline, 6 * SECOND, window_ns=4 * SECOND, slots=4).gpus
    assert (gpu.age_s, gpu.stale, gpu.util_pct) == (4.0, True, 80.0)
    assert np.isnan(gpu.util).all()


def test_columns_to_come_are_gaps_and_the_others_what_they_are_without_them(make_run: MakeRun) -> None:
    run = make_run(workers=2)
    samples = [
        GpuSamples(t_ns=i * SECOND // 3, took_ns=1, source="d", gpus=[GpuSample("g", power_w=100.0 * i)])
        for i in range(40)
    ]
    timeline = folded([*run.timeline_records, *samples])
    for at_ns in (2 * SECOND, 7_300_000_000, timeline.known_ns):
        raw = frame(timeline, at_ns, window_ns=6 * SECOND, slots=12)
        moved = frame(
            timeline, at_ns, window_ns=6 * SECOND, slots=12, start_ns=raw.start_ns + 3 * raw.slot_ns
        )
        assert (moved.start_ns, moved.slot_ns, moved.slots) == (
            raw.start_ns + 3 * raw.slot_ns,
            raw.slot_ns,
            12,
        )
        pairs = [
            (raw.achieved, moved.achieved),
            (raw.in_flight_series, moved.in_flight_series),
            (raw.ttft.p95, moved.ttft.p95),
            (raw.gpus[0].power, moved.gpus[0].power),
        ]
        for before, after in pairs:
            np.testing.assert_array_equal(after, np.concatenate([before[3:], np.full(3, np.nan)]))
        slots = {mark.t_ns: mark.slot for mark in moved.marks}
        for mark in raw.marks:
            assert slots[mark.t_ns] == (None if mark.slot is None or mark.slot < 3 else mark.slot - 3)


def test_columns_between_two_samples_show_the_one_before() -> None:
    samples = [
        GpuSamples(t_ns=i * SECOND, took_ns=1, source="d", gpus=[GpuSample("g", power_w=100.0 * i)])
        for i in range(1, 5)
    ]
    (gpu,) = frame(folded(samples), 5 * SECOND, window_ns=2 * SECOND, slots=8).gpus
    np.testing.assert_array_equal(gpu.power, [300, 300, 300, 400, 400, 400, 400, 400])
    (gpu,) = frame(folded(samples), 6_500_000_000, window_ns=2 * SECOND, slots=4).gpus
    np.testing.assert_array_equal(gpu.power, [400.0, 400.0, np.nan, np.nan])


def test_gpus_of_several_hosts_are_labelled_by_host() -> None:
    devices = [GpuDevice("b", 0, host="n2"), GpuDevice("a", 1, host="n1")]
    drawn = frame(folded([GpuDevices(t_ns=0, source="dcgm", devices=devices)]), 5)
    assert [gpu.label for gpu in drawn.gpus] == ["n1:1", "n2:0"]
    assert drawn.gpus[0].age_s is None
    assert drawn.gpus[0].stale


def test_without_a_gpu_the_reason_is_told() -> None:
    notes = [SourceNote(t_ns=5, source="nvml", ok=False, message="no NVIDIA driver on this machine")]
    assert frame(folded(notes), 4).gpu_note == ""
    assert frame(folded(notes), 5).gpu_note == "no NVIDIA driver on this machine"
    found = [*notes, SourceNote(t_ns=9, source="nvml", ok=True, message="found")]
    assert frame(folded(found), 9).gpu_note == ""


def test_server_figures_with_preemptions_by_the_second() -> None:
    timeline = folded(
        [
            ServerSample(
                t_ns=i * SECOND, took_ns=1, source="m", running=7.0, kv_pct=50.0, preemptions=float(3 * i)
            )
            for i in range(1, 6)
        ]
    )
    server = frame(timeline, 5 * SECOND, window_ns=5 * SECOND, slots=5).server
    assert (server.running, server.waiting, server.kv_pct) == (7.0, None, 50.0)
    assert server.preemptions_per_s == pytest.approx(3.0)
    assert server.kv is not None
    np.testing.assert_array_equal(server.kv, [50.0] * 5)
    assert frame(timeline, 60 * SECOND).server.running is None, "a figure of a minute ago is no figure of now"


def test_a_saturated_client_is_told() -> None:
    ticks = [
        Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, cpu_ns=int(0.95 * TICK_NS)) for i in range(1, 41)
    ]
    timeline = folded([tick for tick in ticks if tick.t_ns <= 8 * SECOND])
    assert frame(timeline, 8 * SECOND).client_saturated
    assert "95% of a core" in frame(timeline, 8 * SECOND).client_note
    assert not frame(timeline, SECOND).client_saturated
    assert not frame(timeline, 20 * SECOND).client_saturated


# the view: files


def manifest_of(directory: Path, **changes: Any) -> None:
    write(
        directory,
        Manifest(
            SessionInfo(directory.name, "base", "2026-11-03T12:00:00+00:00"),
            ClockAnchor(0, 0),
            RunConfig(TargetConfig("http://127.0.0.1:8000")),
            server={"model": "toy", "simulated": True},
            **changes,
        ),
    )


def test_a_session_is_seen_growing_from_nothing_to_its_end(tmp_path: Path) -> None:
    directory = tmp_path / "s"
    view = SessionView(directory)
    assert not view.poll()
    assert (view.frame(0, 10 * SECOND, 10).state, view.live, view.last_ns) == ("starting", True, 0)
    directory.mkdir()
    manifest_of(directory)
    assert view.poll()
    assert not view.poll()
    lock = hold_lock(directory)
    supervisor, worker = JournalWriter(directory / SUPERVISOR_FILE), JournalWriter(directory / worker_file(0))
    supervisor.append([State(t_ns=5, state="probing"), LoadChange(t_ns=9, change="start", rate_rps=1.0)])
    assert view.poll()
    drawn = view.frame(view.last_ns, 10 * SECOND, 10)
    assert (drawn.session, drawn.target, drawn.model) == ("base", "http://127.0.0.1:8000", "toy")
    assert (drawn.state, drawn.simulated, drawn.live, drawn.first_ns) == ("probing", True, True, 9)
    worker.append(Tick(t_ns=TICK_NS, dt_ns=TICK_NS, worker=0, due=3))
    assert view.poll()
    assert view.last_ns == TICK_NS
    assert view.frame(TICK_NS, 10 * SECOND, 10).due == 3
    supervisor.append(End(t_ns=2 * TICK_NS, reason="finished"))
    assert view.poll()
    drawn = view.frame(view.last_ns, 10 * SECOND, 10)
    assert (drawn.state, drawn.state_message, view.live) == ("ended", "finished by hand", False)
    assert view.frame(TICK_NS, 10 * SECOND, 10).state == "probing", "before its end the run had not ended"
    os.close(lock)


def test_a_run_whose_supervisor_is_gone_without_a_word_was_killed(tmp_path: Path) -> None:
    manifest_of(tmp_path)
    code = (
        "import sys, os; from pathlib import Path; from sessions.store.directory import hold_lock;"
        "from sessions.store.journal import JournalWriter; from sessions.store.records import State;"
        "d = Path(sys.argv[1]); hold_lock(d);"
        "JournalWriter(d / 'supervisor.jsonl').append(State(t_ns=5, state='running'));"
        "print('up', flush=True); sys.stdin.read()"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    view = SessionView(tmp_path)
    try:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "up\n"
        view.poll()
        assert (view.live, view.frame(5, SECOND, 4).state) == (True, "running")
    finally:
        supervisor.kill()
        supervisor.communicate(timeout=30)
    assert view.poll(), "a supervisor that died changes the picture"
    drawn = view.frame(view.last_ns, SECOND, 4)
    assert (drawn.state, drawn.live) == ("killed", False)
    assert "killed" in drawn.state_message
    assert view.frame(4, SECOND, 4).state == "starting", "the past is as it was"


def test_a_run_that_begins_while_it_is_looked_at_was_not_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest_of(tmp_path)
    view = SessionView(tmp_path)
    locks = []

    def beginning(directory: Path) -> bool:
        live = is_live(directory)
        if not locks:  # between this question and the reading
            locks.append(hold_lock(directory))
            JournalWriter(directory / SUPERVISOR_FILE).append(State(t_ns=5, state="running"))
        return live

    monkeypatch.setattr("sessions.frame.session_view.is_live", beginning)
    view.poll()
    assert (view.live, view.frame(5, SECOND, 4).state) == (True, "running")
    os.close(locks[0])


def test_a_copied_session_without_its_lock_is_no_live_one(tmp_path: Path) -> None:
    manifest_of(tmp_path)
    JournalWriter(tmp_path / SUPERVISOR_FILE).append(State(t_ns=5, state="running"))
    view = SessionView(tmp_path)
    view.poll()
    assert (view.live, view.frame(5, SECOND, 4).state) == (False, "killed")


def test_an_end_known_from_the_manifest_alone_is_an_end(tmp_path: Path) -> None:
    manifest_of(tmp_path, end=EndInfo("completed", "2026-11-03T12:01:00+00:00"))
    JournalWriter(tmp_path / SUPERVISOR_FILE).append(State(t_ns=5, state="running"))
    view = SessionView(tmp_path)
    view.poll()
    assert (view.live, view.frame(5, SECOND, 4).state) == (False, "ended")


def test_a_foreign_manifest_is_told_and_does_not_stop_the_view(tmp_path: Path) -> None:
    (tmp_path / "session.toml").write_text("[project]\n")
    view = SessionView(tmp_path)
    assert view.poll()
    assert view.manifest is None
    assert "not a ttftop session" in view.trouble
    assert view.frame(0, SECOND, 4).session == tmp_path.name


def test_the_view_of_files_is_the_fold_of_their_records(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(workers=2)
    write(tmp_path, run.manifest)
    JournalWriter(tmp_path / SUPERVISOR_FILE).append(run.supervised)
    for worker in (0, 1):
        JournalWriter(tmp_path / worker_file(worker)).append([t for t in run.ticks if t.worker == worker])
    (tmp_path / "requests-0.jsonl.gz").write_bytes(b"not looked at")
    view = SessionView(tmp_path)
    while view.poll():
        pass
    expected = folded(run.timeline_records)
    for at_ns in (2 * SECOND, 7 * SECOND, expected.known_ns):
        assert_same_drawing(
            view.frame(at_ns, 10 * SECOND, 30),
            frame(expected, at_ns, slots=30, manifest=run.manifest),
        )
    assert view.first_ns == 1_300_000_000
    assert view.manifest == run.manifest


def test_importing_the_view_does_not_import_numpy() -> None:
    code = "import sys, sessions.frame.session_view; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_requests_are_read_from_when_somebody_asks_and_nothing_else_is_read_again(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run()
    stored(run, tmp_path)
    view = SessionView(tmp_path)
    while view.poll():
        pass
    before = view.frame(view.last_ns, 10 * SECOND, 10)
    assert len(view.requests) == 0, "read with the polls that follow"
    while view.poll():
        pass
    assert view.requests.rows["index"].tolist() == sorted(r.index for r in run.requests)
    assert_same_drawing(view.frame(view.last_ns, 10 * SECOND, 10), before)
    packed = RequestJournalWriter(tmp_path / request_file(7))
    packed.append(msgspec.structs.replace(run.requests[0], index=1_000_000, worker=7))
    packed.close()
    while view.poll():
        pass
    assert view.requests.rows["worker"].max() == 7


def test_how_far_requests_are_read_is_told_and_one_is_looked_up_again(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run()
    stored(run, tmp_path)
    view = SessionView(tmp_path, most=1 << 10)
    view.read_all()
    assert view.requests_read == 0.0, "nobody asked yet"
    at_ns = view.last_ns
    assert view.request_list.count(at_ns, "all") == 0
    shares = []
    while view.poll():
        shares.append(view.requests_read)
    assert shares == sorted(shares)
    assert 0.0 < shares[0] < 1.0
    assert view.requests_read == 1.0
    assert view.request_list.count(at_ns, "all") == len(run.requests)
    one = run.requests[17]
    assert view.request(Sought(one.worker, one.index, one.due_ns, one.end_ns)) == (one, True)
    assert view.request(Sought(one.worker, one.index, one.due_ns, one.end_ns + 1)) == (None, True)
    assert not view.poll(), "nothing is looked for any more"


def test_where_answers_have_no_tokens_those_of_prompts_are_what_goes_through() -> None:
    ticks = [
        Tick(
            t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, sent=1, succeeded=1, input_tokens=25,
            e2e=[bucket(20_000_000), 1],
        )
        for i in range(1, 5)
    ]  # fmt: skip
    drawn = frame(folded(ticks), SECOND, window_ns=SECOND, slots=1)
    assert (drawn.only_input, drawn.input_tps, drawn.output_tps) == (True, 100.0, 0.0)
    np.testing.assert_array_equal(drawn.input_tokens, [100.0])
    assert (drawn.itl_is_chunk_gap, drawn.tokens_per_chunk) == (False, None)
    assert drawn.e2e_recent is not None
    assert drawn.e2e_recent.count == 4
    assert drawn.e2e_recent.p50_ms == pytest.approx(20.0, rel=0.01)
    ticks[3].chunks = ticks[3].output_tokens = 1
    drawn = frame(folded(ticks), SECOND, window_ns=SECOND, slots=1)
    assert (drawn.only_input, drawn.e2e_recent) == (False, None)
