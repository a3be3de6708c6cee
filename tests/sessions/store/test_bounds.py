"""One set of bounds for both ends of a session: whatever a writer is given, its reader takes what it wrote."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.records import Request, RequestError, Tick
from loadgen.sketch import BUCKETS
from sessions.store.bounds import OutOfBounds, check
from sessions.store.follow import following
from sessions.store.journal import JournalWriter, RequestJournalWriter
from sessions.store.parse import BadLine, parse, parse_block, parse_packed
from sessions.store.records import AnyRecord, Mark, NodeClock, Note
from telemetry.records import GpuDevice, GpuDevices, Histogram, ServerSample

RECORDS = get_args(AnyRecord)

INTS = st.integers(0, 1000) | st.integers(-(2**63), 2**64 - 1) | st.sampled_from([10**12 + 1, 1 << 60, 4096])
FLOATS = st.floats() | st.integers(-5, 5).map(float) | st.sampled_from([1e19, -1e19, 1e18])
TEXTS = st.text(max_size=4) | st.sampled_from(["\ud800", "\x1b[2J\x00", "x" * 9000, "é" * 8192])


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type, also such as no session holds."""
    simple = {int: INTS, float: FLOATS, str: TEXTS, bool: st.booleans(), type(None): st.none()}
    if kind in simple:
        return simple[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return records(kind)
    parts = get_args(kind)
    if get_origin(kind) is list:
        return st.lists(values(parts[0]), max_size=3)
    if get_origin(kind) is tuple:
        return st.lists(values(parts[0]), max_size=3).map(tuple)
    if get_origin(kind) is dict:
        return st.dictionaries(values(parts[0]), values(parts[1]), max_size=3)
    return st.one_of([values(part) for part in parts])


def records(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    # `gaps` is the journal's own, made of `gaps_us`.
    fields = {
        field.name: values(field.type) for field in msgspec.structs.fields(kind) if field.name != "gaps"
    }
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    return st.fixed_dictionaries(
        {name: some for name, some in fields.items() if name in required},
        optional={name: some for name, some in fields.items() if name not in required},
    ).map(lambda given: kind(**given))


def written_and_read(record: msgspec.Struct) -> list[AnyRecord]:
    with tempfile.TemporaryDirectory() as directory:
        if isinstance(record, Request):
            path = Path(directory) / "requests-0.jsonl.gz"
            writer = RequestJournalWriter(path)
            writer.append(record)
            writer.close()
        else:
            path = Path(directory) / "a.jsonl"
            JournalWriter(path).append(record)
        follower = following(path)
        read = follower.poll()
        assert not follower.corrupt
        assert not follower.torn
        follower.close()
        return read


def may_be(record: msgspec.Struct) -> bool:
    try:
        check(record)
        msgspec.json.encode(record)
    except (OutOfBounds, UnicodeEncodeError):
        return False
    return True


@settings(max_examples=400, deadline=None)
@given(st.one_of([records(kind) for kind in RECORDS]))
def test_every_record_that_is_written_is_read_back_and_equal_where_it_may_be(record: msgspec.Struct) -> None:
    (back,) = written_and_read(record)
    assert type(back) is type(record)
    if may_be(record):
        assert back == record


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (ServerSample(1, 1, "s", running=1e19, waiting=2.0), ServerSample(1, 1, "s", waiting=2.0)),
        (ServerSample(1, 1, "s", kv_pct=math.nan, waiting=2.0), ServerSample(1, 1, "s", waiting=2.0)),
        (
            ServerSample(1, 1, "s", ttft=Histogram([math.inf], [1, 1]), waiting=2.0),
            ServerSample(1, 1, "s", waiting=2.0),
        ),
        (
            Request(1, 0, 5, end_ns=9, input_tokens=-4, output_tokens=10**13, error=RequestError("x\ud800")),
            Request(1, 0, 5, end_ns=9, error=RequestError("x?")),
        ),
        (
            Tick(1, 1, 0, due=-1, sent=3, itl=[5000, 1], errors={"a": 10**13, "b": 2}),
            Tick(1, 1, 0, sent=3, errors={"b": 2}),
        ),
        (Mark(-5, "m" * 9000), Mark(0, "m" * 8192)),
        (NodeClock(1, "a", math.nan, workers=[3]), NodeClock(1, "a", workers=[3])),
        (Note(10**20, "info", "x"), Note(315_576_000 * 10**9, "info", "x")),
    ],
)
def test_what_cannot_be_costs_itself_alone(given: msgspec.Struct, kept: msgspec.Struct) -> None:
    assert written_and_read(given) == [kept]


