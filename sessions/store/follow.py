"""Following the files of a session that somebody may still be appending to (`sessions.store.journal`).

A session is untrusted input: what is read at once, a line, and the text of a compressed file are bounded.
"""

from __future__ import annotations

import time
import zlib
from pathlib import Path

from sessions.store.bounds import LINE_CAP_BYTES, MEMBER_CAP_BYTES, RATIO_CAP
from sessions.store.journal import SUPERVISOR_FILE, request_paths, timeline_paths
from sessions.store.line_reader import POLL_CAP_BYTES, LineReader
from sessions.store.node_clocks import NodeClocks
from sessions.store.parse import Parse, parse
from sessions.store.raw_file import FILE_CAP_BYTES
from sessions.store.read_share import read_share
from sessions.store.records import AnyRecord, NodeClock

FILES_CAP = 1024
GIVEN_UP_CAP = 16
"""A session with more such files is not read on."""


class Follower(LineReader):
    """The records of a file of JSON lines, each once, as they come."""

    def poll(self) -> list[AnyRecord]:
        """What is new since the last poll, whole lines only; [] while the file does not exist."""
        data = b"" if self.given_up else self._raw.read(self._most)
        self.behind = len(data) == self._most
        return self.feed(data) if data else []


_MEMBER_START = b"\x1f\x8b\x08"
_CHUNK_BYTES = 64 << 10


class GzipFollower(LineReader):
    """The records of a row of gzip members, each once, as they come.

    Lines of a torn last member are given as far as they decompress. A damaged member is counted as corrupt
    and the next one is looked for. Reading stops for good at `FILE_CAP_BYTES` of text.
    """

    def __init__(self, path: Path, parse: Parse = parse, most: int = POLL_CAP_BYTES) -> None:
        super().__init__(path, parse, most)
        self._member: zlib._Decompress | None = None
        self._input = b""
        self._lost = False
        self._text_bytes = 0

    def poll(self) -> list[AnyRecord]:
        """What is new since the last poll, whole lines only; [] while the file does not exist."""
        records: list[AnyRecord] = []
        budget = self._most
        self.behind = False
        while not self.given_up:
            if budget <= 0:
                self.behind = True
                break
            text = self._step(min(budget, 1 << 20))
            if text is None:
                break
            budget -= max(len(text), 1 << 10)
            self._text_bytes += len(text)
            if self._text_bytes > (most := self._text_most()):
                self.give_up(f"more than {most} bytes of text: not read on")
            elif text:
                records.extend(self.feed(text))
        return records

    @property
    def torn(self) -> bool:
        return (self.torn_bytes > 0 or self._member is not None) and not self.given_up

    @property
    def _waiting_bytes(self) -> int:
        return len(self._input)

    def _text_most(self) -> int:
        """The text that the bytes read so far may hold (`sessions.store.lines` keeps to it)."""
        packed = self._raw.offset - len(self._input)
        return min(FILE_CAP_BYTES, RATIO_CAP * packed + MEMBER_CAP_BYTES + LINE_CAP_BYTES)

    def _step(self, most: int) -> bytes | None:
        """Up to `most` bytes of text; b"" when only input was used up, None when more input is needed."""
        if self._lost:
            return self._find_member()
        if not self._input:
            self._input = self._raw.read(_CHUNK_BYTES)
        if self._member is None:
            if not self._input:
                return None
            self._member = zlib.decompressobj(31)
        had = len(self._input)
        try:
            text = self._member.decompress(self._input, most)
        except zlib.error as error:
            self.refuse(self._raw.offset - had, f"gzip: {error}")
            self.forget_tail()
            self._member = None
            self._lost = True
            self._input = self._input[1:]
            return b""
        if self._member.eof:
            self._input = self._member.unused_data
            self._member = None
        else:
            self._input = self._member.unconsumed_tail
        return text if text or had else None

    def _find_member(self) -> bytes | None:
        at = self._input.find(_MEMBER_START)
        if at >= 0:
            self._input = self._input[at:]
            self._lost = False
            return b""
        more = self._raw.read(_CHUNK_BYTES)
        self._input = self._input[1 - len(_MEMBER_START) :] + more
        return b"" if more else None


def following(path: Path, parse: Parse = parse, most: int = POLL_CAP_BYTES) -> Follower | GzipFollower:
    """The follower that reads a file of this name."""
    return GzipFollower(path, parse, most) if path.suffix == ".gz" else Follower(path, parse, most)


def read_clocks(directory: Path) -> NodeClocks:
    """What a session says of its nodes' clocks, and no more of it."""
    clocks = NodeClocks()
    file = Follower(directory / SUPERVISOR_FILE, _parse_clock)
    while True:
        for record in file.poll():
            if isinstance(record, NodeClock):
                clocks.take(record)
        if not file.behind:
            file.close()
            return clocks


