"""How a person wants the screen to look: settings, themes, keys of their own, under Textual's pilot."""

from __future__ import annotations

import pytest
from textual import events
from textual.widgets import Input

from sessions.run.commands import AddMark, Stop
from tests.tui.screens.test_session import Room, on_screen
from tui.controls import load_keys
from tui.controls.keys import VIEWS
from tui.controls.screen_state import ScreenState
from tui.controls.wheel import wheel_action
from tui.draw.theme_names import THEMES
from tui.options.settings import Settings
from tui.screens.app import TtftopApp
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


# -- the palette ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
def test_the_palette_does_what_is_chosen_by_its_letters(key):
    async def body(room: Room) -> None:
        await room.press(key, *"events", "enter")
        assert room.live.screen_state.view == "events"
        assert room.pilot.app.screen is room.live

    on_screen(body)


def test_the_palette_is_left_without_doing_anything_and_swallows_no_later_key():
    async def body(room: Room) -> None:
        await room.press("colon", "x", "escape")
        assert room.control.sent == []
        await room.press("x")
        assert room.control.sent == [Stop()]

    on_screen(body)


def test_the_run_goes_on_under_the_palette():
    async def body(room: Room) -> None:
        await room.press("colon")
        before = room.view.frames
        room.clock.now_s += 3.0
        room.live.tick(10.0)
        assert room.view.frames > before
        await room.press(*"theme safe", "enter")
        assert room.live.screen_state.theme.palette == "safe"

    on_screen(body)


# -- what is shown, as files ----------------------------------------------------------------------------------


def test_e_saves_what_is_shown_beside_nothing_that_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def body(room: Room) -> None:
        rows = room.rows
        await room.press("e")
        assert "saved ./" in room.rows[-1]
        assert room.rows[-1].rstrip().endswith(".svg and .txt")
        await room.press("e")
        texts = sorted(tmp_path.glob("*.txt"))
        assert len(texts) == len(list(tmp_path.glob("*.svg"))) == 2
        assert texts[0].read_text().splitlines()[:-1] == [row.rstrip() for row in rows[:-1]]

    on_screen(body)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_working_directory_that_cannot_be_written_is_no_loss(tmp_path, monkeypatch):
    gone, root = tmp_path / "gone", tmp_path / "data/ttftop/sessions"
    gone.mkdir()
    root.mkdir(parents=True)
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    async def body(room: Room) -> None:
        await room.press("e")
        assert "saved /" in room.rows[-1]

    on_screen(body, size=(200, 60))
    assert sorted(path.suffix for path in root.iterdir()) == [".svg", ".txt"]


def test_where_nothing_can_be_written_it_says_so_and_goes_on(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "none"))

    async def body(room: Room) -> None:
        await room.press("e")
        assert "not saved: No such file or directory" in room.rows[-1]

    on_screen(body)


# -- the mouse ------------------------------------------------------------------------------------------------


def test_the_wheel_goes_through_time_and_lists_and_never_changes_the_load():
    async def body(room: Room) -> None:
        canvas = room.pilot.app.screen.query(Canvas).first()
        before = room.live.screen_state.playhead.at_ns
        canvas.post_message(wheel(events.MouseScrollUp, canvas))
        await room.pilot.pause()
        assert room.live.screen_state.playhead.at_ns == before - 5_000_000_000
        await room.press("m")
        canvas.post_message(wheel(events.MouseScrollUp, canvas))
        await room.pilot.pause()
        assert room.live.screen_state.playhead.at_ns == before - 5_000_000_000
        assert room.control.sent == []

    on_screen(body)


def wheel(kind: type[events.MouseEvent], over: Canvas) -> events.MouseEvent:
    return kind(over, 5, 5, 0, 0, 0, False, False, False, 5, 5)


def test_what_the_wheel_does_is_never_the_loads():
    for view in VIEWS:
        for way in ("up", "down"):
            action = wheel_action(way, ScreenState(view=view))
            assert action in ("row_next", "row_previous", "forward", "back")
            assert action not in load_keys.ACTIONS


def test_what_was_told_the_terminal_at_once_is_also_what_textual_draws_later(monkeypatch):
    """As when the palette that lay over it closes, or the terminal comes back after ctrl+z."""
    monkeypatch.setattr(TtftopApp, "is_headless", False)

    async def body(room: Room) -> None:
        await room.press("2")
        canvas = room.live.query_one(Canvas)
        drawn = [strip.text for strip in canvas.render_lines(canvas.size.region)]
        assert [row.rstrip() for row in drawn] == [row.rstrip() for row in canvas.text]

    on_screen(body, replay=True)


def test_letters_that_came_with_the_palettes_own_key_are_for_it_and_load_nothing():
    """As over a slow line: they are here before the palette is."""

    async def body(room: Room) -> None:
        for key, character in (("colon", ":"), ("x", "x"), ("K", "K")):
            room.pilot.app.post_message(events.Key(key, character))
        await room.pilot.pause()
        await room.pilot.pause()
        assert room.control.sent == []
        await room.press("z")
        assert room.pilot.app.screen.query_one(Input).value == "xKz"

    on_screen(body)


@pytest.mark.parametrize("leave", [("escape", "\x1b"), ("ctrl+c", None), ("ctrl+p", None)])
def test_the_palette_may_be_left_before_it_is_there(leave):
    """As over a slow line, with keys before the one that leaves and keys after it, which are the screen's."""

    async def body(room: Room) -> None:
        for key, character in (("colon", ":"), ("K", "K"), leave, ("colon", ":"), leave, ("2", "2")):
            room.pilot.app.post_message(events.Key(key, character))
        for _ in range(3):
            await room.pilot.pause()
        assert room.pilot.app.screen is room.live
        assert room.control.sent == []
        assert room.live.screen_state.view == "latency"

    on_screen(body)
