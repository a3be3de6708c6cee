"""A trace made into the binary file that a run's processes read (`loadgen.trace.compiled`), row by row."""

from __future__ import annotations

import shutil
import tempfile
from array import array
from collections.abc import Iterable
from typing import BinaryIO

import msgspec

from loadgen.trace.compiled import HEAD, MAGIC, ROW
from loadgen.trace.figures import TraceFigures
from loadgen.trace.rows import BLOCK_TOKENS, MOST_NS, MOST_ROWS, MOST_TOKENS, TraceError, TraceRow

_TAGS_CAP = 256


def compiled(
    rows: Iterable[TraceRow], *, requests: int | None = None, until_s: float | None = None
) -> tuple[BinaryIO, TraceFigures]:
    """The rows as an unnamed file, and what they are. The first is due at 0.

    Args:
        requests: no more rows than these are taken.
        until_s: none that are due later.

    Raises:
        TraceError: time goes back, or there is no row, or far too many.
        OSError: the disk refused.
    """
    compiling = _Compiling()
    try:
        for row in rows:
            if requests is not None and compiling.count >= requests:
                break
            if until_s is not None and compiling.since_first_ns(row) > until_s * 1e9:
                break
            compiling.add(row)
        return compiling.finished()
    finally:
        compiling.ids.close()


class _Compiling:
    """A trace of which the rows come one by one."""

    def __init__(self) -> None:
        self.made, self.ids = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self.made.write(bytes(HEAD.size))
        self.count = self._left_out = self._hashes = 0
        self._first_ns: int | None = None
        """Of the first row that is taken."""
        self._last_ns: int | None = None
        """Of the row before, taken or not."""
        self._due_ns = 0
        self._tags: dict[tuple[str, ...], int] = {}
        self._input = self._output = self._input_most = self._output_most = 0
        self._second = self._in_second = self._busiest = 0

    def since_first_ns(self, row: TraceRow) -> int:
        return 0 if self._first_ns is None else row.t_ns - self._first_ns

    def add(self, row: TraceRow) -> None:
        if self._last_ns is not None and row.t_ns < self._last_ns:
            back_s = (self._last_ns - row.t_ns) / 1e9
            raise self._wrong(row, f"time goes back by {back_s:,.10g} s; need requests as they came")
        self._last_ns = row.t_ns
        if row.input_tokens < 1 or row.output_tokens < 1:
            self._left_out += 1
            return
        if max(row.input_tokens, row.output_tokens) > MOST_TOKENS:
            raise self._wrong(row, f"more than {MOST_TOKENS:,} tokens")
        if self._first_ns is None:
            self._first_ns = row.t_ns
        if row.t_ns - self._first_ns > MOST_NS:
            raise self._wrong(row, "more than ten years after the first")
        if self.count >= MOST_ROWS:
            raise TraceError(f"more than {MOST_ROWS:,} requests; give --requests for a part of it")
        most_ids = -(-row.input_tokens // BLOCK_TOKENS)
        if len(row.hash_ids) > most_ids:
            ids = len(row.hash_ids)
            raise self._wrong(
                row, f"got {ids} hash ids for {row.input_tokens} tokens, need at most {most_ids}"
            )
        self._write(row, row.t_ns - self._first_ns)

    def _write(self, row: TraceRow, due_ns: int) -> None:
        if row.tags and row.tags not in self._tags and len(self._tags) < _TAGS_CAP:
            self._tags[row.tags] = len(self._tags)
        self.made.write(
            ROW.pack(
                due_ns,
                row.input_tokens,
                row.output_tokens,
                -1 if row.conversation is None else row.conversation,
                -1 if row.turn is None else row.turn,
                self._tags.get(row.tags, -1),
                self._hashes,
            )
        )
        if row.hash_ids:
            try:
                self.ids.write(array("q", row.hash_ids).tobytes())
            except OverflowError:
                raise self._wrong(row, "a hash id has more than 63 bits") from None
        self._hashes += len(row.hash_ids)
        self.count += 1
        self._due_ns = due_ns
        self._input, self._output = self._input + row.input_tokens, self._output + row.output_tokens
        self._input_most = max(self._input_most, row.input_tokens)
        self._output_most = max(self._output_most, row.output_tokens)
        second = due_ns // 1_000_000_000
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        self._busiest = max(self._busiest, self._in_second)

    def finished(self) -> tuple[BinaryIO, TraceFigures]:
        count = self.count
        if not count:
            raise TraceError("it has no request" + (" that was answered" if self._left_out else ""))
        self.made.write(ROW.pack(0, 0, 0, 0, 0, 0, self._hashes))
        self.ids.seek(0)
        shutil.copyfileobj(self.ids, self.made, 1 << 20)
        names = msgspec.json.encode(list(self._tags))
        self.made.write(names)
        self.made.seek(0)
        self.made.write(HEAD.pack(MAGIC, count, len(names), self._hashes))
        self.made.flush()
        return self.made, TraceFigures(
            requests=count,
            span_s=self._due_ns / 1e9,
            input_mean=self._input / count,
            output_mean=self._output / count,
            input_most=self._input_most,
            output_most=self._output_most,
            busiest_rps=float(self._busiest),
            left_out=self._left_out,
            hashed=self._hashes > 0,
        )

    def _wrong(self, row: TraceRow, what: str) -> TraceError:
        place = f"line {row.line}" if row.line else f"request {self.count + self._left_out + 1}"
        return TraceError(f"{place}: {what}")
