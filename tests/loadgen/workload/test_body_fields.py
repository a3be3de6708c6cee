"""Fields that a person adds to every body."""

from __future__ import annotations

import pytest

from loadgen.workload.body_fields import BodyError, parse_body, parse_field


@pytest.mark.parametrize(
    ("typed", "want"),
    [
        ("temperature=0.7", ("temperature", 0.7)),
        ("priority=-1", ("priority", -1)),
        ('stop=["\\n"]', ("stop", ["\n"])),
        ("chat_template_kwargs={\"enable_thinking\":false}", ("chat_template_kwargs", {"enable_thinking": False})),
        ("lora=mine", ("lora", "mine")),
        ('lora="7"', ("lora", "7")),
        ("url=a=b", ("url", "a=b")),
        ("echo=true", ("echo", True)),
        ("ignore_eos=null", ("ignore_eos", None)),
        ("n=1", ("n", 1)),
    ],
)  # fmt: skip
def test_a_field_is_a_name_and_json_or_a_word(typed: str, want: tuple[str, object]) -> None:
    assert parse_field(typed) == want


BAD = {
    "temperature": "--body: got 'temperature', need a field and its JSON, such as temperature=0.7",
    "=1": "--body: got '=1', need a field and its JSON, such as temperature=0.7",
    "a b=1": "--body: got 'a b=1', need a field and its JSON, such as temperature=0.7",
    "stop=[1,": "--body stop: its value is no JSON: '[1,'",
    "top_p=0.9.1": "--body top_p: its value is no JSON: '0.9.1'",
    "x=": "--body x: its value is no JSON: ''",
    "x=-Infinity": "--body x: its value is no JSON: '-Infinity'",
    "x=" + "[" * 100_000: f"--body x: its value is no JSON: '{'[' * 60}'",
    "model=m": "--body model: --model sets it",
    "max_tokens=5": "--body max_tokens: --output-tokens sets it",
    "messages=[]": "--body messages: --input-tokens sets it",
    "input=hello": "--body input: --input-tokens sets it",
    "n_predict=5": "--body n_predict: --output-tokens sets it",
    "stream=false": "--body stream: without a stream no token has a time of its own",
    "n=2": "--body n: one answer a request is measured, need 1",
}


@pytest.mark.parametrize("typed", BAD)
def test_what_cannot_be_added_is_refused_in_one_line(typed: str) -> None:
    with pytest.raises(BodyError) as caught:
        parse_field(typed)
    assert str(caught.value) == BAD[typed]


def test_the_last_of_one_name_wins() -> None:
    assert parse_body(["a=1", "b=2", "a=3"]) == {"a": 3, "b": 2}
