"""Keys that files of other tools tell (settings, headers, command lines, URLs), so that no session gets one.

A tool writes down how it was called, and what a server said of a refused request may repeat its key. What we
take of a file are figures and a few texts: in those every key that it tells anywhere is hidden. To hide more
costs figures: an everyday word is taken for no key, and a name of a field is changed only for what was drawn
at random.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from loadgen.target import provider_keys
from loadgen.target.drawn_at_random import SHORTEST_DRAWN, is_drawn
from loadgen.target.redaction import Redactor, secrets_of
from loadgen.target.written_forms import SHORTEST

_MOST_LOOKED_AT = 8192
"""Of a text: a command line or an error is shorter, and a prompt is no place for a key."""
_MOST_KEYS = 200
_LONGEST_NAME = 80
_NAME = (
    r"(?:api[-_]?key|authorization|(?:access|api|auth|bearer|hf|id)[-_]token|secret(?:[-_](?:access[-_])?key)?"
    r"|passw(?:or)?d|cookie)"
)
_NAMED = re.compile(rf"(?:.*[-_. ])?{_NAME}s?", re.IGNORECASE | re.DOTALL)
"""Names whose values are keys: `api_key`, `OPENAI_API_KEY`, `X-Api-Key`; not `tokenizer`."""
_OPENED = r"""["']?(?:(?:Bearer|Basic|Token)\s+)?"""
_OF_THE_MODEL = re.compile(
    r"generated[-_]texts?|(?:output|input)s?(?:[-_]texts?)?|responses?|requests?|prompts?|messages|contents?|texts?"
    r"|completions?|reasoning(?:[-_]content)?|turns",
    re.IGNORECASE,
)
"""Names whose texts are prompts and answers, and tell no key, whatever they speak of."""
_HEADERS = re.compile(r"(?:.*[-_. ])?headers?", re.IGNORECASE | re.DOTALL)
_HEADER = re.compile(r"[\w-]+(?=\s*[:=])")
_NO_SECRET = re.compile(
    r"(?:.*-)?(?:model(?:-name)?|(?:request|correlation|trace)-id|traceparent|date|etag)", re.IGNORECASE
)
"""Headers beside `PUBLIC` that hide none: a session needs the model, and each request has another id."""
_SAID = re.compile(
    rf"""[?&](?:[\w-]{{0,20}}{_NAME}|key|token|sig|signature|code)=(?P<query>[^\s"'&#]{{6,}})"""
    rf"""|-(?:\w{{1,20}}_)?{_NAME}(?:\s+|=){_OPENED}(?P<option>[^\s"']{{6,}})"""
    rf"""|{_NAME}["']?\s*[:=]\s*{_OPENED}(?P<field>[^\s"',;}}]{{6,}})"""
    r"""|\bBearer\s+(?P<bearer>[^\s"',;}]{6,})"""
    r"""|://[^/\s:@]*:(?P<password>[^/\s@]{6,})@"""
    r"""|://(?P<user>[^/\s:@]{6,}):?@"""
    rf"""|(?<![\w/])(?P<known>{provider_keys.IN_A_TEXT})""",
    re.IGNORECASE,
)
_SURE = 16
"""In running text, a word of so many characters, or with a digit in it, is no everyday one."""
_EVERYDAY = re.compile(r"[a-z_-]+")
_PART, _SHORT_PART = 12, 8
"""So long is a key that is hidden within other words; a short one has letters and digits."""
_HINTS = (
    *("api_key", "api-key", "apikey", "_token", "-token", "auth", "secret", "passw", "cookie", "bearer"),
    *("key=", "token=", "sig=", "signature=", "code=", "://", *provider_keys.HINTS),
)
"""One of these stands in whatever `_SAID` finds, and seldom in a prompt: to look for them is cheap."""


def keys_in(values: Iterable[Any]) -> set[str]:
    """Every key that JSON values tell, by the name that it stands under or the way it is said."""
    found: set[str] = set()
    waiting = list(values)
    while waiting and len(found) < _MOST_KEYS:
        value = waiting.pop()
        if isinstance(value, str):
            found |= keys_said(value)
        elif isinstance(value, list):
            for name, one in _pairs(value):
                found |= _under(name, one)
            waiting += [one for one in value if isinstance(one, str | list | dict)]
        elif isinstance(value, dict):
            for name, one in (*value.items(), *_pairs(value)):
                found |= _under(name, one)
                if isinstance(one, list) and _OF_THE_MODEL.fullmatch(name):
                    waiting += [part for part in one if isinstance(part, list | dict)]
                elif isinstance(one, list | dict) or (
                    isinstance(one, str) and not _OF_THE_MODEL.fullmatch(name)
                ):
                    waiting.append(one)
    return found


def keys_in_yaml(text: str) -> set[str]:
    """The same of YAML, line by line, and of the headers in it."""
    found: set[str] = set()
    headers_at = None
    for line in text.splitlines():
        bare = line.strip(" -\t")
        at = len(line) - len(line.lstrip())
        if headers_at is not None and bare and at <= headers_at:
            headers_at = None
        name, _, value = bare.partition(":")
        name, value = name.strip("\"'"), value.strip(" \"'")
        if _HEADERS.fullmatch(name):
            headers_at = at
        elif value:
            found |= _header(name, value) if headers_at is not None else _under(name, value)
        found |= keys_said(line)
    return found


def keys_said(text: str) -> set[str]:
    """The same of a text: a command line, a header, a URL, a setting."""
    if len(text) < SHORTEST:
        return set()
    text = text[:_MOST_LOOKED_AT]
    low = text.lower()
    if not any(hint in low for hint in _HINTS):
        return set()
    return _worth(key for match in _SAID.finditer(text) if (key := _said_by(match)))


def _said_by(match: re.Match[str]) -> str:
    how = match.lastgroup or ""
    key = match[how].rstrip(".,:)]")
    running = how in ("field", "bearer")
    return "" if running and len(key) < _SURE and not any(map(str.isdigit, key)) else key


def _pairs(value: list[Any] | dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The name and the value that `["X-Api-Key", "..."]` or `{"name": "API_KEY", "value": "..."}` is."""
    pair = value if isinstance(value, list) else [value.get("name"), value.get("value")]
    if len(pair) == 2:
        name, said = pair
        if isinstance(name, str) and isinstance(said, str) and len(name.split()) == 1:
            yield name, said


def _under(name: str, value: Any) -> set[str]:
    """What of the value of that name is a key."""
    if len(name) >= _LONGEST_NAME or not isinstance(value, str | list | dict):
        return set()
    if _HEADERS.fullmatch(name):
        return _in_headers(value)
    if not _NAMED.fullmatch(name):
        return set()
    inner = [value] if isinstance(value, str) else value.values() if isinstance(value, dict) else value
    return set().union(*(_header(name, one) for one in inner if isinstance(one, str)))


def _in_headers(value: str | list[Any] | dict[str, Any]) -> set[str]:
    if isinstance(value, str):
        names = [(line, _HEADER.match(line)) for line in value.splitlines()]
        return set().union(
            *(_header(name[0], line[name.end() :].lstrip(" \t:=")) for line, name in names if name)
        )
    found = set().union(*(_header(name, one) for name, one in _pairs(value)))
    if isinstance(value, list):
        return found.union(
            *(_in_headers(one) for one in value if isinstance(one, str | dict)),
            *(_header(name, said) for one in value if isinstance(one, list) for name, said in _pairs(one)),
        )
    for name, one in value.items():
        for said in one if isinstance(one, list) else (one,):
            if isinstance(said, str) and name not in ("name", "value"):
                found |= _header(name, said)
    return found


def _header(name: str, value: str) -> set[str]:
    name = name.replace("_", "-")
    return set() if _NO_SECRET.fullmatch(name) else _worth(secrets_of([(name, value)]))


def _worth(keys: Iterable[str]) -> set[str]:
    """Less what a tool wrote in the place of one (`********`), and short everyday words (`openai`): elsewhere
    they may be the tool's own."""
    return {
        key
        for key in keys
        if len(key) >= SHORTEST and len(set(key)) > 2 and (len(key) >= _PART or not _EVERYDAY.fullmatch(key))
    }


def _is_part(key: str) -> bool:
    """Whether it is hidden within other words too, not only where it is the whole value."""
    if len(key) >= _PART:
        return not _EVERYDAY.fullmatch(key)
    return len(key) >= _SHORT_PART and any(map(str.isdigit, key)) and any(map(str.isalpha, key))


def hide(values: list[Any], keys: Iterable[str]) -> None:
    """Puts `***` for each key, however it is written, into every text in `values`, in place; into names only
    for keys that were drawn at random."""
    keys = set(keys)
    parts = Redactor(*filter(_is_part, keys)).text
    of_names = Redactor(*filter(is_drawn, keys)).text
    waiting: list[Any] = [values]
    while waiting:
        container = waiting.pop()
        if isinstance(container, dict):
            _hide_names(container, of_names)
            entries: Iterable[tuple[Any, Any]] = list(container.items())
        else:
            entries = enumerate(container)
        for at, value in entries:
            if isinstance(value, str):
                container[at] = "***" if value in keys else parts(value)
            elif isinstance(value, list | dict):
                waiting.append(value)


def _hide_names(table: dict[str, Any], redact: Callable[[str], str]) -> None:
    renamed = {
        name: shown for name in table if len(name) >= SHORTEST_DRAWN and (shown := redact(name)) != name
    }
    for name, shown in renamed.items():
        table[shown] = table.pop(name)
