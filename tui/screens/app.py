"""The Textual application: one screen, one timer, the terminal left as it was found."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable

from rich.text import Text
from textual.app import App
from textual.binding import Binding
from textual.screen import Screen

from tui.controls.session_source import RunControl, SessionSource
from tui.draw.text import safe
from tui.draw.theme import Theme, charset_for, colours_for
from tui.screens.canvas import Canvas
from tui.screens.driver import TerminalDriver, correct_environment
from tui.screens.saved_terminal import SavedTerminal
from tui.screens.session import SessionScreen
from tui.screens.signals import leave_on_signal
from tui.screens.terminal import RATES_HZ, HangUpWatch, Meter, Pace, queued_writes

_log = logging.getLogger(__name__)


class TtftopApp(App[str]):
    """Returns how the person left: `finished`, `detached`, `aborted` or `quit`.

    Or, without any person, `interrupted` (by a signal, or since the terminal is gone) or `gone`.
    """

    CSS_PATH = "app.tcss"
    BINDINGS = [Binding("ctrl+z", "suspend_process", show=False, priority=True)]  # noqa: RUF012
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False

    def __init__(
        self,
        source: SessionSource,
        control: RunControl | None,
        *,
        title: str = "",
        charset: str | None = None,
        gone: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        no_color = bool(os.environ.get("NO_COLOR"))
        super().__init__(driver_class=TerminalDriver)
        # The terminal's own sixteen colours and background, not a theme of ours over them.
        self.theme = "ansi-dark"
        self.title = safe(title, 80)
        encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
        self._theme = Theme(
            charset=charset or charset_for(encoding, os.environ),
            colours=colours_for(self.console.color_system, no_color),
        )
        self._source, self._control, self._gone, self._clock = source, control, gone, clock
        self._pace, self._meter = Pace(), Meter()
        self._interrupted = False

    def get_default_screen(self) -> Screen[None]:
        return SessionScreen(self._source, self._control, self._theme, self.leave, self._clock)

    def on_mount(self) -> None:
        _log.info("the screen is open: %s", self._theme)
        self.set_interval(1.0 / RATES_HZ[0], self._tick)
        self.app_resume_signal.subscribe(self, self._resumed)
        if self._interrupted:
            self.leave("interrupted")
        elif not self.is_headless:
            self._meter.watch(self._driver)

    def _tick(self) -> None:
        screen = self.screen_stack[0] if self.screen_stack else None
        if not isinstance(screen, SessionScreen) or not screen.is_mounted:
            return
        if self._gone():
            self.leave("gone")
            return
        self._pace, due = self._pace.stepped(
            self._clock(), queued_writes(self._driver), self._meter.sent_bytes
        )
        if due:
            screen.tick(self._pace.hz)

    def _resumed(self, _: App[str]) -> None:
        """After ctrl+z and `fg` the terminal is empty, while Textual goes on sending only what changes."""
        for canvas in self.screen.query(Canvas):
            canvas.refresh()

    def leave(self, how: str) -> None:
        _log.info("the screen is left: %s", how)
        self.exit(how)

    def interrupt(self) -> None:
        """The screen leaves and the run goes on. May be called before the app runs, and from any thread."""
        self._interrupted = True
        loop = self._loop
        if loop is not None and loop.is_running():
            loop.call_soon_threadsafe(self.leave, "interrupted")

    async def action_quit(self) -> None:
        """ctrl+q, which Textual binds above every screen."""
        screen = self.screen_stack[0]
        if isinstance(screen, SessionScreen):
            screen.act("quit")
            screen.tick(self._pace.hz)

    def _fatal_error(self) -> None:
        """Plain lines: Textual's own print the values of local variables, among them secrets."""
        self.bell()
        lines = traceback.format_exc().splitlines()
        self._exit_renderables.append(Text("\n".join(safe(line, 400) for line in lines)))
        self._close_messages_no_wait()


def run_screen(
    source: SessionSource,
    control: RunControl | None,
    *,
    title: str = "",
    charset: str | None = None,
    gone: Callable[[], bool] = lambda: False,
) -> str:
    """Shows the screen until the person leaves.

    Args:
        source: the session to look at, live or over.
        control: its command line; None when there is nothing to command.
        title: for the terminal's window.
        charset: `braille` or `ascii`; None decides by the locale and `TERM`.
        gone: asked ten times a second; True when the run was refused, so there is nothing to show.

    Returns:
        `finished`, `detached`, `aborted` or `quit`; `interrupted` by a signal or by the loss of the terminal;
        `gone` when `gone` said so.

    Raises:
        RuntimeError: the screen failed; its traceback has been printed.
    """
    fd = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
    correct_environment(fd)
    app = TtftopApp(source, control, title=title, charset=charset, gone=gone)
    terminal = SavedTerminal(fd)
    watch = HangUpWatch(app.interrupt, fd, terminal.restore_and_end)

    def told() -> None:
        # Also off a terminal that is stuck, where nothing of Textual gets on.
        watch.exit_soon()
        app.interrupt()

    with leave_on_signal(told):
        watch.start()
        try:
            how = app.run(mouse=False)
        finally:
            watch.stop()
            terminal.restore()
    if how is None:
        raise RuntimeError("the screen failed; the run itself is not touched by it")
    return how
