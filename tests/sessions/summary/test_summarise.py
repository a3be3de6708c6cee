from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from loadgen.records import TICK_NS, Request, RequestError, Tick
from sessions.frame.session_view import SessionView
from sessions.plan.config import LoadConfig, RunConfig, TargetConfig
from sessions.store.directory import hold_lock
from sessions.store.follow import SessionFollower
from sessions.store.journal import HOST_FILE, JournalWriter, RequestJournalWriter, request_file, worker_file
from sessions.store.manifest import ClockAnchor, EndInfo, Manifest, SessionError, SessionInfo, read, write
from sessions.store.records import End, LoadChange, State
from sessions.summary.prices import GpuPrice, Prices
from sessions.summary.summarise import Fold, summarise
from telemetry.records import (
    GpuDevice,
    GpuDevices,
    GpuSample,
    GpuSamples,
    Histogram,
    HostSample,
    ServerSample,
)

MakeRun = Callable[..., Any]
SECOND = 1_000_000_000
FIGURES = {"count", "mean", "p50", "p90", "p95", "p99", "min", "max"}
METRICS = ("ttft_from_due", "ttft_from_sent", "chunk_gap", "itl", "tpot", "e2e", "send_lag")


def summed(run: Any, records: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    fold = Fold()
    for record in run.records if records is None else records:
        fold.apply(record)
    return fold.result(run.manifest, **more)


def test_the_object_has_the_keys_that_were_promised(make_run: MakeRun) -> None:
    result = summed(make_run())
    assert set(result["requests"]) == {"due", "sent", "succeeded", "failed", "not_sent"}
    assert set(result["rate"]) == {"offered_rps", "achieved_rps"}
    assert set(result["throughput"]) == {"request_rps", "output_tps", "total_tps"}
    assert set(result["tokens"]) == {"input", "cached", "output", "source"}
    for name in METRICS:
        assert set(result[f"{name}_ms"]) >= FIGURES
    for name in ("errors", "duration_s", "gpus", "simulated", "valid", "reasons"):
        assert name in result
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize("chunk_tokens", ["one", "counted"])
def test_every_metric_is_numpys_on_the_requests_that_succeeded(make_run: MakeRun, chunk_tokens: str) -> None:
    run = make_run(rate_rps=60.0, chunk_tokens=chunk_tokens, failing=0.05)
    result = summed(run)
    good = [r for r in run.requests if r.error is None]
    assert len(good) < len(run.requests)
    exact: dict[str, Any] = {
        "ttft_from_due": [(r.first_token_ns - r.due_ns) / 1e6 for r in good],
        "ttft_from_sent": [(r.first_token_ns - r.sent_ns) / 1e6 for r in good],
        "e2e": [(r.last_token_ns - r.due_ns) / 1e6 for r in good],
        "send_lag": [(r.sent_ns - r.due_ns) / 1e6 for r in good],
        "tpot": [
            (r.last_token_ns - r.first_token_ns) / 1e6 / (r.output_tokens - 1)
            for r in good
            if r.output_tokens > 1
        ],
        "chunk_gap": [gap / 1e3 for r in good for gap in r.gaps_us],
        "itl": [
            gap / 1e3 / tokens
            for r in good
            for gap, tokens in zip(r.gaps_us, r.chunk_tokens[1:] or [1] * len(r.gaps_us), strict=True)
            for _ in range(tokens)
        ],
    }
    for name, values in exact.items():
        said = result[f"{name}_ms"]
        assert said["count"] == len(values)
        expected = [np.mean(values), *np.percentile(values, (50, 90, 95, 99)), min(values), max(values)]
        found = [said[key] for key in ("mean", "p50", "p90", "p95", "p99", "min", "max")]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=6e-7, err_msg=name)
    assert result["itl_ms"]["unknown"] == 0


def test_the_ttft_of_requests_that_failed_after_their_first_token_is_told_apart(make_run: MakeRun) -> None:
    run = make_run(rate_rps=60.0)
    cut, silent = list(run.requests)[::7], list(run.requests)[1::7]
    for request in [*cut, *silent]:
        request.error = RequestError("unfinished", "")
    for request in silent:
        request.first_token_ns = None
    result = summed(run, [*cut, *silent, *(r for r in run.records if r not in cut and r not in silent)])
    waited = [(r.first_token_ns - r.due_ns) / 1e6 for r in cut]
    told = result["ttft_of_failed_ms"]
    assert told["count"] == len(cut) > 10
    found = [told["p50"], told["p99"], told["max"]]
    np.testing.assert_allclose(found, [*np.percentile(waited, (50, 99)), max(waited)], rtol=1e-9, atol=6e-7)
    assert result["ttft_from_due_ms"]["count"] == len(run.requests) - len(cut) - len(silent)


