"""The control socket: private, answered line by line, and it knows who is watching."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from sessions.run.control_socket import ControlClient, ControlError, ControlServer, send_once, socket_path


def echo(command: dict[str, object]) -> dict[str, object]:
    return {"ok": True, "got": command}


def test_a_command_is_answered_and_viewers_are_counted_while_they_are_connected(tmp_path: Path) -> None:
    async def body() -> None:
        server = ControlServer(socket_path(tmp_path), echo)
        await server.start()
        assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
        viewer, other = ControlClient(tmp_path), ControlClient(tmp_path, viewer=False)
        assert (await viewer.send({"cmd": "hello", "viewer": True}))["ok"]
        await other.send({"cmd": "x"})
        assert server.viewers == 1
        assert await other.send({"cmd": "mark", "text": "x"}) == {
            "ok": True,
            "got": {"cmd": "mark", "text": "x"},
        }
        viewer.close()
        for _ in range(500):
            if server.viewers == 0:
                break
            await asyncio.sleep(0.01)
        assert server.viewers == 0
        answer = await asyncio.to_thread(send_once, tmp_path, {"cmd": "hold"})
        assert answer["ok"]
        await server.close()
        with pytest.raises(ControlError, match="ended"):
            await other.send({"cmd": "hold"})

    asyncio.run(body())


@pytest.mark.parametrize("line", [b"[]\n", b"{\n", b"\xff\n", b"[" * 5000 + b"\n"])
def test_what_is_no_json_object_is_answered_and_the_line_stays_usable(tmp_path: Path, line: bytes) -> None:
    async def body() -> None:
        server = ControlServer(socket_path(tmp_path), echo)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(str(server.path))
        writer.write(line + b'{"cmd":"x"}\n')
        assert b"not a JSON object" in await reader.readline()
        assert b'"ok": true' in await reader.readline()
        writer.close()
        await server.close()

    asyncio.run(body())


def test_a_run_that_is_over_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="session"):
        send_once(tmp_path, {"cmd": "hold"})


def test_a_directory_too_deep_for_a_socket_gets_a_private_one_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    path = socket_path(deep)
    assert len(str(path)) < 100
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_may_hold_a_key_does_not_print_it() -> None:
    from loadgen.worker_config import RequestTemplate
    from sessions.plan.config import RunConfig, TargetConfig
    from sessions.run.launch import Orders

    template = RequestTemplate("/v1/completions", [("authorization", "Bearer sk-CANARY")], "completions", {})
    orders = Orders("dir", RunConfig(TargetConfig("http://x")), "sk-CANARY")
    assert "CANARY" not in repr(template) + repr(orders)