def _parse_clock(line: bytes) -> AnyRecord | None:
    return parse(line) if b'"kind":"clock"' in line else None


class SessionFollower:
    """All records of a session, each once, as they come, from files that may appear later.

    Records of one file come in its order; of several files, in no order that means anything. All times are
    of the session's clock, also in the files of nodes (`sessions.store.node_clocks`). `requests`
    says whether the request lines are wanted; without them only what the screen needs is read. `parse` makes
    a record of a line (`sessions.store.parse`), `most` bounds what one poll takes of each file.
    """

    def __init__(
        self, directory: Path, *, requests: bool, parse: Parse = parse, most: int = POLL_CAP_BYTES
    ) -> None:
        self._directory, self._requests, self._parse, self._most = directory, requests, parse, most
        self._files: dict[Path, Follower | GzipFollower] = {}
        self._clocks = NodeClocks()
        self._scanned_ns = -1

    def begin_at(self, sizes: dict[str, int]) -> None:
        """So many bytes of these files are known: they are read on from there."""
        for name, size in sizes.items():
            file = self._files[self._directory / name] = following(self._directory / name, self._parse)
            file.skip(size)
        self._clocks = read_clocks(self._directory)

    @property
    def sizes(self) -> dict[str, int]:
        """How many bytes of each file of timeline lines were read."""
        timeline = (each for each in self._files.items() if not each[0].name.startswith("requests-"))
        return {path.name: file.read_bytes for path, file in timeline}

    def want_requests(self) -> None:
        """From now on request lines come, too, from the first one on; nothing else is read again."""
        if not self._requests:
            self._requests, self._scanned_ns = True, -1

    def poll(self) -> list[AnyRecord]:
        """What is new; [] when nothing is. Bounded: see `behind`."""
        self._scan()
        records: list[AnyRecord] = []
        given_up = 0
        for path, file in self._files.items():
            if given_up > GIVEN_UP_CAP and not file.given_up:
                file.give_up("not read: too many files of this session are none")
            fresh = file.poll()
            if path.name == SUPERVISOR_FILE:  # it comes first, by its name
                for record in fresh:
                    if isinstance(record, NodeClock):
                        self._clocks.take(record)
                if file.behind:  # what it says of clocks has to be known before any time of a node is read
                    return records + fresh
            elif self._clocks:
                self._clocks.moved(fresh, path.name)
            records.extend(fresh)
            given_up += file.given_up
        return records

    @property
    def behind(self) -> bool:
        """The last poll stopped at its bound: more may be there now."""
        return any(file.behind for file in self._files.values())

    @property
    def read_share(self) -> float:
        """How much of what is wanted was read, 0 to 1: 1 where nothing more is to be read at once."""
        return read_share(list(self._files.values()))

    @property
    def requests_read(self) -> float:
        """The same of the request lines."""
        files = [file for path, file in self._files.items() if path.name.startswith("requests-")]
        return 0.0 if not files and request_paths(self._directory) else read_share(files)

    def _scan(self) -> None:
        try:
            changed_ns = self._directory.stat().st_mtime_ns
        except OSError:
            return
        if changed_ns == self._scanned_ns:
            return
        for path in timeline_paths(self._directory)[:FILES_CAP]:
            if path not in self._files:
                self._files[path] = following(path, self._parse, self._most)
        for path in request_paths(self._directory)[:FILES_CAP] if self._requests else []:
            if path not in self._files:
                self._files[path] = following(path, self._parse, self._most)
        # A file made within the clock's grain of this scan would leave the same time behind.
        self._scanned_ns = changed_ns if time.time_ns() - changed_ns > 2_000_000_000 else -1

    def notes(self) -> list[str]:
        """One line for every file that was not whole, for a session that is written no more."""
        said = []
        for path, file in sorted(self._files.items()):
            if file.refused:
                said.append(f"{path.name}: cannot be read: {file.refused}")
            if file.torn:
                said.append(f"{path.name}: the end was cut off ({file.torn_bytes} bytes of a line dropped)")
            if file.corrupt_count:
                offset, why = file.corrupt[0]
                said.append(f"{path.name}: {file.corrupt_count} damaged, first at byte {offset}: {why}")
            if file.skipped:
                said.append(f"{path.name}: {file.skipped} lines of kinds this version does not know")
        return said

    @property
    def damaged(self) -> list[str]:
        """Names of the files of which something is lost, for a session that is written no more."""
        return [
            path.name
            for path, file in sorted(self._files.items())
            if file.torn or file.corrupt_count or file.refused
        ]

    def close(self) -> None:
        for file in self._files.values():
            file.close()
