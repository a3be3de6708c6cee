"""Everything that reads bytes from elsewhere, each as a function of any bytes.

A target lets through what its reader says it may raise, as long as a person can be shown it; anything else that
comes out of it is a bug. Where there are two ways to read the same (in pieces and at once, packed and plain), both
must come to the same.
"""

from __future__ import annotations

import argparse
import atexit
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import cache
from pathlib import Path

import msgspec

from loadgen.endpoints.sse import Event, SseLimitError, SseParser
from loadgen.errors import printable
from loadgen.trace.compile import compiled
from loadgen.trace.formats import read_trace
from loadgen.trace.rows import TraceError
from loadgen.transport.http1 import BadResponse, ResponseParser
from sessions.interchange.documents import ImportFailed
from sessions.interchange.find_runs import find_runs
from sessions.interchange.imported_run import ImportedRun
from sessions.interchange.write_session import write_session
from sessions.nodes.frames import FrameError, Frames
from sessions.nodes.messages import decode_answer, decode_question
from sessions.plan.config import ConfigError
from sessions.plan.plan_file import PlanFile
from sessions.plan.slo import parse_slo
from sessions.store.manifest import FILE, SessionError, read
from sessions.store.parse import BadLine, parse, parse_packed
from telemetry.bounds import believable
from telemetry.prometheus.adapters import ADAPTERS, NAMES
from telemetry.prometheus.exposition import PageReader, Scrape, TooMuch
from telemetry.ssh.protocol import cleaned, decoded
from tui.options import value_types

Target = Callable[[bytes], None]

CORPUS = Path(__file__).parent / "corpus"
"""A folder a target, a file an input."""

_MOST_SAID = 1000


def _is_fit_to_be_shown(error: Exception) -> None:
    said = str(error)
    assert said, type(error)
    assert said.count("\n") <= 1, said
    assert len(said) <= _MOST_SAID, len(said)
    assert printable(said, _MOST_SAID).replace("\\n", "\n") == said.replace("\\n", "\n"), ascii(said)