def test_counts_rates_and_tokens_by_hand(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0, failing=0.1)
    result = summed(run)
    good = [r for r in run.requests if r.error is None]
    n = len(run.requests)
    assert result["requests"] == {
        "due": n,
        "sent": n,
        "succeeded": len(good),
        "failed": n - len(good),
        "not_sent": 0,
    }
    assert result["errors"] == {"cut_mid_stream": n - len(good)}
    last_end_ns = max(r.end_ns for r in run.requests)
    duration_s = (last_end_ns - 1_300_000_000) / 1e9
    output = sum(r.output_tokens for r in good)
    assert result["duration_s"] == duration_s > 12
    assert result["rate"] == {"offered_rps": n / 12, "achieved_rps": n / 12}
    assert result["throughput"] == {
        "request_rps": len(good) / duration_s,
        "output_tps": output / duration_s,
        "total_tps": (output + 256 * len(good)) / duration_s,
    }
    tokens = {"input": 256 * len(good), "cached": None, "output": output, "source": "usage"}
    assert result["tokens"] == tokens


def test_what_a_server_says_was_cached_is_added_up(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0)
    requests = list(run.requests)
    cached = [msgspec.structs.replace(requests[i], cached_tokens=count) for i, count in ((0, 200), (1, 0))]
    result = summed(run, [*run.timeline_records, *cached, *requests[2:]])
    assert result["tokens"]["cached"] == 200
    assert result["tokens_per_chunk"] == 1.0
    assert result["probe"] == {"requests": 3}
    assert (result["id"], result["name"], result["model"]) == ("20261103-120000-made", "made", "toy")
    assert result["end"] == {"reason": "completed", "message": "the run came to its end"}


def test_itl_is_unknown_where_no_one_said_what_the_chunks_bore(make_run: MakeRun) -> None:
    run = make_run(chunk_tokens="unknown")
    result = summed(run)
    several = [r for r in run.requests if r.output_tokens != r.chunks]
    assert result["itl_ms"]["unknown"] == len(several) > 100
    assert result["chunk_gap_ms"]["count"] == sum(len(r.gaps_us) for r in run.requests)
    assert result["tokens_per_chunk"] == pytest.approx(2.5, rel=0.1)


def test_tokens_estimated_from_chunks_are_named_so(make_run: MakeRun) -> None:
    run = make_run()
    requests = [
        msgspec.structs.replace(r, token_source="chunks", output_tokens=r.chunks, input_tokens=None)
        for r in run.requests
    ]
    result = summed(run, [*run.timeline_records, *requests])
    assert result["tokens"]["source"] == "chunks"
    assert result["tokens"]["input"] is None
    assert result["throughput"]["total_tps"] is None
    assert result["tokens_per_chunk"] is None
    mixed = summed(run, [*run.timeline_records, requests[0], *run.requests[1:]])
    assert mixed["tokens"]["source"] == "mixed"


# one result, however the records came


def stored(run: Any, directory: Path, piece: random.Random | None = None) -> Fold:
    """Writes the session bit by bit, in random turns of its writers, and folds it as it grows."""
    draw = piece or random.Random(0)
    write(directory, run.manifest)
    workers = sorted({tick.worker for tick in run.ticks})
    queues: list[tuple[Any, list[Any]]] = [(JournalWriter(directory / HOST_FILE), list(run.host))]
    for worker in workers:
        queues.append(
            (JournalWriter(directory / worker_file(worker)), [t for t in run.ticks if t.worker == worker])
        )
        requests = sorted((r for r in run.requests if r.worker == worker), key=lambda r: r.end_ns)
        queues.append((RequestJournalWriter(directory / request_file(worker)), requests))
    fold, follower = Fold(), SessionFollower(directory, requests=True)
    while any(records for _, records in queues):
        writer, records = draw.choice(queues)
        size = draw.choice([1, 3, 20])
        writer.append(records[:size])
        del records[:size]
        if isinstance(writer, RequestJournalWriter) and draw.random() < 0.5:
            writer.flush()
        if draw.random() < 0.3:
            for record in follower.poll():
                fold.apply(record)
        if draw.random() < 0.05:
            fold.result(run.manifest, live=True)
    for writer, _ in queues:
        writer.close()
    for record in follower.poll():
        fold.apply(record)
    follower.close()
    return fold


