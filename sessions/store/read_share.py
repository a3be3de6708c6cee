"""How much of some files is read that are read a bounded amount at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Followed(Protocol):
    behind: bool
    given_up: bool

    @property
    def read_bytes(self) -> int: ...

    @property
    def read_share(self) -> float: ...


def read_share(files: Sequence[Followed]) -> float:
    """0 to 1, by bytes as they lie on disk: 1 where nothing more is to be read at once."""
    if not any(file.behind for file in files):
        return 1.0
    shares = [(1.0 if file.given_up else file.read_share, file.read_bytes) for file in files]
    of_bytes = sum(read / share for share, read in shares if share)
    return min(sum(read for _, read in shares) / of_bytes, 1.0) if of_bytes else 0.0
