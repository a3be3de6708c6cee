from __future__ import annotations

import io
import os
import random
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from loadgen.records import TICK_NS, FailureCause, Tick, WorkerNote
from sessions.frame.build import build
from sessions.frame.session_view import SessionView
from sessions.store.journal import SUPERVISOR_FILE, TELEMETRY_FILE, JournalWriter, worker_file
from sessions.store.parse import parse_packed
from sessions.store.records import AnyRecord, End, LoadChange, Mark, Note, State
from sessions.summary.read import read_folded
from sessions.timeline import cache
from sessions.timeline.kept import NotKept, rare, timeline_of
from sessions.timeline.timeline import Timeline
from telemetry.records import (
    GpuDevice,
    GpuDevices,
    GpuEvent,
    GpuProcess,
    GpuSample,
    GpuSamples,
    Histogram,
    HostSample,
    ServerSample,
    SourceNote,
)
from tests.sessions.timeline.folding import kept_bytes

RECORDED = Path(__file__).parents[1] / "store" / "recorded" / "llamacpp"
S = 10**9
TICKS = 120


def ticks(worker: int, draw: random.Random) -> list[AnyRecord]:
    made: list[AnyRecord] = []
    for i in range(1, TICKS + 1):
        sketch = [
            part for at in sorted(draw.sample(range(300, 700), 6)) for part in (at, draw.randint(1, 70_000))
        ]
        failed = int(i % 40 == 7)
        made.append(
            Tick(
                i * TICK_NS - (3 * worker if i == TICKS else 0), TICK_NS, worker, due=4, sent=4, succeeded=3, failed=failed,
                chunks=30, output_tokens=30, in_flight=i % 9, backlog=i % 2, rate_rps=None if i < 5 else 8.0,
                ttft_from_due=sketch, ttft_from_sent=sketch, itl=sketch if i % 3 else [], chunk_gap=sketch, e2e=sketch,
                send_lag=[310, 4], cpu_ns=i * 1000, reads=30, kernel_reads=29,
                errors={"http_500": 1} if failed else {}, causes=[FailureCause("http_500", 1, "out of luck")] if failed else [],
            )
        )  # fmt: skip
    return made


def records() -> dict[str, list[AnyRecord]]:
    """Every kind of record that a timeline takes, by the file in which they stand."""
    draw = random.Random(5)
    telemetry: list[AnyRecord] = [
        GpuDevices(
            1,
            "nvml",
            [GpuDevice(f"GPU-{k}", k, "H100", power_limit_w=700.0) for k in range(2)],
            simulated=True,
        ),
        SourceNote(2, "nvml", True, "2 GPUs"),
    ]
    for i in range(TICKS):
        t_ns = i * TICK_NS + 17
        processes = [GpuProcess(7, 10**9, "vllm")] if i % 50 == 3 else [] if i % 50 == 40 else None
        samples = [
            GpuSample(
                f"GPU-{k}",
                90.0 + i % 7,
                10**10,
                power_w=500.25 + i,
                energy_j=125.1 * i,
                throttle=["thermal"] if i % 30 > 25 else [],
                processes=processes,
            )
            for k in range(2)
        ]
        histogram = Histogram([0.1, 0.5, 1.0], [i, 2 * i, 3 * i, 4 * i])
        telemetry += [
            GpuSamples(t_ns, 900, "nvml", samples, age_ns=5 if i % 2 else None),
            ServerSample(
                t_ns + 1, 3, "http://m", running=9.0, waiting=float(i > 60), kv_pct=40 + i / 3, ttft=histogram
            ),
            HostSample(t_ns + 2, 3, "host", "box", cpu_pct=12.5, load1=0.1 * i),
        ]
    telemetry.append(GpuEvent(9 * S, "nvml", "GPU-1", "xid", 79))
    host: list[AnyRecord] = [
        State(0, "running"), LoadChange(0, "start", rate_rps=8.0), Mark(4 * S, "here"), Note(5 * S, "warning", "odd"),
        LoadChange(15 * S, "rate", 15 * S - 9, 12.0, 8.0, label="8 > 12 rps"), State(28 * S, "draining"), End(30 * S, "completed"),
    ]  # fmt: skip
    noted: list[AnyRecord] = [
        WorkerNote(6 * S, 0, "backing_off", "refused"), WorkerNote(8 * S, 0, "reachable_again"), WorkerNote(9, 1, "clock", clock_error_ns=40),
    ]  # fmt: skip
    return {
        SUPERVISOR_FILE: host,
        worker_file(0): ticks(0, draw) + noted[:2],
        worker_file(1): noted[2:] + ticks(1, draw),
        TELEMETRY_FILE: telemetry,
    }


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "LEAST_BYTES", 1)
    directory = tmp_path / "session"
    shutil.copytree(RECORDED, directory)
    for path in directory.glob("*.json*"):
        path.unlink()
    for name, lines in records().items():
        writer = JournalWriter(directory / name)
        writer.append(lines)
        writer.close()
    return directory


