"""The probe against servers of each kind, on real sockets."""

from __future__ import annotations

import asyncio
import datetime
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from loadgen.probe.probe import ProbeError, ProbeResult, probe
from loadgen.target.api_key import ApiKey
from loadgen.target.url import parse_target
from loadgen.workload.synthetic import prompt
from tests.loadgen.probe.servers import (
    DONE,
    Asked,
    Reply,
    Served,
    Server,
    Vllm,
    as_json,
    llamacpp,
    models,
    serving,
    stream,
    tgi,
    transformers,
)

CANARY = "sk-CANARY-7f3a"


async def asking(url: str, notes: list[str], key: str | None = None, **options: Any) -> ProbeResult:
    target = parse_target(url, ca_file=options.pop("ca_file", None), insecure=options.pop("insecure", False))
    wishes: dict[str, Any] = {
        "model": None,
        "endpoint": "auto",
        "input_tokens": 100,
        "output_tokens": 32,
        "seed": 5,
        **options,
    }
    api_key = None if key is None else ApiKey(key, "test")
    return await probe(target, api_key, on_note=notes.append, **wishes)


def probed(server: Server, **options: Any) -> tuple[ProbeResult, Served, list[str]]:
    """What the probe found, what the server was asked, and the notes."""
    notes: list[str] = []

    async def run() -> tuple[ProbeResult, Served]:
        async with serving(server) as served:
            return await asking(served.url, notes, **options), served

    found, served = asyncio.run(asyncio.wait_for(run(), 30))
    assert found.requests == len(served.asked)
    return found, served, notes


def failure(server: Server, **options: Any) -> tuple[int, str]:
    """Exit code and message of the probe's error, the server's address written as URL."""

    async def run() -> tuple[int, str]:
        async with serving(server) as served:
            with pytest.raises(ProbeError) as caught:
                await asking(served.url, [], **options)
            return caught.value.exit_code, str(caught.value).replace(served.url, "URL")

    code, message = asyncio.run(asyncio.wait_for(run(), 30))
    assert message.isprintable()
    assert CANARY not in message
    return code, message


# ---------------------------------------------------------------- a usual server


def test_a_usual_server_is_asked_three_times_and_warmed_up_by_two_of_them() -> None:
    found, served, notes = probed(Vllm())
    assert served.paths() == ["GET /v1/models", "POST /v1/completions", "POST /v1/completions"]
    assert notes == []
    assert (found.model, found.template.path, found.template.endpoint) == (
        "small",
        "/v1/completions",
        "completions",
    )
    assert (found.prompt.form, found.prompt.tokens) == ("ids", 100)
    assert (found.input_exact, found.output_tokens, found.requests) == (True, 32, 3)
    assert [(warm.input_tokens, warm.output_tokens, warm.chunks) for warm in found.warm_ups] == [
        (100, 4, 4)
    ] * 2
    assert all(warm.ttft_ms is not None and 0 < warm.ttft_ms <= warm.total_ms for warm in found.warm_ups)


def test_the_template_asks_for_continuous_usage_and_not_for_token_ids_as_well() -> None:
    found, _, _ = probed(Vllm())
    assert found.template.fields == {
        "model": "small",
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        "ignore_eos": True,
        "min_tokens": 32,
    }
    assert found.chunk_counts


def test_the_template_asks_for_token_ids_where_usage_comes_only_at_the_end() -> None:
    found, served, _ = probed(Vllm(continuous=False))
    assert found.template.fields["stream_options"] == {"include_usage": True}
    assert found.template.fields["return_token_ids"] is True
    assert found.chunk_counts
    # The second warm-up is of the very request that the load will send.
    second = served.bodies("/v1/completions")[1]
    assert {**second, "min_tokens": 32, "prompt": None, "max_tokens": None} == {
        **found.template.fields,
        "prompt": None,
        "max_tokens": None,
    }


