"""Prompts as a person has them in a file: lines of text, JSON lines, ShareGPT's list; read one by one.

Mistakes are one line: file, line or item, what was got, what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

import msgspec

from loadgen.decoding import ready
from loadgen.workload.lengths import MOST_TOKENS

MOST_BYTES = 1 << 30
"""Of a file: ShareGPT's has 673 MB."""
MOST_ENTRIES = 2_000_000
_HUMAN = ("human", "user")
_NEED = "need prompt, messages, conversations, or input_tokens and output_tokens"
_encode = msgspec.json.Encoder().encode


class PromptFileError(ValueError):
    """A file of prompts that cannot be used: one line."""


class Kind(IntEnum):
    """What an entry holds."""

    TEXT = 0
    MESSAGES = 1
    LENGTH = 2
    """No words: a random prompt of that length."""


class Entry(NamedTuple):
    """One prompt."""

    kind: Kind
    json: bytes
    """Of its text or messages; empty for a length."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    """To ask for; None: as the run says."""


class _Turn(msgspec.Struct):
    speaker: str = msgspec.field(name="from", default="")
    value: str = ""


class _Message(msgspec.Struct):
    role: str


class _Line(msgspec.Struct):
    prompt: str | None = None
    messages: msgspec.Raw = msgspec.Raw()
    conversations: list[_Turn] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    max_tokens: int | None = None


_line = msgspec.json.Decoder(ready(_Line)).decode
_messages = msgspec.json.Decoder(ready(list[_Message])).decode


def entries(name: str, data: bytes) -> Iterator[Entry]:
    """The prompts in `data`, in order; `name` is for what is said of mistakes, and its end says the format.

    `.txt`: one prompt a line; `.jsonl`: one object a line; `.json`: a list of them. With another end the
    first character decides. Blank lines and conversations in which no human speaks first are passed over.

    Raises:
        PromptFileError: as soon as something in it is none.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    first = data.lstrip()[:1]
    count = 0
    for entry in _of(name, data, first):
        count += 1
        if count > MOST_ENTRIES:
            raise PromptFileError(f"prompts {name}: more than {MOST_ENTRIES:,} of them")
        yield entry
    if not count:
        raise PromptFileError(f"prompts {name}: it holds no prompt")


def _of(name: str, data: bytes, first: bytes) -> Iterator[Entry]:
    if name.endswith(".txt") or (first not in (b"[", b"{") and not name.endswith((".json", ".jsonl"))):
        return _texts(name, data)
    return _items(name, data) if first == b"[" and not name.endswith(".jsonl") else _lines(name, data)


def _split(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers from 1; no copy of all of them is made."""
    at, number = 0, 0
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        number += 1
        if line := data[at:end].strip():
            yield number, line
        at = end + 1


def _texts(name: str, data: bytes) -> Iterator[Entry]:
    for number, line in _split(data):
        try:
            yield Entry(Kind.TEXT, _encode(line.decode()))
        except UnicodeDecodeError:
            raise PromptFileError(f"prompts {name}, line {number}: not UTF-8") from None


def _lines(name: str, data: bytes) -> Iterator[Entry]:
    for number, line in _split(data):
        if (entry := _entry(f"prompts {name}, line {number}", line)) is not None:
            yield entry


def _items(name: str, data: bytes) -> Iterator[Entry]:
    try:
        items = msgspec.json.decode(data, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PromptFileError(f"prompts {name}: no JSON list: {error}"[:300]) from None
    for number, item in enumerate(items, 1):
        if (entry := _entry(f"prompts {name}, item {number}", bytes(item))) is not None:
            yield entry


def _entry(where: str, item: bytes) -> Entry | None:
    """None for what is passed over."""
    try:
        line = _line(item)
    except msgspec.ValidationError as error:
        said = str(error).replace("`", "").replace("Expected", "need")
        raise PromptFileError(f"{where}: {said}; {_NEED}"[:300]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise PromptFileError(f"{where}: got {_shown(item)}, no JSON object; {_NEED}") from None
    asked = line.max_tokens if line.output_tokens is None else line.output_tokens
    for key, value in (("input_tokens", line.input_tokens), ("output_tokens", asked)):
        if value is not None and not 1 <= value <= MOST_TOKENS:
            raise PromptFileError(f"{where}: {key}: got {value}, need a number from 1 to {MOST_TOKENS:,}")
    if line.prompt is not None:
        if not line.prompt:
            raise PromptFileError(f"{where}: its prompt is empty")
        return Entry(Kind.TEXT, _encode(line.prompt), None, asked)
    if line.messages:
        try:
            said_before = _messages(line.messages)
        except msgspec.DecodeError as error:
            raise PromptFileError(f"{where}: messages: {error}"[:300]) from None
        if not said_before:
            raise PromptFileError(f"{where}: its messages are none")
        return Entry(Kind.MESSAGES, bytes(line.messages), None, asked)
    if line.conversations is not None:
        begun = line.conversations[0] if line.conversations else _Turn()
        if begun.speaker not in _HUMAN or not begun.value:
            return None
        return Entry(Kind.TEXT, _encode(begun.value), None, asked)
    if line.input_tokens is not None:
        return Entry(Kind.LENGTH, b"", line.input_tokens, asked)
    raise PromptFileError(f"{where}: got {_shown(item)}; {_NEED}")


def _shown(item: bytes) -> str:
    """So much of it that it can be found: names of keys, not what they hold."""
    keys = re.findall(rb'"([A-Za-z_]{1,30})"\s*:', item[:2000])
    if keys:
        return "an object with " + ", ".join(dict.fromkeys(key.decode() for key in keys[:8]))
    return f"{len(item):,} bytes"
