"""The HTTP face over a real socket, against the shapes vLLM 0.32 was seen to send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from loadgen.simulator.tokens import Vocabulary
from tests.loadgen.simulator.processes import Running, simulator

IDS = list(range(1000, 1100))
VOCABULARY = Vocabulary(32_768)


@pytest.fixture(scope="module")
def small() -> Iterator[Running]:
    with simulator("--profile", "small") as running:
        yield running


@pytest.fixture
def client(small: Running) -> Iterator[httpx.Client]:
    with small.client() as client:
        yield client


def stream(client: httpx.Client, path: str, **body: Any) -> tuple[list[dict[str, Any]], httpx.Response]:
    """The events of a stream, which must end with [DONE]."""
    response = client.post(path, json={"model": "sim-small", "stream": True, **body})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    *events, done, rest = response.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events], response


def completion(client: httpx.Client, **body: Any) -> Any:
    response = client.post("/v1/completions", json={"model": "sim-small", "prompt": IDS, **body})
    assert response.status_code == 200, response.text
    return response.json()


def test_a_completion_from_token_ids_counts_them_exactly(client: httpx.Client) -> None:
    answer = completion(client, max_tokens=7, ignore_eos=True)
    cached = answer["usage"].pop("prompt_tokens_details")
    assert answer["usage"] == {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}
    assert set(cached) == {"cached_tokens"}
    (choice,) = answer["choices"]
    assert (choice["index"], choice["finish_reason"]) == (0, "length")
    assert len(choice["text"].split()) == 7
    assert (answer["object"], answer["model"]) == ("text_completion", "sim-small")
    assert answer["id"].startswith("cmpl-")


@pytest.mark.parametrize(
    ("prompt", "tokens"),
    [("one two three", 3), (["one two three"], 3), ([5, 6], 2), ([[5, 6]], 2), ("  spaced \n out ", 2)],
)
def test_every_form_of_prompt_is_taken(client: httpx.Client, prompt: object, tokens: int) -> None:
    assert completion(client, prompt=prompt, max_tokens=1)["usage"]["prompt_tokens"] == tokens


def test_a_completion_without_max_tokens_makes_sixteen(client: httpx.Client) -> None:
    assert completion(client, ignore_eos=True)["usage"]["completion_tokens"] == 16


def test_the_tokens_of_an_answer_tokenize_back_to_their_ids(client: httpx.Client) -> None:
    answer = completion(client, max_tokens=20, ignore_eos=True, return_token_ids=True)
    (choice,) = answer["choices"]
    assert choice["prompt_token_ids"] == IDS
    tokenized = client.post("/tokenize", json={"prompt": choice["text"]}).json()
    assert tokenized["tokens"] == choice["token_ids"]
    assert len(choice["token_ids"]) == 20


def test_a_streamed_completion_has_a_chunk_a_token_then_usage(client: httpx.Client) -> None:
    events, _ = stream(
        client,
        "/v1/completions",
        prompt=IDS,
        max_tokens=5,
        ignore_eos=True,
        stream_options={"include_usage": True},
    )
    *tokens, usage = events
    assert len(tokens) == 5
    first = tokens[0]
    assert list(first) == ["id", "object", "created", "model", "choices"]
    assert first["object"] == "text_completion"
    (choice,) = first["choices"]
    assert choice | {"text": ""} == {
        "index": 0,
        "text": "",
        "logprobs": None,
        "finish_reason": None,
        "stop_reason": None,
        "prompt_token_ids": None,
        "token_ids": None,
    }
    assert [event["choices"][0]["finish_reason"] for event in tokens] == [None] * 4 + ["length"]
    text = "".join(event["choices"][0]["text"] for event in tokens)
    assert len(VOCABULARY.encode(text)) == 5
    assert len({event["id"] for event in events}) == 1
    assert usage["choices"] == []
    del usage["usage"]["prompt_tokens_details"]
    assert usage["usage"] == {"prompt_tokens": 100, "total_tokens": 105, "completion_tokens": 5}


def test_a_streamed_chat_opens_with_the_role_and_no_token(client: httpx.Client) -> None:
    events, _ = stream(
        client,
        "/v1/chat/completions",
        messages=[{"role": "user", "content": "say something"}],
        max_completion_tokens=3,
        ignore_eos=True,
        stream_options={"include_usage": True},
    )
    role, *tokens, usage = events
    assert role["object"] == "chat.completion.chunk"
    assert role["choices"] == [
        {
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "logprobs": None,
            "finish_reason": None,
        }
    ]
    assert [list(token["choices"][0]["delta"]) for token in tokens] == [["content"]] * 3
    assert [token["choices"][0]["finish_reason"] for token in tokens] == [None, None, "length"]
    assert usage["usage"]["completion_tokens"] == 3


def test_without_include_usage_a_stream_has_none(client: httpx.Client) -> None:
    events, _ = stream(client, "/v1/completions", prompt=IDS, max_tokens=2, ignore_eos=True)
    assert len(events) == 2
    assert not any("usage" in event for event in events)


@pytest.mark.parametrize(
    ("path", "prompt", "first"),
    [
        ("/v1/completions", {"prompt": IDS}, 1),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a b"}]}, 0),
    ],
)
def test_continuous_usage_is_on_every_chunk(
    client: httpx.Client, path: str, prompt: dict[str, Any], first: int
) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    events, _ = stream(client, path, **prompt, max_tokens=4, ignore_eos=True, stream_options=options)
    counts = [event["usage"]["completion_tokens"] for event in events]
    assert counts == [*range(first, 5), 4]


def test_token_ids_come_with_each_chunk_and_the_prompts_with_the_first(client: httpx.Client) -> None:
    events, _ = stream(
        client, "/v1/completions", prompt=IDS, max_tokens=3, ignore_eos=True, return_token_ids=True
    )
    choices = [event["choices"][0] for event in events]
    assert [choice["prompt_token_ids"] for choice in choices] == [IDS, None, None]
    for choice in choices:
        assert VOCABULARY.encode(choice["text"]) == choice["token_ids"]
        assert len(choice["token_ids"]) == 1


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "alpha beta gamma"}],
        [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}],
        [
            {"role": "user", "content": [{"type": "text", "text": "one two"}]},
            {"role": "user", "content": None},
        ],
    ],
)
def test_a_chats_usage_equals_what_tokenize_counts(client: httpx.Client, messages: list[object]) -> None:
    counted = client.post("/tokenize", json={"model": "sim-small", "messages": messages}).json()
    answer = client.post("/v1/chat/completions", json={"messages": messages, "max_tokens": 1}).json()
    assert counted["count"] == len(counted["tokens"]) == answer["usage"]["prompt_tokens"]
    assert counted["max_model_len"] == 8192
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["role"] == "assistant"


def test_without_ignore_eos_answers_end_early_at_lengths_of_their_own(client: httpx.Client) -> None:
    answers = [completion(client, max_tokens=400, seed=seed) for seed in range(12)]
    lengths = [answer["usage"]["completion_tokens"] for answer in answers]
    assert len(set(lengths)) > 6
    reasons = {
        (length < 400, answer["choices"][0]["finish_reason"])
        for length, answer in zip(lengths, answers, strict=True)
    }
    assert (True, "stop") in reasons
    assert reasons <= {(True, "stop"), (False, "length")}


def test_min_tokens_is_the_least_that_comes(client: httpx.Client) -> None:
    lengths = [
        completion(client, max_tokens=60, min_tokens=50, seed=seed)["usage"]["completion_tokens"]
        for seed in range(8)
    ]
    assert min(lengths) >= 50


def test_the_same_seed_gives_the_same_answer(client: httpx.Client) -> None:
    texts = [completion(client, max_tokens=50, seed=seed)["choices"][0]["text"] for seed in (4, 4, 5)]
    assert texts[0] == texts[1] != texts[2]


def test_the_models_list_says_who_it_is_and_how_much_it_takes(client: httpx.Client) -> None:
    (model,) = client.get("/v1/models").json()["data"]
    assert (model["id"], model["owned_by"], model["max_model_len"]) == ("sim-small", "ttftop-simulator", 8192)


def test_health_and_version_answer(client: httpx.Client) -> None:
    assert client.get("/health").status_code == 200
    assert "simulated" in client.get("/version").json()["version"]


CHAT = {"messages": [{"role": "user", "content": "x"}]}


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/v1/completions", "{nope", 400, "JSON decode error"),
        ("/v1/completions", b"\xff\xfe", 400, "JSON decode error"),
        ("/v1/completions", "[" * 100_000, 400, ""),
        ("/v1/completions", {}, 400, "missing required field `prompt`"),
        ("/v1/completions", {"prompt": "x", "max_tokens": "many"}, 400, "$.max_tokens"),
        ("/v1/completions", {"prompt": "x", "max_tokens": 0}, 400, "max_tokens must be at least 1, got 0"),
        ("/v1/completions", {"prompt": "x", "max_tokens": 4, "min_tokens": 5}, 400, "min_tokens"),
        ("/v1/completions", {"prompt": "x", "n": 2}, 400, "n: got 2"),
        ("/v1/completions", {"prompt": "x", "echo": True}, 400, "echo"),
        ("/v1/completions", {"prompt": "x", "logprobs": 3}, 400, "logprobs"),
        ("/v1/completions", {"prompt": "x", "stream_options": {}}, 400, "stream=True"),
        ("/v1/completions", {"prompt": " "}, 400, "empty"),
        ("/v1/completions", {"prompt": []}, 400, "empty"),
        ("/v1/completions", {"prompt": ["a", "b"]}, 400, "one prompt"),
        ("/v1/completions", {"prompt": [1, "b"]}, 400, "one prompt"),
        ("/v1/completions", {"prompt": [1, 40_000]}, 400, "Token id 40000 is out of vocabulary"),
        ("/v1/completions", {"prompt": [-1]}, 400, "Token id -1"),
        ("/v1/completions", {"prompt": [5] * 8192, "max_tokens": 1}, 400, "maximum context length is 8192"),
        ("/v1/completions", {"prompt": "x", "max_tokens": 10**15}, 400, "maximum context length"),
        ("/v1/completions", {"prompt": "x", "model": "gpt-9"}, 404, "The model `gpt-9` does not exist."),
        ("/v1/chat/completions", {"messages": []}, 400, "at least one message"),
        ("/v1/chat/completions", {"messages": "hi"}, 400, "$.messages"),
        ("/v1/chat/completions", {**CHAT, "model": "gpt-9"}, 404, "The model `gpt-9` does not exist."),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            400,
            "image_url",
        ),
        ("/tokenize", {}, 400, "need `prompt` or `messages`"),
        ("/v1/nowhere", {}, 404, "/v1/nowhere"),
        ("/health", {}, 405, "/health"),
    ],
)
def test_what_is_wrong_is_said_in_an_error_object(
    client: httpx.Client, path: str, body: str | bytes | dict[str, Any], status: int, says: str
) -> None:
    content = json.dumps(body) if isinstance(body, dict) else body
    response = client.post(path, content=content)
    assert response.status_code == status
    assert response.headers["x-ttftop-simulated"] == "1"
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == status
    assert says in error["message"]
    assert "\n" not in error["message"]


def test_every_answer_is_labelled_as_simulated(client: httpx.Client) -> None:
    for path in ("/health", "/version", "/v1/models", "/metrics"):
        assert client.get(path).headers["x-ttftop-simulated"] == "1"
    _, streamed = stream(client, "/v1/completions", prompt=IDS, max_tokens=1)
    assert streamed.headers["x-ttftop-simulated"] == "1"


def test_a_stream_sends_each_token_when_it_is_made(client: httpx.Client) -> None:
    """Tokens are 3 ms apart: were they held back, the first bytes of body would hold most of them."""
    body = {"prompt": IDS, "max_tokens": 400, "ignore_eos": True, "stream": True}
    with client.stream("POST", "/v1/completions", json=body) as response:
        pieces = [piece.count(b"data: ") for piece in response.iter_raw()]
    assert sum(pieces) == 401
    assert pieces[0] < 100
    assert len(pieces) > 20


def test_the_headers_come_before_the_first_token(client: httpx.Client) -> None:
    """8000 prompt tokens take 2 steps of some 50 ms; the headers do not wait for them."""
    body = {"prompt": [7] * 8000, "max_tokens": 1, "stream": True}
    with client.stream("POST", "/v1/completions", json=body) as response:
        assert response.status_code == 200
        running = client.get("/metrics").text
        response.read()
    assert 'vllm:num_requests_running{engine="0",model_name="sim-small"} 1.0' in running


def test_with_a_key_v1_and_tokenize_want_it() -> None:
    with (
        simulator("--profile", "small", key="opensesame") as running,
        running.client() as client,
    ):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "opensesame"}):
            for path in ("/v1/models", "/v1/completions", "/tokenize"):
                response = client.get(path, headers=headers)
                assert response.status_code == 401
                assert response.json()["error"]["code"] == 401
                assert "opensesame" not in response.text
        answer = client.get("/v1/models", headers={"Authorization": "Bearer opensesame"})
        assert answer.status_code == 200
        assert client.get("/health").status_code == client.get("/metrics").status_code == 200


def test_a_prompt_that_begins_as_one_before_says_how_much_of_it_was_cached(client: httpx.Client) -> None:
    fresh = list(range(2000, 2100))
    counts = []
    for prompt in (fresh, fresh, [*fresh[:50], *range(3000, 3050)]):
        usage = completion(client, prompt=prompt, max_tokens=2, ignore_eos=True)["usage"]
        counts.append(usage["prompt_tokens_details"]["cached_tokens"])
    assert counts == [0, 96, 48]


def test_a_conversation_finds_its_history_in_the_cache(client: httpx.Client) -> None:
    messages = [{"role": "user", "content": " ".join(["zuzuba"] * 40)}]
    body = {"max_tokens": 40, "ignore_eos": True}
    answer = client.post("/v1/chat/completions", json={"messages": messages, **body}).json()
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    messages += [answer["choices"][0]["message"], {"role": "user", "content": "and now"}]
    events, _ = stream(
        client, "/v1/chat/completions", messages=messages, stream_options={"include_usage": True}, **body
    )
    # 44 tokens of prompt and all of the answer but its last token: 83, in blocks of 16.
    assert events[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 80}


def test_other_protocols_share_the_cache_and_two_of_them_say_so(client: httpx.Client) -> None:
    words = " ".join(VOCABULARY.words[token] for token in range(5000, 5060))
    llama = {"prompt": words, "n_predict": 2}
    assert client.post("/completion", json=llama).json()["timings"] == {"cache_n": 0}
    assert client.post("/completion", json=llama).json()["timings"] == {"cache_n": 48}
    asked = {"input": words, "max_output_tokens": 2}
    cached = [
        client.post("/v1/responses", json=asked).json()["usage"]["input_tokens_details"] for _ in range(2)
    ]
    assert [one["cached_tokens"] for one in cached] == [0, 48]  # a chat begins otherwise than a bare prompt


def test_without_its_prefix_cache_it_says_nothing_of_one() -> None:
    with simulator("--profile", "small", "--no-prefix-cache") as running, running.client() as client:
        for _ in range(2):
            assert "prompt_tokens_details" not in completion(client, max_tokens=2)["usage"]
        assert (
            'vllm:prefix_cache_hits_total{engine="0",model_name="sim-small"} 0.0'
            in client.get("/metrics").text
        )