def test_capabilities_of_vllm_are_seen() -> None:
    can = probed(Vllm(), thorough=True)[0].capabilities
    assert (can.token_id_prompts, can.ignore_eos, can.min_tokens, can.include_usage) == (
        True,
        True,
        True,
        True,
    )
    assert (can.continuous_usage, can.return_token_ids, can.sends_done, can.one_token_chunks) == (True,) * 4
    assert (can.tokenize, can.context_tokens, can.vocabulary) == ("vllm", 2048, None)
    assert (can.server, can.server_version, can.simulated) == ("vllm", "0.32.0", False)


def test_capabilities_of_llamacpp_are_seen_and_its_pings_are_no_tokens() -> None:
    found, served, notes = probed(llamacpp)
    can = found.capabilities
    assert (len(served.asked), notes) == (3, [])
    assert (can.continuous_usage, can.return_token_ids, can.include_usage, can.sends_done) == (
        False,
        False,
        True,
        True,
    )
    assert (can.context_tokens, can.vocabulary, can.server) == (1024, 4096, "llamacpp")
    assert found.prompt.vocab_high == 4096
    assert not found.chunk_counts
    assert "return_token_ids" not in found.template.fields
    assert found.template.fields["stream_options"] == {"include_usage": True}


def test_the_probe_uses_up_no_prompt_of_the_load() -> None:
    found, served, _ = probed(Vllm())
    sent = [body["prompt"] for body in served.bodies("/v1/completions")]
    assert sent[0] != sent[1]
    assert not any(prompt(found.prompt, 5, index) in sent for index in range(50))


def test_requests_carry_the_headers_and_the_key_and_nothing_is_followed_or_compressed() -> None:
    _, served, _ = probed(Vllm(), key=CANARY)
    for asked in served.asked:
        assert asked.headers["authorization"] == f"Bearer {CANARY}"
        assert asked.headers["accept-encoding"] == "identity"
        assert asked.headers["user-agent"].startswith("ttftop/")
        assert asked.headers["host"] == f"127.0.0.1:{served.port}"
        assert "cookie" not in asked.headers


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert probed(Vllm())[0].model == "small"


def test_the_simulator_is_known_by_its_header() -> None:
    def simulator(asked: Asked) -> Reply:
        reply = Vllm()(asked)
        reply.headers["x-ttftop-simulated"] = "1"
        return reply

    assert probed(simulator)[0].capabilities.simulated


def test_a_base_path_stands_before_every_path() -> None:
    notes: list[str] = []

    def below(asked: Asked) -> Reply:
        assert asked.path.startswith("/api/llm/v1/")
        return Vllm()(Asked(asked.method, asked.path.removeprefix("/api/llm"), asked.headers, asked.body))

    async def run() -> ProbeResult:
        async with serving(below) as served:
            return await asking(served.url + "/api/llm/v1", notes)

    assert asyncio.run(run()).template.path == "/api/llm/v1/completions"


def test_a_unix_socket_is_probed(tmp_path: Path) -> None:
    async def run() -> ProbeResult:
        async with serving(Vllm(), unix_path=str(tmp_path / "s")) as served:
            return await asking(served.url, [])

    assert asyncio.run(run()).model == "small"


def test_an_ipv6_address_is_probed() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")

    async def run() -> tuple[ProbeResult, Served]:
        async with serving(Vllm(), host="::1") as served:
            return await asking(served.url, []), served

    found, served = asyncio.run(run())
    assert found.model == "small"
    assert served.asked[0].headers["host"] == f"[::1]:{served.port}"


# ---------------------------------------------------------------- refused fields and forms


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
    assert (found.prompt.tokens, found.input_exact, len(served.asked)) == (99, True, 3)


# ---------------------------------------------------------------- text of exact length


