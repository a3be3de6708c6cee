"""What stands still sends nothing: the past of a live run that goes on, and a replay that is paused."""

from __future__ import annotations

import pytest

from tests.tui.screens.test_session import Room, on_screen
from tui.draw.changes import orders
from tui.draw.rows import Row
from tui.draw.theme import Theme
from tui.screens.canvas import Canvas
from tui.views.views import OVERVIEW, VIEWS

DIGITS = "".join(str(digit) for digit in range(1, len((OVERVIEW, *VIEWS)) + 1))


def shown(room: Room) -> list[Row]:
    (canvas,) = room.live.query(Canvas)
    return canvas.rows


def bytes_between(before: list[Row], after: list[Row]) -> int:
    """What a terminal would be sent."""
    styles = Theme().styles()
    changed = [(y, old, new) for y, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    return len(orders(changed, 0, 0, lambda role: role, lambda role: bool(styles[role].bgcolor)).encode())


@pytest.mark.parametrize(("size", "digits"), [((80, 24), "1"), ((120, 40), DIGITS), ((200, 60), "1")])
def test_the_past_of_a_run_that_goes_on_sends_no_byte_in_any_view(size, digits):
    async def body(room: Room) -> None:
        for digit in digits:
            await room.press("end", "left", digit)
            before = shown(room)
            for _ in range(3):
                await room.pass_s(18.0)
                assert bytes_between(before, shown(room)) == 0

    on_screen(body, size=size)


def test_a_replay_that_is_paused_sends_no_byte_in_any_view():
    async def body(room: Room) -> None:
        await room.press("left")
        for digit in DIGITS:
            await room.press(digit)
            before = shown(room)
            await room.pass_s(7.0)
            assert bytes_between(before, shown(room)) == 0

    on_screen(body, size=(120, 40), replay=True)


def test_how_far_now_has_moved_on_is_said_in_steps_and_never_too_much():
    async def body(room: Room) -> None:
        await room.press("left")
        said = []
        for passed_s in (0, 50, 56, 110, 116, 290, 296, 600, 7195):
            room.clock.now_s = 50.0 + passed_s
            await room.pass_s(0.0)
            (part,) = [word for word in room.rows[0].split() if word.startswith("-") and word.endswith("+")]
            said.append(part)
        assert said == [
            *("-00:05+", "-00:05+", "-01:00+", "-01:00+", "-02:00+", "-02:00+", "-05:00+", "-10:00+"),
            "-02:00:00+",
        ]
        assert " 02:00:43+" in room.rows[-2], "the bar ends where the run is said to be"
        await room.press("left")
        assert "-02:00:05+" in room.rows[0], "whoever moves is told anew"
        await room.press("end")
        assert "+" not in room.rows[0].split("LIVE")[1]

    on_screen(body, size=(120, 40))


def test_how_much_of_a_long_session_is_read_is_said_and_it_can_be_left_meanwhile():
    async def body(room: Room) -> None:
        room.view.read_share = 0.43
        await room.pass_s(1.0)
        assert "reading 43 %" in room.rows[0]
        room.view.read_share = 1.0
        await room.pass_s(1.0)
        assert "reading" not in room.rows[0]
        room.view.read_share = 0.5
        await room.press("q")

    assert on_screen(body, size=(80, 24), replay=True) == "quit"
