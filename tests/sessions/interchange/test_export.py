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
from sessions.interchange.tables_out import plain_cell
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
    assert (b"SIMULATED" in files) == (shape != "jsonl")
    assert "SIMULATED: nothing of it was measured on a real server" in " ".join(lost(shape, simulated))
    assert b"SIMULATED" not in b"".join(SHAPES[shape](real).values())
    assert "SIMULATED" not in " ".join(lost(shape, real))


@pytest.mark.parametrize("shape", ["vllm", "guidellm", "aiperf", "sglang"])
def test_a_simulated_run_that_was_exported_comes_back_as_one(tmp_path: Path, shape: str) -> None:
    real = read_run(RECORDED)
    simulated = replace(real, summary=msgspec.structs.replace(real.summary, simulated=True))
    for run, badges in ((simulated, ["SIMULATED", "IMPORTED"]), (real, ["IMPORTED"])):
        place = tmp_path / f"{len(badges)}"
        place.mkdir()
        for name, data in SHAPES[shape](run).items():
            (place / (name or "result.json")).write_bytes(data)
        assert stored(place, tmp_path).summary.badges == badges


MS = 1_000_000


def streamed(index: int, ttft_ms: int, tokens: int, tpot_ms: int) -> Request:
    due = index * 1000 * MS
    first = due + ttft_ms * MS
    last = first + (tokens - 1) * tpot_ms * MS
    return Request(
        index, 0, due, sent_ns=due, first_token_ns=first, last_token_ns=last, end_ns=last, input_tokens=7,
        output_tokens=tokens, chunks=tokens, gaps_us=[tpot_ms * 1000] * (tokens - 1),
    )  # fmt: skip


def cut_off(index: int, kind: str) -> Request:
    due = index * 1000 * MS
    return Request(index, 0, due, sent_ns=due, end_ns=due + 5 * MS, error=RequestError(kind))


def of_requests(root: Path, *requests: Request) -> StoredRun:
    return read_run(write_session(settle(ImportedRun("x", "f", requests=list(requests)), 0), root, NOW))


def test_statistics_in_vllms_shape_are_those_of_its_requests(tmp_path: Path) -> None:
    run = stored(made.written(tmp_path / "r.json", made.vllm()), tmp_path / "s")
    told = json.loads(SHAPES["vllm"](run)[""])
    assert (told["completed"], told["failed"], told["num_prompts"]) == (2, 1, 3)
    assert (told["mean_ttft_ms"], told["median_ttft_ms"], told["p95_ttft_ms"]) == (125.0, 125.0, 147.5)
    assert told["mean_tpot_ms"] == 100.0  # 100 ms over two gaps, 150 ms over one
    assert told["mean_itl_ms"] == pytest.approx(250 / 3)
    assert told["mean_e2el_ms"] == 250.0


SGLANG_KEYS = [
    "tag",
    "backend",
    "dataset_name",
    "request_rate",
    "max_concurrency",
    "sharegpt_output_len",
    "random_input_len",
    "random_output_len",
    "random_range_ratio",
    "server_info",
    "duration",
    "completed",
    "total_input_tokens",
    "total_input_text_tokens",
    "total_input_vision_tokens",
    "total_output_tokens",
    "total_output_tokens_retokenized",
    "request_throughput",
    "input_throughput",
    "output_throughput",
    "total_throughput",
    "concurrency",
    "accept_length",
    "max_output_tokens_per_s",
    "max_concurrent_requests",
    "input_lens",
    "output_lens",
    "ttfts",
    "itls",
    "generated_texts",
    "errors",
]
"""Of a file that SGLang 0.5.23 wrote, but for its statistics."""


