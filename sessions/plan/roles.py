"""The words of `--role`: what the GPUs of a machine do for the server. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loadgen.errors import printable

_WORD = re.compile(r"([A-Za-z0-9._:-]{1,100})=([a-z0-9][a-z0-9-]{0,15})")


class RoleError(Exception):
    """One line: what was got, what is allowed."""


def role(text: str) -> str:
    """`text` itself, `HOST=ROLE`.

    Raises:
        RoleError: it is none.
    """
    if _WORD.fullmatch(text) is None:
        raise RoleError(
            f"got {printable(text, 60)!r}, need HOST=ROLE, such as node1=prefill or node2=decode "
            "(a role: up to 16 of a-z, 0-9 and -)"
        )
    return text


def roles_of(words: Sequence[str]) -> dict[str, str]:
    """By host; the last word about one holds."""
    return {host: said for host, _, said in (word.partition("=") for word in words)}
