"""The control socket: private, answered line by line, and it knows who is watching."""

from __future__ import annotations

import asyncio
import contextlib
import stat
from pathlib import Path

import msgspec
import pytest

from sessions.run.commands import (
    Ack,
    AddMark,
    Answer,
    Command,
    CommandError,
    Hello,
    Hold,
    Refusal,
    StepLoad,
    decode_command,
)
from sessions.run.control_client import ControlClient, ControlError, send_once
from sessions.run.control_server import ControlServer, socket_path


def obey(command: Command) -> Answer:
    """The number of steps comes back as a concurrency; a hold is refused."""
    if isinstance(command, Hold):
        raise CommandError("not now")
    return Ack(7, "running", concurrency=command.steps if isinstance(command, StepLoad) else None)


def test_a_command_is_answered_and_viewers_are_counted_while_they_are_connected(tmp_path: Path) -> None:
    async def body() -> None:
        server = ControlServer(socket_path(tmp_path), obey)
        await server.start()
        assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
        viewer, other = ControlClient(tmp_path), ControlClient(tmp_path, viewer=False)
        assert await viewer.send(Hello(viewer=True)) == Ack(7, "running")
        await other.send(AddMark())
        assert server.viewers == 1
        assert await other.send(StepLoad(3)) == Ack(7, "running", concurrency=3)
        assert await other.send(Hold()) == Refusal("not now")
        viewer.close()
        for _ in range(500):
            if server.viewers == 0:
                break
            await asyncio.sleep(0.01)
        assert server.viewers == 0
        assert await asyncio.to_thread(send_once, tmp_path, StepLoad(4)) == Ack(7, "running", concurrency=4)
        await server.close()
        with pytest.raises(ControlError, match="ended"):
            await other.send(Hold())

    asyncio.run(body())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"[" * 5000, b"Expected `object`, got `array`"),
        (b"\xff", b"not a JSON object"),
        (b'{"cmd":"swap_model"}', b"unknown command 'swap_model'"),
        (b'{"cmd":"step","steps":"up"}', b"step: Expected `int`, got `str`"),
    ],
)
def test_what_is_no_command_is_answered_in_words_and_the_line_stays_usable(
    tmp_path: Path, line: bytes, says: bytes
) -> None:
    async def body() -> None:
        server = ControlServer(socket_path(tmp_path), obey)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(str(server.path))
        writer.write(line + b'\n{"cmd":"step","steps":2}\n')
        refusal = await reader.readline()
        assert refusal.startswith(b'{"answer":"refusal"')
        assert says in refusal
        assert b'"concurrency":2' in await reader.readline()
        writer.close()
        await server.close()

    asyncio.run(body())


@pytest.mark.parametrize("reads", [True, False], ids=["a client that reads", "one that does not"])
def test_a_server_that_closes_leaves_nothing_to_be_cancelled(tmp_path: Path, reads: bool) -> None:
    complaints: list[dict[str, object]] = []

    async def body() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
        server = ControlServer(tmp_path / "s", obey)
        await server.start()
        _, writer = await asyncio.open_unix_connection(str(server.path), limit=1 if not reads else 65536)
        for _ in range(1 if reads else 20_000):  # more answers than the socket holds
            writer.write(b'{"cmd":"hello","viewer":true}\n')
        await asyncio.sleep(0.1)
        await server.close()
        assert server.viewers == 0
        writer.transport.abort()
        await asyncio.sleep(0)

    asyncio.run(body())
    assert complaints == []


def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next_commands(tmp_path: Path) -> None:
    async def body() -> None:
        slow, left = asyncio.Event(), asyncio.Semaphore(0)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                command = decode_command(line)
                if command == StepLoad(1):
                    await slow.wait()
                writer.write(msgspec.json.encode(obey(command)) + b"\n")
            writer.close()
            with contextlib.suppress(OSError):  # nobody was there any more to read the late answer
                await writer.wait_closed()
            left.release()

        server = await asyncio.start_unix_server(serve, str(socket_path(tmp_path)))
        client = ControlClient(tmp_path)
        await client.send(Hello())
        given_up = asyncio.ensure_future(client.send(StepLoad(1)))
        for _ in range(5):
            await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait({given_up})
        slow.set()
        assert await client.send(StepLoad(2)) == Ack(7, "running", concurrency=2)
        client.close()
        for _ in range(2):  # the connection that was given up, and the one after it
            await left.acquire()
        server.close()

    asyncio.run(body())


def test_a_run_that_is_over_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="session"):
        send_once(tmp_path, Hold())


def test_a_directory_too_deep_for_a_socket_gets_a_private_one_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    path = socket_path(deep)
    assert len(str(path)) < 100
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_may_hold_a_key_does_not_print_it() -> None:
    from loadgen.workload.template import RequestTemplate
    from sessions.plan.config import RunConfig, TargetConfig
    from sessions.run.launch import Orders

    template = RequestTemplate("/v1/completions", [("authorization", "Bearer sk-CANARY")], "completions", {})
    orders = Orders("dir", RunConfig(TargetConfig("http://x")), "sk-CANARY")
    assert "CANARY" not in repr(template) + repr(orders)


@pytest.mark.parametrize(
    ("rude", "times"),
    [(b"A" * 200_000 + b"\n", 1), (b"A" * 5_000_000, 1), (b'{"cmd":"st', 200), (b'{"cmd":"hello"}\n' * 20_000, 1)],
    ids=["a long line", "no line end", "half a line", "no answer read"],
)  # fmt: skip
def test_who_abuses_the_socket_costs_the_others_nothing(tmp_path: Path, rude: bytes, times: int) -> None:
    async def body() -> None:
        server = ControlServer(tmp_path / "s", obey)
        await server.start()
        writers = []
        for _ in range(times):
            _, writer = await asyncio.open_unix_connection(str(server.path), limit=1)
            writer.write(rude)
            writers.append(writer)
        reader, writer = await asyncio.open_unix_connection(str(server.path))
        for _ in range(3):
            writer.write(b'{"cmd":"step","steps":2}\n')
            assert b'"concurrency":2' in await reader.readline()
        for opened in (*writers, writer):
            opened.transport.abort()
        await server.close()

    asyncio.run(body())
