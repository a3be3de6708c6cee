"""The application that shows a session: one screen, one timer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from textual.screen import Screen

from tui.controls.screen_state import ScreenState
from tui.controls.session_source import RunControl, SessionSource
from tui.controls.wheel import wheel_action
from tui.draw.palettes import resolved
from tui.options.settings import Settings
from tui.screens.session import SessionScreen
from tui.screens.terminal import RATES_HZ, Meter, Pace, queued_writes
from tui.screens.terminal_app import TerminalApp, run_app, terminal_fd
from tui.views.views import OVERVIEW


class TtftopApp(TerminalApp):
    """Returns how the person left: `finished`, `detached`, `aborted` or `quit`.

    Or, without any person, `interrupted` (by a signal, or since the terminal is gone) or `gone`.
    """

    def __init__(
        self,
        source: SessionSource,
        control: RunControl | None,
        *,
        title: str = "",
        settings: Settings | None = None,
        gone: Callable[[], bool] = lambda: False,
        attached: bool = False,
        opens: str = OVERVIEW,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(title=title, settings=settings)
        self._attached, self._opens = attached, opens
        self._source, self._control, self._gone, self._clock = source, control, gone, clock
        most = RATES_HZ.index(float(self._settings.fps))
        self._pace, self._meter = Pace(index=most, most=most), Meter()

    def get_default_screen(self) -> Screen[None]:
        settings = self._settings
        opened = ScreenState(
            ui_hz=self._pace.hz,
            theme=self._theme,
            auto_palette=resolved("auto", os.environ),
            keymap=settings.keymap,
            window_s=settings.window_s,
            log=settings.log,
            attached=self._attached,
            view=self._opens,
        )
        return SessionScreen(self._source, self._control, opened, self.leave, self._clock)

    def on_mount(self) -> None:
        self.set_interval(1.0 / RATES_HZ[0], self._tick)
        if not self._interrupted and not self.is_headless:
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

    def on_mouse_scroll_down(self) -> None:
        self._wheel("down")

    def on_mouse_scroll_up(self) -> None:
        self._wheel("up")

    def _wheel(self, way: str) -> None:
        """Through the rows of a list, else through time; the load is never changed by it."""
        screen = self.screen
        if isinstance(screen, SessionScreen) and (action := wheel_action(way, screen.screen_state)):
            screen.act(action)
            screen.tick(self._pace.hz)

    async def action_quit(self) -> None:
        """ctrl+q, which Textual binds above every screen."""
        screen = self.screen_stack[0]
        if isinstance(screen, SessionScreen):
            screen.act("quit")
            screen.tick(self._pace.hz)


def run_screen(
    source: SessionSource,
    control: RunControl | None,
    *,
    title: str = "",
    settings: Settings | None = None,
    gone: Callable[[], bool] = lambda: False,
    attached: bool = False,
    opens: str = OVERVIEW,
) -> str:
    """Shows the screen until the person leaves.

    Args:
        source: the session to look at, live or over.
        control: its command line; None when there is nothing to command.
        title: for the terminal's window.
        settings: how the person wants it to look; None: as it comes.
        gone: asked ten times a second; True when the run was refused, so there is nothing to show.
        opens: the view that is seen first, as `tui.views.views` names it.
        attached: somebody else started the run, so that to leave asks nothing and ends nothing.

    Returns:
        `finished`, `detached`, `aborted` or `quit`; `interrupted` by a signal or by the loss of the terminal;
        `gone` when `gone` said so.

    Raises:
        RuntimeError: the screen failed; its traceback has been printed.
    """
    fd = terminal_fd()
    app = TtftopApp(
        source, control, title=title, settings=settings, gone=gone, attached=attached, opens=opens
    )
    return run_app(app, fd)
