"""One request looked up again in a session's files, with its gaps and words, which no column keeps.

The lines of a file stand about in the order in which their requests ended, in gzip members of half a second
each: a few of them lead to the place by halving. Where a file is in another order (an imported one), it is
gone through, a bounded part of it at a time.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from loadgen.records import Request
from sessions.store.bounds import LINE_CAP_BYTES, MEMBER_CAP_BYTES
from sessions.store.follow import FILES_CAP, read_clocks
from sessions.store.journal import request_paths
from sessions.store.node_clocks import NodeClocks
from sessions.store.parse import BadLine, parse
from sessions.store.raw_file import FILE_CAP_BYTES

_MEMBER = b"\x1f\x8b\x08"
_CHUNK_BYTES = 64 << 10
_STEP_BYTES = 8 << 20
"""Of text, gone through before a caller is answered."""
_TEXT_CAP = MEMBER_CAP_BYTES + LINE_CAP_BYTES
_TRIES = 64
"""Places that look like a member's beginning and are none, before halving goes on elsewhere."""
_CLOCK_SLACK_NS = 1_000_000_000
_NEIGHBOURS = 4
"""Members before and after the place that are looked through: those of one instant may stand apart."""


@dataclass(frozen=True)
class Sought:
    """What tells a request from all others."""

    worker: int
    index: int
    due_ns: int
    end_ns: int


class Looked(NamedTuple):
    """`request` is None while it is looked for, and where it cannot be found: then it is `over`."""

    request: Request | None
    over: bool


class RequestLookup:
    """Looks for one request at a time, a bounded part with each call; the last one found is kept."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._sought: Sought | None = None
        self._found = Looked(None, True)
        self._search: Iterator[Request | None] = iter(())

    def look(self, sought: Sought) -> Looked:
        """For as long as one step takes."""
        if sought != self._sought:
            self._sought, self._found = sought, Looked(None, False)
            self._search = _search(self._directory, sought)
        if not self._found.over:
            try:
                request = next(self._search)
            except StopIteration:
                self._found = Looked(None, True)
            else:
                self._found = Looked(request, request is not None)
        return self._found


def _search(directory: Path, sought: Sought) -> Iterator[Request | None]:
    """None now and then, so that others have their turn, and the request once it is found."""
    paths = request_paths(directory)[:FILES_CAP]
    clocks = read_clocks(directory)
    own = [path for path in paths if path.name == f"requests-{sought.worker}.jsonl.gz"]
    for path in own:
        if (found := _by_halving(path, sought, clocks)) is not None:
            yield found
            return
    spent = 0
    for path in [*own, *(path for path in paths if path not in own)]:
        with _Members(path, clocks) as file:
            at: int | None = 0
            while at is not None:
                text, at = file.member(at)
                if (found := file.sought_in(text, sought)) is not None:
                    yield found
                    return
                spent += len(text) + _CHUNK_BYTES
                if spent >= _STEP_BYTES:
                    spent = 0
                    yield None


def _by_halving(path: Path, sought: Sought, clocks: NodeClocks) -> Request | None:
    with _Members(path, clocks) as file:
        low, high = 0, file.size
        while high - low > _CHUNK_BYTES:
            middle = (low + high) // 2
            begin, first = file.first_after(middle)
            if begin is None or begin >= high or first is None or first.end_ns >= sought.end_ns:
                high = middle
            else:
                low = begin
        # `low` begins with a request that ended before; some members around it are looked through.
        at: int | None = file.before(low, _NEIGHBOURS * _CHUNK_BYTES)
        after = 0
        while at is not None and after <= _NEIGHBOURS:
            after += at >= high
            text, at = file.member(at)
            if (found := file.sought_in(text, sought)) is not None:
                return found
    return None


class _Members:
    """The gzip members of a file, found by where they begin. An untrusted file: what is none is skipped."""

    def __init__(self, path: Path, clocks: NodeClocks) -> None:
        self._path, self._fd, self.size = path, -1, 0
        self._clocks = clocks
        self._slack_ns = 0 if clocks.node_of(path.name) is None else _CLOCK_SLACK_NS

    def __enter__(self) -> _Members:
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError:
            return self
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            os.close(fd)
            return self
        self._fd, self.size = fd, min(about.st_size, FILE_CAP_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def member(self, at: int) -> tuple[bytes, int | None]:
        """The text of the member at `at`, as much of it as there is, and where the next one begins."""
        unpacker, text, position = zlib.decompressobj(31), bytearray(), at
        while not unpacker.eof:
            data = self._read(position)
            if not data:
                return bytes(text), None
            position += len(data)
            try:
                text += unpacker.decompress(data, _TEXT_CAP - len(text))
            except zlib.error:
                return bytes(text), self._begin_after(at + 1)
            if len(text) >= _TEXT_CAP and not unpacker.eof:  # a bomb, or none of ours
                return bytes(text), self._begin_after(at + 1)
        following = position - len(unpacker.unused_data)
        return bytes(text), following if following < self.size else None

    def first_after(self, at: int) -> tuple[int | None, Request | None]:
        """Where the first member after `at` begins whose first line is a request, and that request."""
        begin = self._begin_after(at)
        for _ in range(_TRIES):
            if begin is None:
                break
            try:
                text = zlib.decompressobj(31).decompress(self._read(begin), _CHUNK_BYTES)
            except zlib.error:
                text = b""
            request = self._parsed(text.partition(b"\n")[0])
            if request is not None:
                return begin, request
            begin = self._begin_after(begin + 1)
        return None, None

    def sought_in(self, text: bytes, sought: Sought) -> Request | None:
        key = b'"index":%d,' % sought.index
        at = text.find(key)
        while at >= 0:
            begin, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
            if end < 0:  # torn
                return None
            request = self._parsed(text[begin:end])
            if request is not None and self._is(request, sought):
                return request
            at = text.find(key, end)
        return None

    def _is(self, request: Request, sought: Sought) -> bool:
        """More may have been found out of a node's clock since a time was put onto the session's."""
        return (
            (request.worker, request.index) == (sought.worker, sought.index)
            and abs(request.due_ns - sought.due_ns) <= self._slack_ns
            and abs(request.end_ns - sought.end_ns) <= self._slack_ns
        )

    def _parsed(self, line: bytes) -> Request | None:
        if len(line) > LINE_CAP_BYTES:
            return None
        try:
            record = parse(line)
        except BadLine:
            return None
        if not isinstance(record, Request):
            return None
        if self._slack_ns:
            self._clocks.moved([record], self._path.name)
        return record

    def before(self, at: int, reach: int) -> int:
        """Where a member begins up to `reach` bytes before `at`; 0 where the file begins there."""
        begin, _ = self.first_after(max(at - reach, 0)) if at > reach else (0, None)
        return at if begin is None else min(begin, at)

    def _begin_after(self, at: int) -> int | None:
        while at < self.size:
            data = self._read(at)
            found = data.find(_MEMBER)
            if found >= 0:
                return at + found
            if len(data) < len(_MEMBER):
                return None
            at += len(data) - len(_MEMBER) + 1
        return None

    def _read(self, at: int) -> bytes:
        if self._fd < 0 or at >= self.size:
            return b""
        try:
            return os.pread(self._fd, min(_CHUNK_BYTES, self.size - at), at)
        except OSError:
            return b""
