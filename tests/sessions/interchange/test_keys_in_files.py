"""A key that another tool wrote into its result comes into no session, whatever it stands in and however."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from sessions.interchange.find_runs import find_runs
from sessions.interchange.keys_in_files import keys_in, keys_said
from sessions.interchange.write_session import write_session
from tests.security.canary import KEY, contents, hits
from tests.sessions.interchange import made_results as made
from tests.sessions.interchange.test_other_tools import SGLANG, database

NOW = datetime(2026, 9, 22, tzinfo=timezone.utc)
ECHO = f"Incorrect API key provided: {KEY}"
IN_URL = f"http://user:{KEY.replace('/', '%2F')}@h:1/v1?api-key={KEY.replace('&', '%26')}"


def vllm(place: Path) -> Path:
    of_shell = {"command": f"vllm bench serve --header 'Authorization=Bearer {KEY}'", "label": f"as {KEY}"}
    return made.written(place / "r.json", made.vllm(errors=["", ECHO, ""], **of_shell))


def guidellm(place: Path) -> Path:
    result = made.guidellm()
    (benchmark,) = result["benchmarks"]
    benchmark["config"]["backend"] |= {"target": IN_URL, "api_key": KEY, "model": f"m-{KEY}"}
    benchmark["requests"]["errored"][0]["info"]["error"] = ECHO
    return made.written(place / "benchmarks.json", result)


def aiperf(place: Path, given: str = "") -> Path:
    """The key is told in the summary, and repeated in the requests."""
    directory = made.aiperf(place / "artifacts")
    summary = directory / "profile_export_aiperf.json"
    told = json.loads(summary.read_text())
    told["input_config"]["endpoint"] |= {"urls": [IN_URL], "headers": [["X-Api-Key", KEY]], "api_key": KEY}
    summary.write_text(json.dumps(told))
    requests = directory / "profile_export.jsonl"
    requests.write_text(requests.read_text().replace("later", f"no {KEY} here"))
    return directory / given if given else directory


def aiperf_summary(place: Path) -> Path:
    return aiperf(place, "profile_export_aiperf.json")


def aiperf_requests(place: Path) -> Path:
    return aiperf(place, "profile_export.jsonl")


def sglang(place: Path) -> Path:
    told = {"server_info": {"api_key": KEY}, "tag": KEY, "errors": ["", "", "", ECHO]}
    return made.written(place / "r.jsonl", SGLANG | told)


def evalscope(place: Path) -> Path:
    made.written(
        place / "benchmark_args.json", {"url": IN_URL, "model": f"m {KEY}", "headers": {"api-key": KEY}}
    )
    return database(place / "benchmark_data.db", [("p", 5.0, "[0.1]", 1, "", 5.75, 0.6, 0.2, 8, 3)])


def inference_perf(place: Path) -> Path:
    """The key stands in the settings beside, in YAML."""
    (place / "config.yaml").write_text(f"server:\n  api_key: {KEY}\n")
    failed = {
        "start_time": 1.0,
        "end_time": 1.5,
        "info": {},
        "error": {"error_type": "E", "error_msg": f"no {KEY}"},
    }
    return made.written(place / "per_request_lifecycle_metrics.json", [failed])


@pytest.mark.parametrize(
    "written", [vllm, guidellm, aiperf, aiperf_summary, aiperf_requests, sglang, evalscope, inference_perf]
)
def test_a_key_in_a_result_file_is_in_no_file_of_its_session(
    written: Callable[[Path], Path], tmp_path: Path
) -> None:
    runs = find_runs(written(tmp_path))
    for run in runs:
        write_session(run, tmp_path / "sessions", NOW)
    kept = [path for path in (tmp_path / "sessions").rglob("*") if path.is_file()]
    assert "session.toml" in {path.name for path in kept}
    assert {path.name: found for path in kept if (found := hits(contents(path)))} == {}
    assert any("***" in str((run, run.requests)) for run in runs), "it was there"


@pytest.mark.parametrize(
    "text",
    [
        f"aiperf profile --api-key {KEY} --url http://h",
        f"bench --openai_api_key='{KEY}'",
        f"Authorization: Bearer {KEY}",
        f'{{"api_key": "{KEY}", "tokenizer": "meta"}}',
        f"http://someone:{KEY.replace('/', '-')}@host/v1",
        f"401: no such key sk-{'0a1b' * 5}",
    ],
)
def test_ways_to_say_a_key_are_known(text: str) -> None:
    (key,) = keys_said(text)
    assert key in (KEY, KEY.replace("/", "-"), f"sk-{'0a1b' * 5}")


@pytest.mark.parametrize(
    "value",
    [
        {"tokenizer": "meta-llama/Llama-3.1-8B", "auth_type": "api_key", "max_tokens": "123456"},
        {"api_key": "********", "Authorization": None, "keyword": "something", "total_output_tokens": 5},
        "invalid api_key provided; the token is too long, the secret of it is a key",
        "http://localhost:8000/v1?api-version=2024-06-01",
    ],
)
def test_what_is_no_key_is_left(value: Any) -> None:
    assert keys_in([value]) == set()
