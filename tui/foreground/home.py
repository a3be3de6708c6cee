"""Opens the home screen, and says what a person chose there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.options.settings import Settings
    from tui.screens.home import HomeChoice, HomeSources


def choose(sources: HomeSources, opened: HomeChoice | None, settings: Settings) -> HomeChoice:
    """The home screen until something is chosen; `opened` is how it was left before."""
    from tui.screens.home import HomeApp
    from tui.screens.terminal_app import run_app, terminal_fd

    fd = terminal_fd()
    app = HomeApp(sources, opened, settings=settings)
    run_app(app, fd)
    return app.choice
