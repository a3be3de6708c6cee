"""A key that another tool wrote into its result comes into no session, whatever it stands in and however."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from sessions.interchange import documents
from sessions.interchange.find_runs import find_runs
from sessions.interchange.keys_in_files import hide, keys_in, keys_said
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


def aiperf(place: Path, given: str = "", **told_as: Any) -> Path:
    """The key is told in the summary, and repeated in the requests."""
    directory = made.aiperf(place / "artifacts")
    summary = directory / "profile_export_aiperf.json"
    told = json.loads(summary.read_text())
    told["input_config"]["endpoint"] |= told_as or {"headers": [["X-Api-Key", KEY]]}
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


@pytest.mark.parametrize(
    "told",
    [
        {"headers": {"X-Tenant-Key": KEY}},
        {"headers": ["X-Tenant-Key", KEY]},
        {"extra_headers": [f"X-Tenant-Key: {KEY}"]},
        {"headers": f"X-Tenant-Key={KEY}"},
        {"headers": [{"name": "X-Tenant-Key", "value": KEY}]},
        {"api_key": [KEY]},
        {"api_key": {"value": KEY}},
        {"extra": [["api_key", KEY]]},
        {"env": [{"name": "OPENAI_API_KEY", "value": KEY}]},
        {"urls": [f"http://{KEY.replace('/', '%2F')}@h:1/v1"]},
        {"urls": [f"http://{KEY.replace('/', '%2F')}:@h:1/v1"]},
        {"urls": [IN_URL]},
    ],
    ids=str,
)
def test_wherever_the_settings_tell_a_key_it_is_hidden_in_the_words_of_an_error(
    told: dict[str, Any], tmp_path: Path
) -> None:
    (run,) = find_runs(aiperf(tmp_path, **told))
    assert hits(str((run, run.requests)).encode()) == []
    assert "no *** here" in str(run.requests), "it was there"


PROSE = (
    "You send Bearer tokens in the header; Bearer requests fail. Authorization: completed, password: output"
)
SAID = "401 Authorization: requests; cookie: input_tokens and api_key: benchmarks are needed, Bearer duration"


def test_everyday_words_after_the_name_of_a_key_cost_no_figure(tmp_path: Path) -> None:
    told = made.guidellm()
    (benchmark,) = told["benchmarks"]
    benchmark["requests"]["successful"][0]["output"] = PROSE
    benchmark["requests"]["errored"][0]["info"]["error"] = SAID
    benchmark["config"]["backend"]["api_key"] = "requests"
    (run,) = find_runs(made.written(tmp_path / "guidellm.json", told))
    (as_ever,) = find_runs(made.written(tmp_path / "as_ever.json", made.guidellm()))
    assert (len(run.requests), run.figures, run.model) == (3, as_ever.figures, "m")
    assert SAID in str(run.requests)

    told = made.vllm(
        errors=["", SAID, ""],
        generated_texts=["Use OAuth. Bearer total_output_tokens are sent", "", PROSE],
        model_id="openai/gpt-oss",
        api_key="openai",
    )
    (run,) = find_runs(made.written(tmp_path / "vllm.json", told))
    (as_ever,) = find_runs(made.written(tmp_path / "as_ever.json", made.vllm()))
    assert (run.figures, run.endpoint, run.model) == (as_ever.figures, "chat", "openai/gpt-oss")
    assert SAID in str(run.requests)


@pytest.mark.parametrize("key", ["openai", "none-given", "requests", "llama3", "Secret"])
def test_an_everyday_word_given_as_a_key_is_left_within_other_words(key: str) -> None:
    values = [{"api_key": key, "model": f"{key}/gpt", "requests": [f"{key}-chat"]}]
    hide(values, keys_in(values))
    assert (values[0]["model"], values[0]["requests"]) == (f"{key}/gpt", [f"{key}-chat"])


def test_the_backend_called_like_the_key_is_still_known() -> None:
    values = [{"api_key": "openai", "backend": "openai"}]
    hide(values, keys_in(values))
    assert values[0]["backend"] == "openai"


@pytest.mark.parametrize("key", ["hunter2Xy", "token-abc123", "Correct Horse Battery"])
def test_what_is_no_word_is_hidden_within_others(key: str) -> None:
    values = [{"password": key, "error": f"wrong: {key}!"}]
    hide(values, keys_in(values))
    assert values[0]["error"] == "wrong: ***!"


@pytest.mark.parametrize("key", ["Secret", "correct-horse-battery"])
def test_a_word_given_as_a_key_is_hidden_where_it_is_the_whole_value(key: str) -> None:
    values = [{"password": key, "label": key}]
    hide(values, keys_in(values))
    assert values[0]["label"] == "***"


def test_a_name_is_hidden_only_where_it_holds_a_key_drawn_at_random() -> None:
    values = [{"api_key": [KEY, "total_output_tokens_1"], f"of {KEY}": 1, "total_output_tokens_1": 2}]
    hide(values, keys_in(values))
    assert {"of ***": 1, "total_output_tokens_1": 2}.items() <= values[0].items()


@pytest.mark.parametrize(
    "name",
    [
        "/root/hf_models/Llama-3.1-8B-Instruct",
        "/mnt/hf_cache/hub/models--meta-llama--Llama-3.1-8B",
        "hf-internal-testing/tiny-random-LlamaForCausalLM",
        "xai-org/grok-2-vision-1212",
        "xai-grok-2-vision-1212-instruct",
        "/models/sk-llama-3.1-8b-instruct-v2",
        "nvapi-compatible-model-server",
        "gsk_finetuned_llama_3_1_instruct",
        "disk-usage-of-sixteen-1-2-3",
        "pk-turbo-chat-model",
        "csk-7b-instruct-2407-of-the-lab",
        "hf-internal-testing-2-models-of-lab",
        "eyJust-a-name-without-digits",
    ],
)
def test_the_name_of_a_model_is_no_key(name: str) -> None:
    assert keys_said(name) == set()


@pytest.mark.parametrize(
    "begin",
    [
        *(
            "sk-",
            "sk-proj-",
            "sk-ant-api03-",
            "sk-or-v1-",
            "hf_",
            "gsk_",
            "nvapi-",
            "xai-",
            "pplx-",
            "r8_",
            "csk-",
        ),
        *("tgp_v1_", "ghp_", "glpat-", "xoxb-", "AIza", "AKIA", "ya29.", "eyJhbGciOiJIUzI1NiJ9.e30."),
    ],
)
def test_the_keys_of_providers_are_known_by_how_they_begin(begin: str) -> None:
    key = begin + "aB3dE5gH7jK9mN1pQ3sT"
    assert keys_said(f"401: no such key '{key}'.") == {key}


@pytest.mark.parametrize("name", ["generated_texts", "output", "prompt", "messages", "responses"])
def test_prompts_and_answers_are_no_place_for_a_key(name: str) -> None:
    said = f"Authorization: Bearer {KEY}"
    assert keys_in([{name: said}, {name: [said, said]}, {name: [{"content": said}]}]) == set()
    assert keys_in([{"error": {"message": said}}]) == {KEY}


def test_public_headers_and_the_model_asked_for_are_no_keys() -> None:
    headers = {
        "Content-Type": "application/json2",
        "User-Agent": "AIPerf/0.13.0",
        "X-Gateway-Model-Name": "Qwen/Qwen3",
    }
    assert keys_in([{"headers": headers | {"X-Request-Id": "0a1b2c3d4e5f"}}]) == set()


def test_the_settings_beside_many_files_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    as_ever = documents._bytes

    def counted(path: Path) -> bytes:
        read.append(path.name)
        return as_ever(path)

    monkeypatch.setattr(documents, "_bytes", counted)
    (tmp_path / "config.yaml").write_text(f"server:\n  api_key: {KEY}\n")
    for number in range(3):
        made.written(tmp_path / f"{number}.json", made.vllm(errors=["", ECHO, ""]))
    assert "***" in str(find_runs(tmp_path)[2].requests)
    assert sorted(read) == ["0.json", "1.json", "2.json", "config.yaml"]

    other = tmp_path / "other"
    other.mkdir()
    made.written(other / "3.json", made.vllm(errors=["", ECHO, ""]))
    assert "***" not in str(find_runs(other)[0].requests), "of another directory"
