"""The traps of tools whose files hold less, or count what was no success: each is told, and no figure invented."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from sessions.interchange import evalscope
from sessions.interchange.documents import ImportFailed
from sessions.interchange.find_runs import find_runs
from sessions.interchange.write_session import write_session
from sessions.summary.read import read_summary
from sessions.summary.schema import Summary
from tests.sessions.interchange.made_results import written

OF_3_11 = pytest.mark.skipif(sys.version_info < (3, 11), reason="sqlite3 has no setlimit")
NOW = datetime(2026, 9, 22, tzinfo=timezone.utc)

SGLANG: dict[str, Any] = {
    "tag": None,
    "backend": "sglang-oai-chat",
    "dataset_name": "random",
    "max_concurrency": 2,
    "duration": 2.0,
    "completed": 3,
    "total_input_tokens": 30,
    "total_output_tokens": 24,
    "total_output_tokens_retokenized": 16,
    "request_throughput": 1.5,
    "output_throughput": 12.0,
    "mean_ttft_ms": 66.0,
    "median_ttft_ms": 99.0,
    "median_e2e_latency_ms": 300.0,
    "p99_itl_ms": 20.0,
    "ttfts": [0.099, 0.0, 0.099, 0.0],
    "itls": [[0.01], [], [0.02], []],
    "errors": ["", "", "", "boom"],
}


def summary(path: Path, root: Path) -> Summary:
    (run,) = find_runs(path)
    return read_summary(write_session(run, root, NOW))


def notes(said: Summary) -> str:
    assert said.imported is not None
    return " ".join(said.imported.notes)


def test_sglang_writes_infinity_that_is_no_json_and_counts_empty_answers_as_successes(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(SGLANG | {"request_rate": float("inf")}) + "\n")
    said = summary(path, tmp_path / "s")
    assert "1 answers without a token count as successes" in notes(said)
    assert "16 in the answers" in notes(said)
    assert (said.requests.succeeded, said.requests.failed) == (3, 1)
    assert said.load.concurrency == 2
    assert (said.ttft_from_sent_ms.mean, said.chunk_gap_ms.p99, said.itl_ms.p99) == (66.0, 20.0, None)


SGLANG_OF_2024 = (
    '{"backend": "sglang", "dataset_name": "random", "request_rate": 1.0, "max_concurrency": null, '
    '"total_input_tokens": 152612, "total_output_tokens": 160347, "total_output_tokens_retokenized": 160192, '
    '"mean_e2e_latency_ms": 7840.616212638561, "median_e2e_latency_ms": 7819.046192569658, '
    '"median_ttft_ms": 85.74514742940664, "median_itl_ms": 13.638956006616354, '
    '"output_throughput": 537.4142851849319, "sharegpt_output_len": null, "random_input_len": 1024, '
    '"random_output_len": 1024, "random_range_ratio": 0.0, "duration": 298.3675805060193, "completed": 300}'
)
"""Of github.com/datacrunch-research/h200-benchmarks (MIT), commit c091ef5, sglang/outputs: a short old shape."""


def test_a_published_result_of_an_older_sglang_is_read(tmp_path: Path) -> None:
    path = tmp_path / "llama_online_output.jsonl"
    path.write_text(SGLANG_OF_2024 + "\n\n")
    said = summary(path, tmp_path / "s")
    assert (said.requests.succeeded, said.load.rate_rps) == (300, 1.0)
    assert (said.ttft_from_sent_ms.p50, said.ttft_from_sent_ms.mean) == (85.74514742940664, None)
    assert said.throughput.output_tps == 537.4142851849319


@pytest.mark.parametrize(("unit", "factor"), [("s", 1.0), ("ms", 1000.0)])
def test_genai_bench_says_its_unit_and_an_error_rate_that_is_none(
    tmp_path: Path, unit: str, factor: float
) -> None:
    result = {
        "aggregated_metrics": {
            "scenario": "D(1,2)",
            "num_concurrency": 4,
            "run_duration": 3.0,
            "error_rate": 0,
            "num_error_requests": 5,
            "num_completed_requests": 6,
            "stats": {"ttft": {"mean": 0.25 * factor, "p99": 0.5 * factor}, "num_input_tokens": {"mean": 7}},
        },
        "individual_request_metrics": [],
        "_time_unit": unit,
    }
    said = summary(written(tmp_path / "r.json", result), tmp_path / "s")
    assert (said.ttft_from_sent_ms.mean, said.ttft_from_sent_ms.p99) == (250.0, 500.0)
    assert "error_rate says 0 while 5 requests failed" in notes(said)


def test_inference_perf_gives_each_token_its_time_and_counts_empty_answers(tmp_path: Path) -> None:
    def item(start: float, tokens: list[float], error: Any = None) -> dict[str, Any]:
        got = {
            "output_tokens": len(tokens),
            "output_token_times": tokens,
            "server_usage": {"prompt_tokens": 5},
        }
        info = {"input_tokens": 5, "response_metrics": None if error else got}
        return {"start_time": start, "end_time": start + 0.5, "info": info, "error": error}

    result = [
        item(10.0, [10.1, 10.2, 10.4]),
        item(10.5, []),
        item(11.0, [], {"error_type": "HTTP Error 500", "error_msg": "no"}),
    ]
    said = summary(written(tmp_path / "per_request_lifecycle_metrics.json", result), tmp_path / "s")
    assert said.errors == {"http_500": 1, "no_tokens": 1}
    assert said.ttft_from_sent_ms.p50 == pytest.approx(100.0)
    assert (said.tpot_ms.p50, said.itl_ms.max) == (pytest.approx(150.0), 200.0)
    assert (said.rate.offered_rps, said.load.rate_rps) == (pytest.approx(2.0), 2.0)
    assert "1 answers without a token" in notes(said)
    shuffled = [item(10.0, [10.4, 10.1, 10.2])]
    said = summary(written(tmp_path / "per_request_lifecycle_metrics.json", shuffled), tmp_path / "t")
    assert said.ttft_from_sent_ms.p50 == pytest.approx(100.0)


def test_figures_of_the_server_are_no_result_of_inference_perf(tmp_path: Path) -> None:
    server = {"load_summary": {}, "successes": {"count": 9, "request_latency": {}}, "failures": {}}
    with pytest.raises(ImportFailed):
        find_runs(written(tmp_path / "stage_0_prometheus_metrics.json", server))


def database(path: Path, rows: list[tuple[Any, ...]], what: str = "TABLE result") -> Path:
    columns = (
        *("request", "start_time", "inter_token_latencies", "success", "response_messages", "completed_time"),
        *("latency", "first_chunk_latency", "prompt_tokens", "completion_tokens"),
    )
    with sqlite3.connect(path) as file:
        file.execute(f"CREATE {what} ({', '.join(columns)})")
        file.executemany(f"INSERT INTO result VALUES ({', '.join('?' * len(columns))})", rows)
    return path


def test_evalscopes_database_is_read_without_its_pickles(tmp_path: Path) -> None:
    bomb = "gASVHgAAAAAAAACMCGJ1aWx0aW5zlIwEZXZhbJSTlIwEMS8wX5SFlFKULg=="
    rows = [
        ("p", 5.0, "[0.1, 0.3]", 1, bomb, 5.75, 0.6, 0.2, 8, 3),
        ("p", 5.1, "[]", 1, bomb, 5.2, 0.0, 0.0, 0, 0),
        ("p", 5.2, "[", 0, bomb, 5.3, None, None, None, None),
    ]
    said = summary(database(tmp_path / "benchmark_data.db", rows), tmp_path / "s")
    assert said.errors == {"no_tokens": 1, "other": 1}
    assert (said.ttft_from_sent_ms.p50, said.e2e_ms.p50, said.tpot_ms.p50) == (200.0, 600.0, 200.0)
    assert said.chunk_gap_ms.max == 300.0
    assert "1 answers without a token" in notes(said)


def test_another_database_is_refused_and_a_view_is_not_run(tmp_path: Path) -> None:
    endless = tmp_path / "view.db"
    with sqlite3.connect(endless) as file:
        file.execute(
            "CREATE VIEW result AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS "
            "start_time FROM n"
        )
    view = tmp_path / "one.db"
    with sqlite3.connect(view) as file:  # it has every column that is asked for
        file.execute(
            "CREATE VIEW result AS SELECT 5.0 AS start_time, 5.5 AS completed_time, 1 AS success, 0.5 AS latency, "
            "0.1 AS first_chunk_latency, '[]' AS inter_token_latencies, 8 AS prompt_tokens, 3 AS completion_tokens"
        )
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    computed, virtual = tmp_path / "computed.db", tmp_path / "virtual.db"
    names = "completed_time, success, latency, first_chunk_latency, inter_token_latencies, prompt_tokens"
    with sqlite3.connect(computed) as file:  # a file of 8 kB that is read as gigabytes
        file.execute(
            f"CREATE TABLE result (start_time, {names}, completion_tokens AS (hex(zeroblob(100000000))))"
        )
        file.execute(f"INSERT INTO result (start_time, {names}) VALUES (5.0, 5.75, 1, 0.6, 0.2, '[]', 8)")
    databases = [endless, view, broken, computed]
    with (
        sqlite3.connect(virtual) as file,
        contextlib.suppress(sqlite3.OperationalError),
    ):  # built without FTS5
        file.execute(f"CREATE VIRTUAL TABLE result USING fts5(start_time, {names}, completion_tokens)")
        databases.append(virtual)
    for path in databases:
        with pytest.raises(ImportFailed, match=r"no database of evalscope"):
            find_runs(path)


@pytest.mark.parametrize("order", [b"\x1b[2J", b"\xff\xfe", b"\n\n\n"])
def test_words_of_a_broken_database_are_said_in_one_line_that_orders_nothing(
    tmp_path: Path, order: bytes
) -> None:
    path = database(tmp_path / "benchmark_data.db", [])
    data = path.read_bytes()
    assert data.count(b"(request, start_time") == 1
    path.write_bytes(data.replace(b"(request, start_time", b"('" + order.ljust(18, b"~")))
    with pytest.raises(ImportFailed) as failed:
        find_runs(path)
    said = str(failed.value)
    assert said.isprintable(), ascii(said)
    assert "no database of evalscope" in said


@pytest.mark.parametrize(
    ("bound", "most"),
    [
        pytest.param("_MOST_TEXT", 500, marks=OF_3_11),
        ("MOST_BYTES", 1200),
    ],
)
def test_a_database_whose_texts_are_longer_than_any_runs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    rows = [("p", 5.0, f"[{'0.1, ' * 150}0.3]", 1, "", 5.75, 0.6, 0.2, 8, 3)] * 2
    path = database(tmp_path / "benchmark_data.db", rows)
    assert len(find_runs(path)[0].requests) == 2
    monkeypatch.setattr(evalscope, bound, most)
    with pytest.raises(ImportFailed, match=r"too big|of text"):
        find_runs(path)


def test_what_llmperf_calls_inter_token_latency_has_no_counterpart(tmp_path: Path) -> None:
    result = {
        "model": "m",
        "num_concurrent_requests": 3,
        "results_ttft_s_mean": 0.1,
        "results_number_errors": 0,
        "results_ttft_s_quantiles_p95": 0.2,
        "results_inter_token_latency_s_mean": 0.03,
        "results_num_completed_requests": 4,
        "results_num_completed_requests_per_min": 60.0,
    }
    said = summary(written(tmp_path / "a_summary.json", result), tmp_path / "s")
    assert (said.ttft_from_sent_ms.mean, said.ttft_from_sent_ms.p95, said.itl_ms.mean) == (100.0, 200.0, None)
    assert (said.duration_s, said.throughput.request_rps) == (4.0, 1.0)
    assert said.imported is not None
    ours = {figure.name: figure.ours for figure in said.imported.figures}
    assert ours["results_inter_token_latency_s_mean"] == ""


def test_evalscopes_mean_latency_is_in_seconds(tmp_path: Path) -> None:
    written(tmp_path / "benchmark_summary.json", {"Avg Latency (s)": 0.6, "Avg TTFT (ms)": 200.0})
    rows = [("p", 5.0, "[0.1, 0.3]", 1, "", 5.75, 0.6, 0.2, 8, 3)]
    said = summary(database(tmp_path / "benchmark_data.db", rows), tmp_path / "s")
    assert said.imported is not None
    assert {(each.ours, each.value, each.unit) for each in said.imported.figures} == {
        ("e2e_ms.mean", 600.0, "ms"),
        ("ttft_from_sent_ms.mean", 200.0, "ms"),
    }


def test_inference_perfs_summary_beside_its_requests_is_no_second_run(tmp_path: Path) -> None:
    told = {"load_summary": {}, "successes": {"count": 1, "latency": {}}, "failures": {"count": 0}}
    alone = written(tmp_path / "summary_lifecycle_metrics.json", told)
    assert len(find_runs(alone)) == 1
    request = {"start_time": 1.0, "end_time": 1.5, "info": {"input_tokens": 5}, "error": None}
    written(tmp_path / "per_request_lifecycle_metrics.json", [request])
    (run,) = find_runs(tmp_path)
    assert run.file == "per_request_lifecycle_metrics.json"