@pytest.mark.parametrize("seed", range(6))
def test_summing_up_live_equals_reading_afterwards_to_the_digit(
    make_run: MakeRun, tmp_path: Path, seed: int
) -> None:
    run = make_run(
        seed=seed,
        rate_rps=30.0,
        workers=3,
        failing=0.1,
        changes=((4.0, 60.0),),
        chunk_tokens=("one", "counted")[seed % 2],
    )
    run.host += machine_records(16)
    fold = stored(run, tmp_path, random.Random(seed))
    live = fold.result(read(tmp_path))
    afterwards = summarise(tmp_path)
    assert json.dumps(live) == json.dumps(afterwards)
    assert live == summed(run)
    assert afterwards["notes"] == []


def test_the_order_of_records_leaves_no_trace(make_run: MakeRun) -> None:
    run = make_run(rate_rps=40.0, workers=3, failing=0.05, changes=((3.0, 10.0), (7.0, 50.0)))
    records = [*run.records, *machine_records(16)]
    expected = json.dumps(summed(run, records))
    for seed in range(5):
        random.Random(seed).shuffle(records)
        assert json.dumps(summed(run, records)) == expected


# killed, torn, running


def test_a_killed_run_counts_what_was_in_flight_as_unfinished(make_run: MakeRun) -> None:
    run = make_run(ended=False)
    at_ns = 7 * SECOND
    kept = [record for record in run.timeline_records if record.t_ns <= at_ns]
    done = [r for r in run.requests if r.end_ns <= at_ns]
    result = summed(run, [*kept, *done])
    counts = result["requests"]
    in_flight = sum(r.sent_ns <= at_ns < r.end_ns for r in run.requests)
    assert in_flight > 3
    assert result["errors"] == {"unfinished": in_flight}
    assert counts["due"] == counts["sent"] + counts["not_sent"]
    assert counts["sent"] == counts["succeeded"] + counts["failed"]
    assert counts["succeeded"] == len(done)
    assert not result["valid"]
    assert "the run was killed" in result["reasons"]
    assert result["end"]["reason"] == "killed"


@pytest.mark.parametrize("seed", range(8))
def test_counts_add_up_wherever_a_kill_cut_each_file(make_run: MakeRun, seed: int) -> None:
    draw = random.Random(seed)
    run = make_run(workers=3, failing=0.1, ended=False)
    records: list[Any] = list(run.host)
    for worker in range(3):
        records += [t for t in run.ticks if t.worker == worker][: draw.randint(0, 60)]
        records += [r for r in run.requests if r.worker == worker][: draw.randint(0, 80)]
    counts = summed(run, records)["requests"]
    assert counts["due"] == counts["sent"] + counts["not_sent"]
    assert counts["sent"] == counts["succeeded"] + counts["failed"]
    assert min(counts.values()) >= 0


def test_a_backlog_at_the_end_is_not_sent(make_run: MakeRun) -> None:
    run = make_run(ended=True)
    run.ticks.append(Tick(t_ns=run.ticks[-1].t_ns, dt_ns=TICK_NS, worker=0, due=40, not_sent=15))
    counts = summed(run)["requests"]
    assert counts["due"] == len(run.requests) + 40
    assert counts["not_sent"] == 40


def test_a_request_whose_record_a_damaged_file_lost_is_not_called_unfinished(make_run: MakeRun) -> None:
    run = make_run()
    lost = run.requests[:40]
    kept = [record for record in run.records if record not in lost]
    result = summed(run, kept, damaged=["requests-0.jsonl.gz"])
    assert result["errors"] == {"lost_record": 40}
    assert not any("because the run ended" in reason for reason in result["reasons"])
    assert "part of the session is lost: requests-0.jsonl.gz" in result["reasons"]


def test_what_the_end_of_the_run_cut_off_is_told_apart_from_failures(make_run: MakeRun) -> None:
    run = make_run()
    kept = [record for record in run.records if record not in run.requests[:40]]
    (reason,) = summed(run, kept)["reasons"]
    assert reason.endswith("allowed 1%), 40 of them because the run ended first")


def test_a_running_session_counts_nothing_as_unfinished(make_run: MakeRun) -> None:
    run = make_run(ended=False)
    kept = [record for record in run.timeline_records if record.t_ns <= 5 * SECOND]
    result = summed(run, kept, live=True)
    assert result["requests"]["failed"] == 0
    assert result["reasons"] == ["the run is still going on"]
    assert result["end"]["reason"] is None


