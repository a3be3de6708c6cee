"""A screen that is open counts as a viewer, from before the run listens until the screen is closed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sessions.run.commands import Ack
from sessions.run.control_server import ControlServer
from tui.foreground.viewer import Viewer

PATIENCE_S = 20.0


async def until_viewers(server: ControlServer, count: int) -> None:
    async def wait() -> None:
        while server.viewers != count:
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), PATIENCE_S)


def test_a_viewer_is_counted_when_the_run_comes_to_listen_and_gone_when_it_leaves(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = ControlServer(tmp_path, lambda command: Ack(0, "running"))
        with Viewer(tmp_path):
            await server.start()
            await until_viewers(server, 1)
        await until_viewers(server, 0)
        await server.close()

    asyncio.run(scenario())


def test_a_killed_screen_is_missed_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = ControlServer(tmp_path, lambda command: Ack(0, "running"))
        await server.start()
        code = f"""
import pathlib, time
from tui.foreground.viewer import Viewer
with Viewer(pathlib.Path({str(tmp_path)!r})):
    time.sleep(60)
"""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, cwd=Path(__file__).parents[2]
        )
        await until_viewers(server, 1)
        process.kill()
        await process.wait()
        await until_viewers(server, 0)
        await server.close()

    asyncio.run(scenario())
