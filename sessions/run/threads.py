"""The supervisor's threads, all of them started before any load.

Where the system gives no more of them (a container's limit of processes, which counts threads), the run is
refused; started when first needed, in mid-run, they would break it off.
"""

from __future__ import annotations

import asyncio
import threading

from sessions.own_process import CannotStart

_THREADS = 5
"""As many as asyncio has at least, and more than are ever busy, but for a disk that hangs."""


async def start_threads() -> None:
    """What the running loop hands to threads finds these from now on.

    Raises:
        CannotStart: there cannot be as many.
    """
    all_there = threading.Event()
    loop = asyncio.get_running_loop()
    try:
        waiting = [loop.run_in_executor(None, all_there.wait) for _ in range(_THREADS)]
    except RuntimeError:
        raise CannotStart from None
    finally:
        all_there.set()
    await asyncio.gather(*waiting)
