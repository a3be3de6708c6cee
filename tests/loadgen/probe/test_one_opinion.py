"""What the probe takes, the load can read; what the load could not read, the probe refuses and says why."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from loadgen.arrivals.load import ClosedLoad
from loadgen.probe.result import ProbeError
from loadgen.target.url import parse_target
from loadgen.workload.template import RequestTemplate
from tests.loadgen.probe.probe_runs import short_probe
from tests.loadgen.probe.servers import DONE, Asked, Reply, Server, as_json, models, serving, stream
from tests.loadgen.worker.engine_runs import run_engine, worker_config


def token(finish: str | None = None) -> str:
    return f"data: {json.dumps({'choices': [{'index': 0, 'text': 'x', 'finish_reason': finish}]})}\n\n"


EVENTS = (token() * 3 + token("length") + DONE).encode()
OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"


def chunk(line: bytes = b"%x\r\n") -> bytes:
    return line % len(EVENTS) + EVENTS + b"\r\n0\r\n\r\n"


TAKEN = {
    "as it should be": OK + b"transfer-encoding: chunked\r\n\r\n" + chunk(),
    "a length beside chunked": OK + b"content-length: 7\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(),
    "padded chunk sizes": OK + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"%x    \r\n"),
    "line feeds alone": OK.replace(b"\r\n", b"\n") + b"transfer-encoding: chunked\n\n" + chunk(),
    "a folded header": OK + b"x: a\r\n b\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(),
    "the same length twice": OK + b"content-length: %d\r\n" % len(EVENTS) * 2 + b"\r\n" + EVENTS,
    "no length": OK.replace(b"1.1", b"1.0") + b"\r\n" + EVENTS,
    "another 2xx": OK.replace(b"200 OK", b"201 Created") + b"transfer-encoding: chunked\r\n\r\n" + chunk(),
    "an index that counts tokens": OK
    + b"\r\n"
    + b"".join(
        EVENTS.replace(b'"index": 0', b'"index": %d' % n).split(b"\n\n")[n] + b"\n\n" for n in range(4)
    ),
    "cut after its end": OK + b"transfer-encoding: chunked\r\n\r\n%x\r\n" % 9999 + EVENTS,
}
REFUSED = {
    "two lengths": (OK + b"content-length: 5\r\ncontent-length: 900\r\n\r\n" + EVENTS, "Content-Length"),
    "an unknown coding": (OK + b"transfer-encoding: br, chunked\r\n\r\n" + chunk(), "transfer-encoding is br, chunked"),
    "line feeds alone around chunks": (OK + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"%x\n"), "after chunk size"),
    "no HTTP": (b"220 mail ready\r\n\r\n", "not valid HTTP"),
    "packed": (OK + b"content-encoding: gzip\r\n\r\n" + gzip.compress(EVENTS), "packed (gzip)"),
    "no end": (OK + b"\r\n" + token().encode() * 4, "without a finish reason and without [DONE]"),
}  # fmt: skip


def answering(raw: bytes) -> Server:
    return lambda asked: as_json(models("m")) if asked.method == "GET" else Reply(raw=raw)


async def load(port: int, template: RequestTemplate | None = None) -> list[str]:
    """How three requests of a load end."""
    a_plan = worker_config(port, ClosedLoad(1), requests=3)
    emitted = await run_engine(msgspec.structs.replace(a_plan, template=template or a_plan.template))
    return [record.error.kind if record.error else "ok" for record in emitted.requests]


@pytest.mark.parametrize("name", TAKEN)
def test_what_the_probe_takes_the_load_reads(name: str) -> None:
    async def run() -> list[str]:
        async with serving(answering(TAKEN[name])) as served:
            found = await short_probe(parse_target(served.url))
            assert found.warm_ups[0].chunks == 4
            return await load(served.port, found.template)

    assert asyncio.run(run()) == ["ok"] * 3


def test_events_without_blank_lines_between_them_are_read_line_by_line() -> None:
    lines = EVENTS.replace(b"\n\n", b"\n")

    async def run() -> None:
        async with serving(answering(OK + b"\r\n" + lines)) as served:
            found = await short_probe(parse_target(served.url))
            assert (found.template.line_events, found.warm_ups[1].chunks) == (True, 4)
            a_plan = worker_config(served.port, ClosedLoad(1), requests=2, template=found.template)
            records = (await run_engine(a_plan)).requests
            assert [(record.error, record.chunks, record.flags) for record in records] == [(None, 4, [])] * 2

    asyncio.run(run())


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_load_cannot_read_the_probe_refuses_in_words(name: str) -> None:
    raw, words = REFUSED[name]

    async def run() -> list[str]:
        async with serving(answering(raw)) as served:
            with pytest.raises(ProbeError) as caught:
                await short_probe(parse_target(served.url))
            assert words in str(caught.value)
            assert caught.value.exit_code == 3
            return await load(served.port)

    assert "ok" not in asyncio.run(run())


@asynccontextmanager
async def talking(answer: bytes, behind: bytes) -> AsyncIterator[int]:
    """A server that never closes a connection, and says `behind` again and again after its answer."""
    tasks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            if (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET"):
                body = json.dumps(models("m")).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                return
            writer.write(answer)
            while True:
                await asyncio.sleep(0.01)
                writer.write(behind)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("behind", [b"", b": still here\n\n"])
def test_a_stream_that_is_over_and_stays_open_is_not_waited_for(
    behind: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadgen.probe.stream.AFTER_DONE_S", 0.05)
    monkeypatch.setattr("loadgen.probe.stream.AFTER_FINISH_S", 0.05)
    for events in (EVENTS, EVENTS.replace(DONE.encode(), b"")):

        async def run(events: bytes = events) -> int:
            async with talking(OK + b"\r\n" + events, behind) as port:
                return len((await short_probe(parse_target(f"http://127.0.0.1:{port}"))).warm_ups)

        assert asyncio.run(asyncio.wait_for(run(), 20)) == 2


def test_an_error_inside_a_stream_that_stays_open_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgen.probe.stream.AFTER_FINISH_S", 0.05)
    answer = OK + b"\r\n" + b'data: {"error": {"message": "out of memory"}}\n\n'

    async def run() -> str:
        async with talking(answer, b": still here\n\n") as port:
            with pytest.raises(ProbeError) as caught:
                await short_probe(parse_target(f"http://127.0.0.1:{port}"))
            return str(caught.value)

    assert "out of memory" in asyncio.run(asyncio.wait_for(run(), 20))


def test_a_list_of_models_that_is_packed_unasked_is_read() -> None:
    def packing(asked: Asked) -> Reply:
        if asked.method == "GET":
            body = gzip.compress(json.dumps(models("m", max_model_len=77)).encode())
            return Reply(body=body, headers={"content-encoding": "gzip"})
        return stream([token(), token("length"), DONE])

    async def run() -> int | None:
        async with serving(packing) as served:
            return (await short_probe(parse_target(served.url))).capabilities.context_tokens

    assert asyncio.run(run()) == 77


def counted(text: str, finish: str | None, completion: int | None) -> str:
    chunk: dict[str, object] = {"choices": [{"index": 0, "text": text, "finish_reason": finish}]}
    if completion is not None:
        chunk["usage"] = {"prompt_tokens": 16, "completion_tokens": completion}
    return f"data: {json.dumps(chunk)}\n\n"


AT_THE_END = 'data: {"choices":[],"usage":{"prompt_tokens":16,"completion_tokens":4}}\n\n'
COUNTS: dict[str, tuple[list[str], bool]] = {
    "with each chunk": ([counted("x", "length" if n == 4 else None, n) for n in range(1, 5)], True),
    "with each chunk, two tokens each": ([counted("x y", None, 2), counted("x y", "length", 4)], True),
    "in the finish chunk and once more": (
        [*[counted("x", None, None)] * 3, counted("x", "length", 4), AT_THE_END], False
    ),
    "in an empty finish chunk and once more": (
        [*[counted("x", None, None)] * 4, counted("", "length", 4), AT_THE_END], False
    ),
    "with the first chunk and at the end": (
        [counted("x", None, 1), *[counted("x", None, None)] * 3, counted("", "length", 4)], False
    ),
    "empty until the end": ([*[counted("x", None, 0)] * 4, counted("", "length", 0), AT_THE_END], False),
    "twice the same": ([*[counted("x", None, 4)] * 4, counted("", "length", 4)], False),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_usage_is_continuous_where_it_grows_with_the_text(name: str) -> None:
    events, continuous = COUNTS[name]

    def server(asked: Asked) -> Reply:
        return as_json(models("m")) if asked.method == "GET" else stream([*events, DONE])

    async def run() -> bool:
        async with serving(server) as served:
            return (await short_probe(parse_target(served.url))).chunk_counts

    assert asyncio.run(run()) is continuous
