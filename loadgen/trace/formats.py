"""The rows of a trace in a file, whose form is known by what stands in it.

JSON lines as Mooncake publishes them; CSV as BurstGPT and Azure's LLM inference traces (2023 and 2024).
"""

from __future__ import annotations

import csv
import math
import os
import re
import stat
from calendar import monthrange, timegm
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from loadgen.decoding import ready
from loadgen.small_file import FileError, opened
from loadgen.trace.rows import MOST_TOKENS, TraceError, TraceRow

_LINE_BYTES = 4 << 20
"""A prompt of ten million tokens has twenty thousand hash ids."""
_FORMS = (
    "JSON lines of timestamp, input_length, output_length, or CSV of TIMESTAMP, ContextTokens, "
    "GeneratedTokens, or of Timestamp, Request tokens, Response tokens"
)


class TraceText(NamedTuple):
    """A trace as a file has it."""

    form: str
    """`mooncake`, `azure` or `burstgpt`."""
    rows: Iterator[TraceRow]
    """In the order of the file; raises `TraceError` at a line that is none."""


class _Csv(NamedTuple):
    """Which columns a form of CSV has, in lower case, and how it tells the time."""

    form: str
    time: str
    input: str
    output: str
    tags: tuple[str, ...]
    read_time: Callable[[str], int]


def read_trace(path: Path) -> TraceText:
    """The trace in a file, read as its rows are taken.

    Raises:
        TraceError: it cannot be read, or is none.
    """
    lines = _lines(_opened(path))
    first = next(((number, line) for number, line in lines if line.strip()), None)
    if first is None:
        raise TraceError(f"it is empty; need {_FORMS}")
    number, line = first
    if line.lstrip().startswith("{"):
        return TraceText("mooncake", _mooncake(number, line, lines))
    header = _cells(number, line)
    names = [name.strip().lower() for name in header]
    # The one that most of its columns are of, so that the message is about the one that is missing.
    kind = max(_KINDS, key=lambda kind: sum(name in names for name in (kind.time, kind.input, kind.output)))
    wanted = (kind.time, kind.input, kind.output)
    missing = [name for name in wanted if name not in names]
    if len(missing) > 1:
        raise TraceError(f"line {number}: got {line.strip()[:60]!r}, need {_FORMS}")
    if missing:
        raise TraceError(f"line {number}: there is no column {missing[0]!r}; need {_FORMS}")
    return TraceText(kind.form, _csv(kind, names, lines))


def _opened(path: Path) -> BinaryIO:
    try:
        descriptor = opened(path)
    except FileError as error:
        raise TraceError(str(error)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise TraceError("it is no regular file")
    return open(descriptor, "rb")


def _lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    number = 0
    with file:
        while True:
            try:
                line = file.readline(_LINE_BYTES + 1)
            except OSError as error:
                raise TraceError(f"line {number + 1}: cannot read it: {error.strerror}") from None
            if not line:
                return
            number += 1
            if len(line) > _LINE_BYTES:
                raise TraceError(f"line {number}: longer than {_LINE_BYTES >> 20} MiB")
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise TraceError(f"line {number}: not UTF-8") from None


class _MooncakeLine(msgspec.Struct):
    timestamp: float
    """Milliseconds."""
    input_length: int
    output_length: int
    hash_ids: tuple[int, ...] = ()


_mooncake_line = msgspec.json.Decoder(ready(_MooncakeLine)).decode


def _mooncake(number: int, line: str, rest: Iterator[tuple[int, str]]) -> Iterator[TraceRow]:
    while True:
        if line.strip():
            try:
                read = _mooncake_line(line)
            except (msgspec.DecodeError, RecursionError) as error:
                said = " ".join(str(error).replace("`", "").split())[:120]
                raise TraceError(f"line {number}: {said}") from None
            yield TraceRow(
                _within_time(number, "timestamp", read.timestamp * 1e6),
                _tokens(number, "input_length", read.input_length),
                _tokens(number, "output_length", read.output_length),
                read.hash_ids,
                line=number,
            )
        following = next(rest, None)
        if following is None:
            return
        number, line = following


def _csv(kind: _Csv, names: list[str], lines: Iterator[tuple[int, str]]) -> Iterator[TraceRow]:
    time, taken, given = (names.index(name) for name in (kind.time, kind.input, kind.output))
    tags = [names.index(name) for name in kind.tags if name in names]
    for number, line in lines:
        if not line.strip():
            continue
        cells = _cells(number, line)
        if len(cells) != len(names):
            raise TraceError(f"line {number}: {len(cells)} columns, the first line names {len(names)}")
        try:
            t_ns = kind.read_time(cells[time].strip())
        except ValueError as error:
            raise TraceError(f"line {number}: {kind.time}: got {cells[time][:40]!r}, {error}") from None
        yield TraceRow(
            t_ns,
            _tokens(number, kind.input, cells[taken]),
            _tokens(number, kind.output, cells[given]),
            tags=tuple(cells[tag].strip()[:60] for tag in tags),
            line=number,
        )


def _cells(number: int, line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error as error:  # a carriage return in the middle; up to 3.10 a NUL
        raise TraceError(f"line {number}: no CSV ({str(error).partition(' - ')[0]})") from None


def _tokens(number: int, name: str, value: str | int) -> int:
    if isinstance(value, str):
        text = value.strip()
        # BurstGPT's were written by a library that makes floats of them: `472.0`.
        value = int(text.partition(".")[0]) if re.fullmatch(r"\d{1,12}(\.0*)?", text) else -1
    if not 0 <= value <= MOST_TOKENS:
        raise TraceError(f"line {number}: {name}: need a whole number of tokens from 0 to {MOST_TOKENS:,}")
    return value


def _within_time(number: int, name: str, t_ns: float) -> int:
    if not math.isfinite(t_ns) or not 0 <= t_ns < 2**62:
        raise TraceError(f"line {number}: {name}: need milliseconds of at least 0")
    return round(t_ns)


def _seconds(text: str) -> int:
    """Of BurstGPT: since its beginning."""
    if not re.fullmatch(r"\d{1,12}(\.\d{1,12})?", text):
        raise ValueError("need seconds such as 45.0")
    whole, _, part = text.partition(".")
    return int(whole) * 10**9 + int(f"{part:0<9}"[:9])


_TIME = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)?")


def _wall_time(text: str) -> int:
    """Of Azure: to seven digits behind the second, in UTC where no zone is named."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("need a time such as 2023-11-16 18:17:03.9799600")
    return _whole_second(match[1], match[3] or "Z") * 10**9 + int(f"{match[2] or '0':0<9}")


@lru_cache(maxsize=64)
def _whole_second(text: str, zone: str) -> int:
    numbers = [int(number) for number in re.split("[-T :]", text)]
    for number, low, high in zip(numbers[1:], (1, 1, 0, 0, 0), (12, 31, 23, 59, 60), strict=True):
        if not low <= number <= high:
            raise ValueError(f"{number} is out of range")
    if numbers[2] > monthrange(*numbers[:2])[1]:
        raise ValueError("that month has no such day")
    ahead = 0
    if zone != "Z":
        ahead = (int(zone[1:3]) * 60 + int(zone[-2:])) * (-60 if zone[0] == "-" else 60)
    return timegm((*numbers, 0, 0, 0)) - ahead


_KINDS = (
    _Csv("azure", "timestamp", "contexttokens", "generatedtokens", (), _wall_time),
    _Csv("burstgpt", "timestamp", "request tokens", "response tokens", ("model", "log type"), _seconds),
)