def folded() -> tuple[Timeline, bytes]:
    """A timeline of them all, and what is kept of it."""
    timeline, rare_records = Timeline(), []
    for lines in records().values():
        for record in lines:
            timeline.apply(record)
            if (kept := rare(record)) is not None:
                rare_records.append(kept)
    return timeline, kept_bytes(timeline, rare_records)


def read(directory: Path) -> SessionView:
    """The session, read to its end by a view that leaves a cache behind."""
    view = SessionView(directory)
    view.read_all()
    view.poll()
    if view.keeping is not None:
        view.keeping.join()
    return view


def plain(value: object) -> bytes:
    def listed(array: object) -> object:
        assert isinstance(array, np.ndarray)
        return [str(cell) for cell in array.tolist()]

    return msgspec.json.encode(value, enc_hook=listed)


def frames(view: SessionView) -> list[bytes]:
    """At many instants, by several windows, back and forth."""
    shown = []
    for k in range(40):
        at_ns = view.last_ns * (k * 17 % 40) // 39
        window_s = (2, 30, 600)[k % 3]
        shown.append(plain(view.frame(at_ns, window_s * S, 60)))
    return shown


def is_cached(directory: Path) -> bool:
    return cache.opened(directory) is not None


def test_frames_from_the_cache_are_those_from_the_lines_byte_for_byte(session: Path) -> None:
    from_lines = read(session)
    assert is_cached(session)
    from_cache = SessionView(session)
    from_cache.read_all()
    assert frames(from_cache) == frames(from_lines)
    assert len(from_lines.timeline.ticks) == 2 * TICKS
    assert (from_cache.live, from_cache.state, from_cache.last_ns) == (False, "draining", from_lines.last_ns)


def test_a_cache_is_for_its_owner_alone_and_no_lines_are_read_again_beside_it(session: Path) -> None:
    read(session)
    assert (session / cache.FILE).stat().st_mode & 0o777 == 0o600
    view = SessionView(session)
    before = len(view.timeline.ticks)
    assert view.poll()
    assert len(view.timeline.ticks) == before == 2 * TICKS


def test_requests_are_read_beside_a_cache(session: Path) -> None:
    read(session)
    shutil.copy(RECORDED / "requests-0.jsonl.gz", session)
    view = SessionView(session)
    assert not len(view.requests)
    view.read_all()
    assert len(view.requests)


@pytest.mark.parametrize("change", ["longer", "another byte", "one file more", "one file less"])
def test_a_cache_of_other_lines_is_none(session: Path, change: str) -> None:
    read(session)
    lines = session / SUPERVISOR_FILE
    about = lines.stat()
    if change == "longer":
        with lines.open("ab") as file:
            file.write(b'{"kind":"mark","t_ns":1}\n')
    elif change == "another byte":
        lines.write_bytes(lines.read_bytes().replace(b"here", b"Here"))
        os.utime(lines, ns=(about.st_atime_ns, about.st_mtime_ns))
    elif change == "one file more":
        (session / "worker-2.jsonl").write_bytes(b"")
    else:
        (session / worker_file(1)).unlink()
    assert not is_cached(session)
    view = SessionView(session)
    view.read_all()
    assert len(view.timeline.ticks) == TICKS * (1 if change == "one file less" else 2)


