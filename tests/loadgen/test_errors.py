from __future__ import annotations

import pytest

from loadgen.errors import ERROR_KINDS, cause_words, describe, gist, http_kind, printable

EVIL = (
    "A\x1b[31mR\x1b]0;PWN\x07\x9b2J\x00\x1bPq\x1b\\\x1b[2J\r\u202e\x85\x7f [/ [bold [@click=app.quit]x[/]"
    "\u200b\ud800\u2066"
)


def test_no_control_character_survives_and_what_was_there_stays_visible() -> None:
    safe = printable(EVIL)
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) <= 0x9F for char in safe)
    assert not set(safe) & set("\u202e\u200b\ud800\u2066")
    assert safe.startswith("A\\x1b[31mR\\x1b]0;PWN\\x07\\x9b2J\\x00")
    assert "\\u202e" in safe
    assert "\\ud800" in safe
    assert "[@click=app.quit]" in safe
    safe.encode()


@pytest.mark.parametrize(
    "char", [*map(chr, range(0x20)), "\x7f", *map(chr, range(0x80, 0xA0)), "\u2028", "\ufeff"]
)
def test_each_control_character_is_escaped_in_one_line(char: str) -> None:
    safe = printable(f"a{char}b")
    assert safe[0] == "a"
    assert safe[-1] == "b"
    assert safe[1] == "\\"
    assert len(safe.splitlines()) == 1


def test_ordinary_text_of_any_language_is_left_alone() -> None:
    for text in ("plain", "größer als 3 €", "模型不存在", "🙂", ""):
        assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "limit", "want"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("\x00" * 3, 6, "\\x00\\…"),
        ("a" * 10_000_000, 5, "aaaa…"),
    ],
)
def test_text_is_cut_to_the_limit_and_says_so(text: str, limit: int, want: str) -> None:
    assert printable(text, limit) == want


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, "rejected"), (503, "rejected"), (400, "http_400"), (404, "http_404"), (500, "http_500")],
)
def test_a_status_has_its_kind(status: int, kind: str) -> None:
    assert http_kind(status) == kind
    assert kind in ERROR_KINDS


def test_every_kind_can_be_said_in_words_also_one_the_table_lacks() -> None:
    for kind, sentence in ERROR_KINDS.items():
        assert describe(kind) == sentence
        assert sentence == printable(sentence)
    assert describe("http_418") == "the server answered HTTP 418"
    assert describe(http_kind(999)) == "the server answered HTTP 999"
    assert describe(http_kind(99)) == "the server answered HTTP 99"
    assert describe("evil\x1b[2J") == "evil\\x1b[2J"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ('{"error":{"message":"model not loaded","code":500}}', "model not loaded"),
        ('{"error": "model \\"a\\" not loaded"}', 'model "a" not loaded'),
        ('{\\n  "detail": [{"type": "missing", "msg": "Field required", "loc": ["body"', "Field required"),
        ('{"object":"error","message":"cut off in the mid', "cut off in the mid"),
        ('{"nothing": 1}', '{"nothing": 1}'),
        ("<html>\\r\\n<head><title>502 Bad Gateway</title></head>", "a web page: 502 Bad Gateway"),
        ("<!doctype html><p>no", "a web page"),
        ("  boom \\n", "boom \\n"),
        ("request chatcmpl-8f31a9c7b2 aborted", "request … aborted"),
        ("id 3f2504e0-4f89-41d3-9a0c-0305e82c3301 unknown", "id … unknown"),
        (
            "tried to allocate 2.50 GiB on /models/llama-3-8b",
            "tried to allocate 2.50 GiB on /models/llama-3-8b",
        ),
        ("", ""),
        ("a" * 200, "a" * 159 + "…"),
    ],
)
def test_failures_for_one_reason_say_the_same(message: str, said: str) -> None:
    assert gist(message) == said
    assert printable(gist(printable(message))) == gist(printable(message))


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("http_500", "model not loaded", 'HTTP 500 "model not loaded"'),
        ("http_418", "", "the server answered HTTP 418"),
        (
            "rejected",
            "slow down",
            'the server was too busy to take the request (HTTP 429 or 503) "slow down"',
        ),
        ("gap_timeout", "60 s", "too long a pause between tokens (60 s)"),
        ("no_tokens", "", "the stream ended without a single token"),
    ],
)
def test_a_cause_is_told_in_words(kind: str, text: str, words: str) -> None:
    assert cause_words(kind, text) == words
