"""Servers that refuse a field or a form of prompt are asked without it."""

from __future__ import annotations

import json

import pytest

from tests.loadgen.probe.probe_runs import probed
from tests.loadgen.probe.servers import DONE, Asked, Reply, Vllm, as_json, stream, transformers


def test_a_strict_server_is_asked_without_what_it_refuses_and_by_chat_when_ids_are_refused() -> None:
    found, served, notes = probed(transformers, model="/models/tiny-hf")
    assert found.template.endpoint == "chat"
    assert set(found.template.fields) == {"model", "stream", "stream_options"}
    can = found.capabilities
    assert (can.token_id_prompts, can.ignore_eos, can.min_tokens, can.sends_done) == (
        False,
        False,
        False,
        False,
    )
    assert can.tokenize == ""
    assert found.input_exact is True
    assert notes == [
        "chat instead of completions with token ids (HTTP 400: prompt must be a string.)",
        "the server refuses ignore_eos, min_tokens, return_token_ids: left out",
    ]
    assert len(served.asked) < 40


@pytest.mark.parametrize(
    ("vocabulary", "top"), [(32_000, 20_000), (20_000, 20_000), (16_000, 4000), (1000, 1000)]
)
def test_ids_are_lowered_until_they_lie_in_the_vocabulary(vocabulary: int, top: int) -> None:
    found, _, notes = probed(Vllm(vocabulary=vocabulary))
    assert (found.prompt.form, found.prompt.vocab_high) == ("ids", top)
    assert found.prompt.vocab_low < found.prompt.vocab_high
    wanted = [] if top == 20_000 else [f"token ids stay below {top}: the server refuses 20000"]
    assert notes == wanted


def test_a_vocabulary_too_small_for_any_range_leads_to_chat() -> None:
    found, _, notes = probed(Vllm(vocabulary=50))
    assert found.template.endpoint == "chat"
    assert "chat instead of completions with token ids" in notes[0]


def test_max_completion_tokens_is_taken_when_the_server_says_so() -> None:
    def openai(asked: Asked) -> Reply:
        if asked.path.endswith("completions"):
            body = asked.json()
            if "max_tokens" in body:
                message = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
                return as_json({"error": {"message": message}}, 400)
            body["max_tokens"] = body.pop("max_completion_tokens")
            asked = Asked(asked.method, asked.path, asked.headers, json.dumps(body).encode())
        return Vllm()(asked)

    found, _, notes = probed(openai)
    assert found.template.max_tokens_field == "max_completion_tokens"
    assert notes == ["the server wants max_completion_tokens instead of max_tokens"]


def test_a_server_that_names_no_field_is_asked_without_all_of_them() -> None:
    def surly(asked: Asked) -> Reply:
        if asked.path == "/v1/models":
            return Vllm()(asked)
        extra = set(asked.json()) - {"model", "stream", "max_tokens", "prompt", "messages"}
        return as_json({"error": "bad request"}, 400) if extra else Vllm()(asked)

    found, _, notes = probed(surly, endpoint="completions")
    assert set(found.template.fields) == {"model", "stream"}
    assert (found.prompt.form, found.input_exact) == ("ids", None)
    assert found.capabilities.include_usage is False
    assert "left out" in notes[0]


def test_an_error_inside_the_stream_is_a_refusal_too() -> None:
    def late(asked: Asked) -> Reply:
        if asked.path == "/v1/completions" and "ignore_eos" in asked.json():
            return stream([{"error": {"message": "ignore_eos is not supported", "code": 400}}, DONE])
        return Vllm()(asked)

    found, _, notes = probed(late)
    assert "ignore_eos" not in found.template.fields
    assert notes == ["the server refuses ignore_eos: left out"]


def test_a_server_without_completions_is_asked_by_chat() -> None:
    def chat_only(asked: Asked) -> Reply:
        return as_json({"detail": "Not Found"}, 404) if asked.path == "/v1/completions" else Vllm()(asked)

    found, _, _ = probed(chat_only)
    assert (found.template.endpoint, found.capabilities.token_id_prompts) == ("chat", False)


def test_a_server_without_chat_is_asked_for_completions_with_text() -> None:
    def text_only(asked: Asked) -> Reply:
        if asked.path == "/v1/chat/completions":
            return as_json({"detail": "Not Found"}, 404)
        if asked.path == "/v1/completions" and not isinstance(asked.json()["prompt"], str):
            return as_json({"error": {"message": "prompt must be a string"}}, 400)
        return Vllm()(asked)

    found, _, _ = probed(text_only)
    assert (found.template.endpoint, found.prompt.form, found.input_exact) == ("completions", "text", True)


def test_ids_of_a_server_that_puts_a_token_before_them_are_one_fewer() -> None:
    found, served, _ = probed(Vllm(prefix=1))
    assert (found.prompt.tokens, found.prompt.overhead_tokens) == (100, 1)
    assert (found.input_exact, len(served.asked)) == (True, 3)
    assert len(served.asked[-1].json()["prompt"]) == 99
