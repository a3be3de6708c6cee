"""After a run was told to end on its screen: the wait for the last answers, and how that is cut short."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from loadgen.signals import restored

if TYPE_CHECKING:
    from sessions.frame.schema import Frame

WINDOW_NS = 250_000_000


class FirstCtrlC:
    """What Ctrl-C does at the moment: cuts off the answers that are waited for, or leaves the run alone."""

    cuts_off = False
    """It is offered."""
    came = False


def wait_for_end(directory: Path, *, answers: bool) -> bool:
    """Stays until a run that was told to end is over and saved, and says how many `answers` it waits for.
    Ctrl-C cuts these off; the run is then saved, and says how many they were.

    False when a second Ctrl-C came before, one where there is nothing to cut off, or SIGTERM: that leaves the
    run alone.
    """
    from sessions.frame.session_view import SessionView
    from sessions.store.directory import is_live
    from tui.foreground.progress import Progress

    progress, told, cut = Progress(), "", False
    view = SessionView(directory)
    try:
        with _watched_for() as ctrl_c:
            while is_live(directory) or view.locked:
                if ctrl_c.came and not cut:
                    cut = True
                    _cut_off(directory)
                caught_up = not view.poll()
                frame = view.frame(view.last_ns, WINDOW_NS, 1) if answers and caught_up and not cut else None
                ctrl_c.cuts_off = frame is not None and frame.in_flight > 0
                line = f"ttftop: {_said(frame, cut=cut)}"
                if line != told and (caught_up or not told) and (progress.in_place or not told or cut):
                    progress.show(line)
                    told = line
                if caught_up:
                    time.sleep(0.1)
    except KeyboardInterrupt:
        return False
    finally:
        view.close()
        progress.close()
    return True


def _said(frame: Frame | None, *, cut: bool) -> str:
    if cut:
        return "Ctrl-C leaves; cutting off the answers in flight, and saving"
    if frame is None or not frame.in_flight:
        return "Ctrl-C leaves, the run ends by itself; saving"
    what = f"draining {frame.in_flight:,} answer{'s' * (frame.in_flight != 1)}"
    if frame.drains_until_ns is not None:
        left_s = max(frame.drains_until_ns - frame.at_ns, 0) / 1e9
        # In minutes first: each line of its own is one of a file.
        what += ", at most " + (f"{left_s / 60:.0f} min" if left_s > 90 else f"{left_s:.0f} s")
    return f"Ctrl-C cuts them off, twice leaves; {what}"


@contextmanager
def _watched_for() -> Iterator[FirstCtrlC]:
    """In the block the first Ctrl-C is only noted, where `cuts_off` says so. SIGTERM is as it was."""
    noted = FirstCtrlC()

    def on_ctrl_c(number: int, stack: FrameType | None) -> None:
        if not noted.cuts_off or noted.came:
            signal.default_int_handler(number, stack)
        noted.came = True

    mine = threading.current_thread() is threading.main_thread()
    mine = mine and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with restored((signal.SIGINT,) if mine else ()):
        if mine:
            signal.signal(signal.SIGINT, on_ctrl_c)
        yield noted


def _cut_off(directory: Path) -> None:
    from sessions.run.commands import AbortRun
    from sessions.run.control_client import ControlError, send_once

    with contextlib.suppress(ControlError):  # it is over already
        send_once(directory, AbortRun())
