"""What each server's stream is read as. The expectations are written by hand beside the fixtures."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from loadgen.endpoint_names import ENDPOINT_NAMES
from loadgen.endpoints import ENDPOINTS, OK_FINISH, EventContent, Usage
from loadgen.endpoints.sse import SseParser

FIXTURES = Path(__file__).parent / "fixtures"
OPENAI_SHAPE = ("completions", "chat")
"""Those whose events have `choices`; each other endpoint has a file of tests of its own."""


def said(reading: EventContent) -> str:
    """A reading in a few signs: T a token, T3 three, R reasoning, then what else the event told."""
    signs = [("R" if reading.reasoning else "T") if reading.bears_token else "-"]
    if reading.tokens is not None:
        signs[0] += str(reading.tokens)
    if reading.finish_reason:
        signs.append(reading.finish_reason)
    if reading.usage:
        usage = reading.usage
        signs.append(f"usage {usage.prompt_tokens}+{usage.completion_tokens} cached {usage.cached_tokens}")
    if reading.error:
        signs.append(f"{reading.error.kind}: {reading.error.message}")
    if reading.done:
        signs.append("done")
    signs.extend(reading.flags)
    return " ".join(signs)


STREAMS: dict[str, list[str]] = {
    "vllm.completions.sse": ["T", "T", "T", "T length", "- usage 7+4 cached None", "- done"],
    "vllm.chat.sse": ["-", "T", "T", "T length", "- usage 12+3 cached None", "- done"],
    "vllm.continuous.sse": [
        "T1 usage 7+1 cached None",
        "T2 usage 7+3 cached None",
        "T1 usage 7+4 cached None",
        "T3 length usage 7+7 cached None",
        "- usage 7+7 cached 0",
        "- done",
    ],
    "vllm.error.sse": ["T", "- server_stream_error: EngineCore encountered an issue", "- done"],
    "llamacpp.completions.sse": ["T", "T", "T", "- length usage 4+3 cached 2", "- done"],
    "llamacpp.chat.sse": ["-", "T", "T", "T", "- length", "- usage 4+3 cached 2", "- done"],
    "llamacpp.error.sse": ["-", "- server_stream_error: context shift is disabled"],
    "transformers.chat.sse": ["-", "T", "T", "- length usage 5+2 cached None"],
    "tgi.chat.sse": ["T", "- rejected: Request failed during generation: Server error: overloaded"],
    "sglang.chat.sse": ["-", "R", "R", "-", "T", "- stop", "- usage 9+5 cached None", "- done"],
    "abort.chat.sse": ["-", "T", "- abort aborted: finish_reason: abort", "- done"],
    "tools.chat.sse": ["-", "T", "T", "T", "- tool_calls", "- usage 20+3 cached None", "- done"],
    "malformed.chat.sse": ["-", "T", "- bad_json", "- stop", "- done"],
}


def endpoint_of(name: str) -> str:
    return "chat" if ".chat." in name or name == "llamacpp.error.sse" else "completions"


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_as_its_server_meant_it(name: str) -> None:
    parser = SseParser()
    events = parser.feed((FIXTURES / name).read_bytes()) + parser.close()
    read = ENDPOINTS[endpoint_of(name)].read
    assert [said(read(event.data, event.name)) for event in events] == STREAMS[name]


def test_every_fixture_has_its_expectation_and_its_line_in_the_readme() -> None:
    readme = (FIXTURES / "README.md").read_text()
    names = {path.name for path in FIXTURES.glob("*.sse")}
    assert names == set(STREAMS)
    assert all(f"`{name}`" in readme for name in names)


def delta(**fields: object) -> bytes:
    return json.dumps({"choices": [{"index": 0, "delta": fields}]}).encode()


CHAT: list[tuple[bytes, str]] = [
    (delta(role="assistant"), "-"),
    (delta(role="assistant", content=""), "-"),
    (delta(content=None), "-"),
    (delta(content=" "), "T"),
    (delta(content="\u200b"), "T"),
    (delta(content="\n"), "T"),
    (delta(reasoning="a"), "R"),
    (delta(reasoning_content="a"), "R"),
    (delta(reasoning="", reasoning_content="", content=""), "-"),
    (delta(reasoning="a", content="b"), "T"),
    (delta(refusal="no"), "T"),
    (delta(tool_calls=None), "-"),
    (delta(tool_calls=[]), "-"),
    (delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": ""}}]), "T"),
    (delta(tool_calls=[{"index": 0, "function": {"arguments": ""}}]), "-"),
    (delta(tool_calls=[{"index": 0}]), "-"),
    (delta(function_call={"arguments": "{"}), "T"),
    # parts instead of text, as Mistral sends while it thinks
    (delta(content=[{"type": "text", "text": "a"}]), "T"),
    (delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]), "T"),
    (delta(content=[]), "-"),
    (delta(content=[{"type": "text", "text": ""}]), "-"),
    # wrong types are ignored, not fatal
    (delta(content=7), "-"),
    (delta(content={"a": 1}), "-"),
    (delta(content="a", tool_calls="x"), "T"),
    (b'{"choices":[{"delta":"x"}]}', "-"),
    (b'{"choices":[7,null,"x",{"delta":{"content":"a"}}]}', "T"),
    (b'{"choices":"none"}', "-"),
    (b'{"choices":null}', "-"),
    (b"{}", "-"),
    (b'{"choices":[{"delta":{"content":"a"},"index":5}]}', "- extra_choices"),
    (b'{"choices":[{"delta":null,"finish_reason":"stop"}]}', "- stop"),
    (b'{"choices":[{"message":{"content":"whole"}}]}', "-"),
    (b'{"choices":[{"delta":{"content":""},"token_ids":[5,6]}]}', "T2"),
    (b'{"choices":[{"delta":{"content":"a"},"token_ids":[5,6,7]}]}', "T3"),
    (b'{"choices":[{"delta":{"content":"a"},"token_ids":[]}]}', "T"),
    (b'{"choices":[{"delta":{"content":"a"},"token_ids":null}]}', "T"),
    (b'{"choices":[{"delta":{"content":""},"token_ids":[]}]}', "-"),
    # several kinds in one delta
    (delta(reasoning="a", tool_calls=[{"function": {"name": "f"}}]), "T"),
    (delta(content="a", refusal="b", function_call={"arguments": "{"}), "T"),
    # a number as long as an attack, where nobody looks and where somebody does
    (b'{"choices":[{"delta":{"content":"a"}}],"x":%s}' % (b"9" * 26), "T"),
    (b'{"choices":[{"delta":{"content":"a"}}],"usage":[%s]}' % (b"9" * 26), "T bad_usage"),
    # half of a surrogate pair, raw control characters, invalid UTF-8
    (b'{"choices":[{"delta":{"content":"\\ud83d"}}]}', "T"),
    (b'{"choices":[{"delta":{"content":"\x0b"}}]}', "T"),
    (b'{"choices":[{"delta":{"content":"\xff\xfe"}}]}', "T bad_utf8"),
    (b'{"choices":[{"delta":{"content":"\xe2\x80\xa8"}}]}', "T"),
]


@pytest.mark.parametrize(("data", "want"), CHAT, ids=lambda value: repr(value)[:70])
def test_a_chat_delta_bears_what_it_bears(data: bytes, want: str) -> None:
    assert said(ENDPOINTS["chat"].read(data)) == want


def usage(text: str) -> bytes:
    return ('{"choices":[],"usage":' + text + "}").encode()


ANY: list[tuple[bytes, str]] = [
    (b"[DONE]", "- done"),
    (b" [DONE] ", "- done"),
    (usage("null"), "-"),
    (usage('{"prompt_tokens":5,"completion_tokens":0}'), "- usage 5+0 cached None"),
    (usage('{"prompt_tokens":1000000000,"completion_tokens":1}'), "- usage 1000000000+1 cached None"),
    (usage('{"prompt_tokens":1000000001,"completion_tokens":1}'), "- usage None+1 cached None bad_usage"),
    (usage('{"prompt_tokens":-1,"completion_tokens":2}'), "- usage None+2 cached None bad_usage"),
    (usage('{"prompt_tokens":NaN,"completion_tokens":2}'), "- usage None+2 cached None bad_usage"),
    (usage('{"prompt_tokens":1e999,"completion_tokens":2}'), "- usage None+2 cached None bad_usage"),
    (usage('{"prompt_tokens":-Infinity,"completion_tokens":2}'), "- usage None+2 cached None bad_usage"),
    (usage('{"prompt_tokens":"5","completion_tokens":2}'), "- usage None+2 cached None bad_usage"),
    (usage('{"prompt_tokens":true,"completion_tokens":2}'), "- usage None+2 cached None bad_usage"),
    (usage('{"prompt_tokens":1.5,"completion_tokens":2}'), "- usage None+2 cached None bad_usage"),
    (
        usage('{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":-3}}'),
        "- usage 5+None cached None bad_usage",
    ),
    (usage('{"prompt_tokens":5,"prompt_tokens_details":null}'), "- usage 5+None cached None"),
    (usage("[5]"), "- bad_usage"),
    (usage('"none"'), "- bad_usage"),
    (usage("9" * 5000), "- bad_usage"),
    (usage('{"prompt_tokens":' + "9" * 5000 + "}"), "- usage None+None cached None bad_usage"),
    (usage("[" * 100_000), "- bad_json"),
    (usage("[" * 100_000 + "]" * 100_000), "- bad_json"),
    (b'{"choices":' * 50_000, "- bad_json"),
    (b"", "- bad_json"),
    (b"   ", "- bad_json"),
    (b"null", "- bad_json"),
    (b"[]", "- bad_json"),
    (b'"text"', "- bad_json"),
    (b"NaN", "- bad_json"),
    (b"{'a': 1}", "- bad_json"),
    (b'{"choices":[]} {}', "- bad_json"),
    (b"<html><body>502</body></html>", "- bad_json"),
    (b"\xff\xfe\x00", "- bad_json"),
    # errors in every shape
    (b'{"error":{"message":"no","type":"BadRequest","code":400}}', "- server_stream_error: no"),
    (b'{"error":{"message":"no","code":"429"}}', "- rejected: no"),
    (b'{"error":{"message":"no","http_status_code":422}}', "- server_stream_error: no"),
    (b'{"error":{"message":"no","http_status_code":503}}', "- rejected: no"),
    (b'{"error":"no","error_type":"overloaded"}', "- rejected: no"),
    (b'{"error":"no","error_type":"generation"}', "- server_stream_error: no"),
    (b'{"error":"no"}', "- server_stream_error: no"),
    (b'{"object":"error","message":"no","code":40303}', "- server_stream_error: no"),
    (b'{"detail":"no"}', "- server_stream_error: no"),
    (b'{"error":{"message":"a\\u001b[2Jb"}}', "- server_stream_error: a\\x1b[2Jb"),
    (b'{"error":{"code":7}}', '- server_stream_error: {"code": 7}'),
    (b'{"error":["a"]}', '- server_stream_error: ["a"]'),
    (b'{"choices":[],"error":{"message":"no"}}', "- server_stream_error: no"),
    (b'{"error":{}}', "- server_stream_error: {}"),
    (b'{"error":[]}', "- server_stream_error: []"),
    (b'{"errors":[{"message":"no"},{"message":"nor"}]}', "- server_stream_error: no"),
    (b'{"errors":[{"message":"no","code":503}]}', "- rejected: no"),
    (b'{"errors":"no"}', "- server_stream_error: no"),
    (b'{"errors":[],"error":null}', "-"),
    (b'{"choices":[],"errors":["no"]}', "-"),
    (b'{"choices":[],"error":{}}', "-"),
    (b'{"choices":[],"error":null}', "-"),
    (b'{"choices":[],"error":""}', "-"),
    (b'{"choices":[{"finish_reason":"error"}]}', "- error server_stream_error: finish_reason: error"),
    (b'{"choices":[{"finish_reason":"abort"}]}', "- abort aborted: finish_reason: abort"),
    (b'{"choices":[{"finish_reason":"eos_token"}]}', "- eos_token"),
    (b'{"choices":[{"finish_reason":"some\\u001bthing"}]}', "- some\\x1bthing"),
    (b'{"choices":[{"finish_reason":7}]}', "-"),
    (b'{"choices":[{"finish_reason":""}]}', "-"),
]


@pytest.mark.parametrize("endpoint", OPENAI_SHAPE)
@pytest.mark.parametrize(("data", "want"), ANY, ids=lambda value: repr(value)[:70])
def test_an_event_is_read_alike_by_every_endpoint(endpoint: str, data: bytes, want: str) -> None:
    assert said(ENDPOINTS[endpoint].read(data)) == want


TEXT: list[tuple[bytes, str]] = [
    (b'{"choices":[{"text":"a"}]}', "T"),
    (b'{"choices":[{"text":" "}]}', "T"),
    (b'{"choices":[{"text":""}]}', "-"),
    (b'{"choices":[{"text":null}]}', "-"),
    (b'{"choices":[{"text":7}]}', "-"),
    (b'{"choices":[{"text":"a","index":3}]}', "- extra_choices"),
    (b'{"choices":[{"text":"","token_ids":[9]}]}', "T1"),
    (b'{"choices":[{"text":"","token_ids":["x"]}]}', "T1"),
    (b'{"choices":[{"text":"","token_ids":"x"}]}', "-"),
    (b'{"choices":[{"text":"a","token_ids":[9]},{"text":"b","token_ids":[8,7]}]}', "T3"),
    (b'{"choices":[{"text":"","finish_reason":"length"}]}', "- length"),
    (b'{"choices":[{"text":"\xff"}]}', "T bad_utf8"),
]


@pytest.mark.parametrize(("data", "want"), TEXT, ids=lambda value: repr(value)[:70])
def test_a_completions_chunk_bears_what_it_bears(data: bytes, want: str) -> None:
    assert said(ENDPOINTS["completions"].read(data)) == want


@pytest.mark.parametrize("endpoint", OPENAI_SHAPE)
@pytest.mark.parametrize(
    ("name", "data", "want"),
    [
        (b"error", b'{"message":"no","code":429}', "- rejected: no"),
        (b"error", b'{"error":{"message":"no"}}', "- server_stream_error: no"),
        (b"error", b"plain \x1b words", "- server_stream_error: plain \\x1b words"),
        (b"error", b"", "- server_stream_error: "),
        (b"error", b"[DONE]", "- server_stream_error: [DONE]"),
        (b"message", b"[DONE]", "- done"),
        (b"sglext_ids", b'{"choices":[{"text":"a","delta":{"content":"a"}}]}', "-"),
    ],
)
def test_the_name_of_an_event_decides(endpoint: str, name: bytes, data: bytes, want: str) -> None:
    assert said(ENDPOINTS[endpoint].read(data, name)) == want


def test_usage_with_every_chunk_is_given_though_the_chunk_has_no_text() -> None:
    reading = ENDPOINTS["completions"].read(
        b'{"choices":[{"text":""}],"usage":{"prompt_tokens":7,"completion_tokens":4}}'
    )
    assert not reading.bears_token
    assert reading.usage == Usage(7, 4)


@pytest.mark.parametrize("reason", sorted(OK_FINISH))
def test_a_finish_reason_of_success_is_no_error(reason: str) -> None:
    reading = ENDPOINTS["chat"].read(b'{"choices":[{"delta":{},"finish_reason":"' + reason.encode() + b'"}]}')
    assert (reading.finish_reason, reading.error) == (reason, None)


def test_a_completions_body_holds_the_fields_the_prompt_and_the_length() -> None:
    fields = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
    for prompt in ([5, 6, 7], "text"):
        body = ENDPOINTS["completions"].body(fields, prompt, "max_tokens", 9)
        assert msgspec.json.decode(body) == {**fields, "prompt": prompt, "max_tokens": 9}


def test_a_chat_body_wraps_the_text_in_one_user_message() -> None:
    body = ENDPOINTS["chat"].body({"model": "m"}, 'say "hi"\u2028', "max_completion_tokens", 9)
    assert msgspec.json.decode(body) == {
        "model": "m",
        "messages": [{"role": "user", "content": 'say "hi"\u2028'}],
        "max_completion_tokens": 9,
    }


def test_a_chat_body_refuses_token_ids() -> None:
    assert not ENDPOINTS["chat"].takes_ids
    with pytest.raises(ValueError, match="chat: token ids"):
        ENDPOINTS["chat"].body({}, [1, 2], "max_tokens", 9)


def test_every_endpoint_that_can_be_chosen_has_its_row() -> None:
    assert tuple(ENDPOINTS) == ENDPOINT_NAMES


TEXTS = [
    ("a word", b'{"choices":[{"text":" a"}]}', b'{"choices":[{"delta":{"content":" a"}}]}', " a"),
    ("none", b'{"choices":[{"text":""}]}', b'{"choices":[{"delta":{"role":"assistant"}}]}', ""),
    ("another choice", b'{"choices":[{"index":1,"text":"b"},{"index":0,"text":"a"}]}', b'{"choices":[{"index":1,"delta":{"content":"b"}},{"delta":{"content":"a"}}]}', "a"),
    ("parts", b'{"choices":[{"text":[{"text":"a"},{"thinking":"b"},"c"]}]}', b'{"choices":[{"delta":{"content":[{"text":"a"},{"type":"x"},"c"]}}]}', "ac"),
    ("not UTF-8", b'{"choices":[{"text":"\xff"}]}', b'{"choices":[{"delta":{"content":"\xff"}}]}', "\ufffd"),
    ("usage only", b'{"choices":[],"usage":{}}', b'{"choices":[],"usage":{}}', ""),
    ("odd choices", b'{"choices":[7,null,{"text":7}]}', b'{"choices":[7,null,{"delta":7}]}', ""),
    ("no object", b"[DONE]", b"[[1]]", ""),
    ("deep", b"[" * 100_000, b'{"choices":' * 100_000, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("completions", "chat", "want"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS]
)
def test_the_text_of_an_event_is_what_it_adds_to_the_answer(
    completions: bytes, chat: bytes, want: str
) -> None:
    assert ENDPOINTS["completions"].text(completions) == want
    assert ENDPOINTS["chat"].text(chat) == want


def test_reasoning_is_no_text_of_the_answer() -> None:
    data = b'{"choices":[{"delta":{"reasoning_content":"hm","content":null}}]}'
    assert ENDPOINTS["chat"].text(data) == ""


@pytest.mark.parametrize("endpoint", ["chat", "completions"])
@pytest.mark.parametrize("ids", ["null", '"odd"'])
def test_usage_inside_the_choice_that_ends_is_usage(endpoint: str, ids: str) -> None:
    data = (
        b'{"choices":[{"index":0,"token_ids":%s,"delta":{},"text":"","finish_reason":"length","usage":%s}]}'
        % (
            ids.encode(),
            b'{"prompt_tokens":7,"completion_tokens":32}',
        )
    )
    usage = ENDPOINTS[endpoint].read(data, None).usage  # type: ignore[index]
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (7, 32)


@pytest.mark.parametrize("endpoint", ["chat", "completions", "messages", "responses", "tgi", "llamacpp"])
def test_an_event_that_is_called_error_is_one_whatever_its_data(endpoint: str) -> None:
    error = ENDPOINTS[endpoint].read(b"upstream went away", b"error").error  # type: ignore[index]
    assert error is not None
    assert (error.kind, error.message) == ("server_stream_error", "upstream went away")
