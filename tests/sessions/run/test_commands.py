"""What can be asked of a run as lines: each command comes through as it was meant, all else is refused in words."""

from __future__ import annotations

import msgspec
import pytest

from loadgen.version import VERSION
from sessions.run.commands import (
    AbortRun,
    Ack,
    AddMark,
    Command,
    CommandError,
    FinishRun,
    Hello,
    Hold,
    InterruptRun,
    Refusal,
    Resume,
    SetConcurrency,
    SetRamp,
    SetRate,
    StepLoad,
    Stop,
    decode_answer,
    decode_command,
)

LINES: list[tuple[Command, str]] = [
    (SetRate(12.5), '{"cmd":"rate","rate_rps":12.5}'),
    (SetRamp(8.0, 60.0), '{"cmd":"ramp","to_rps":8.0,"over_s":60.0,"from_rps":null,"shape":"linear"}'),
    (SetConcurrency(8), '{"cmd":"concurrency","concurrency":8}'),
    (StepLoad(-10), '{"cmd":"step","steps":-10}'),
    (Hold(), '{"cmd":"hold"}'),
    (Resume(), '{"cmd":"resume"}'),
    (Stop(), '{"cmd":"stop"}'),
    (AddMark("warm"), '{"cmd":"mark","text":"warm"}'),
    (FinishRun(), '{"cmd":"finish"}'),
    (AbortRun(), '{"cmd":"abort"}'),
    (InterruptRun(), '{"cmd":"interrupt"}'),
    (Hello(viewer=True), '{"cmd":"hello","viewer":true}'),
]


@pytest.mark.parametrize(("command", "line"), LINES, ids=[line for _, line in LINES])
def test_a_command_is_one_line_of_json(command: Command, line: str) -> None:
    assert msgspec.json.encode(command).decode() == line
    assert decode_command(line.encode()) == command


def test_a_whole_number_is_a_rate_and_fields_of_a_newer_version_are_skipped() -> None:
    assert decode_command(b'{"cmd":"rate","rate_rps":12,"since":1}') == SetRate(12.0)


BAD = [
    (b'{"cmd":"rate","rate_rps":"64,5"}', "Expected `float`, got `str` - at `$.rate_rps`"),
    (b'{"cmd":"rate","rate_rps":true}', "Expected `float`, got `bool`"),
    (b'{"cmd":"rate","rate_rps":null}', "Expected `float`, got `null`"),
    (b'{"cmd":"rate","rate_rps":1e999}', "Number out of range - at `$.rate_rps`"),
    (b'{"cmd":"ramp","to_rps":8,"over_s":"1m"}', "Expected `float`, got `str` - at `$.over_s`"),
    (b'{"cmd":"ramp","to_rps":8,"over_s":1,"shape":"sine"}', "Invalid enum value 'sine'"),
    (b'{"cmd":"rate"}', "rate: Object missing required field `rate_rps`"),
    (b'{"cmd":"concurrency","concurrency":2.5}', "Expected `int`, got `float`"),
    (b'{"cmd":"concurrency","concurrency":0}', "Expected `int` >= 1"),
    (b'{"cmd":"concurrency","concurrency":' + b"9" * 400 + b"}", "concurrency: "),
    (b'{"cmd":"step","steps":1000000000000}', "Expected `int` <= 100"),
    (b'{"cmd":"mark","text":7}', "Expected `str`, got `int`"),
    (b'{"cmd":"fly","height_m":3}', "unknown command 'fly'"),
    (b'{"cmd":7}', "no command is named in `cmd`"),
    (b'{"cmd":["hold"]}', "no command is named in `cmd`"),
    (b'{"cmd":' + b"[" * 900 + b"]" * 900 + b"}", "no command is named in `cmd`"),
    (b"{}", "no command is named in `cmd`"),
    (b"[]", "not a JSON object"),
    (b'"hold"', "not a JSON object"),
    (b"{", "not a JSON object"),
    (b'{"cmd":"rate","rate_rps":NaN}', "not a JSON object"),
    (b"\xff", "not a JSON object"),
    (b'{"cmd":"ho\xffld"}', "not a JSON object"),
    (b"[" * 5000, "Expected `object`, got `array`"),
    (b'{"a":' * 5000, "not a JSON object"),
]


@pytest.mark.parametrize(("line", "says"), BAD, ids=[says for _, says in BAD])
def test_what_is_no_command_is_refused_in_one_line(line: bytes, says: str) -> None:
    with pytest.raises(CommandError) as refused:
        decode_command(line)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_command_of_a_newer_screen_is_refused_with_the_version_and_what_it_knows() -> None:
    with pytest.raises(CommandError) as refused:
        decode_command(b'{"cmd":"swap_model"}')
    assert str(refused.value) == (
        f"unknown command 'swap_model'; this run (ttftop {VERSION}) needs one of "
        "rate, ramp, concurrency, step, hold, stop, resume, workload, finish, abort, interrupt, plan, mark, "
        "hello"
    )


def test_an_answer_carries_the_new_load_or_one_reason() -> None:
    for answer in (Ack(5, "running", rate_rps=17.0), Ack(5, "holding", concurrency=0), Refusal("no")):
        assert decode_answer(msgspec.json.encode(answer)) == answer
    for nothing in (b"", b"[]\n", b'{"answer":"perhaps"}\n', b'{"a":' * 5000):
        assert decode_answer(nothing) is None
