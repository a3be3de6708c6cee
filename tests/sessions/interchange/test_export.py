"""A session in the shape of another tool is the same when it comes back, and safe to open elsewhere."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadgen.records import Request, RequestError
from sessions.interchange.find_runs import find_runs
from sessions.interchange.imported_run import ImportedRun, settle
from sessions.interchange.shapes import SHAPES, lost
from sessions.interchange.stored_run import StoredRun, read_run
from sessions.interchange.write_session import write_session
from tests.sessions.interchange import made_results as made

RECORDED = Path(__file__).parents[1] / "store" / "recorded" / "llamacpp"
NOW = datetime(2026, 9, 22, tzinfo=timezone.utc)


def stored(path: Path, root: Path) -> StoredRun:
    return read_run(write_session(find_runs(path)[0], root, NOW))


def sources(place: Path) -> dict[str, Path]:
    return {
        "vllm": made.written(place / "r.json", made.vllm()),
        "guidellm": made.written(place / "b.json", made.guidellm()),
        "aiperf": made.aiperf(place / "out"),
    }


def plain(run: StoredRun) -> list[Any]:
    return [msgspec.to_builtins(one) for one in run.requests]


@pytest.mark.parametrize("tool", ["vllm", "guidellm", "aiperf"])
def test_what_is_exported_as_the_tools_own_comes_back_the_same(tmp_path: Path, tool: str) -> None:
    first = stored(sources(tmp_path)[tool], tmp_path / "s")
    place = tmp_path / "again"
    for name, data in SHAPES[tool](first).items():
        if name:
            place.mkdir(exist_ok=True)
            (place / name).write_bytes(data)
        else:
            place = place.with_suffix(".json")
            place.write_bytes(data)
    again = stored(place, tmp_path / "t")
    assert plain(again) == plain(first)
    assert again.summary.throughput == first.summary.throughput
    assert again.summary.errors == first.summary.errors
    assert again.summary.gpus == first.summary.gpus


@pytest.mark.parametrize("tool", ["vllm", "guidellm", "aiperf"])
def test_a_run_of_ours_says_the_same_where_the_other_tool_has_a_place_for_it(
    tmp_path: Path, tool: str
) -> None:
    ours = read_run(RECORDED)
    place = tmp_path / ("out" if tool == "aiperf" else "out.json")
    for name, data in SHAPES[tool](ours).items():
        place.mkdir(exist_ok=True) if name else None
        (place / name if name else place).write_bytes(data)
    back = stored(place, tmp_path / "s").summary
    assert back.requests == ours.summary.requests
    assert (back.tokens.input, back.tokens.output) == (1792, 1344)
    assert back.duration_s == pytest.approx(ours.summary.duration_s, abs=1e-6)
    for metric in ("ttft_from_sent_ms", "tpot_ms", "e2e_ms", *(("itl_ms",) if tool != "guidellm" else ())):
        assert getattr(back, metric).p95 == pytest.approx(getattr(ours.summary, metric).p95, abs=2e-3)
    begun = datetime.fromisoformat(ours.summary.started_at).timestamp()
    assert datetime.fromisoformat(back.started_at).timestamp() == pytest.approx(begun, abs=2)


def test_a_server_cannot_put_a_formula_into_a_table(tmp_path: Path) -> None:
    failed = Request(0, 0, 0, sent_ns=1, end_ns=2, error=RequestError("other", "=cmd|' /C calc'!A1"))
    run = read_run(write_session(settle(ImportedRun("x", "f", requests=[failed]), 0), tmp_path, NOW))
    (row,) = csv.DictReader(io.StringIO(SHAPES["csv"](run)[""].decode()))
    assert row["message"].startswith("'=")
    assert row["ttft_from_due_ms"] == ""  # not measured, never 0


def test_a_trace_has_a_slice_a_request_and_a_counter_a_gpu_figure(tmp_path: Path) -> None:
    run = stored(made.aiperf(tmp_path / "out"), tmp_path / "s")
    events = json.loads(SHAPES["perfetto"](run)[""])["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    (first,) = (event for event in slices if event["name"] == "request 0")
    assert (first["ts"], first["dur"]) == (50_000.0, 85_000.0)  # 100 ms to 185 ms, from 50 ms on
    inside = {event["name"] for event in slices if event["tid"] == first["tid"]}
    assert inside == {"request 0", "wait", "prefill", "decode"}
    powers = [event["args"]["value"] for event in events if event["ph"] == "C" and "power" in event["name"]]
    assert powers == [300.0]


def test_requests_that_overlap_lie_in_different_lanes(tmp_path: Path) -> None:
    requests = [Request(i, 0, i * 10, sent_ns=i * 10, end_ns=i * 10 + 15) for i in range(4)]
    run = read_run(write_session(settle(ImportedRun("x", "f", requests=requests), 0), tmp_path, NOW))
    events = json.loads(SHAPES["perfetto"](run)[""])["traceEvents"]
    assert [event["tid"] for event in events if event["ph"] == "X"] == [1, 2, 1, 2]


def test_json_lines_hold_the_gaps_as_numbers(tmp_path: Path) -> None:
    run = stored(made.written(tmp_path / "r.json", made.vllm()), tmp_path / "s")
    lines = [json.loads(line) for line in SHAPES["jsonl"](run)[""].splitlines()]
    assert lines[0]["gaps_us"] == [40_000, 60_000]


@pytest.mark.parametrize("shape", SHAPES)
def test_of_a_simulated_run_each_export_says_so_or_that_it_has_no_place_for_it(shape: str) -> None:
    real = read_run(RECORDED)
    simulated = replace(real, summary=msgspec.structs.replace(real.summary, simulated=True))
    files = b"".join(SHAPES[shape](simulated).values())
    assert (b"SIMULATED" in files) == (shape in ("vllm", "csv", "perfetto"))
    assert "SIMULATED: nothing of it was measured on a real server" in " ".join(lost(shape, simulated))
    assert b"SIMULATED" not in b"".join(SHAPES[shape](real).values())
    assert "SIMULATED" not in " ".join(lost(shape, real))


def test_a_simulated_run_that_was_exported_for_vllm_comes_back_as_one(tmp_path: Path) -> None:
    real = read_run(RECORDED)
    simulated = replace(real, summary=msgspec.structs.replace(real.summary, simulated=True))
    for run, badges in ((simulated, ["SIMULATED", "IMPORTED"]), (real, ["IMPORTED"])):
        place = tmp_path / f"{len(badges)}.json"
        place.write_bytes(SHAPES["vllm"](run)[""])
        assert stored(place, tmp_path).summary.badges == badges
