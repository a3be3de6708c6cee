"""Sessions that were killed, cut, damaged, or that are still being written: each is summed up as far as it goes."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadgen.records import TICK_NS, Tick
from sessions.frame.session_view import SessionView
from sessions.store.directory import hold_lock
from sessions.store.journal import SUPERVISOR_FILE, request_file
from sessions.store.manifest import SessionError, read, write
from sessions.summary.read import read_summary
from sessions.summary.schema import RequestCounts, plain
from tests.sessions.summary.summing import SECOND, gpu_records, stored, summed

MakeRun = Callable[..., Any]


def assert_they_add_up(counts: RequestCounts) -> None:
    assert counts.due == counts.sent + counts.not_sent
    assert counts.sent == counts.succeeded + counts.failed + counts.cut_off
    assert min(msgspec.structs.astuple(counts)) >= 0


def test_a_killed_run_counts_what_was_in_flight_as_cut_off(make_run: MakeRun) -> None:
    run = make_run(ended=False)
    at_ns = 7 * SECOND
    kept = [record for record in run.timeline_records if record.t_ns <= at_ns]
    done = [r for r in run.requests if r.end_ns <= at_ns]
    result = summed(run, [*kept, *done])
    in_flight = sum(r.sent_ns <= at_ns < r.end_ns for r in run.requests)
    assert in_flight > 3
    assert (result.requests.cut_off, result.requests.failed, result.errors) == (in_flight, 0, {})
    assert_they_add_up(result.requests)
    assert result.requests.succeeded == len(done)
    assert not result.valid
    assert "the run was killed" in result.reasons
    assert result.end.reason == "killed"


@pytest.mark.parametrize("seed", range(8))
def test_counts_add_up_wherever_a_kill_cut_each_file(make_run: MakeRun, seed: int) -> None:
    draw = random.Random(seed)
    run = make_run(workers=3, failing=0.1, ended=False)
    records: list[Any] = list(run.supervised)
    for worker in range(3):
        records += [t for t in run.ticks if t.worker == worker][: draw.randint(0, 60)]
        records += [r for r in run.requests if r.worker == worker][: draw.randint(0, 80)]
    assert_they_add_up(summed(run, records).requests)


def test_a_backlog_at_the_end_is_not_sent(make_run: MakeRun) -> None:
    run = make_run(ended=True)
    run.ticks.append(Tick(t_ns=run.ticks[-1].t_ns, dt_ns=TICK_NS, worker=0, due=40, not_sent=15))
    counts = summed(run).requests
    assert counts.due == len(run.requests) + 40
    assert counts.not_sent == 40


def test_a_running_session_counts_nothing_as_cut_off(make_run: MakeRun) -> None:
    run = make_run(ended=False)
    kept = [record for record in run.timeline_records if record.t_ns <= 5 * SECOND]
    result = summed(run, kept, live=True)
    assert result.requests.failed == result.requests.cut_off == 0
    assert result.reasons == ["the run is still going on"]
    assert result.end.reason is None


def test_a_live_session_is_summed_up_as_it_stands(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(ended=False)
    lock = hold_lock(tmp_path)
    stored(run, tmp_path)
    assert read_summary(tmp_path).reasons == ["the run is still going on"]
    os.close(lock)
    assert "the run was killed" in read_summary(tmp_path).reasons


def test_cut_and_damaged_files_are_told_and_the_rest_is_summed_up(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(workers=1)
    stored(run, tmp_path)
    whole = read_summary(tmp_path)
    with (tmp_path / SUPERVISOR_FILE).open("ab") as file:
        file.write(b'{"kind":"weather"}\nnot json\n{"kind":"tick","t_')
    packed = tmp_path / request_file(0)
    os.truncate(packed, packed.stat().st_size - 20)
    result = read_summary(tmp_path)
    told = "\n".join(result.notes)
    assert "host.jsonl: the end was cut off (18 bytes of a line dropped)" in told
    assert "host.jsonl: 1 damaged, first at byte" in told
    assert "host.jsonl: 1 lines of kinds this version does not know" in told
    assert "requests-0.jsonl.gz: the end was cut off" in told
    assert result.requests.due == whole.requests.due
    assert 0 < result.requests.succeeded <= whole.requests.succeeded
    assert whole.valid is True
    assert "part of the session is lost: host.jsonl, requests-0.jsonl.gz" in result.reasons


def test_lines_of_a_newer_version_spoil_nothing(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(workers=1)
    stored(run, tmp_path)
    with (tmp_path / SUPERVISOR_FILE).open("ab") as file:
        file.write(b'{"kind":"weather"}\n')
    result = read_summary(tmp_path)
    assert result.valid is True
    assert result.notes == ["host.jsonl: 1 lines of kinds this version does not know"]


def test_an_empty_session_is_summed_up_as_nothing(make_run: MakeRun, tmp_path: Path) -> None:
    write(tmp_path, make_run().manifest)
    result = read_summary(tmp_path)
    assert result.requests == RequestCounts(due=0, sent=0, succeeded=0, failed=0, not_sent=0)
    assert result.ttft_from_due_ms.p50 is None
    assert result.rate.achieved_rps is None
    assert result.reasons == ["the run was killed", "nothing was sent"]
    assert result.stages == result.gpus == []
    json.dumps(plain(result), allow_nan=False)


def test_a_foreign_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no such file"):
        read_summary(tmp_path)


NUMBERS = (
    *("0", "-1", "1", "7", "1e3", "1e17", "4096", str(2**53 + 1), str(10**12), str(315 * 10**15)),
    *("1e999", "null"),
)


@pytest.mark.parametrize("seed", range(12))
def test_no_damage_to_its_files_crashes_summary_or_frame(
    make_run: MakeRun, tmp_path: Path, seed: int
) -> None:
    """Numbers exchanged for absurd ones, bytes flipped, files cut: figures may be nonsense, but there are some."""
    draw = random.Random(seed)
    run = make_run(
        seconds=4.0, rate_rps=10.0, workers=2, chunk_tokens="counted", failing=0.2, changes=((2.0, 30.0),)
    )
    run.supervised += gpu_records(6)
    stored(run, tmp_path)
    for path in tmp_path.glob("*.jsonl*"):
        packed = path.suffix == ".gz"
        text = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        text = re.sub(
            rb"\d+", lambda m: draw.choice(NUMBERS).encode() if draw.random() < 0.03 else m[0], text
        )
        data = bytearray(gzip.compress(text) if packed else text)
        if draw.random() < 0.5:
            for _ in range(3):
                data[draw.randrange(len(data))] = draw.randrange(256)
        if draw.random() < 0.3:
            del data[draw.randrange(len(data)) :]
        path.write_bytes(data)
    result = read_summary(tmp_path)
    json.dumps(plain(result), allow_nan=False)
    assert_they_add_up(result.requests)
    write(tmp_path, msgspec.structs.replace(run.manifest, result=plain(result)))
    read(tmp_path)
    view = SessionView(tmp_path)
    while view.poll():
        pass
    for at_ns in (0, 3 * SECOND, view.last_ns, 2 * 10**17):
        for window_ns in (10 * SECOND, view.last_ns + 1):
            drawn = view.frame(at_ns, window_ns, 50)
            assert len(drawn.achieved) == 50