@cache
def _place(name: str) -> Path:
    """A directory of a target's own, made once: a file in it is written anew for each input, which costs a third
    of making and removing a directory each time."""
    directory = Path(tempfile.mkdtemp(prefix="ttftop-fuzz-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def _pieces(data: bytes) -> list[bytes]:
    """`data` behind its first byte, cut into pieces of that size."""
    size = (data[0] if data else 0) or 1
    return [data[at : at + size] for at in range(1, len(data), size)]


def _events(pieces: Sequence[bytes], *, line_events: bool) -> list[Event] | None:
    parser, found = SseParser(1 << 16, line_events), []
    try:
        for piece in pieces:
            found += parser.feed(piece)
        return found + parser.close()
    except SseLimitError as error:
        _is_fit_to_be_shown(error)
        return None


def sse(data: bytes) -> None:
    for line_events in (False, True):
        at_once = _events([data[1:]], line_events=line_events)
        assert _events(_pieces(data), line_events=line_events) == at_once


def http(data: bytes) -> None:
    seen: list[int] = []
    parser = ResponseParser(lambda status, headers: seen.append(status))
    try:
        for piece in _pieces(data):
            parser.feed(piece)
            _ = parser.keep_alive_s
            if parser.ended:
                parser.begin()
    except BadResponse as error:
        _is_fit_to_be_shown(error)


def session_line(data: bytes) -> None:
    assert _read_line(parse, data) == _read_line(parse_packed, data)


def _read_line(read_line: Callable[[bytes], object], data: bytes) -> str:
    """What it came to: a record, none of a kind that is known, or why it is none."""
    try:
        return "unknown" if read_line(data) is None else "record"
    except BadLine as error:
        _is_fit_to_be_shown(error)
        return str(error)


def manifest(data: bytes) -> None:
    directory = _place("manifest")
    (directory / FILE).write_bytes(data)
    try:
        found = read(directory)
        _ = found.model, found.target, found.targets, found.unverified
    except SessionError as error:
        _is_fit_to_be_shown(error)


def plan(data: bytes) -> None:
    try:
        read_plan = PlanFile("p.toml", data.decode("utf-8-sig"))
        read_plan.targets()
        read_plan.stages()
    except UnicodeDecodeError:
        pass
    except ConfigError as error:
        _is_fit_to_be_shown(error)


def slo(data: bytes) -> None:
    try:
        for target in parse_slo(data.decode("utf-8", "replace")):
            assert parse_slo(f"{target.text}, confidence={target.confidence:.0%}") == [target]
    except ConfigError as error:
        _is_fit_to_be_shown(error)


_TYPED: list[Callable[[str], object]] = [
    value_types.duration,
    value_types.rate,
    value_types.ramp,
    value_types.burstiness,
    value_types.lengths,
    value_types.turns,
    value_types.think,
    value_types.percent,
    value_types.seed,
    value_types.tag,
    value_types.timeout,
    value_types.header_name,
    value_types.listening,
    value_types.model,
    value_types.body_field,
    value_types.source,
    value_types.prefix,
    value_types.speed,
]


def typed(data: bytes) -> None:
    if not data:
        return
    read_value = _TYPED[data[0] % len(_TYPED)]
    try:
        read_value(data[1:].decode("utf-8", "surrogateescape"))
    except argparse.ArgumentTypeError as error:
        _is_fit_to_be_shown(error)


def _runs(data: bytes, target: str) -> list[ImportedRun]:
    """The first runs of a result file, or of one beside which there is no other."""
    path = _place(target) / ("run.jsonl" if data[:1] == b"l" else "run.json")
    path.write_bytes(data[1:])
    try:
        return find_runs(path)[:2]
    except ImportFailed as error:
        _is_fit_to_be_shown(error)
        return []


def result_file(data: bytes) -> None:
    _runs(data, "result_file")


def result_session(data: bytes) -> None:
    """As `result_file`, and what was read becomes a session: a hundred times as slow where there is one."""
    sessions = _place("result_session") / "sessions"
    try:
        for run in _runs(data, "result_session"):
            write_session(run, sessions, datetime(2026, 1, 1, tzinfo=timezone.utc))
    except (ImportFailed, SessionError) as error:
        _is_fit_to_be_shown(error)
    finally:
        shutil.rmtree(sessions, ignore_errors=True)


def trace(data: bytes) -> None:
    file = _place("trace") / "trace"
    file.write_bytes(data)
    try:
        rows, _ = compiled(read_trace(file).rows, requests=1000)
        rows.close()
    except TraceError as error:
        _is_fit_to_be_shown(error)


def metrics(data: bytes) -> None:
    reader = PageReader(NAMES)
    try:
        for piece in _pieces(data):
            reader.take(piece)
        page = reader.page()
    except TooMuch as error:
        _is_fit_to_be_shown(error)
        return
    there = {sample.name for sample in page.samples}
    for adapter in ADAPTERS.values():
        if not there.isdisjoint(adapter.names):  # else it finds nothing, by its contract
            adapter.read(page.samples, Scrape(1, 1, "page"))


def ssh_line(data: bytes) -> None:
    line = decoded(data)
    if line is not None:
        cleaned(line)
        believable(line)
        assert all(char.isprintable() for char in str(getattr(line, "source", "")))


def node_frames(data: bytes) -> None:
    for expect_greeting in (False, True):
        reader, found = Frames(expect_greeting=expect_greeting), []
        try:
            for piece in _pieces(data):
                found += reader.feed(piece)
            assert Frames(expect_greeting=expect_greeting).feed(data[1:]) == found
        except FrameError as error:
            _is_fit_to_be_shown(error)
        for _, payload in found:
            for decode in (decode_answer, decode_question):
                try:
                    decode(payload)
                except msgspec.DecodeError:
                    pass


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        sse,
        http,
        session_line,
        manifest,
        plan,
        slo,
        typed,
        result_file,
        result_session,
        trace,
        metrics,
        ssh_line,
        node_frames,
    )
}
