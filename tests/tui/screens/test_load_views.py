"""Keys of the views of latency and of the curve, under Textual's pilot."""

from __future__ import annotations

from sessions.store.records import LoadChange
from tests.sessions.conftest import make
from tests.tui.screens.test_session import Room, on_screen
from tui.controls import keys

LATENCY, CURVE = (str(1 + keys.VIEWS.index(name)) for name in ("latency", "curve"))


def filled(room: Room) -> None:
    """Puts two loads under the made-up screen."""
    run = make(seconds=20.0, rate_rps=20.0, changes=((10.0, 40.0),))
    room.view.manifest = run.manifest
    for record in run.records:
        room.view.timeline.apply(record)


def test_v_turns_a_view_and_brackets_move_a_target_that_escape_puts_back():
    async def body(room: Room) -> None:
        filled(room)
        await room.press(LATENCY)
        assert any("TTFT ms" in row for row in room.rows)
        assert "v chart" in room.rows[-1]
        await room.press("v")
        assert any("ITL ms" in row for row in room.rows)
        await room.press("right_square_bracket")
        assert any("WHAT IF" in row and "itl.p95<" in row for row in room.rows)
        assert room.view.frames > 0
        await room.press("escape")
        assert not any("WHAT IF" in row for row in room.rows)
        await room.press("escape")
        assert room.live.screen_state.view == "overview"

    on_screen(body, size=(100, 30), now_s=21.0)


def test_the_cursor_of_the_curve_leads_to_the_beginning_of_a_load():
    async def body(room: Room) -> None:
        filled(room)
        await room.press(CURVE, "shift+tab", "enter")
        second = room.view.timeline.loads[0]
        assert isinstance(second, LoadChange)
        assert room.live.screen_state.playhead.at_ns == max(second.t_ns, room.view.first_ns)
        assert not room.live.screen_state.playhead.following

    on_screen(body, now_s=21.0)


def test_a_baseline_is_asked_for_and_what_is_none_is_said_while_the_line_stays():
    async def body(room: Room) -> None:
        filled(room)
        await room.press(CURVE, "b")
        assert "compare with" in room.rows[-1]
        await room.press(*"nosuch", "enter")
        assert "no other sessions here" in room.rows[-1]
        assert room.live.screen_state.prompt is not None
        assert room.control.sent == [], "nothing is asked of the run"
        await room.press("escape")
        assert room.live.screen_state.prompt is None
        assert room.live.screen_state.view == "curve"

    on_screen(body, size=(120, 40), now_s=21.0)