def test_a_live_session_is_summed_up_as_it_stands(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(ended=False)
    lock = hold_lock(tmp_path)
    stored(run, tmp_path)
    assert summarise(tmp_path)["reasons"] == ["the run is still going on"]
    os.close(lock)
    assert "the run was killed" in summarise(tmp_path)["reasons"]


def test_cut_and_damaged_files_are_told_and_the_rest_is_summed_up(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(workers=1)
    stored(run, tmp_path)
    whole = summarise(tmp_path)
    with (tmp_path / HOST_FILE).open("ab") as file:
        file.write(b'{"kind":"weather"}\nnot json\n{"kind":"tick","t_')
    packed = tmp_path / request_file(0)
    os.truncate(packed, packed.stat().st_size - 20)
    result = summarise(tmp_path)
    told = "\n".join(result["notes"])
    assert "host.jsonl: the end was cut off (18 bytes of a line dropped)" in told
    assert "host.jsonl: 1 damaged, first at byte" in told
    assert "host.jsonl: 1 lines of kinds this version does not know" in told
    assert "requests-0.jsonl.gz: the end was cut off" in told
    assert result["requests"]["due"] == whole["requests"]["due"]
    assert 0 < result["requests"]["succeeded"] <= whole["requests"]["succeeded"]
    assert whole["valid"] is True
    assert "part of the session is lost: host.jsonl, requests-0.jsonl.gz" in result["reasons"]


def test_lines_of_a_newer_version_spoil_nothing(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(workers=1)
    stored(run, tmp_path)
    with (tmp_path / HOST_FILE).open("ab") as file:
        file.write(b'{"kind":"weather"}\n')
    result = summarise(tmp_path)
    assert result["valid"] is True
    assert result["notes"] == ["host.jsonl: 1 lines of kinds this version does not know"]


def test_an_empty_session_is_summed_up_as_nothing(make_run: MakeRun, tmp_path: Path) -> None:
    write(tmp_path, make_run().manifest)
    result = summarise(tmp_path)
    assert result["requests"] == {"due": 0, "sent": 0, "succeeded": 0, "failed": 0, "not_sent": 0}
    assert result["ttft_from_due_ms"]["p50"] is None
    assert result["rate"]["achieved_rps"] is None
    assert result["reasons"] == ["the run was killed", "nothing was sent"]
    assert result["steps"] == result["gpus"] == []
    json.dumps(result, allow_nan=False)


def test_an_end_that_only_the_manifest_knows_counts(make_run: MakeRun) -> None:
    run = make_run(ended=False)
    run.manifest.end = EndInfo("completed", "2026-11-03T12:00:20+00:00")
    assert summed(run)["reasons"] == []


NUMBERS = [
    "0",
    "-1",
    "1",
    "7",
    "1e3",
    "1e17",
    "4096",
    str(2**53 + 1),
    str(10**12),
    str(315 * 10**15),
    "1e999",
    "null",
]


@pytest.mark.parametrize("seed", range(12))
def test_no_damage_to_its_files_crashes_summary_or_frame(
    make_run: MakeRun, tmp_path: Path, seed: int
) -> None:
    """Numbers exchanged for absurd ones, bytes flipped, files cut: figures may be nonsense, but there are some."""
    draw = random.Random(seed)
    run = make_run(
        seconds=4.0, rate_rps=10.0, workers=2, chunk_tokens="counted", failing=0.2, changes=((2.0, 30.0),)
    )
    run.host += machine_records(6)
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
    result = summarise(tmp_path)
    json.dumps(result, allow_nan=False)
    counts = result["requests"]
    assert counts["due"] == counts["sent"] + counts["not_sent"]
    assert counts["sent"] == counts["succeeded"] + counts["failed"]
    write(tmp_path, msgspec.structs.replace(run.manifest, result=result))
    read(tmp_path)
    view = SessionView(tmp_path)
    while view.poll():
        pass
    for at_ns in (0, 3 * SECOND, view.last_ns, 2 * 10**17):
        for window_ns in (10 * SECOND, view.last_ns + 1):
            drawn = view.frame(at_ns, window_ns, 50)
            assert len(drawn.achieved) == 50


def test_a_foreign_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no such file"):
        summarise(tmp_path)


# what the result is worth


def test_a_healthy_run_is_valid(make_run: MakeRun) -> None:
    result = summed(make_run())
    assert (result["valid"], result["reasons"]) == (True, [])


@pytest.mark.parametrize("reason", ["interrupted", "aborted", "worker_lost", "target_lost", "failed"])
def test_a_run_that_was_cut_short_is_not_valid(make_run: MakeRun, reason: str) -> None:
    run = make_run(ended=False)
    result = summed(run, [*run.records, End(t_ns=20 * SECOND, reason=reason)])
    assert not result["valid"]
    assert len(result["reasons"]) == 1


@pytest.mark.parametrize("reason", ["completed", "finished", "orphaned"])
def test_a_run_that_ended_in_order_is_valid(make_run: MakeRun, reason: str) -> None:
    run = make_run(ended=False)
    assert summed(run, [*run.records, End(t_ns=20 * SECOND, reason=reason)])["valid"]


def simple(sent: int, failed: int, due: int, *, cpu_ns: int = 0, seconds: int = 10) -> dict[str, Any]:
    """A run of whole numbers: `sent` requests in the first tick, of which `failed` failed."""
    fold = Fold()
    fold.apply(LoadChange(t_ns=0, change="start", rate_rps=1.0))
    fold.apply(Tick(t_ns=TICK_NS, dt_ns=TICK_NS, worker=0, due=due, sent=sent, not_sent=due - sent))
    for i in range(2, 4 * seconds + 1):
        fold.apply(Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, cpu_ns=cpu_ns))
    for i in range(sent):
        request = Request(
            index=i, worker=0, due_ns=10, sent_ns=20, first_token_ns=30, last_token_ns=30, end_ns=40
        )
        if i < failed:
            request.error = RequestError("rejected")
        fold.apply(request)
    fold.apply(End(t_ns=seconds * SECOND, reason="completed"))
    config = RunConfig(TargetConfig("http://127.0.0.1:1"), LoadConfig(duration_s=float(seconds)))
    return fold.result(Manifest(SessionInfo("i", "n", ""), ClockAnchor(0, 0), config))


@pytest.mark.parametrize(("failed", "valid"), [(0, True), (1, True), (2, False)])
def test_more_than_one_failure_in_a_hundred_is_not_valid(failed: int, valid: bool) -> None:
    result = simple(100, failed, 100)
    assert result["valid"] == valid
    assert valid or "2 of 100 requests failed (2.0%, allowed 1%)" in result["reasons"]


@pytest.mark.parametrize(("sent", "valid"), [(100, True), (95, True), (94, False)])
def test_less_than_95_of_a_hundred_sent_is_not_valid(sent: int, valid: bool) -> None:
    result = simple(sent, 0, 100)
    assert result["valid"] == valid
    assert valid or "94 of 100 due requests were sent (94.0%, needed 95%)" in result["reasons"]


def test_nothing_sent_is_not_valid() -> None:
    assert "nothing was sent" in simple(0, 0, 0)["reasons"]


def test_a_saturated_client_is_not_valid() -> None:
    result = simple(10, 0, 10, cpu_ns=int(0.9 * TICK_NS))
    assert result["reasons"] == ["the client was saturated for 9 of 10 s: the client used 90% of a core"]
    assert result["client"]["saturated_s"] == 9


# when the load ended


def test_load_that_was_held_for_good_ended_when_it_was_held(make_run: MakeRun) -> None:
    run = make_run(ended=False, seconds=10.0)
    run.manifest.config = RunConfig(TargetConfig("http://127.0.0.1:1"))
    held_ns = 1_300_000_000 + 10 * SECOND
    extra = [
        LoadChange(t_ns=held_ns, change="stop", rate_rps=0.0, label="stop"),
        *(Tick(t_ns=held_ns + i * TICK_NS, dt_ns=TICK_NS, worker=0, rate_rps=0.0) for i in range(20, 100)),
        End(t_ns=held_ns + 30 * SECOND, reason="finished"),
    ]
    result = summed(run, [*run.records, *extra])
    assert result["rate"]["offered_rps"] == len(run.requests) / 10
    assert result["duration_s"] == pytest.approx((max(r.end_ns for r in run.requests) - 1_300_000_000) / 1e9)


def test_load_of_a_number_of_requests_ended_with_the_last_one_due(make_run: MakeRun) -> None:
    run = make_run(ended=False, seconds=10.0)
    n = len(run.requests)
    run.manifest.config = RunConfig(TargetConfig("http://127.0.0.1:1"), LoadConfig(requests=n))
    result = summed(
        run,
        [*run.records, State(t_ns=60 * SECOND, state="draining"), End(t_ns=60 * SECOND, reason="completed")],
    )
    assert result["rate"]["offered_rps"] == pytest.approx(n / 10, rel=0.05)


def test_a_closed_loop_offers_no_rate(make_run: MakeRun) -> None:
    run = make_run()
    run.manifest.config = RunConfig(TargetConfig("http://127.0.0.1:1"), LoadConfig(concurrency=4))
    assert summed(run)["rate"]["offered_rps"] is None


# stages


def test_each_stage_of_constant_load_is_a_step_with_figures_of_its_own(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0, rate_rps=20.0, changes=((6.0, 60.0),))
    first, second = summed(run)["steps"]
    assert summed(run)["load_changes"] == 1
    assert (first["from_s"], first["to_s"], second["from_s"], second["to_s"]) == (0.0, 6.0, 6.0, 12.0)
    cut = 1_300_000_000 + 6 * SECOND
    for step, due in (
        (first, [r for r in run.requests if r.due_ns < cut]),
        (second, [r for r in run.requests if r.due_ns >= cut]),
    ):
        ttft = [(r.first_token_ns - r.due_ns) / 1e6 for r in due]
        assert step["count"] == len(due)
        assert step["ttft_p50_ms"] == pytest.approx(np.percentile(ttft, 50), abs=1e-6)
        assert step["ttft_p99_ms"] == pytest.approx(np.percentile(ttft, 99), abs=1e-6)
    assert first["achieved_rps"] == pytest.approx(first["offered_rps"], rel=0.2)
    assert second["offered_rps"] == pytest.approx(60, rel=0.1)
    gaps = [
        g / 1e3
        for r in run.requests
        for g, t in zip(r.gaps_us, run.tokens_ns[r.index][1:], strict=True)
        if t <= cut
    ]
    assert first["itl_p50_ms"] == pytest.approx(np.percentile(gaps, 50), rel=0.03)


def test_a_stage_in_which_nothing_was_due_yet_is_a_step_all_the_same(make_run: MakeRun) -> None:
    run = make_run(seconds=8.0, rate_rps=0.01, changes=((3.0, 40.0),))
    assert all(r.due_ns > 1_300_000_000 + 3 * SECOND for r in run.requests)
    first, second = summed(run)["steps"]
    assert (first["from_s"], first["to_s"], first["count"], first["ttft_p50_ms"]) == (0.0, 3.0, 0, None)
    assert first["offered_rps"] == pytest.approx(0.01)
    assert second["from_s"] == 3.0


def test_what_a_step_sent_is_counted_by_its_requests_and_not_by_whole_ticks(make_run: MakeRun) -> None:
    # The change falls into the middle of a tick, of which more than half belongs to the first step.
    run = make_run(seconds=8.0, rate_rps=8.0, changes=((4.15, 80.0),))
    cut = 1_300_000_000 + round(4.15 * SECOND)
    first, second = summed(run)["steps"]
    before = sum(r.sent_ns < cut for r in run.requests)
    assert first["achieved_rps"] == pytest.approx(before / 4.15, rel=1e-6)
    assert second["achieved_rps"] == pytest.approx((len(run.requests) - before) / 3.85, rel=1e-6)


def test_a_held_step_offers_nothing_whatever_its_first_tick_shows() -> None:
    fold = Fold()
    fold.apply(LoadChange(t_ns=0, change="start", rate_rps=4.0))
    for i in range(1, 17):
        rate = 4.0 if i <= 9 else 0.0
        fold.apply(Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, due=1, in_flight=1, rate_rps=rate))
    fold.apply(LoadChange(t_ns=2 * SECOND, change="hold", rate_rps=0.0))
    fold.apply(LoadChange(t_ns=3 * SECOND + 1, change="resume", rate_rps=4.0))
    fold.apply(End(t_ns=4 * SECOND, reason="finished"))
    config = RunConfig(TargetConfig("http://127.0.0.1:1"))
    steps = fold.result(Manifest(SessionInfo("i", "n", ""), ClockAnchor(0, 0), config))["steps"]
    assert [step["offered_rps"] for step in steps][1] == 0.0  # type: ignore[attr-defined]


def test_steps_keep_gaps_and_itl_apart_where_chunks_bore_unknown_numbers_of_tokens(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0, rate_rps=20.0, changes=((6.0, 60.0),))
    run.ticks[:] = [msgspec.structs.replace(tick, itl_unknown=tick.succeeded) for tick in run.ticks]
    for step in summed(run)["steps"]:
        assert step["itl_p50_ms"] is step["itl_p99_ms"] is None
        assert step["chunk_gap_p50_ms"] > 0


def test_a_last_tick_that_finds_the_load_over_does_not_make_a_ramp(make_run: MakeRun) -> None:
    run = make_run(seconds=8.0, rate_rps=20.0)
    load_end_ns = 1_300_000_000 + 8 * SECOND
    last = max((tick for tick in run.ticks if tick.t_ns < load_end_ns), key=lambda tick: tick.t_ns)
    run.ticks[run.ticks.index(last)] = msgspec.structs.replace(last, rate_rps=0.0)
    (step,) = summed(run)["steps"]
    assert step["offered_rps"] == 20.0


def test_a_ramp_is_cut_into_pieces_and_short_or_empty_stages_are_left_out() -> None:
    fold = Fold()
    fold.apply(LoadChange(t_ns=0, change="start", rate_rps=1.0))
    for i in range(1, 241):
        rate = min(i * 0.25 + 1, 31.0) if i <= 120 else 0.0
        fold.apply(Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, due=int(rate > 0), sent=1, rate_rps=rate))
    fold.apply(LoadChange(t_ns=30 * SECOND, change="hold", rate_rps=0.0))
    fold.apply(LoadChange(t_ns=30 * SECOND + SECOND // 2, change="resume", rate_rps=31.0))
    fold.apply(LoadChange(t_ns=31 * SECOND, change="hold", rate_rps=0.0))
    fold.apply(End(t_ns=60 * SECOND, reason="finished"))
    config = RunConfig(TargetConfig("http://127.0.0.1:1"))
    steps = fold.result(Manifest(SessionInfo("i", "n", ""), ClockAnchor(0, 0), config))["steps"]
    assert len(steps) == 12  # type: ignore[arg-type]
    assert [step["from_s"] for step in steps] == [2.5 * i for i in range(12)]  # type: ignore[attr-defined]
    offered = [step["offered_rps"] for step in steps]  # type: ignore[attr-defined]
    assert offered == sorted(offered)


# GPUs


def machine_records(seconds: int) -> list[Any]:
    """GPU 0 at 200 W and then 400 W, with an energy counter; GPU 1 says nothing but its power."""
    records: list[Any] = [
        GpuDevices(
            t_ns=1,
            source="nvml",
            devices=[GpuDevice("GPU-b", 1, "H200"), GpuDevice("GPU-a", 0, "H200", memory_total_bytes=1000)],
        )
    ]
    for i in range(seconds):
        t_ns = i * SECOND
        power = 200.0 if i < 8 else 400.0
        gpus = [
            GpuSample(
                "GPU-a", util_pct=50.0, memory_used_bytes=100 + i, power_w=power, energy_j=5000.0 + 10 * i
            ),
            GpuSample("GPU-b", power_w=70.1),
        ]
        records.append(GpuSamples(t_ns=t_ns, took_ns=1, source="nvml", gpus=gpus))
    return records


def test_gpus_are_summed_up_over_the_run_and_energy_is_the_counters_difference(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0)
    first, second = summed(run, [*run.records, *machine_records(30)])["gpus"]
    end_s = max(r.end_ns for r in run.requests) / 1e9
    inside = [i for i in range(30) if 1.3 <= i <= end_s]
    assert (first["index"], first["name"], first["samples"]) == (0, "H200", len(inside))
    assert first["util_pct"] == {"mean": 50.0, "max": 50.0}
    assert first["memory_used_bytes"] == {"mean": 100 + np.mean(inside), "max": 100 + max(inside)}
    assert first["memory_total_bytes"] == 1000
    assert first["power_w"]["mean"] == pytest.approx(np.mean([200 if i < 8 else 400 for i in inside]))
    assert first["energy_j"] == pytest.approx(10 * (end_s - 1.3)), "over exactly the run"
    assert (first["energy_source"], first["energy_gap_s"]) == ("counter", 0.0)
    assert second["util_pct"] == {"mean": None, "max": None}
    assert second["energy_j"] == pytest.approx(70.1 * (end_s - 1.3))
    assert second["energy_source"] == "integrated"
    assert second["memory_total_bytes"] is None


def test_an_energy_counter_that_was_reset_leaves_a_gap_and_nothing_is_divided_by_it(
    make_run: MakeRun,
) -> None:
    run = make_run()
    samples = [
        GpuSamples(t_ns=i * SECOND, took_ns=1, source="n", gpus=[GpuSample("g", energy_j=100.0 * (i % 5))])
        for i in range(30)
    ]
    result = summed(run, [*run.records, *samples])
    end_s = max(r.end_ns for r in run.requests) / 1e9
    resets = [t for t in range(5, 30, 5) if t <= end_s]
    (gpu,) = result["gpus"]
    assert gpu["energy_gap_s"] == pytest.approx(len(resets))
    assert gpu["energy_j"] == pytest.approx(100 * (end_s - 1.3 - len(resets)))
    assert result["energy"]["joules"] == gpu["energy_j"]
    assert result["energy"]["j_per_output_token"] is None


def serving(records: list[Any]) -> list[Any]:
    """GPU 0 serves, GPU 1 does not."""
    known = [
        GpuDevice("GPU-a", 0, "NVIDIA H100 80GB HBM3", serves_target=True),
        GpuDevice("GPU-b", 1, serves_target=False),
    ]
    return [*records, GpuDevices(t_ns=2, source="nvml", devices=known)]


def test_joules_and_money_of_a_run_by_hand(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0, changes=((6.0, 40.0),))
    fold = Fold()
    for record in [*run.records, *serving(machine_records(40))]:
        fold.apply(record)
    table = Prices((GpuPrice("H100", 3.20),), "USD", "2026-11-01", "p.toml")
    result: Any = fold.result(run.manifest, prices=table)
    seconds = max(r.end_ns for r in run.requests) / 1e9 - 1.3
    tokens = sum(r.output_tokens or 0 for r in run.requests)
    energy = result["energy"]
    # GPU 0 alone, which draws 10 W by its counter.
    assert (energy["gpus"], energy["source"], energy["gap_s"]) == (1, "counter", 0.0)
    assert energy["joules"] == pytest.approx(10 * seconds)
    assert energy["mean_w"] == pytest.approx(10.0)
    assert energy["j_per_output_token"] == pytest.approx(10 * seconds / tokens)
    assert energy["output_tps_per_w"] == pytest.approx(tokens / seconds / 10)
    assert result["cost"]["per_million_output_tokens"] == pytest.approx(
        3.20 / 3600 / (tokens / seconds) * 1e6
    )
    assert result["cost"]["total"] == pytest.approx(3.20 * seconds / 3600)
    assert (result["cost"]["currency"], result["cost"]["dated"]) == ("USD", "2026-11-01")
    first, second = result["steps"]
    for step, length_s in ((first, 6.0), (second, 6.0)):
        assert step["joules"] == pytest.approx(10 * length_s)
        assert step["j_per_output_token"] == pytest.approx(10 / step["output_tps"])
        assert step["output_tps_per_w"] == pytest.approx(step["output_tps"] / 10)
        assert step["cost_per_million_output_tokens"] == pytest.approx(3.20 / 3600 / step["output_tps"] * 1e6)


def test_without_a_table_a_summary_has_no_money(make_run: MakeRun) -> None:
    result = summed(make_run(), [*make_run().records, *serving(machine_records(30))])
    assert result["cost"] is None
    assert all(step["cost_per_million_output_tokens"] is None for step in result["steps"])


def test_server_and_hosts_are_summed_up_where_they_spoke(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0)
    assert (summed(run)["server"], summed(run)["hosts"]) == (None, [])
    records: list[Any] = []
    for i in range(40):
        counts = [2 * i, 4 * i, 4 * i]
        records += [
            ServerSample(
                t_ns=i * SECOND, took_ns=1, source="m", kv_pct=float(i), preemptions=10.0 * i % 70,
                ttft=Histogram([0.16, 0.2], counts),
            ),
            HostSample(t_ns=i * SECOND, took_ns=1, source="host", host="n1", cpu_pct=50.0, steal_pct=float(i % 2)),
        ]  # fmt: skip
    result = summed(run, [*run.records, *records])
    last = int(max(r.end_ns for r in run.requests) / 1e9)
    assert result["server"]["kv_pct"] == {
        "mean": pytest.approx(np.mean(range(2, last + 1))),
        "max": float(last),
    }
    # Of 4 a second, half are under 0.16 s, as the median is; the 95th of 100 lies nine tenths on from there to 0.2 s.
    assert result["server"]["ttft_ms"]["p50"] is None
    assert result["server"]["ttft_ms"]["between"] == {"p50": [0.0, 160.0]}
    assert result["server"]["ttft_ms"]["p95"] == pytest.approx(196.0)
    assert result["server"]["ttft_ms"]["count"] == 4 * (last - 1)
    # From 10 at 1 s on; back to 0 at 7 s, 14 s, ...: each fall is a new start.
    readings = [10 * i % 70 for i in range(1, last + 1)]
    gained = sum(b - a if b >= a else b for a, b in itertools.pairwise(readings))
    assert result["server"]["preemptions"] == gained
    assert "running" not in result["server"]
    (host,) = result["hosts"]
    assert host == {
        "host": "n1",
        "cpu_pct": {"mean": 50.0, "max": 50.0},
        "steal_pct": {"mean": pytest.approx(0.5, abs=0.06), "max": 1.0},
    }


def test_what_bound_when_stands_in_the_summary(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0)
    full = [
        ServerSample(t_ns=i * SECOND // 4, took_ns=1, source="m", kv_pct=99.0, waiting=5.0) for i in range(80)
    ]
    limits = summed(run, [*run.records, *full])["limits"]
    assert limits[0] == {
        "from_s": 0.0,
        "to_s": pytest.approx(summed(run)["duration_s"], abs=0.001),
        "limit": "KV cache",
        "why": "99 % used, 5 waiting",
    }


def test_a_simulated_server_or_gpu_marks_the_result(make_run: MakeRun) -> None:
    run = make_run()
    assert summed(run)["simulated"] is False
    devices = GpuDevices(t_ns=1, source="sim", devices=[], simulated=True)
    assert summed(run, [*run.records, devices])["simulated"] is True
    run.manifest.server = {"simulated": True}
    assert summed(run)["simulated"] is True


def test_the_result_survives_the_manifest(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    result = summed(run)
    run.manifest.result = result
    write(tmp_path, run.manifest)
    back = read(tmp_path).result
    assert back is not None
    assert back["ttft_from_due_ms"] == result["ttft_from_due_ms"]
    assert back["requests"] == result["requests"]