def test_sglangs_shape_has_all_keys_of_its_own_and_their_statistics(tmp_path: Path) -> None:
    good = [streamed(0, 100, 3, 40), streamed(1, 200, 2, 90)]
    run = of_requests(tmp_path, *good, cut_off(2, "cut_mid_stream"))
    data = SHAPES["sglang"](run)[""]
    assert data.count(b"\n") == 1, "runs are appended, a line each"
    told = json.loads(data)
    of = [f"{s}_{m}_ms" for s in ("mean", "median", "std", "p90", "p95", "p99") for m in
          ("ttft", "tpot", "itl", "e2e_latency")]  # fmt: skip
    assert [key for key in (*SGLANG_KEYS, *of) if key not in told] == []
    # By hand: E2E 180 and 290 ms; TPOT 40 and 90; gaps 40, 40 and 90.
    assert (told["mean_ttft_ms"], told["median_ttft_ms"], told["std_ttft_ms"]) == (150.0, 150.0, 50.0)
    assert (told["mean_tpot_ms"], told["median_itl_ms"]) == (65.0, 40.0)
    assert told["mean_itl_ms"] == pytest.approx(170 / 3)
    assert told["mean_e2e_latency_ms"] == pytest.approx(235.0)
    assert told["concurrency"] == pytest.approx(0.47 / run.summary.duration_s)
    assert (told["completed"], len(told["errors"]), told["output_lens"]) == (2, 3, [3, 2, 0])
    assert told["errors"] == ["", "", "cut_mid_stream"]


def test_what_is_exported_for_sglang_comes_back_as_its_summary(tmp_path: Path) -> None:
    ours = read_run(RECORDED)
    place = tmp_path / "out.jsonl"
    place.write_bytes(SHAPES["sglang"](ours)[""] * 2)
    first, second = find_runs(place)
    assert first.figures == second.figures, "two lines are two runs"
    back = read_run(write_session(first, tmp_path / "s", NOW)).summary
    assert (back.requests.succeeded, back.requests.failed) == (56, 0)
    assert (back.tokens.input, back.tokens.output, back.model) == (1792, 1344, ours.summary.model)
    assert back.throughput.output_tps == pytest.approx(ours.summary.throughput.output_tps)
    assert back.ttft_from_sent_ms.p95 == pytest.approx(ours.summary.ttft_from_sent_ms.p95, abs=2e-3)
    assert back.imported is not None
    assert "nothing of it can be replayed" in " ".join(lost("sglang", ours))


def test_statistics_in_guidellms_shape_weigh_by_tokens_and_are_values_that_occurred(tmp_path: Path) -> None:
    good = [streamed(n, 10 * (n + 1), tokens, tpot) for n, (tokens, tpot) in enumerate([(2, 90), (11, 20)])]
    run = of_requests(tmp_path, *good, cut_off(2, "unfinished"), cut_off(3, "cut_mid_stream"))
    (told,) = json.loads(SHAPES["guidellm"](run)[""])["benchmarks"]
    assert told["scheduler_metrics"]["requests_made"] == {
        "successful": 2,
        "errored": 1,
        "incomplete": 1,
        "total": 4,
    }
    itl = told["metrics"]["inter_token_latency_ms"]["successful"]
    assert (itl["count"], itl["mean"], itl["median"]) == (11, pytest.approx(290 / 11), 20.0)
    ttft = told["metrics"]["time_to_first_token_ms"]["successful"]
    assert (ttft["median"], ttft["percentiles"]["p50"], ttft["percentiles"]["p75"]) == (10.0, 10.0, 20.0)


def test_aiperfs_shape_has_no_summary_where_all_failed_and_energy_in_megajoules(tmp_path: Path) -> None:
    failed = of_requests(tmp_path / "f", cut_off(0, "cut_mid_stream"))
    assert set(SHAPES["aiperf"](failed)) == {"profile_export.jsonl"}
    run = stored(made.aiperf(tmp_path / "out"), tmp_path / "s")
    (gpu,) = SHAPES["aiperf"](run)["gpu_telemetry_export.jsonl"].splitlines()
    assert json.loads(gpu)["telemetry_data"] == {
        "nvidia_power_usage": 300.0,
        "nvidia_energy_consumption": 0.001,
        "nvidia_memory_used": 2.0,
    }


def test_a_row_divides_by_the_tokens_that_were_shown(tmp_path: Path) -> None:
    one = streamed(0, 100, 11, 10)
    one.output_tokens, one.hidden_tokens = 41, 30
    (row,) = csv.DictReader(io.StringIO(SHAPES["csv"](of_requests(tmp_path, one))[""].decode()))
    assert float(row["tpot_ms"]) == 10.0


@pytest.mark.parametrize("letter", ["=", "+", "-", "@", "\t", "\r"])
def test_no_letter_that_begins_a_formula_begins_a_cell(letter: str) -> None:
    assert plain_cell(f"{letter}1+1") == f"'{letter}1+1"
    assert plain_cell(f"1{letter}1") == f"1{letter}1"
