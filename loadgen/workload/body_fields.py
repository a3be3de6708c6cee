"""Fields that a person adds to the body of every request, as `key=json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_ELSEWHERE = {
    "model": "--model",
    "max_tokens": "--output-tokens",
    "max_completion_tokens": "--output-tokens",
    **dict.fromkeys(("max_output_tokens", "n_predict"), "--output-tokens"),
    **dict.fromkeys(("prompt", "messages", "input", "inputs"), "--input-tokens"),
}


class BodyError(Exception):
    """A field cannot be added: one line that names it."""


def parse_field(text: str) -> tuple[str, object]:
    """The field that `key=json` adds; None as its value leaves a field of ours out.

    What does not look like JSON is taken as text: `lora=mine` is `lora="mine"`.

    Raises:
        BodyError: it is none, or one whose value is set in another way.
    """
    name, equals, value = text.partition("=")
    if not equals or not _NAME.fullmatch(name):
        raise BodyError(f"--body: got {text[:60]!r}, need a field and its JSON, such as temperature=0.7")
    if name in _ELSEWHERE:
        raise BodyError(f"--body {name}: {_ELSEWHERE[name]} sets it")
    if name == "stream":
        raise BodyError("--body stream: without a stream no token has a time of its own")
    try:
        decoded = json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        if not value or value[0] in "[{\"'-0123456789":
            raise BodyError(f"--body {name}: its value is no JSON: {value[:60]!r}") from None
        decoded = value
    if name in ("n", "best_of") and decoded not in (1, None):
        raise BodyError(f"--body {name}: one answer a request is measured, need 1")
    return name, decoded


def parse_body(texts: Iterable[str]) -> dict[str, object]:
    """All of them; the last of those of one name wins.

    Raises:
        BodyError: as `parse_field`.
    """
    return dict(map(parse_field, texts))


def _refuse(word: str) -> object:
    raise ValueError(word)
