"""Headers that a person adds to every request: checked, and as secret as a key unless told otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from loadgen.errors import printable
from loadgen.target.api_key import ApiKeyError, read_secret

VARIABLE = "TTFTOP_HEADERS"
"""Environment variable that may hold headers, one a line."""

OURS = frozenset(
    {
        *("content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te"),
        *("trailer", "upgrade", "expect", "accept-encoding"),
    }
)
"""What these say has to fit what is sent and how answers are read."""
PUBLIC = frozenset({"host", "content-type", "accept", "accept-encoding", "user-agent", "anthropic-version"})
"""Names whose values are no secret."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_VALUE = re.compile(r"[\x20-\x7e\xa0-\xff\t]{0,8192}")

Header = tuple[str, str]
"""Name in lower case, and value."""


class HeaderError(Exception):
    """A header cannot be sent: one line, which never holds a value."""


def parse_header(text: str, where: str = "--header") -> Header:
    """The header that `Name: value` is.

    Raises:
        HeaderError: it is none, or one that is not for a person to set.
    """
    name, colon, value = text.partition(":")
    name, value = name.strip(" \t").lower(), value.strip(" \t")
    if not colon:
        raise HeaderError(f"{where}: need 'Name: value', or @FILE with one such line for each header")
    if not _NAME.fullmatch(name):
        raise HeaderError(f"{where}: the name before the colon is none of a header, need 'Name: value'")
    if name in OURS:
        raise HeaderError(f"{where}: {name} is set by ttftop itself, leave it out")
    if not _VALUE.fullmatch(value):
        raise HeaderError(
            f"{where}: {printable(name, 40)}: its value cannot be sent, need up to 8192 characters of Latin-1"
        )
    return name, value


def parse_headers(lines: str, where: str) -> list[Header]:
    """One header a line; empty lines and those that begin with `#` are none.

    Raises:
        HeaderError: a line is no header; says which.
    """
    return [
        parse_header(line, f"{where}, line {number}")
        for number, line in enumerate(lines.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]


def read_headers(typed: Iterable[str], environment: Mapping[str, str]) -> tuple[list[Header], list[str]]:
    """What `--header` options and the environment ask for, the options last; and lines worth showing.

    A name that was given more than once is sent so, but for one of the environment, which options replace.

    Raises:
        HeaderError: one of them is none, or a file cannot be read.
    """
    notes: list[str] = []
    found: list[Header] = []
    for text in typed:
        if not text.startswith("@"):
            found.append(parse_header(text))
            if found[-1][0] in ("authorization", "api-key", "x-api-key", "cookie"):
                notes.append(
                    f"--header {found[-1][0]}: everyone on this machine can read the command line; "
                    f"{VARIABLE} or @FILE keep it"
                )
            continue
        path = text[1:]
        try:
            lines, exposed = read_secret(path, "--header @")
        except ApiKeyError as error:
            raise HeaderError(str(error)) from None
        if exposed:
            notes.append(f"--header @{path}: others can read it, `chmod 600` it")
        found += parse_headers(lines, f"--header @{path}")
    names = {name for name, _ in found}
    given = parse_headers(environment.get(VARIABLE, ""), VARIABLE)
    return [header for header in given if header[0] not in names] + found, notes
