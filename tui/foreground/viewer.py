"""Says to a live run that somebody watches it, for as long as a screen is open."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import TracebackType

from sessions.run.control_client import ControlClient


class Viewer:
    """Counts as a viewer of the run for the length of a `with` block, from a thread with a loop of its own.

    The screen's own loop stands still when its terminal does; who looks at a frozen screen is no orphan.
    """

    def __init__(self, directory: Path) -> None:
        self._client = ControlClient(directory, viewer=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._left = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="viewer", daemon=True)

    def __enter__(self) -> Viewer:
        self._thread.start()
        self._started.wait()
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
        self._started.set()
        staying = asyncio.ensure_future(self._client.stay())
        await self._left.wait()
        staying.cancel()
        self._client.close()
