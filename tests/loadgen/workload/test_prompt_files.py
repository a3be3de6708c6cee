"""Prompts from a person's file: each format read, packed, asked for in order, salted; each mistake one line."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import msgspec
import pytest

from loadgen.endpoints import ENDPOINTS
from loadgen.endpoints.prompt import Messages
from loadgen.workload.from_file import FileRequests
from loadgen.workload.lengths import parse_lengths
from loadgen.workload.prompt_pack import PackedPrompts, pack
from loadgen.workload.prompt_source import Entry, Kind, PromptFileError, entries
from loadgen.workload.spec import FileWorkload, PromptSpec, RequestSpec

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Wie geht's?\n\u00fc"}]


def lines(*objects: object) -> bytes:
    return "\n".join(json.dumps(each, ensure_ascii=False) for each in objects).encode()


def texts(read: list[Entry]) -> list[object]:
    return [json.loads(entry.json) if entry.json else None for entry in read]


def test_a_text_file_has_a_prompt_a_line() -> None:
    read = list(entries("a.txt", b'\xef\xbb\xbfone\r\n\n  two "quoted"\n{three\n\xc3\xbc'))
    assert texts(read) == ["one", 'two "quoted"', "{three", "\u00fc"]
    assert {entry.kind for entry in read} == {Kind.TEXT}


def test_json_lines_hold_prompts_messages_and_lengths() -> None:
    data = lines(
        {"prompt": "p", "output_tokens": 7, "id": 3},
        {"messages": CHAT, "max_tokens": 9},
        {"input_tokens": 11, "output_tokens": 5},
    )
    read = list(entries("a.jsonl", data + b"\n\n"))
    assert [entry.kind for entry in read] == [Kind.TEXT, Kind.MESSAGES, Kind.LENGTH]
    assert texts(read) == ["p", CHAT, None]
    assert [(entry.input_tokens, entry.output_tokens) for entry in read] == [(None, 7), (None, 9), (11, 5)]


def test_of_sharegpt_the_first_turn_is_taken_where_a_human_has_it() -> None:
    data = json.dumps(
        [
            {"id": "1", "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]},
            {"id": "2", "conversations": [{"from": "gpt", "value": "no"}]},
            {"id": "3", "conversations": []},
            {"id": "4", "conversations": [{"from": "user", "value": "again"}]},
        ]
    ).encode()
    for name in ("sharegpt.json", "sharegpt"):
        assert texts(list(entries(name, data))) == ["hi", "again"]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (
            "a.jsonl",
            b'{"prompt": "x"}\nhello',
            "prompts a.jsonl, line 2: got 5 bytes, no JSON object; need prompt",
        ),
        (
            "a.jsonl",
            b'\n{"question": "secret"}',
            "line 2: got an object with question; need prompt, messages",
        ),
        ("a.jsonl", b'{"prompt": 3}', "line 1: need str | null, got int - at $.prompt"),
        ("a.jsonl", b'{"prompt": ""}', "line 1: its prompt is empty"),
        ("a.jsonl", b'{"messages": []}', "line 1: its messages are none"),
        (
            "a.jsonl",
            b'{"messages": [{"content": "x"}]}',
            "line 1: messages: Object missing required field `role`",
        ),
        (
            "a.jsonl",
            b'{"input_tokens": 0}',
            "line 1: input_tokens: got 0, need a number from 1 to 10,000,000",
        ),
        ("a.jsonl", b'{"prompt": "x", "max_tokens": -1}', "line 1: output_tokens: got -1, need"),
        ("a.json", b'[{"prompt": "x"}, 5]', "prompts a.json, item 2: need object, got int"),
        ("a.json", b'[{"prompt": "x"', "prompts a.json: no JSON list"),
        ("a.json", b'[{"conversations": []}]', "prompts a.json: it holds no prompt"),
        ("a.txt", b"fine\n\xff\xfe", "prompts a.txt, line 2: not UTF-8"),
        ("a.txt", b" \n \n", "prompts a.txt: it holds no prompt"),
        ("a.jsonl", b"[" * 100_000, "line 1: need object, got array; need prompt"),
    ],
)
def test_a_mistake_is_one_line_that_repeats_no_prompt(name: str, data: bytes, said: str) -> None:
    with pytest.raises(PromptFileError) as raised:
        list(entries(name, data))
    assert said in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "prompts"
    many = [{"prompt": f"p{number}", "output_tokens": number + 1} for number in range(9)]
    pack(entries("a.jsonl", lines(*many, {"messages": CHAT})), path)
    return path


def asking(path: Path, seed: int = 3, **more: object) -> FileRequests:
    words = PromptSpec("text", 9, words=["a", "b", "c"])
    return FileRequests(FileWorkload(str(path), words, parse_lengths(64), **more), seed)  # type: ignore[arg-type]


def said(spec: RequestSpec) -> object:
    raw = spec.prompt.json if isinstance(spec.prompt, Messages) else spec.prompt
    assert isinstance(raw, msgspec.Raw)
    return msgspec.json.decode(raw)


def test_what_was_packed_is_read_back_and_is_private(packed: Path) -> None:
    found = PackedPrompts(str(packed))
    assert len(found) == 10
    assert [said and json.loads(found[n].json) for n in range(10)] == [*(f"p{n}" for n in range(9)), CHAT]
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        pack([], packed)


def test_prompts_have_their_turn_in_order_and_over_again(packed: Path) -> None:
    made = [asking(packed).spec(index) for index in range(23)]
    assert [spec.prompt_number for spec in made] == [index % 10 for index in range(23)]
    assert [said(spec) for spec in made[:9]] == [f"p{n}" for n in range(9)]
    assert said(made[19]) == CHAT
    assert [spec.output_tokens for spec in made[:10]] == [*range(1, 10), 64]
    assert {spec.input_tokens for spec in made} == {None}


def test_shuffled_each_has_its_turn_once_a_round(packed: Path) -> None:
    made = [asking(packed, shuffled=True).spec(index).prompt_number for index in range(20)]
    assert sorted(made[:10]) == sorted(made[10:]) == list(range(10))  # type: ignore[type-var]
    assert made[:10] != list(range(10)) != made[10:]
    assert made != [asking(packed, seed=4, shuffled=True).spec(index).prompt_number for index in range(20)]


def test_a_salt_makes_each_begin_like_no_other(packed: Path) -> None:
    made = [said(asking(packed, salted=True).spec(index)) for index in range(20)]
    plain = [text for text in made if isinstance(text, str)]
    assert len({text.split(" ")[0] for text in plain}) == 18
    assert [text.split(" ")[1] for text in plain] == [f"p{n}" for n in range(9)] * 2
    chats = [chat for chat in made if isinstance(chat, list)]
    assert chats[0] != chats[1]
    assert [chat[1:] for chat in chats] == [CHAT[1:]] * 2
    assert all(chat[0]["content"].endswith(" Be brief.") for chat in chats)


def test_lengths_alone_make_random_prompts_of_them(tmp_path: Path) -> None:
    path = tmp_path / "p"
    assert pack(entries("x", lines({"input_tokens": 5, "output_tokens": 2}, {"input_tokens": 8})), path) == {
        Kind.LENGTH
    }
    made = [asking(path).spec(index) for index in range(4)]
    assert [len(str(spec.prompt).split(" ")) for spec in made] == [5, 8, 5, 8]
    assert [(spec.input_tokens, spec.output_tokens) for spec in made[:2]] == [(5, 2), (8, 64)]
    assert made[0].prompt != made[2].prompt


def test_bodies_hold_what_the_file_does(packed: Path) -> None:
    text, chat = asking(packed).spec(0).prompt, asking(packed).spec(9).prompt
    body = ENDPOINTS["completions"].body({}, text, "max_tokens", 1)
    assert json.loads(body) == {"prompt": "p0", "max_tokens": 1}
    body = ENDPOINTS["chat"].body({}, text, "max_tokens", 1)
    assert json.loads(body)["messages"] == [{"role": "user", "content": "p0"}]
    body = ENDPOINTS["chat"].body({}, chat, "max_tokens", 1)
    assert json.loads(body)["messages"] == CHAT
    with pytest.raises(ValueError, match="messages"):
        ENDPOINTS["completions"].body({}, chat, "max_tokens", 1)