def test_a_cache_goes_with_a_copy_of_its_session_and_with_no_other(session: Path, tmp_path: Path) -> None:
    read(session)
    shutil.copytree(session, tmp_path / "copy")
    assert is_cached(tmp_path / "copy")
    shutil.copytree(RECORDED, tmp_path / "other")
    shutil.copy(session / cache.FILE, tmp_path / "other")
    assert not is_cached(tmp_path / "other")


@pytest.mark.parametrize("name", ["VERSION", "FOLD"])
def test_a_cache_of_another_version_is_none(
    session: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(session)
    monkeypatch.setattr(cache, name, {"VERSION": "9.9", "FOLD": -1}[name])
    assert not is_cached(session)


def test_what_is_no_file_is_no_cache_and_stays_as_it_is(session: Path, tmp_path: Path) -> None:
    read(session)
    place = session / cache.FILE
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    assert not is_cached(session)
    read(session)
    assert place.is_symlink()
    place.unlink()
    os.mkfifo(place)
    assert not is_cached(session)
    read(session)
    assert place.is_fifo()
    place.unlink()
    place.mkdir()
    assert not is_cached(session)
    read(session)
    assert place.is_dir()


def test_a_small_session_and_one_that_grows_get_none(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = SessionView(session)
    view.read_all()
    with (session / SUPERVISOR_FILE).open("ab") as file:
        file.write(b'{"kind":"mark","t_ns":1}\n')
    keeper = cache.Keeper()
    keeper.keep(session, view.timeline, view._files.sizes)
    assert not (session / cache.FILE).exists()
    monkeypatch.setattr(cache, "LEAST_BYTES", 1 << 20)
    read(session)
    assert not (session / cache.FILE).exists()


def test_a_cache_that_is_cut_off_or_has_another_byte_is_none(session: Path) -> None:
    read(session)
    whole = (session / cache.FILE).read_bytes()
    for size in (0, 10, 17, 60, 300, len(whole) - 1):
        (session / cache.FILE).write_bytes(whole[:size])
        assert not is_cached(session)
    (session / cache.FILE).write_bytes(whole[:-9] + b"\x07" + whole[-8:])
    assert not is_cached(session)


def test_bytes_made_by_an_enemy_are_refused_or_are_a_timeline_that_can_be_shown() -> None:
    _, whole = folded()
    draw = random.Random(3)
    shown = refused = 0
    for _ in range(400):
        made = bytearray(whole)
        near = draw.choice([900, len(whole)])
        for _ in range(draw.choice([1, 1, 3])):
            made[draw.randrange(near)] = draw.choice([0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)])
        try:
            timeline = timeline_of(io.BytesIO(made))
        except NotKept:
            refused += 1
            continue
        shown += 1
        if shown % 8 == 0:
            at_ns = min(timeline.known_ns, 40 * S)
            build(timeline, None, at_ns=at_ns, window_ns=30 * S, slots=20, live=False, killed=False)
    assert refused > 100
    assert shown > 20


def test_no_line_of_a_record_that_columns_tell_is_kept() -> None:
    kept = [rare(record) for lines in records().values() for record in lines]
    kinds = [type(record).__name__ for record in kept if record is not None]
    assert not {"Tick", "GpuSamples", "ServerSample", "HostSample"} & set(kinds)
    for record in kept:
        assert record is None or parse_packed(msgspec.json.encode(record)) is not None


def test_who_ends_a_session_leaves_a_cache_that_shows_the_same(session: Path) -> None:
    shutil.copy(RECORDED / "requests-0.jsonl.gz", session)
    read_folded(session, keep=True)
    assert is_cached(session)
    from_cache = SessionView(session)
    from_cache.read_all()
    shown = frames(from_cache)
    (session / cache.FILE).unlink()
    from_lines = SessionView(session)
    from_lines.read_all()
    assert shown == frames(from_lines)


def test_what_was_summed_up_is_shown_without_reading_it_again(session: Path) -> None:
    view = SessionView(session, read_folded(session).opened)
    view.read_all()
    assert len(view.timeline.ticks) == 2 * TICKS
    assert not (session / cache.FILE).exists()
    from_lines = SessionView(session)
    from_lines.read_all()
    assert frames(view) == frames(from_lines)
