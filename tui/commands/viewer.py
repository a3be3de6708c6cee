"""Says to a live run that somebody watches it, for as long as a screen is open."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import TracebackType

from sessions.control import ControlClient, ControlError

RETRY_S = 0.05
"""The host of a run that was just started listens a few tenths of a second later."""


class Viewer:
    """Counts as a viewer of the run for the length of a `with` block, from a thread of its own.

    It does not wait for the run to listen, nor for the screen's event loop; where the run is over,
    it does nothing.
    """

    def __init__(self, directory: Path) -> None:
        self._client = ControlClient(directory, viewer=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._left = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="viewer", daemon=True)

    def __enter__(self) -> Viewer:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._left.set)
        self._thread.join(1.0)

    def _run(self) -> None:
        asyncio.run(self._stay())

    async def _stay(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        while not self._left.is_set():
            try:
                await self._client.send({"cmd": "hello"})
            except ControlError:
                await self._wait(RETRY_S)
            else:
                await self._left.wait()
        self._client.close()

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._left.wait(), seconds)
        except asyncio.TimeoutError:
            pass