@pytest.mark.parametrize("double", [frozenset[str](), frozenset({"the", "of", "a", "zz", "people", "Q"})])
@pytest.mark.parametrize("tokenizer", [True, False])
@pytest.mark.parametrize("tokens", [20, 100, 1500])
def test_chat_prompts_have_the_exact_length_by_tokenize_or_by_usage(
    double: frozenset[str], tokenizer: bool, tokens: int
) -> None:
    server = Vllm(double=double, tokenizer=tokenizer)
    found, served, notes = probed(server, endpoint="chat", input_tokens=tokens)
    assert (found.prompt.form, found.input_exact, notes) == ("text", True, [])
    assert not double & set(found.prompt.words)
    assert len(found.prompt.words) >= 40
    assert found.warm_ups[-1].input_tokens == tokens
    assert found.capabilities.tokenize == ("vllm" if tokenizer else "")
    assert len(served.asked) <= 1 + 1 + 3 + 24 + 3
    text = prompt(found.prompt, 5, 0)
    assert isinstance(text, str)
    assert len(text.split()) + server.template == tokens


def test_the_dialects_of_other_tokenizers_are_understood() -> None:
    assert probed(llamacpp, endpoint="chat")[0].capabilities.tokenize == "llamacpp"
    found, _, _ = probed(tgi)
    assert found.capabilities.tokenize == "tgi"
    assert (found.template.endpoint, found.input_exact) == ("chat", True)


def test_a_prompt_shorter_than_its_template_is_as_short_as_can_be_and_said() -> None:
    found, _, notes = probed(Vllm(template=30), endpoint="chat", input_tokens=10)
    assert found.input_exact is False
    assert notes[-1].endswith("tokens instead of 10, as the server counts them")


