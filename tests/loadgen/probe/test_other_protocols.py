"""What the probe asks of servers that are asked in another protocol than completions and chat."""

from __future__ import annotations

import pytest

from tests.loadgen.probe.probe_runs import CANARY, failure, probed
from tests.loadgen.probe.servers import Asked, Reply, Server, as_json, count_words, models, stream


def anthropic(asked: Asked) -> Reply:
    """Takes a key as `x-api-key` only, wants its version said, and knows no field that it does not document."""
    if asked.headers.get("x-api-key") != CANARY or "authorization" in asked.headers:
        return as_json({"type": "error", "error": {"type": "authentication_error", "message": "no key"}}, 401)
    if asked.headers.get("anthropic-version") != "2023-06-01":
        return as_json({"type": "error", "error": {"message": "anthropic-version: header is required"}}, 400)
    if asked.path == "/v1/models":
        return as_json({"data": [{"id": "claude", "type": "model"}]})
    if asked.path != "/v1/messages":
        return as_json({"type": "error", "error": {"type": "not_found_error", "message": "Not found"}}, 404)
    body = asked.json()
    if extra := set(body) - {"model", "messages", "max_tokens", "stream"}:
        return as_json({"error": {"message": f"{sorted(extra)[0]}: Extra inputs are not permitted"}}, 400)
    usage = {"input_tokens": 7 + count_words(body["messages"][0]["content"]), "output_tokens": 1}
    if not body["stream"]:
        return as_json({"type": "message", "content": [], "stop_reason": "end_turn", "usage": usage})
    delta = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}
    ended = {"stop_reason": "max_tokens"}
    return stream(
        [
            {"type": "message_start", "message": {"usage": usage}},
            *([delta] * body["max_tokens"]),
            {"type": "message_delta", "delta": ended, "usage": {"output_tokens": body["max_tokens"]}},
            {"type": "message_stop"},
        ]
    )


def test_a_key_that_is_not_taken_as_a_bearer_goes_as_x_api_key() -> None:
    found, served, notes = probed(anthropic, endpoint="messages", key=CANARY)
    headers = dict(found.template.headers)
    assert (headers["x-api-key"], headers["anthropic-version"]) == (CANARY, "2023-06-01")
    assert "authorization" not in headers
    assert served.paths()[:2] == ["GET /v1/models"] * 2
    assert (found.input_exact, found.capabilities.one_token_chunks) == (True, True)
    assert found.capabilities.ignore_eos is None
    assert (
        "messages has no word for going on past the end of an answer: answers may be shorter than 32 tokens"
        in notes
    )


def bearer(asked: Asked) -> Reply:
    if asked.headers.get("authorization") != f"Bearer {CANARY}":
        return as_json({"error": "Unauthorized"}, 401)
    asked.headers["x-api-key"] = CANARY
    del asked.headers["authorization"]
    return anthropic(asked)


def test_a_key_that_is_taken_as_a_bearer_goes_in_no_other_header() -> None:
    found, _, _ = probed(bearer, endpoint="messages", key=CANARY)
    assert [name for name, value in found.template.headers if CANARY in value] == ["authorization"]


def test_a_key_that_is_refused_in_either_header_is_told_once_and_hidden() -> None:
    def nobody(asked: Asked) -> Reply:
        return as_json({"error": {"message": f"I do not know {CANARY}"}}, 401)

    code, message = failure(nobody, endpoint="messages", key=CANARY)
    assert (code, message) == (3, "URL: 401 Unauthorized: the key is not accepted (I do not know ***)")


@pytest.mark.parametrize("name", ["x-api-key", "anthropic-version"])
def test_a_header_that_a_person_adds_replaces_ours(name: str) -> None:
    seen: list[str | None] = []

    def noting(asked: Asked) -> Reply:
        seen.append(asked.headers.get(name))
        return as_json({}, 500)

    failure(noting, endpoint="messages", key=CANARY, more_headers=[(name, "theirs")])
    assert set(seen) == {"theirs"}


