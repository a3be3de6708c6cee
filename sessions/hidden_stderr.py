"""stderr with our secrets hidden: what a bug says of what was given to it, a session keeps."""

from __future__ import annotations

import io
import sys
from typing import TextIO

from loadgen.target.redaction import Redactor


class _Hiding(io.TextIOBase):
    """Each text by itself: a traceback, and what logging says of one, comes line by line or at once."""

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream, self._redactor = stream, redactor

    def write(self, text: str) -> int:
        self._stream.write(self._redactor.text(text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()


def hide_in_stderr(redactor: Redactor) -> None:
    """From now on whatever this process writes to `sys.stderr` goes through `redactor`."""
    if sys.stderr is not None:
        sys.stderr = _Hiding(sys.stderr, redactor)