def test_a_line_that_would_be_too_long_holds_the_first_of_what_it_lists() -> None:
    devices = [GpuDevice(f"GPU-{i}", i, "n" * 8000) for i in range(1000)]
    (back,) = written_and_read(GpuDevices(1, "s", devices))
    assert isinstance(back, GpuDevices)
    assert back.devices == devices[:500]


TEN_YEARS_NS = 315_576_000 * 10**9


@pytest.mark.parametrize(
    ("field", "most", "more"),
    [
        ("due", 0, -1),
        ("due", 10**12, 10**12 + 1),
        ("worker", 4095, 4096),
        ("t_ns", TEN_YEARS_NS, TEN_YEARS_NS + 1),
        ("rate_rps", 1e18, 1e19),
        ("rate_rps", -1e18, math.nan),
        ("itl", [BUCKETS - 1, 5], [BUCKETS, 5]),
        ("itl", [1, 2, 3, 4], [1, 2, 3]),
        ("itl", [1, 1 << 31], [1, (1 << 31) + 1]),
        ("itl", [0, 0], [0, -1]),
        ("errors", {"x" * 8192: 1}, {"x" * 8193: 1}),
        ("errors", {str(i): 1 for i in range(256)}, {str(i): 1 for i in range(257)}),
        ("errors", {"a": 10**12}, {"a": 10**12 + 1}),
        ("errors", {"a": 0}, {"a": -1}),
    ],
)
def test_a_reader_takes_what_lies_on_a_bound_and_nothing_beyond_it(field: str, most: Any, more: Any) -> None:
    check(Tick(**{"t_ns": 1, "dt_ns": 1, "worker": 0} | {field: most}))
    with pytest.raises(OutOfBounds, match=field):
        check(Tick(**{"t_ns": 1, "dt_ns": 1, "worker": 0} | {field: more}))


def test_a_reader_takes_a_text_up_to_its_cap() -> None:
    check(Mark(1, "m" * 8192))
    with pytest.raises(OutOfBounds, match="text"):
        check(Mark(1, "m" * 8193))


@settings(max_examples=300, deadline=None)
@given(st.one_of([records(kind) for kind in RECORDS]))
def test_a_packed_line_is_taken_where_each_of_its_values_may_be_and_told_as_a_plain_one_where_not(
    record: msgspec.Struct,
) -> None:
    try:
        line = msgspec.json.encode(record)
    except (UnicodeEncodeError, ValueError):
        return
    said: list[object] = []
    for read in (parse, parse_packed):
        try:
            back = read(line)
        except BadLine as error:
            said.append(str(error))
        else:
            assert isinstance(back, type(record))
            said.append(msgspec.to_builtins(back))
    assert said[0] == said[1]
    block = parse_block(line + b"\n" + line + b"\n")
    assert (block is None) == isinstance(said[0], str)
    assert block is None or [msgspec.to_builtins(one) for one in block] == [said[0]] * 2


@pytest.mark.parametrize(
    "text",
    [
        b'{"kind":"mark","t_ns":1}{"kind":"mark","t_ns":2}\n\n',
        b'{"kind":"mark",\n"t_ns":1}\n{"kind":"mark","t_ns":2}{"kind":"mark","t_ns":3}\n',
        b'{"kind":"mark","t_ns":1}\n{"kind":"what is to come"}\n',
        b'{"kind":"tick","t_ns":1,"dt_ns":1,"worker":0,"itl":[1200,1]}\n',
        b'{"kind":"request","index":1,"worker":0,"due_ns":5,"gaps":"AAA*"}\n',
    ],
)
def test_a_block_with_a_line_that_is_no_record_is_looked_at_line_by_line(text: bytes) -> None:
    assert parse_block(text) is None
