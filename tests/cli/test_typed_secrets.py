"""A secret that was typed in the wrong place is not repeated by the message about the mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tui.options.typed_secrets import is_plain, may_be_secret

if TYPE_CHECKING:
    from tests.cli.conftest import Command

URL = "http://127.0.0.1:9"
KEYS = [
    "sk-CANARY",
    "sk-proj-CANARY_0a1b2c3d4e5f6a7b8c9d",
    "hf_CANARYabcdefghijklmnop",
    "nvapi-CANARY-1",
    "eyJCANARY0.eyJzdWIiOiIx.c2ln",
    "CANARY0a1B2c3D4e5F6g7H8i9J",
    "Bearer sk-CANARY",
    "OPENAI_API_KEY=CANARYhunter",
    "Authorization: Bearer CANARYhunter",
    "joe:CANARY@node7",
    "http://joe:CANARY@node7:8000/v1",
    "http://joe:CANARY",
    "sk-CANARY\x1b[2J\\x",
    "sk-CANARY" + "x" * 5000,
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "line",
    [
        (URL, "KEY"),
        ("KEY",),
        ("KEY", URL),
        (URL, "--rate", "KEY"),
        (URL, "--rate=KEY"),
        (URL, "--requests", "KEY"),
        (URL, "--ramp", "KEY"),
        (URL, "--endpoint", "KEY"),
        (URL, "--telemetry", "KEY"),
        (URL, "--proxy", "KEY"),
        (URL, "--path", "KEY"),
        (URL, "--ca", "KEY"),
        (URL, "--api-key-file", "KEY"),
        (URL, "--header", "KEY", "--rate", "0"),
        (URL, "--header", "@KEY"),
        (URL, "--body", "KEY", "--rate", "0"),
        (URL, "--timeout", "KEY"),
        (URL, "--headless=KEY"),
        (URL, "--KEY"),
        (URL, "--secret", "KEY"),
        (URL, "-kKEY"),
        (URL, "-H", "KEY"),
        (URL, "--apikey-fil", "KEY"),
        ("--key=KEY", URL),
        ("summary", "KEY"),
        ("replay", "--sessions-dir", "KEY", "KEY"),
        ("simulate", "--port", "KEY"),
        ("calibrate", "KEY"),
    ],
    ids=" ".join,
)
def test_what_may_be_a_secret_is_not_repeated(typed: Command, line: tuple[str, ...], key: str) -> None:
    done = typed(*(word.replace("KEY", key) for word in line))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ttftop: error: ")
    assert done.stderr.count("\n") == 1
    assert "CANARY" not in done.stderr
    assert "\x1b" not in done.stderr


def test_a_stray_word_that_may_be_a_secret_is_told_by_its_place(typed: Command) -> None:
    assert typed("run", URL, "hunter2", "--rate", "5").stderr == (
        "ttftop: error: one argument too many, number 2 after ttftop run, which is not repeated here: "
        "it may be a secret (see ttftop run --help)\n"
    )
    assert "one argument too many: 'extra'" in typed("run", URL, "extra").stderr


@pytest.mark.parametrize(
    "word",
    [
        "http://localhost:8000/v1",
        "https://api-server.example.com:8443/v1/chat/completions",
        "meta-llama/Llama-3.1-8B-Instruct",
        "Qwen2.5-Coder-32B-Instruct-GPTQ-Int4",
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
        "20260101-000000-run",
        "/home/joe/runs-2026/prices.toml",
        "1..64/120s:exp",
        "first-token=10m",
        "temperature=0.7",
        "unix:/run/server.sock",
        "ssh://joe@node7:2222",
        "localhost:8000/v1",
        "monkey:8000",
    ],
)
def test_what_is_no_secret_may_be_told(word: str) -> None:
    assert not may_be_secret(word)


@pytest.mark.parametrize(
    "word", ["extra", "5", "60s", "http://node7:8000/v1", "./ca.pem", "/run/x", "headless"]
)
def test_an_everyday_word_is_told_where_it_is_one_too_many(word: str) -> None:
    assert is_plain(word)
