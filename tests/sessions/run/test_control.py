"""The control socket: private, answered line by line, and it knows who is watching."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
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
from sessions.run.control_server import SOCKET_FILE, ControlServer
from sessions.store.manifest import read, write
from tests.sessions.summary.summing import manifest


def obey(command: Command) -> Answer:
    """The number of steps comes back as a concurrency; a hold is refused."""
    if isinstance(command, Hold):
        raise CommandError("not now")
    return Ack(7, "running", concurrency=command.steps if isinstance(command, StepLoad) else None)


def test_a_command_is_answered_and_viewers_are_counted_while_they_are_connected(tmp_path: Path) -> None:
    async def body() -> None:
        server = ControlServer(tmp_path, obey)
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
        (b'{"cmd":"step","steps":"up"}', b"step: got 'up': Expected `int`, got `str`"),
    ],
)
def test_what_is_no_command_is_answered_in_words_and_the_line_stays_usable(
    tmp_path: Path, line: bytes, says: bytes
) -> None:
    async def body() -> None:
        server = ControlServer(tmp_path, obey)
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


@pytest.mark.slow
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

        server = await asyncio.start_unix_server(serve, str(tmp_path / SOCKET_FILE))
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


def forbid_sockets(monkeypatch: pytest.MonkeyPatch, *under: Path) -> None:
    """As a file system on which none can be made: CIFS, sshfs, 9p, some NFS."""
    real = asyncio.start_unix_server

    async def start(serve: object, path: str, **more: object) -> object:
        if any(Path(path).is_relative_to(one) for one in under):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return await real(serve, path, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "start_unix_server", start)


def session(root: Path, name: str = "run") -> Path:
    directory = root / name
    directory.mkdir()
    write(directory, manifest())
    return directory


@pytest.fixture
def private(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What stands in for XDG_RUNTIME_DIR: a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        yield Path(made)


@pytest.mark.parametrize("why", ["too deep", "no sockets there"])
def test_where_no_socket_can_be_the_run_is_reached_by_a_private_one(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    directory = session(tmp_path, "d" * 120 if why == "too deep" else "run")
    forbid_sockets(monkeypatch, tmp_path)

    async def body() -> None:
        server = ControlServer(directory, obey)
        assert await server.start() == ""
        assert server.path is not None
        assert server.path.parent.parent == private
        assert stat.S_IMODE(server.path.parent.stat().st_mode) == 0o700
        said = read(directory)
        said.host.control_socket = str(server.path)
        write(directory, said)
        client = ControlClient(directory)
        assert await client.send(StepLoad(3)) == Ack(7, "running", concurrency=3)
        client.close()
        await server.close()

    asyncio.run(body())
    assert not list(private.iterdir())


def test_where_no_socket_can_be_at_all_that_is_said(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = session(tmp_path)
    forbid_sockets(monkeypatch, Path("/"))

    async def body() -> None:
        server = ControlServer(directory, obey)
        assert "Operation not permitted" in await server.start()
        assert server.path is None
        assert not await server.keep()
        await server.close()

    asyncio.run(body())
    assert not list(private.iterdir())
    with pytest.raises(ControlError, match="not live, or has no control socket"):
        send_once(directory, Hold())


def test_a_socket_that_was_removed_is_there_again_and_connections_stand(tmp_path: Path) -> None:
    directory = session(tmp_path)

    async def body() -> None:
        server = ControlServer(directory, obey)
        await server.start()
        before = ControlClient(directory)
        await before.send(Hello(viewer=True))
        shutil.rmtree(directory)
        directory.mkdir()
        assert await server.keep()
        after = ControlClient(directory)
        assert await after.send(StepLoad(1)) == Ack(7, "running", concurrency=1)
        assert await before.send(StepLoad(2)) == Ack(7, "running", concurrency=2)
        before.close()
        after.close()
        await server.close()

    asyncio.run(body())
    assert not list(directory.iterdir())


def test_a_session_of_a_stranger_leads_to_no_other_socket_of_ours(tmp_path: Path) -> None:
    directory = session(tmp_path)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        said = read(directory)
        said.host.control_socket = str(tmp_path / "agent")
        write(directory, said)
        with pytest.raises(ControlError, match="has no control socket"):
            send_once(directory, Hold())
        (directory / "control.sock").symlink_to(tmp_path / "agent")
        with pytest.raises(ControlError, match="not a control socket of yours"):
            send_once(directory, Hold())


def test_what_may_hold_a_key_does_not_print_it() -> None:
    from loadgen.workload.template import RequestTemplate
    from sessions.plan.config import RunConfig
    from sessions.plan.target_config import TargetConfig
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
