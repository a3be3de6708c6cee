"""Bytes of a file of JSON lines in, records out."""

from __future__ import annotations

from pathlib import Path

from sessions.store.bounds import LINE_CAP_BYTES
from sessions.store.parse import BadLine, Parse, parse, parse_block, parse_packed
from sessions.store.raw_file import RawFile
from sessions.store.records import AnyRecord

POLL_CAP_BYTES = 8 << 20
CORRUPT_CAP = 100_000
"""A file with so many lines that are none is no file of ours, and not read on."""


class LineReader:
    """Bytes of a file in, records out; keeps a torn tail, counts what is no record.

    `corrupt` holds `(offset, why)` of the first lines that were no records (offset in the text, bytes),
    `corrupt_count` how many there were, `skipped` how many lines were of an unknown kind.
    """

    def __init__(self, path: Path, parse: Parse = parse, most: int = POLL_CAP_BYTES) -> None:
        """`most`: bytes of text, about, that one poll takes."""
        self._raw, self._parse, self._most = RawFile(path), parse, most
        self._parse_block = parse_block if parse is parse_packed else None

        self.behind = False
        """The last poll stopped at its bound: more may be there now."""
        self.skipped = 0
        self.corrupt: list[tuple[int, str]] = []
        self.corrupt_count = 0
        self._tail = b""
        self._offset = 0
        self._in_long_line = False
        self.given_up = False
        """It holds what no file of ours does, and is not read on."""

    @property
    def refused(self) -> str:
        """Why the file, which is there, cannot be read; empty when it can."""
        return self._raw.refused

    def close(self) -> None:
        self._raw.close()

    def skip(self, size: int) -> None:
        """Reads on after so many bytes of the file."""
        self._raw.offset = size

    @property
    def read_bytes(self) -> int:
        """Of the file."""
        return self._raw.offset

    @property
    def read_share(self) -> float:
        """How much of the file as it is now was read, 0 to 1."""
        return self._raw.read_share(self._waiting_bytes)

    @property
    def _waiting_bytes(self) -> int:
        return 0

    @property
    def torn_bytes(self) -> int:
        """Bytes after the last line end: a line still being written, or cut off by a kill."""
        return len(self._tail)

    @property
    def torn(self) -> bool:
        """Something at the end is not whole."""
        return self.torn_bytes > 0 and not self.given_up

    def refuse(self, offset: int, why: str) -> None:
        self.corrupt_count += 1
        if len(self.corrupt) < 20:
            self.corrupt.append((offset, why[:200]))
        if self.corrupt_count > CORRUPT_CAP:
            self.given_up = True

    def give_up(self, why: str) -> None:
        self.refuse(self._offset, why)
        self.given_up = True

    def forget_tail(self) -> None:
        self._offset += len(self._tail)
        self._tail = b""

    def feed(self, data: bytes) -> list[AnyRecord]:
        end = data.rfind(b"\n") + 1
        if self._parse_block is not None and end > 0 and not self._in_long_line:
            block = self._tail + data[:end]
            records = self._parse_block(block) if len(block) <= LINE_CAP_BYTES else None
            if records is not None:
                self._offset += len(block)
                self._tail = data[end:]
                return records
        return self._feed_lines(data)

    def _feed_lines(self, data: bytes) -> list[AnyRecord]:
        records: list[AnyRecord] = []
        *lines, self._tail = (self._tail + data).split(b"\n")
        for line in lines:
            if self.given_up:
                break
            offset = self._offset
            self._offset += len(line) + 1
            if self._in_long_line:
                self._in_long_line = False
            elif len(line) > LINE_CAP_BYTES:
                self.refuse(offset, f"line of {len(line)} bytes, allowed {LINE_CAP_BYTES}")
            elif line.strip():
                try:
                    record = self._parse(line)
                except BadLine as error:
                    self.refuse(offset, str(error))
                else:
                    if record is None:
                        self.skipped += 1
                    else:
                        records.append(record)
        if len(self._tail) > LINE_CAP_BYTES or (self._in_long_line and self._tail):
            if not self._in_long_line:
                self.refuse(self._offset, f"line of more than {LINE_CAP_BYTES} bytes")
            self._in_long_line = True
            self.forget_tail()
        return records
