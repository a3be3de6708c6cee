"""What all our Textual applications share: the terminal's own colours, and how it is left."""

from __future__ import annotations

import logging
import os
import sys
import traceback

from rich.text import Text
from textual.app import App
from textual.binding import Binding

from tui.draw.palettes import resolved
from tui.draw.text import safe
from tui.draw.theme import Theme, charset_for, colours_for
from tui.options.settings import Settings
from tui.screens.canvas import Canvas
from tui.screens.driver import TerminalDriver, correct_environment
from tui.screens.saved_terminal import SavedTerminal
from tui.screens.signals import leave_on_signal
from tui.screens.terminal import HangUpWatch

_log = logging.getLogger(__name__)


class TerminalApp(App[str]):
    """Returns how it was left; `interrupted` by a signal, or since the terminal is gone."""

    CSS_PATH = "app.tcss"
    BINDINGS = [Binding("ctrl+z", "suspend_process", show=False, priority=True)]  # noqa: RUF012
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False

    def __init__(self, *, title: str = "", settings: Settings | None = None) -> None:
        no_color = bool(os.environ.get("NO_COLOR"))
        super().__init__(driver_class=TerminalDriver)
        # The terminal's own sixteen colours and background, not a theme of ours over them.
        self.theme = "ansi-dark"
        self.title = safe(title, 80)
        self._settings = settings if settings is not None else Settings()
        encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
        self._theme = Theme(
            charset=self._settings.charset or charset_for(encoding, os.environ),
            colours=colours_for(self.console.color_system, no_color),
            palette=resolved(self._settings.theme, os.environ),
        )
        self._interrupted = False

    @property
    def asks_mouse(self) -> bool:
        return self._settings.mouse

    def on_mount(self) -> None:
        _log.info("the screen is open: %s", self._theme)
        self.app_resume_signal.subscribe(self, self._resumed)
        if self._interrupted:
            self.leave("interrupted")

    def _resumed(self, _: App[str]) -> None:
        """After ctrl+z and `fg` the terminal is empty, while Textual goes on sending only what changes."""
        for canvas in self.screen.query(Canvas):
            canvas.refresh()

    def leave(self, how: str) -> None:
        _log.info("the screen is left: %s", how)
        self.exit(how)

    def interrupt(self) -> None:
        """The screen leaves and what runs goes on. May be called before the app runs, and from any thread."""
        self._interrupted = True
        loop = self._loop
        if loop is not None and loop.is_running():
            loop.call_soon_threadsafe(self.leave, "interrupted")

    def _fatal_error(self) -> None:
        """Plain lines: Textual's own print the values of local variables, among them secrets."""
        self.bell()
        lines = traceback.format_exc().splitlines()
        self._exit_renderables.append(Text("\n".join(safe(line, 400) for line in lines)))
        self._close_messages_no_wait()


def terminal_fd() -> int:
    """The terminal, after what its surroundings say of its size has been corrected."""
    fd = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
    correct_environment(fd)
    return fd


def run_app(app: TerminalApp, fd: int) -> str:
    """Runs it on the terminal behind `fd` until it is left; returns how.

    Raises:
        RuntimeError: the screen failed; its traceback has been printed.
    """
    terminal = SavedTerminal(fd)
    watch = HangUpWatch(app.interrupt, fd, terminal.restore_and_end)

    def told() -> None:
        # Also off a terminal that is stuck, where nothing of Textual gets on.
        watch.exit_soon()
        app.interrupt()

    with leave_on_signal(told):
        watch.start()
        try:
            how = app.run(mouse=app.asks_mouse)
        finally:
            watch.stop()
            terminal.restore()
    if how is None:
        raise RuntimeError("the screen failed; the run itself is not touched by it")
    return how