def tgi(asked: Asked) -> Reply:
    """An older TGI: its own paths only."""
    if asked.path == "/info":
        return as_json({"model_id": "org/model", "max_total_tokens": 4096})
    if asked.path == "/tokenize" and "inputs" not in asked.json():
        return as_json({"error": "missing field `inputs`"}, 422)
    if asked.path == "/tokenize":
        return as_json([{"id": n} for n in range(count_words(asked.json()["inputs"]) + 1)])
    if asked.path != "/generate_stream":
        return Reply(404)
    body = asked.json()
    count = body["parameters"]["max_new_tokens"]
    tokens: list[dict[str, object]] = [
        {
            "index": n,
            "token": {"id": 5, "text": " a", "special": False},
            "generated_text": None,
            "details": None,
        }
        for n in range(count)
    ]
    details = {
        "finish_reason": "length",
        "generated_tokens": count,
        "input_length": count_words(body["inputs"]) + 1,
    }
    tokens[-1] |= {"generated_text": " a" * count, "details": details}
    return stream(tokens)


@pytest.mark.parametrize(("path", "endpoint"), [("", "tgi"), ("/generate_stream", "auto")])
def test_a_server_with_no_list_of_models_but_its_own_is_asked_for_that(path: str, endpoint: str) -> None:
    found, served, _ = probed(tgi, path=path, endpoint=endpoint)
    assert (found.model, found.template.path, found.input_exact) == ("org/model", "/generate_stream", True)
    assert "GET /info" in served.paths()
    assert found.capabilities.context_tokens == 4096
    assert found.chunk_counts
    assert not {"model", "stream"} & set(served.bodies("/generate_stream")[0])


@pytest.mark.parametrize(
    ("path", "endpoint", "loaded"),
    [
        ("/base", "tgi", "/base/generate_stream"),
        ("/base/v1", "tgi", "/base/generate_stream"),
        ("/base/v1/generate_stream", "auto", "/base/v1/generate_stream"),
        ("/base/generate_stream?a=1", "auto", "/base/generate_stream?a=1"),
    ],
)
def test_a_path_beside_the_api_is_where_it_was_typed(path: str, endpoint: str, loaded: str) -> None:
    def anywhere(asked: Asked) -> Reply:
        ending = asked.path.partition("?")[0].rpartition("/")[2]
        return Reply(404) if ending == "models" else tgi(Asked("POST", f"/{ending}", {}, asked.body))

    found, _, _ = probed(anywhere, path=path, endpoint=endpoint)
    assert found.template.path == loaded


def test_embeddings_of_text_have_prompts_of_exact_length_too() -> None:
    def texts_only(asked: Asked) -> Reply:
        if asked.path == "/v1/models":
            return as_json(models("m"))
        if asked.path != "/v1/embeddings":
            return Reply(404)
        text = asked.json()["input"]
        if not isinstance(text, str):
            return as_json({"error": {"message": "input: Input should be a valid string"}}, 422)
        data = [{"embedding": [0.5], "index": 0}]
        return as_json({"data": data, "usage": {"prompt_tokens": 2 + count_words(text)}})

    found, _, notes = probed(texts_only, endpoint="embeddings")
    assert (found.prompt.form, found.input_exact, found.output_tokens) == ("text", True, 0)
    assert found.prompt.overhead_tokens == 2
    assert any(note.startswith("embeddings with text instead of embeddings with token ids") for note in notes)


def without_embeddings(asked: Asked) -> Reply:
    if asked.path == "/v1/models":
        return as_json(models("m"))
    return as_json({"error": {"message": "Start it with `--embeddings`"}}, 501)


def silent(asked: Asked) -> Reply:
    return as_json(models("m")) if asked.path == "/v1/models" else as_json({"data": []})


@pytest.mark.parametrize(
    ("server", "endpoint", "want"),
    [
        (without_embeddings, "embeddings", "it does not speak embeddings: /v1/embeddings answers HTTP 501 (Start it with `--embeddings`)"),
        (silent, "embeddings", "the server refuses what it is asked: /v1/embeddings reports: the answer was HTTP 200 but held no embedding"),
        (silent, "ollama", "the answer is no stream of JSON lines (application/json)"),
        (without_embeddings, "ollama-chat", "it does not speak ollama-chat: /api/chat answers HTTP 501 (Start it with `--embeddings`)"),
    ],
)  # fmt: skip
def test_why_a_protocol_is_not_spoken_is_told(server: Server, endpoint: str, want: str) -> None:
    assert failure(server, endpoint=endpoint) == (3, f"URL: {want}")


def test_by_itself_only_completions_and_chat_are_tried() -> None:
    def lister(asked: Asked) -> Reply:
        return as_json(models("m")) if asked.path == "/v1/models" else Reply(404)

    code, message = failure(lister)
    assert code == 3
    assert message.endswith("answer HTTP 404; if it speaks another protocol, name that with --endpoint")
    assert "messages" not in message
