"""Exit codes, and the one way in which a command gives up (in words: docs/guide/exit-codes.md)."""

from __future__ import annotations

import contextlib
import sys

from loadgen.errors import printable

OK = 0
"""The run took place and is valid; a command that reads could read."""
NOT_VALID = 1
"""The run took place, but something about its result is wrong: errors, not valid, or a target was missed."""
USAGE = 2
"""Wrong usage or configuration, an unreadable session, no terminal."""
TARGET = 3
"""The server under test cannot be reached, or refuses."""
INTERRUPTED = 130
"""Interrupted by a person or a signal; what was measured until then is saved."""


class CommandError(Exception):
    """Ends a command with one line on stderr: what is wrong, what was got, what is allowed."""

    def __init__(self, message: str, exit_code: int = USAGE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def is_unicode(text: str) -> bool:
    """False where Python keeps bytes that are not UTF-8 as lone surrogates (PEP 383), which no file holds."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def tell(text: str, end: str = "\n") -> None:
    """`text` on stderr, at once. That nobody reads it any more (`2>&1 | head`) changes nothing, nor that it
    finds no place there (a log on a full disk): no run ends for want of words beside it."""
    with contextlib.suppress(OSError):
        print(text, end=end, file=sys.stderr, flush=True)


def one_line(text: object) -> str:
    """`text` as one line fit for a terminal, at most 500 characters long."""
    return printable(" ".join(str(text).split()), 500)
