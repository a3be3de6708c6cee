"""Servers that do the job, each with a way of its own that is no reason to refuse it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from loadgen.probe.result import ProbeError
from tests.loadgen.probe.probe_runs import CANARY, asking, failure, probed
from tests.loadgen.probe.servers import Asked, Reply, Server, Vllm, as_json, models

NOT_FOUND = {"error": {"message": "no such path", "code": 404}}


def with_list(reply: Callable[[Asked], Reply]) -> Server:
    """vLLM, with another answer to `GET /v1/models`."""
    return lambda asked: reply(asked) if asked.method == "GET" else Vllm()(asked)


# ---------------------------------------------------------------- the list of models

ROWS = [{"id": "small", "context_length": 999}]
LISTS: dict[str, tuple[object, int | None]] = {
    "a bare list": (ROWS, 999),
    "a list in `models`": ({"models": ROWS}, 999),
    "an empty object beside it": ({"data": ROWS, "models": {}}, 999),
    "by name": ({"models": [{"name": "small", "context_window": 999}]}, 999),
    "nothing but names": (["small"], None),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_models_may_have_another_shape(name: str) -> None:
    listed, context_tokens = LISTS[name]
    found = probed(with_list(lambda asked: as_json(listed)))[0]
    assert (found.model, found.capabilities.context_tokens) == ("small", context_tokens)


UNLISTED: dict[str, Reply] = {
    "401": as_json({"error": {"message": f"no key {CANARY}"}}, 401),
    "403": as_json({"error": {"message": "Missing scopes: api.model.read."}}, 403),
    "429": as_json({"error": "slow down"}, 429),
    "503": as_json({"error": "loading"}, 503),
    "redirect": Reply(302, headers={"location": "/login"}),
    "closed": Reply(raw=b""),
    "no HTTP": Reply(raw=b"\0\0\0\0\r\n\r\n"),
    "too long": Reply(200, b"[" + b"1," * (9 << 20) + b"1]"),
}


@pytest.mark.parametrize("name", UNLISTED)
def test_who_names_the_model_needs_no_list_and_is_told_that_there_is_none(name: str) -> None:
    found, _, notes = probed(with_list(lambda asked: UNLISTED[name]), model="small", key=CANARY)
    assert found.model == "small"
    assert len(notes) == 1
    assert notes[0].startswith("no list of models")
    assert CANARY not in notes[0]


@pytest.mark.parametrize("name", ["403", "429", "503"])
def test_without_a_list_one_is_told_that_the_model_can_be_named(name: str) -> None:
    code, message = failure(with_list(lambda asked: UNLISTED[name]))
    assert code == 3
    assert message.endswith("name the model with --model")


def test_a_list_of_thousands_costs_one_line() -> None:
    rows = models(*[f"m{n}" for n in range(5000)])
    found, _, notes = probed(with_list(lambda asked: as_json(rows)), model="small")
    assert found.model == "small"
    assert notes == [
        "the server does not list model small; it lists "
        + ", ".join(f"m{n}" for n in range(12)) + " and 4988 more"
    ]  # fmt: skip


# ---------------------------------------------------------------- Accept


def refusing(*accepted: str) -> Server:
    """A gateway in front of every route that wants to hear one of these."""

    def gateway(asked: Asked) -> Reply:
        said = {part.split(";")[0].strip() for part in asked.headers.get("accept", "*/*").split(",")}
        return Vllm()(asked) if said & set(accepted) else Reply(406)

    return gateway


@pytest.mark.parametrize("accepted", ["application/json", "*/*", "text/event-stream"])
def test_a_gateway_that_dislikes_what_is_accepted_is_asked_otherwise(accepted: str) -> None:
    def gateway(asked: Asked) -> Reply:
        if asked.method == "GET" and accepted == "text/event-stream":
            return Vllm()(asked)
        return refusing(accepted)(asked)

    found, served, _ = probed(gateway)
    assert found.template.endpoint == "completions"
    said = dict(found.template.headers)["accept"]
    assert accepted in said
    assert said == served.asked[-1].headers["accept"]


def test_a_gateway_that_wants_one_type_and_nothing_else_is_asked_for_it() -> None:
    def exact(asked: Asked) -> Reply:
        return Vllm()(asked) if asked.headers["accept"] == "*/*" else Reply(406)

    found, _, notes = probed(exact)
    assert dict(found.template.headers)["accept"] == "*/*"
    assert notes == ["the server wants to hear Accept: */*"]


# ---------------------------------------------------------------- endpoints


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            404,
            "This is a chat model and not supported in the v1/completions endpoint. Did you mean v1/chat/completions?",
        ),
        (404, "The model `small` does not exist."),
        (404, "model small: no such route"),
        (400, "Model small is not available for text completion"),
        (400, "invalid model for this endpoint"),
        (405, "this model takes chat only"),
    ],
)
def test_a_model_that_completions_do_not_know_may_be_a_chat_model(status: int, words: str) -> None:
    def chat_model(asked: Asked) -> Reply:
        return as_json({"error": words}, status) if asked.path == "/v1/completions" else Vllm()(asked)

    assert probed(chat_model)[0].template.endpoint == "chat"


@pytest.mark.parametrize(
    "reply",
    [
        as_json({"error": "Unexpected endpoint or method. (POST /v1/completions). Returning 200 anyway"}),
        as_json({"status": "ok"}),
        as_json({"choices": [{"text": "no stream"}]}),
        Reply(200, b"OK", "text/plain"),
        Reply(200, b"<!doctype html><title>app</title>", "text/html"),
        Reply(204),
    ],
)
def test_a_path_that_is_unknown_and_answered_with_200_is_not_the_last_one_tried(reply: Reply) -> None:
    def lax(asked: Asked) -> Reply:
        return replace(reply) if asked.path == "/v1/completions" else Vllm()(asked)

    assert probed(lax)[0].template.endpoint == "chat"


def test_a_stream_with_another_2xx_is_an_answer() -> None:
    def created(asked: Asked) -> Reply:
        reply = Vllm()(asked)
        return replace(reply, status=201) if asked.method == "POST" else reply

    assert probed(created)[0].template.endpoint == "completions"


# ---------------------------------------------------------------- lengths


def wanting(least: int, words: str) -> Server:
    """Refuses fewer output tokens than `least`."""

    def server(asked: Asked) -> Reply:
        if asked.method == "POST" and asked.json().get("max_tokens", least) < least:
            return as_json({"error": {"message": words}}, 400)
        return Vllm(tokenizer=False)(asked)

    return server


FEWER: dict[str, int] = {
    "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 4 instead.": 16,
    "max_tokens must be at least 8": 8,
    "max_tokens: Input should be greater than or equal to 10": 10,
    "max_completion_tokens should be greater than 5": 6,
    "max_tokens is too small": 16,
    "max_tokens must be between 12 and 4096": 12,
    "max_new_tokens cannot be less than 20": 20,
}


@pytest.mark.parametrize("endpoint", ["completions", "chat"])
@pytest.mark.parametrize("words", FEWER)
def test_no_fewer_output_tokens_are_asked_for_than_the_server_takes(words: str, endpoint: str) -> None:
    found, _, notes = probed(wanting(FEWER[words], words), endpoint=endpoint)
    assert (found.input_exact, notes) == (True, [])
    assert found.warm_ups[-1].output_tokens == FEWER[words]
    assert found.template.fields["min_tokens"] == 32


def test_fewer_output_tokens_than_the_server_takes_are_refused() -> None:
    words = "max_tokens must be at least 16"
    code, message = failure(wanting(16, words), output_tokens=8)
    assert (code, message) == (2, f"URL: --output-tokens 8: the server takes no fewer than 16 ({words})")


def limited(nth: int) -> Server:
    """Takes no large body, from the nth stream on."""
    streams = 0

    def proxy(asked: Asked) -> Reply:
        nonlocal streams
        streams += asked.method == "POST"
        if asked.method == "POST" and streams >= nth:
            return Reply(413, b"<html><title>413 Request Entity Too Large</title></html>", "text/html")
        return Vllm()(asked)

    return proxy


@pytest.mark.parametrize("nth", [1, 2])
def test_a_request_that_is_too_large_for_a_proxy_is_told_in_bytes(nth: int) -> None:
    code, message = failure(limited(nth), input_tokens=1000)
    assert code == 2
    assert message.startswith("URL: --input-tokens 1000: a request of ")
    assert message.endswith(" bytes is larger than the server, or a proxy before it, takes (HTTP 413)")


def test_a_proxy_that_refuses_a_request_before_it_has_read_it_is_heard() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()  # with most of the request unread: a reset follows the answer

    async def run() -> str:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(ProbeError) as caught:
                await asking(url, [], model="small", input_tokens=400_000)
            return str(caught.value)

    assert asyncio.run(run()).endswith("is larger than the server, or a proxy before it, takes (HTTP 413)")


def test_a_proxy_whose_server_is_down_is_told_from_a_server() -> None:
    page = b"<html>\r\n<head><title>502 Bad Gateway</title></head></html>"
    for server in (
        lambda asked: Reply(502, page, "text/html"),
        with_list(lambda asked: as_json(models("small"))),
    ):

        def down(asked: Asked, server: Server = server) -> Reply:
            return server(asked) if asked.method == "GET" else Reply(502, page, "text/html")

        code, message = failure(down)
        assert code == 3
        assert "HTTP 502 (a proxy answers, the server behind it does not; is it up yet?)" in message
        assert "502 Bad Gateway" in message


# ---------------------------------------------------------------- paths


def at(root: str, with_models: bool = True) -> Server:
    """vLLM whose API begins at `root`, and nowhere else."""

    def server(asked: Asked) -> Reply:
        path, _, query = asked.path.partition("?")
        known = path.startswith(f"{root}/") and not path.startswith(f"{root}/v1/")
        if not known or (path.endswith("/models") and not with_models):
            return as_json(NOT_FOUND, 404)
        assert query in ("", "api-version=2024-10-21")
        return Vllm()(replace(asked, path="/v1" + path.removeprefix(root)))

    return server


@pytest.mark.parametrize("with_models", [True, False])
@pytest.mark.parametrize(
    ("root", "typed", "endpoint"),
    [
        ("/v3", "/v3", "completions"),
        ("/v3", "/v3/chat/completions", "chat"),
        ("/v3", "/v3/completions/", "completions"),
        ("/openai/v1", "/openai/v1", "completions"),
        ("/openai/v1", "/openai", "completions"),
        ("/v1beta/openai", "/v1beta/openai", "completions"),
        ("/api/paas/v4", "/api/paas/v4/", "completions"),
        ("", "", "completions"),
        ("", "/chat/completions", "chat"),
        ("/deployments/gpt", "/deployments/gpt/chat/completions?api-version=2024-10-21", "chat"),
        ("/deployments/gpt", "/deployments/gpt?api-version=2024-10-21", "completions"),
    ],
)
def test_the_api_is_found_where_the_url_says_or_a_version_further_down(
    root: str, typed: str, endpoint: str, with_models: bool
) -> None:
    found, served, _ = probed(at(root, with_models), path=typed, model="small")
    _, mark, query = typed.partition("?")
    suffix = "/chat/completions" if endpoint == "chat" else "/completions"
    assert found.template.path == root + suffix + mark + query
    assert all(asked.path.endswith(mark + query) for asked in served.asked)


def test_the_paths_that_were_asked_are_told() -> None:
    code, message = failure(lambda asked: as_json(NOT_FOUND, 404), path="/openai", model="small")
    assert code == 3
    assert message == (
        "URL/openai: not an OpenAI-compatible server: /openai/v1/completions, /openai/v1/chat/completions, "
        "/openai/completions and /openai/chat/completions answer HTTP 404; "
        "if it speaks another protocol, name that with --endpoint"
    )


def test_a_web_page_for_every_unknown_path_does_not_hide_the_api() -> None:
    def app(asked: Asked) -> Reply:
        if asked.path.startswith("/api/"):
            return Vllm()(replace(asked, path="/v1" + asked.path.removeprefix("/api")))
        return Reply(200, b"<!doctype html><title>app</title>", "text/html")

    assert probed(app, path="/api")[0].template.path == "/api/completions"