def test_a_server_that_counts_nothing_gets_prompts_of_about_the_length_and_a_note() -> None:
    def mute(asked: Asked) -> Reply:
        if asked.path == "/tokenize":
            return as_json({}, 404)
        if asked.path.endswith("completions"):
            return stream([{"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}])
        return Vllm()(asked)

    found, _, notes = probed(mute, endpoint="chat")
    assert found.input_exact is None
    assert notes == ["the server does not count input tokens: prompts are of about the asked length"]
    assert found.capabilities.one_token_chunks is None


# ---------------------------------------------------------------- lengths and context


def test_lengths_beyond_the_context_are_refused_before_any_prompt_is_sent() -> None:
    code, message = failure(Vllm(context=128), input_tokens=100, output_tokens=32)
    assert code == 2
    assert message == (
        "URL: --input-tokens 100 and --output-tokens 32 (132 together) do not fit into the model's context of 128 tokens"
    )


def test_lengths_that_nobody_asked_for_are_cut_to_the_context() -> None:
    found, _, notes = probed(Vllm(context=128), input_tokens=100, output_tokens=32, lengths_given=False)
    assert (found.prompt.tokens, found.output_tokens) == (96, 32)
    assert found.template.fields["min_tokens"] == 32
    assert notes == ["the model's context is 128 tokens: input cut to 96 tokens, output to 32"]


def test_a_server_that_says_only_by_refusal_that_the_prompt_is_too_long_is_quoted() -> None:
    def silent(asked: Asked) -> Reply:
        return as_json(models("small")) if asked.path == "/v1/models" else Vllm(context=64)(asked)

    code, message = failure(silent)
    assert code == 2
    assert message.startswith("URL: --input-tokens 100 and --output-tokens 32 (132 together) do not fit into")
    assert message.endswith("(This model's maximum context length is 64 tokens.)")


# ---------------------------------------------------------------- models


def test_several_models_and_none_named_are_listed() -> None:
    code, message = failure(lambda asked: as_json(models("a", "b\x1b[2J", *[f"m{n}" for n in range(20)])))
    assert code == 2
    assert message.startswith("URL: it serves several models, choose one with --model: a, b\\x1b[2J, m0, m1")
    assert message.endswith("and 10 more")


def test_one_of_several_models_is_taken_when_named() -> None:
    def two(asked: Asked) -> Reply:
        return as_json(models("small", "large")) if asked.path == "/v1/models" else Vllm()(asked)

    assert probed(two, model="small")[0].model == "small"


def test_an_unknown_model_is_refused_with_what_is_served() -> None:
    code, message = failure(Vllm(), model="nope")
    assert code == 3
    assert message == "URL: no model nope: it serves small (The model `nope` does not exist.)"
    code, message = failure(transformers, model="nope")
    assert code == 3
    assert message.startswith("URL: no model nope: see --model (Server is pinned to")


def test_a_model_that_is_not_listed_but_taken_is_noted() -> None:
    found, _, notes = probed(llamacpp, model="other")
    assert (found.model, found.capabilities.vocabulary) == ("other", 4096)
    assert notes == ["the server does not list model other; it lists small"]


def no_models(status: int, body: bytes = b"", kind: str = "text/plain") -> Server:
    return lambda asked: Reply(status, body, kind) if asked.path == "/v1/models" else Vllm()(asked)


@pytest.mark.parametrize("status", [404, 405, 500, 501])
def test_a_server_without_a_list_of_models_is_used_when_one_is_named(status: int) -> None:
    assert probed(no_models(status, b"Not Found"), model="small")[0].model == "small"
    code, message = failure(no_models(status, b"Not Found"))
    assert code == 3
    assert message == (
        f"URL: /v1/models answers HTTP {status} (Not Found); is it an OpenAI-compatible server? "
        "If so, name the model with --model"
    )


@pytest.mark.parametrize("body", [b"{}", b"[]", b"", b"\xff", b'{"data":{}}', b"[" * 50_000])
def test_a_list_of_models_that_is_none_is_said(body: bytes) -> None:
    code, message = failure(no_models(200, body, "application/json"))
    assert (code, message) == (
        3,
        "URL: not an OpenAI-compatible server: /v1/models answers with something else than a list of models",
    )


@pytest.mark.parametrize("rows", [[], [{"id": 7}], [{"id": ""}], ["small"], [{"id": "a" * 501}]])
def test_a_list_without_a_usable_model_is_said(rows: list[object]) -> None:
    code, message = failure(lambda asked: as_json({"data": rows}))
    assert (code, message) == (3, "URL: the server lists no model; name one with --model")


def test_nonsense_beside_a_model_is_ignored() -> None:
    row = {"id": "small", "max_model_len": -5, "owned_by": 7, "meta": [1], "context_length": "x"}

    def odd(asked: Asked) -> Reply:
        return (
            as_json({"data": [row, None, {"id": "small"}]}) if asked.path == "/v1/models" else Vllm()(asked)
        )

    can = probed(odd)[0].capabilities
    assert (can.context_tokens, can.vocabulary) == (None, None)


# ---------------------------------------------------------------- keys


def guarded(asked: Asked) -> Reply:
    """Wants a key, and repeats the one it got, as some do."""
    given = asked.headers.get("authorization", "")
    if given == "Bearer right":
        return Vllm()(asked)
    return as_json({"error": {"message": f"Incorrect API key provided: {given}."}}, 401)


def test_a_missing_key_is_asked_for_and_a_wrong_one_is_refused_without_being_repeated() -> None:
    code, message = failure(guarded)
    assert code == 3
    assert message.startswith(
        "URL: 401 Unauthorized: set TTFTOP_API_KEY or give --api-key-file (Incorrect API key"
    )
    code, message = failure(guarded, key=CANARY)
    assert code == 3
    assert message == (
        "URL: 401 Unauthorized: the key is not accepted (Incorrect API key provided: Bearer ***.)"
    )
    assert probed(guarded, key="right")[0].model == "small"


def test_a_list_of_models_may_be_open_and_the_rest_guarded() -> None:
    def half(asked: Asked) -> Reply:
        return Vllm()(asked) if asked.path == "/v1/models" else guarded(asked)

    assert "401 Unauthorized" in failure(half)[1]
    assert probed(half, key="right")[0].model == "small"


def test_403_is_told_from_401() -> None:
    code, message = failure(lambda asked: as_json({"detail": "no"}, 403), key=CANARY)
    assert (code, message) == (3, "URL: 403 Forbidden: the key is not allowed here (no)")


def test_the_key_shows_in_no_repr() -> None:
    found, _, _ = probed(Vllm(), key=CANARY)
    assert CANARY not in repr(found)


# ---------------------------------------------------------------- no server, or another one

FAILURES: dict[str, tuple[Callable[[Asked], Reply], str]] = {
    "web page": (
        lambda asked: Reply(200, b"<!DOCTYPE html><html>hi</html>", "text/html"),
        "URL: not an OpenAI-compatible server: /v1/models answers with a web page",
    ),
    "web page of an error": (
        lambda asked: Reply(502, b"<html>Bad Gateway</html>", "text/html"),
        "URL: not an OpenAI-compatible server: /v1/models answers with a web page",
    ),
    "not found at all": (
        lambda asked: (
            as_json(models("small")) if asked.method == "GET" else as_json({"detail": "Not Found"}, 404)
        ),
        "URL: not an OpenAI-compatible server: /v1/completions and /v1/chat/completions answer HTTP 404",
    ),
    "web page where streams should be": (
        lambda asked: (
            as_json(models("small")) if asked.method == "GET" else Reply(200, b"<html>", "text/html")
        ),
        "URL: not an OpenAI-compatible server: it answers with a web page",
    ),
    "JSON instead of a stream": (
        lambda asked: as_json(models("small")) if asked.method == "GET" else as_json({"choices": []}),
        "URL: the answer is no event stream (application/json); need a server that streams",
    ),
    "still loading": (
        lambda asked: as_json({"error": {"message": "Loading model", "code": 503}}, 503),
        "URL: the server takes no requests now (HTTP 503) (Loading model)",
    ),
    "too many requests": (
        lambda asked: (
            as_json(models("small")) if asked.method == "GET" else as_json({"error": "slow down"}, 429)
        ),
        "URL: the server takes no requests now (HTTP 429) (slow down)",
    ),
    "redirect": (
        lambda asked: Reply(307, b"", headers={"location": "http://127.0.0.1:1/v1/models?key=x"}),
        "URL: it redirects to http://127.0.0.1:1/v1/models (HTTP 307); redirects are not followed, use that URL",
    ),
    "redirect of the stream": (
        lambda asked: (
            as_json(models("small")) if asked.method == "GET" else Reply(308, headers={"location": "/x"})
        ),
        "URL: it redirects to /x (HTTP 308); redirects are not followed, use that URL",
    ),
    "empty stream": (
        lambda asked: as_json(models("small")) if asked.method == "GET" else stream([DONE]),
        "URL: the stream ended without a token and without saying why",
    ),
    "error with escapes in it": (
        lambda asked: (
            as_json(models("small")) if asked.method == "GET" else as_json({"error": "a\x1b[2J\u202eb"}, 418)
        ),
        "URL: the server refuses what it is asked: /v1/completions answers HTTP 418: a\\x1b[2J\\u202eb; "
        "/v1/chat/completions answers HTTP 418: a\\x1b[2J\\u202eb",
    ),
    "closed without an answer": (
        lambda asked: Reply(raw=b""),
        "URL: the server closed the connection without a complete answer; does it want https?",
    ),
    "cut in the middle": (
        lambda asked: (
            as_json(models("small"))
            if asked.method == "GET"
            else Reply(
                raw=b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\ndata: "
            )
        ),
        None,
    ),
    "no HTTP": (lambda asked: Reply(raw=b"220 mail ready\r\n\r\n"), None),
    "endless answer": (lambda asked: Reply(200, b"x" * (17 << 20)), "URL: an answer of more than 16 MiB"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_is_no_llm_server_is_said_in_one_line(name: str) -> None:
    server, want = FAILURES[name]
    code, message = failure(server)
    assert code == 3
    if want is None:
        assert (
            message.startswith("URL: the answer is not valid HTTP") or "without a complete answer" in message
        )
    else:
        assert message == want


def refused_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        return int(probe_socket.getsockname()[1])


def error_at(url: str, **options: Any) -> str:
    with pytest.raises(ProbeError) as caught:
        asyncio.run(asking(url, [], **options))
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_a_closed_port_is_named() -> None:
    url = f"http://127.0.0.1:{refused_port()}"
    assert error_at(url) == f"{url}: connection refused; is the server running?"


def test_a_name_with_several_addresses_all_refusing_is_refused() -> None:
    url = f"http://localhost:{refused_port()}"
    assert error_at(url) == f"{url}: connection refused; is the server running?"


def test_a_missing_unix_socket_is_named(tmp_path: Path) -> None:
    url = f"unix:{tmp_path}/none"
    assert error_at(url) == f"{url}: there is no such socket; is the server running?"


def test_something_else_than_a_socket_is_said(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no socket", encoding="utf-8")
    assert error_at(f"unix:{plain}") == f"unix:{plain}: there is something else than a socket"


def test_a_name_that_does_not_resolve_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert error_at("http://gpu7:8000") == "http://gpu7:8000: the name gpu7 cannot be resolved"


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgen.probe.client.QUESTION_S", 0.2)
    code, message = failure(lambda asked: Reply(hang=True))
    assert (code, message) == (3, "URL: no answer within 0.2 s; is the server stuck?")


def test_certificates_are_verified_unless_told_otherwise(tmp_path: Path) -> None:
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))

    async def run() -> None:
        async with serving(Vllm(), ssl_context=server_side) as served:
            with pytest.raises(ProbeError, match=r"certificate cannot be verified .*--ca FILE or --insecure"):
                await asking(served.url, [])
            assert (await asking(served.url, [], ca_file=str(ca_file))).model == "small"
            assert (await asking(served.url, [], insecure=True)).model == "small"
            with pytest.raises(ProbeError) as caught:
                await asking(served.url, [], ca_file=str(tmp_path / "none"))
            assert caught.value.exit_code == 2
            assert "No such file" in str(caught.value)
            with pytest.raises(ProbeError, match="does it want https"):
                await asking(served.url.replace("https", "http"), [])
        async with serving(Vllm()) as served:
            with pytest.raises(ProbeError, match=r"TLS handshake failed .*is it http://"):
                await asking(served.url.replace("http", "https"), [])

    asyncio.run(run())


def test_the_advice_for_a_bad_certificate_is_what_would_help(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    another, expired = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
    authority.issue_cert("llm.example").configure_cert(another)
    authority.issue_cert("127.0.0.1", not_after=yesterday).configure_cert(expired)
    no_certificate = tmp_path / "key.pem"
    no_certificate.write_text("-----BEGIN NOTHING-----", encoding="ascii")

    async def run() -> None:
        for server_side, words in ((another, "ask for it by the name"), (expired, "it has to be renewed")):
            async with serving(Vllm(), ssl_context=server_side) as served:
                with pytest.raises(ProbeError, match=words) as caught:
                    await asking(served.url, [], ca_file=str(ca_file))
                assert "--ca FILE" not in str(caught.value)
                with pytest.raises(ProbeError, match="it holds no certificate in PEM form"):
                    await asking(served.url, [], ca_file=str(no_certificate))

    asyncio.run(run())


def test_the_embedded_simulator_is_probed_in_three_requests(simulator_url: str) -> None:
    notes: list[str] = []
    found = asyncio.run(asking(simulator_url, notes))
    assert found.capabilities.simulated
    assert (found.requests, found.prompt.form, found.input_exact, notes) == (3, "ids", True, [])
    by_chat = asyncio.run(asking(simulator_url, notes, endpoint="chat"))
    assert (by_chat.input_exact, notes) == (True, [])
