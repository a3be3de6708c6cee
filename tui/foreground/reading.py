"""What is said on the terminal while something is read that takes longer than a moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from loadgen.errors import printable
from tui.foreground.progress import Progress

AFTER_S, EVERY_S = 0.3, 0.2


@contextmanager
def reading(
    name: str, after_s: float = AFTER_S, every_s: float = EVERY_S
) -> Iterator[Callable[[float], None]]:
    """Gives what is to be called with the share that is read so far, 0 to 1.

    From `after_s` on a line on stderr says so, where that is a terminal; it is gone afterwards.
    """
    progress = Progress()
    if not progress.in_place:
        yield lambda share: None
        return
    shares: list[float] = []
    over = threading.Event()

    def say() -> None:
        wait_s = after_s
        while not over.wait(wait_s):
            how = f"reading {100 * shares[-1]:.0f} % of" if shares else "opening"
            progress.show(f"ttftop: {how} {printable(name, 60)} (Ctrl-C leaves)")
            wait_s = every_s

    # A thread: what is read takes long now and then between two of its shares.
    said = threading.Thread(target=say, daemon=True, name="reading")
    said.start()
    try:
        yield shares.append
    finally:
        over.set()
        said.join()
        progress.erase()
