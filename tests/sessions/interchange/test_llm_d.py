"""A session as llm-d's benchmark report: what its schema says, by arithmetic of our own, and back again."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sessions.interchange.documents import ImportFailed
from sessions.interchange.find_runs import find_runs
from sessions.interchange.shapes import SHAPES, lost
from sessions.interchange.stored_run import StoredRun, read_run
from sessions.interchange.wall_clock import unix_ns
from sessions.interchange.write_session import write_session
from sessions.summary.read import read_summary

RECORDED = Path(__file__).parents[1] / "store" / "recorded" / "llamacpp"
SCHEMA = json.loads((Path(__file__).parent / "llm_d" / "br_v0_2_1_json_schema.json").read_text())
NOW = datetime(2026, 9, 22, tzinfo=timezone.utc)
_TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "null": type(None),
    "boolean": bool,
}  # fmt: skip


def wrong(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """What of `value` is not as the schema has it, by the few words that this one uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return min((wrong(value, one, where) for one in schema["anyOf"]), key=len)
    found = []
    if "type" in schema and not isinstance(value, _TYPES[schema["type"]]):
        return [f"{where}: {value!r} is no {schema['type']}"]
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        found.append(f"{where}: {value!r}")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{where}: no {name}" for name in schema.get("required", []) if name not in value]
        for name, one in value.items():
            if name in known:
                found += wrong(one, known[name], f"{where}.{name}")
            elif schema.get("additionalProperties") is False:
                found.append(f"{where}: {name} is not known")
    if isinstance(value, list):
        found += [said for one in value for said in wrong(one, schema.get("items", {}), f"{where}[]")]
    return found


@pytest.fixture(scope="module")
def run() -> StoredRun:
    return read_run(RECORDED)


def report(run: StoredRun) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(SHAPES["llm-d"](run)[""])
    return made


def test_a_report_is_as_the_schema_has_it_and_the_check_finds_what_is_not(run: StoredRun) -> None:
    made = report(run)
    assert wrong(made, SCHEMA) == []
    latency = made["results"]["request_performance"]["aggregate"]["latency"]
    latency["time_to_first_token"]["units"] = "seconds"
    del made["run"]["uid"]
    made["of_mine"] = 1
    assert len(wrong(made, SCHEMA)) == 3


def test_its_figures_are_those_of_the_requests(run: StoredRun) -> None:
    made = report(run)["results"]["request_performance"]["aggregate"]
    good = [one for one in run.requests if one.error is None]
    ttft_s = [((one.first_token_ns or 0) - (one.sent_ns or 0)) / 1e9 for one in good]
    found = made["latency"]["time_to_first_token"]
    assert (found["units"], found["mean"]) == ("s", pytest.approx(float(np.mean(ttft_s))))
    assert found["p99p9"] == pytest.approx(float(np.percentile(ttft_s, 99.9)))
    assert made["requests"]["total"] == len(run.requests)
    assert made["throughput"]["request_rate"]["mean"] == run.summary.throughput.request_rps
    assert made["requests"]["output_length"]["mean"] == pytest.approx(
        float(np.mean([one.output_tokens or 0 for one in good]))
    )


def test_it_comes_back_as_a_summary_with_the_same_figures(run: StoredRun, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(SHAPES["llm-d"](run)[""])
    (imported,) = find_runs(file)
    assert imported.tool == "llm-d benchmark report"
    assert imported.succeeded == run.summary.requests.succeeded
    assert any("measured by ttftop" in note for note in imported.notes)
    said = read_summary(write_session(imported, tmp_path, NOW))
    for name in ("mean", "p50", "p90", "p95", "p99", "min", "max"):
        again, first = getattr(said.ttft_from_sent_ms, name), getattr(run.summary.ttft_from_sent_ms, name)
        assert again == pytest.approx(first), name
    assert said.throughput.output_tps == pytest.approx(run.summary.throughput.output_tps)
    assert said.badges == ["IMPORTED"]
    assert imported.started_unix_ns == pytest.approx(run.begun_unix_s * 1e9, abs=1e3)
    assert imported.span_ns == pytest.approx(run.summary.duration_s * 1e9, abs=2e3)
    assert said.model == run.summary.model
    assert not said.valid, "nothing of a summary can be checked"
    assert any("no single requests" in note for note in lost("llm-d", run))


@pytest.mark.parametrize(
    ("bad", "is_one"),
    [
        ({"version": 1}, False),
        ({"results": []}, False),
        ({"run": {"uid": 3, "time": {"start": "never", "end": 5}, "keywords": "SIMULATED"}}, True),
        (
            {"scenario": {"load": {"standardized": {"rate_qps": -1, "concurrency": 1e400, "tool": ["x"]}}}},
            True,
        ),
        ({"results": {"request_performance": {"aggregate": {"requests": "x", "latency": [1]}}}}, True),
        (
            {
                "results": {
                    "request_performance": {"aggregate": {"latency": {"x": {"mean": "1", "units": []}}}}
                }
            },
            True,
        ),
    ],
)
def test_a_report_that_holds_anything_is_read_or_refused_in_a_line(
    run: StoredRun, tmp_path: Path, bad: dict[str, Any], is_one: bool
) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps(report(run) | bad))
    if is_one:
        (imported,) = find_runs(file)
        write_session(imported, tmp_path, NOW)
    else:
        with pytest.raises(ImportFailed, match="need a result file of"):
            find_runs(file)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-26T07:08:30.25Z",
        "2024-02-29T23:59:59+05:30",
        "1970-01-01T00:00:00-01:00",
        "2000-03-01T00:00:00Z",
    ],
)
def test_a_time_with_its_zone_is_what_python_says_it_is(text: str) -> None:
    at = datetime.fromisoformat(text.replace(".25Z", ".250000Z").replace("Z", "+00:00"))
    assert unix_ns(text) == pytest.approx(at.timestamp() * 1e9, abs=1e3)


def test_a_time_without_its_zone_or_nothing_like_one_is_none() -> None:
    assert [unix_ns(each) for each in ("2026-11-26T07:08:30", "", "now", 5, None)] == [None] * 5
