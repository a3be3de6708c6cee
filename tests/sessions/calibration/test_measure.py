"""Calibration: the server's stamps and the worker's times are matched, judged, swept and kept."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path

import msgspec
import numpy as np
import pytest

from loadgen.calibration.server import read_stamps
from loadgen.clock import monotonic_ns
from loadgen.records import Request, RequestError, Tick
from sessions.calibration import result as calibrated
from sessions.calibration.measure import (
    CalibrationError,
    _worker_config,
    judged,
    measure,
    outcome,
    stamping_server,
    sweep,
)
from sessions.calibration.result import Calibration, Machine, Trial

MS = 1_000_000
S = 1_000_000_000


def step(asked: float, why_not: str = "") -> Trial:
    return Trial(asked, asked, 5.0, 20.0, 100.0, 0.1, 20.0, 0.0, 1.0, why_not)


def test_the_server_stamps_each_token_when_it_sends_it_and_says_whose_they_are(tmp_path: Path) -> None:
    async def body() -> tuple[bytes, int, int]:
        async with stamping_server(tmp_path) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            before = monotonic_ns()
            writer.write(b"POST /stream/5/20000 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
            answer = await reader.readuntil(b"0\r\n\r\n")
            after = monotonic_ns()
            writer.close()
            return answer, before, after

    answer, before, after = asyncio.run(body())
    stamps = read_stamps((tmp_path / "stamps.bin").read_bytes())
    assert list(stamps) == [1]
    assert answer.count(b'" token"') == 5
    assert b'"prompt_tokens":1,"completion_tokens":5' in answer
    assert answer.count(b'"finish_reason":"length"') == 1
    row = np.array(stamps[1])
    assert len(row) == 5
    assert (row >= before + np.arange(1, 6) * 20 * MS).all(), "never before it is due"
    assert row[-1] <= after


def test_a_torn_stamps_file_gives_the_whole_rows() -> None:
    whole = np.array([1, 2, 10, 20, 2, 1, 30], dtype=np.int64).tobytes()
    assert {n: list(row) for n, row in read_stamps(whole).items()} == {1: [10, 20], 2: [30]}
    assert list(read_stamps(whole[:-3])) == [1]
    assert read_stamps(b"") == {}


def streams(late_ns: int) -> tuple[list[Request], dict[int, list[int]]]:
    """200 streams of 5 tokens, 10 ms apart, each received `late_ns` after it was sent; origin is 7 s."""
    requests, stamps = [], {}
    for i in range(200):
        sent = [1_300 * MS + i * 5 * MS + k * 10 * MS for k in range(5)]
        stamps[i + 1] = [7 * S + at for at in sent]
        requests.append(
            Request(
                index=i,
                worker=0,
                due_ns=sent[0] - 10 * MS,
                sent_ns=sent[0] - 10 * MS + 150_000,
                first_token_ns=sent[0] + late_ns,
                last_token_ns=sent[-1] + late_ns,
                gaps_us=[9_999] * 4,  # as they are rounded down in a record
                input_tokens=i + 1,
            )
        )
    return requests, stamps


TICKS = [
    Tick(t_ns=at, dt_ns=250 * MS, worker=0, cpu_ns=25 * MS, reads=250, chunks=250, kernel_reads=200)
    for at in range(1500 * MS, 3000 * MS, 250 * MS)
]


def test_the_timing_error_is_what_was_received_minus_what_was_sent() -> None:
    requests, stamps = streams(40_000)
    config = msgspec.structs.replace(_worker_config(1, 1000.0, 2.2), origin_ns=7 * S)
    found = judged(1000.0, requests, TICKS, stamps, config, 1.0)
    assert found.timing_error_p50_us == pytest.approx(40.0, abs=0.2)
    assert found.timing_error_p99_us == pytest.approx(40.0, abs=0.2)
    assert found.send_lag_p99_us == pytest.approx(150.0)
    assert (found.cpu_share, found.kernel_share) == (0.1, 0.8)
    assert found.cpu_us_per_event == pytest.approx(100.0)
    inside = sum(1_250 * MS <= at - 7 * S < 2_250 * MS for row in stamps.values() for at in row)
    assert found.events_per_s == inside


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"late_ns": 1_200_000}, "timing error p99 1.20 ms"),
        ({"coalesced_reads": 10}, "4.0% of reads held several tokens"),
        ({"cpu_ns": 200 * MS}, "the worker used 80% of a core"),
        ({"failed": True}, "1 requests failed"),
        ({"asked": 2000.0}, "the calibration server sent only"),
    ],
)
def test_a_load_that_is_not_clean_says_why(change: dict[str, object], words: str) -> None:
    requests, stamps = streams(int(change.get("late_ns", 0)))  # type: ignore[call-overload]
    if change.get("failed"):
        requests[0].error = RequestError("cut_mid_stream")
    ticks = [
        msgspec.structs.replace(tick, **{k: v for k, v in change.items() if hasattr(tick, k)})
        for tick in TICKS
    ]
    config = msgspec.structs.replace(_worker_config(1, 1000.0, 2.2), origin_ns=7 * S)
    asked = float(change.get("asked", 980.0))  # type: ignore[arg-type]
    assert words in judged(asked, requests, ticks, stamps, config, 1.0).why_not


def test_nothing_to_compare_is_an_error_not_a_zero() -> None:
    with pytest.raises(CalibrationError, match="no tokens came back"):
        judged(1000.0, [], TICKS, {}, _worker_config(1, 1000.0, 2.2), 1.0)


def swept(limit: float, most: float = 128_000.0, moods: int = 0) -> list[Trial]:
    """A sweep over a machine that is clean up to `limit`, and out of sorts in its first `moods` loads."""
    tried = 0

    async def made_up(load: float) -> Trial:
        nonlocal tried
        tried += 1
        return step(load, "too much" if load > limit or tried <= moods else "")

    return asyncio.run(sweep(made_up, lambda _: None, most))


@pytest.mark.parametrize("limit", [300.0, 1000.0, 4000.0, 20_500.0, 90_000.0])
def test_a_sweep_finds_the_limit_from_below_within_a_tenth(limit: float) -> None:
    best, why = outcome(swept(limit))
    assert 0.9 * limit <= best <= limit
    assert why == "too much"


def test_a_sweep_stops_at_the_most_that_may_be_tried() -> None:
    assert outcome(swept(1e9, most=9000.0)) == (9000.0, "no higher load was tried")


def test_a_single_bad_moment_does_not_end_a_sweep() -> None:
    assert outcome(swept(20_500.0, moods=1))[0] > 18_000


def test_a_machine_that_is_never_clean_has_no_limit() -> None:
    assert outcome(swept(10.0)) == (0.0, "too much")


HERE = Machine("A CPU", 8, "6.1", "3.11.7", "uvloop 0.22", "0.1.0")


def test_what_was_kept_is_read_back_private_and_whole(tmp_path: Path) -> None:
    kept = Calibration(HERE, "2026-11-21T10:00:00+00:00", 20_000.0, "cpu", [step(20_000.0)])
    where = tmp_path / "state" / calibrated.FILE
    calibrated.save(kept, where)
    assert calibrated.load(where) == kept
    assert stat.S_IMODE(where.stat().st_mode) == 0o600
    assert [path.name for path in where.parent.iterdir()] == [calibrated.FILE]


@pytest.mark.parametrize("text", ["", "events_per_s = 3", "not toml [", "format = 'x'\n", "\xff"])
def test_a_file_that_is_none_of_ours_is_no_calibration(tmp_path: Path, text: str) -> None:
    where = tmp_path / calibrated.FILE
    where.write_bytes(text.encode("latin-1"))
    assert calibrated.load(where) is None
    assert calibrated.load(tmp_path / "missing") is None


@pytest.mark.parametrize("name", Machine.__struct_fields__)
def test_a_calibration_expires_when_anything_it_depends_on_changes(tmp_path: Path, name: str) -> None:
    here = calibrated.this_machine()
    where = tmp_path / calibrated.FILE
    calibrated.save(Calibration(here, "2026-11-21T10:00:00+00:00", 20_000.0, "cpu"), where)
    assert calibrated.valid_here(where) is not None
    other = msgspec.structs.replace(
        here, **{name: 3 if name == "cores" and here.cores != 3 else 99 if name == "cores" else "other"}
    )
    calibrated.save(Calibration(other, "2026-11-21T10:00:00+00:00", 20_000.0, "cpu"), where)
    assert calibrated.valid_here(where) is None
    assert len(calibrated.changed(other, here)) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("kernel_stamps")
def test_a_real_worker_on_this_machine_is_measured(tmp_path: Path) -> None:
    found = asyncio.run(measure(1000.0, 1.0))
    assert found.events_per_s == pytest.approx(1000.0, rel=0.1)
    assert 0 < found.timing_error_p50_us < 5000
    assert found.timing_error_p50_us <= found.timing_error_p99_us
    assert 0 < found.cpu_share < 1
    if hasattr(socket, "SO_TIMESTAMPNS") or Path("/proc").exists():
        assert found.kernel_share > 0.9
