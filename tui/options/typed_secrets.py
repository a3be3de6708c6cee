"""What of the typed words may be a secret: a message about a mistake does not repeat it.

A key in the wrong place (`ttftop run URL sk-...`) is in the shell's history already; on a screen that others
see, or in the log of a CI, it need not be as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import takewhile

from loadgen.target.drawn_at_random import is_drawn
from loadgen.target.provider_keys import A_WORD
from tui.options.exit_codes import is_unicode

_KNOWN = re.compile(A_WORD)
_NAMED = re.compile(
    r"[\w.-]*(?:key|token|secret|passw|auth|credential|cookie)[\w.-]*\s*[=:]\s*"
    r"(?:(?:bearer|basic)\s+)?(?P<value>(?![0-9.]*[a-z]{0,2}\Z).{4,})",
    re.IGNORECASE | re.DOTALL,
)
_USER = re.compile(r"(?:[a-z]+://)?(?![a-z]+://)(?P<user>[^/@]*:.*)@", re.IGNORECASE | re.DOTALL)
_NO_PORT = re.compile(r"[a-z]+://[^/@:\[\]]*:(?P<value>[^/]{6,})", re.IGNORECASE)
"""A password whose `@host` was forgotten."""
_SESSION = re.compile(r"\d{8}-\d{6}(?:-.*)?")
_LEAST = 6
"""By as many characters what is cut off is known again."""
_PLAIN = re.compile(
    r"[a-z-]{1,20}|[0-9]+(?:\.[0-9]+)?[a-z]{0,2}|https?://[A-Za-z0-9._:/-]*|[./~].*", re.DOTALL
)
"""An everyday word, a number, an address, a path."""


def may_be_secret(word: str) -> bool:
    """Whether `word`, or a part of it, looks like a key, a password, or what was drawn at random."""
    return any(_secrets_in(word))


def is_plain(word: str) -> bool:
    """Whether `word` looks like something else than a secret."""
    return _PLAIN.fullmatch(word) is not None and not may_be_secret(word)


def without_secrets(message: str, typed: Iterable[str]) -> str:
    """`message` with `***` where it repeats, whole or cut off, what of the typed words may be a secret."""
    secrets = sorted({secret for word in typed for secret in _secrets_in(word)}, key=len, reverse=True)
    if not secrets:
        return message
    from loadgen.target.redaction import Redactor

    message = Redactor(*(secret for secret in secrets if is_unicode(secret))).text(message)
    for secret in secrets:
        message = _without_begin(message, secret)
    return message


def _secrets_in(word: str) -> Iterator[str]:
    value = word.lstrip("@")  # as in `--header @FILE`
    if word.startswith("-"):
        _, equals, value = word.partition("=")
        value = value if equals else word.lstrip("-")
        if not equals and word[1:2] != "-":
            yield from _secrets_in(word[2:])  # as in `-kVALUE`
    if user := _USER.match(value):
        yield user["user"]
    if (no_port := _NO_PORT.match(value)) and not no_port["value"].isdigit():
        yield no_port["value"]
    if named := _NAMED.fullmatch(value):
        yield named["value"]
    yield from filter(_KNOWN.fullmatch, re.split(r"[^A-Za-z0-9._+=-]+", value))
    if not _SESSION.fullmatch(value):
        yield from filter(is_drawn, re.split(r"[^A-Za-z0-9_+=-]+", value))


def _without_begin(message: str, secret: str) -> str:
    """`message` less what it repeats of `secret` from its begin on: long values are told in part."""
    pieces: list[str] = []
    end = 0
    while (at := message.find(secret[:_LEAST], end)) >= 0:
        pieces += (message[end:at], "***")
        same = takewhile(lambda pair: pair[0] == pair[1], zip(secret, message[at:], strict=False))
        end = at + sum(1 for _ in same)
    return "".join((*pieces, message[end:]))
