"""The API key: read once, validated, and held so that nothing prints it by accident."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping

from loadgen.small_file import FileError, read_small

VARIABLES = ("TTFTOP_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key; the first that is not empty wins."""

_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
MOST_BYTES = 64 << 10
"""Of a file of keys or headers."""


class ApiKeyError(Exception):
    """A key cannot be read or is none: one line, which never holds any of it."""


class ApiKey:
    """A valid key. Its `repr` and `str` are masked, and it cannot be pickled or written as JSON."""

    __slots__ = ("__value", "note", "source")

    def __init__(self, value: str, source: str, note: str = "") -> None:
        """`source` is where it came from; `note` is a line worth showing to the user, else empty.

        Raises:
            ApiKeyError: it is empty, too long, or not printable ASCII without spaces.
        """
        if not _KEY.fullmatch(value):
            wrong = "is empty" if not value else "is no API key"
            raise ApiKeyError(
                f"{source}: it {wrong}, need 1 to 4096 printable ASCII characters without spaces"
            )
        self.__value = value
        self.source = source
        self.note = note

    def reveal(self) -> str:
        """The key itself, for the header that carries it and the pipe to a process of our own."""
        return self.__value

    def __repr__(self) -> str:
        return f"ApiKey(***, {self.source!r})"

    def __reduce__(self) -> str:
        raise TypeError("an API key is not to be pickled")


def read_api_key(environment: Mapping[str, str], file: str | os.PathLike[str] | None) -> ApiKey | None:
    """The key from `file` if one is given, else from the environment, else None.

    Raises:
        ApiKeyError: the file cannot be read, or what was found is no key.
    """
    name = next((name for name in VARIABLES if environment.get(name, "").strip()), None)
    if file is None:
        return None if name is None else ApiKey(environment[name].strip("\r\n"), name)
    text, exposed = read_secret(os.fspath(file), "--api-key-file ")
    notes = []
    if exposed:
        notes.append(f"--api-key-file {file}: others can read it, `chmod 600` it")
    if name is not None:
        notes.append(f"--api-key-file is used, not {name}")
    return ApiKey(text, f"--api-key-file {file}", "; ".join(notes))


def read_secret(path: str, option: str) -> tuple[str, bool]:
    """The text of a file or pipe less its last line end, and whether others can read that file. Errors name
    `option` and the path.

    Raises:
        ApiKeyError: it cannot be read.
    """
    try:
        file = read_small(path, MOST_BYTES, or_pipe=True)
    except FileError as error:
        # What is given may be the key itself.
        a_path = error.number not in (0, errno.ENOENT, errno.ENAMETOOLONG) or {".", "/"} & set(path)
        raise ApiKeyError(
            f"{option}{path if a_path else '***'}: {error}; need a file that holds it"
        ) from None
    # Latin-1 never fails, and what is no ASCII is refused later without a traceback that would hold the key.
    return file.data.decode("latin-1").rstrip("\r\n"), file.readable_by_others
