"""How a person wants the screen to look: settings, themes, keys of their own, under Textual's pilot."""

from __future__ import annotations

import pytest

from sessions.run.commands import AddMark
from tests.tui.screens.test_session import Room, on_screen
from tui.draw.theme_names import THEMES
from tui.options.settings import Settings
from tui.screens.canvas import Canvas


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLORFGBG", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")


def test_t_goes_through_the_themes_and_all_of_the_screen_follows():
    async def body(room: Room) -> None:
        seen = []
        for _ in THEMES[1:]:
            await room.press("t")
            themes = {canvas.theme for canvas in room.pilot.app.screen.query(Canvas)}
            assert len(themes) == 1
            seen.append(themes.pop().palette)
            assert f"theme {seen[-1]}" in room.rows[-1]
        assert sorted(seen) == sorted(THEMES[1:])

    on_screen(body)


def test_without_colours_t_says_that_there_are_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def body(room: Room) -> None:
        await room.press("t")
        assert "no colours here" in room.rows[-1]

    on_screen(body)


def test_a_terminal_that_says_it_is_light_gets_the_light_theme(monkeypatch):
    monkeypatch.setenv("COLORFGBG", "0;15")

    async def body(room: Room) -> None:
        assert room.live.screen_state.theme.palette == "light"

    on_screen(body)


def test_settings_are_how_the_screen_opens():
    async def body(room: Room) -> None:
        state = room.live.screen_state
        assert (state.theme.palette, state.theme.charset, state.window_s, state.log) == (
            *("safe", "ascii"),
            *(300.0, False),
        )
        assert state.ui_hz == 2.0

    settings = Settings(theme="safe", charset="ascii", fps=2, window="5m", log=False)
    on_screen(body, settings=settings)


def test_a_key_of_ones_own_does_what_it_is_for_and_stands_in_the_help():
    async def body(room: Room) -> None:
        await room.press("m")
        assert room.live.screen_state.prompt is None
        await room.press("f5", "enter")
        assert room.control.sent == [AddMark("")]
        await room.press("question_mark")
        assert any(row.strip().startswith("f5 ") for row in room.rows)

    on_screen(body, settings=Settings(keys={"mark": ["f5"]}), size=(120, 60))
