"""Keys that files of other tools tell (settings, headers, command lines, URLs), so that no session gets one.

A tool writes down how it was called, and what a server said of a refused request may repeat its key. What we
take of a file are figures and a few texts: in those every key that it tells anywhere is hidden.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

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
_SAID = re.compile(
    rf"""[?&](?:[\w-]{{0,20}}{_NAME}|key|token|sig|signature|code)=(?P<query>[^\s"'&#]{{6,}})"""
    rf"""|-(?:\w{{1,20}}_)?{_NAME}(?:\s+|=){_OPENED}(?P<option>[^\s"']{{6,}})"""
    rf"""|{_NAME}["']?\s*[:=]\s*{_OPENED}(?P<field>[^\s"',;}}]{{6,}})"""
    r"""|\bBearer\s+(?P<bearer>[^\s"',;}]{6,})"""
    r"""|://[^/\s:@]*:(?P<password>[^/\s@]{6,})@"""
    r"""|\b(?P<known>(?:sk|hf|gsk|nvapi|xai)[-_][\w/+&.-]{16,})""",
    re.IGNORECASE,
)
_HINTS = (
    *("api_key", "api-key", "apikey", "_token", "-token", "auth", "secret", "passw", "cookie", "bearer"),
    *(
        "key=",
        "token=",
        "sig=",
        "signature=",
        "code=",
        "://",
        "sk-",
        "sk_",
        "hf_",
        "hf-",
        "gsk",
        "nvapi",
        "xai",
    ),
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
            waiting += [one for one in value if isinstance(one, str | list | dict)]
        elif isinstance(value, dict):
            for name, one in value.items():
                if isinstance(one, str) and len(name) < _LONGEST_NAME and _NAMED.fullmatch(name):
                    found |= _worth(secrets_of([(name.replace("_", "-"), one)]))
                if isinstance(one, str | list | dict):
                    waiting.append(one)
    return found


def keys_said(text: str) -> set[str]:
    """The same of a text: a command line, a header, a URL, a setting."""
    if len(text) < SHORTEST:
        return set()
    text = text[:_MOST_LOOKED_AT]
    low = text.lower()
    if not any(hint in low for hint in _HINTS):
        return set()
    return _worth(match[match.lastgroup or 0].rstrip(".,:)]") for match in _SAID.finditer(text))


def _worth(keys: Iterable[str]) -> set[str]:
    """Less what a tool wrote in the place of one: `********`."""
    return {key for key in keys if len(key) >= SHORTEST and len(set(key)) > 2}


def hide(values: list[Any], keys: Iterable[str]) -> None:
    """Puts `***` for each key, however it is written, into every text and name in `values`, in place."""
    redact = Redactor(*keys).text
    whole: list[Any] = [values]
    while whole:
        container = whole.pop()
        if isinstance(container, dict):
            _hide_names(container, redact)
            entries: Iterable[tuple[Any, Any]] = list(container.items())
        else:
            entries = enumerate(container)
        for at, value in entries:
            if isinstance(value, str):
                container[at] = redact(value)
            elif isinstance(value, list | dict):
                whole.append(value)


def _hide_names(table: dict[str, Any], redact: Callable[[str], str]) -> None:
    renamed = {name: shown for name in table if len(name) >= SHORTEST and (shown := redact(name)) != name}
    for name, shown in renamed.items():
        table[shown] = table.pop(name)
