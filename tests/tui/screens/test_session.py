"""The application under Textual's pilot: what each key makes of the run and of the screen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from loadgen.records import Request, RequestError
from sessions.curve.memory import CurveMemory
from sessions.frame.schema import Frame, PlanProgress
from sessions.frame.session_view import SessionView
from sessions.run.commands import (
    AbortRun,
    AddMark,
    Answer,
    Command,
    FinishRun,
    Hold,
    Resume,
    SetConcurrency,
    SetRamp,
    SetRate,
    SetWorkload,
    StepLoad,
    Stop,
)
from tests.sessions.conftest import make
from tests.tui.made_up_run import FakeControl, FakeView, S, ramped
from tui.controls import keys
from tui.controls.prompt import LIMIT
from tui.options.settings import Settings
from tui.screens.app import TtftopApp
from tui.screens.canvas import Canvas
from tui.screens.session import SessionScreen


class Clock:
    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class Room:
    """A running app, its fakes, and what is on its screen."""

    def __init__(self, pilot: Pilot[str], view: FakeView, control: FakeControl, clock: Clock) -> None:
        self.pilot, self.view, self.control, self.clock = pilot, view, control, clock

    @property
    def live(self) -> SessionScreen:
        screen = self.pilot.app.screen_stack[0]
        assert isinstance(screen, SessionScreen)
        return screen

    @property
    def rows(self) -> list[str]:
        canvases = self.pilot.app.screen.query(Canvas)
        return ["".join(parts) for parts in zip(*(canvas.text for canvas in canvases), strict=True)]

    async def press(self, *names: str) -> None:
        await self.pilot.press(*names)
        await self.pilot.pause()

    async def pass_s(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.live.tick(10.0)
        await self.pilot.pause()


def on_screen(
    body: Callable[[Room], Awaitable[None]],
    *,
    size=(80, 24),
    now_s: float = 50.0,
    replay: bool = False,
    settings: Settings | None = None,
    attached: bool = False,
    **more,
) -> str | None:
    """Runs `body` with the app on a made-up run at `now_s`; returns how it was left."""

    async def run() -> str | None:
        clock = Clock(now_s)
        view = ramped(clock, running=not replay, ended_s=now_s if replay else None, **more)
        view.steps = [step for step in view.steps if step[0] <= now_s]
        view.marks = [mark for mark in view.marks if mark.t_ns <= now_s * S]
        control = FakeControl(view)
        app = TtftopApp(
            view,
            None if replay else control,
            settings=settings or Settings(charset="braille"),
            clock=clock,
            attached=attached,
        )
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await body(Room(pilot, view, control, clock))
        return app.return_value

    return asyncio.run(run())


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40), (200, 60)])
def test_the_screen_is_full_from_the_first_frame(size):
    async def body(room: Room) -> None:
        rows = room.rows
        assert [len(row) for row in rows] == [size[0]] * size[1]
        assert "LIVE" in rows[0]
        assert rows[-1].rstrip().endswith("quit")

    on_screen(body, size=size)


def test_a_terminal_that_is_resized_is_filled_again():
    async def body(room: Room) -> None:
        await room.pilot.resize_terminal(120, 40)
        await room.pilot.pause()
        assert [len(row) for row in room.rows] == [120] * 40
        await room.pilot.resize_terminal(40, 10)
        await room.pilot.pause()
        assert "too small" in room.rows[0]

    on_screen(body)


def test_load_keys_count_from_the_live_run_while_its_past_is_looked_at():
    async def body(room: Room) -> None:
        await room.press("home", "up")
        assert room.control.sent == [StepLoad(1)]
        assert any("17 rps (the run, now" in row for row in room.rows)
        assert "4.0 rps" in room.rows[0]

    on_screen(body)


def test_space_resumes_a_run_that_holds_now_while_its_past_is_looked_at():
    async def body(room: Room) -> None:
        await room.press("space")
        await room.pass_s(1.0)
        await room.press("home", "space")
        assert room.control.sent == [Hold(), Resume()]

    on_screen(body)


@pytest.mark.parametrize(
    ("key", "steps", "shown"),
    [
        ("up", 1, "17.0"),
        ("k", 1, "17.0"),
        ("down", -1, "15.0"),
        ("j", -1, "15.0"),
        ("K", 10, "26.0"),
        ("J", -10, "6.0"),
    ],
)
def test_load_keys_ask_for_steps_and_the_load_that_the_run_answers_is_shown_at_once(key, steps, shown):
    async def body(room: Room) -> None:
        room.control.applies = False
        await room.press(key)
        assert room.control.sent == [StepLoad(steps)]
        assert f"{shown} rps" in room.rows[0]
        assert "asked" not in room.rows[0]

    on_screen(body)


def test_rapid_presses_lose_no_step_though_the_run_lags_behind():
    async def body(room: Room) -> None:
        room.control.applies = False
        await room.press("up", "up", "up", "K")
        assert room.control.sent == [StepLoad(1), StepLoad(1), StepLoad(1), StepLoad(10)]
        assert "29.0 rps" in room.rows[0]

    on_screen(body)


def test_keys_typed_faster_than_the_run_answers_are_shown_as_asked_and_all_count():
    async def body(room: Room) -> None:
        room.control.answers.clear()
        await room.press("up", "up", "K")
        await room.pass_s(0.1)
        assert "16.0 rps (+12 asked)" in room.rows[0]
        await room.press("equals_sign", "5", "enter", "down")
        await room.pass_s(0.1)
        assert "(+12 5.0 -1 asked)" in room.rows[0]
        assert room.control.sent == [StepLoad(1)]
        room.control.answers.set()
        await room.pilot.pause()
        assert room.control.sent[1:] == [StepLoad(1), StepLoad(10), SetRate(5.0), StepLoad(-1)]
        assert "4.0 rps" in room.rows[0]
        assert "asked" not in room.rows[0]

    on_screen(body)


def test_in_a_closed_loop_the_same_keys_move_the_concurrency():
    async def body(room: Room) -> None:
        await room.press("up")
        assert "17 concurrent" in room.rows[0]
        await room.press("equals_sign", "3", "enter")
        assert " 3 concurrent" in room.rows[0]
        assert room.control.sent == [StepLoad(1), SetConcurrency(3)]

    on_screen(body, closed_loop=True)


def test_an_exact_rate_is_typed_and_a_wrong_one_answered_in_one_line():
    async def body(room: Room) -> None:
        await room.press("=", "6", "4", ",", "5", "enter")
        assert "got '64,5'" in room.rows[-1]
        assert room.control.sent == []
        await room.press("backspace", "backspace", "full_stop", "5", "enter")
        assert room.control.sent == [SetRate(64.5)]
        assert "quit" in room.rows[-1]

    on_screen(body)


def test_escape_leaves_a_prompt_without_sending():
    async def body(room: Room) -> None:
        await room.press("=", "9", "escape")
        assert room.control.sent == []
        assert room.live.screen_state.prompt is None

    on_screen(body)


def test_keys_typed_into_a_prompt_do_nothing_else():
    async def body(room: Room) -> None:
        await room.press("m", "x", "q", "space", "l", "enter")
        assert room.control.sent == [AddMark("xq l")]
        assert room.live.screen_state.log

    on_screen(body)


def test_what_is_pasted_goes_into_the_prompt_that_is_open_and_nowhere_else():
    async def body(room: Room) -> None:
        async def paste(text: str) -> None:
            room.pilot.app.post_message(events.Paste(text))
            await room.pilot.pause()

        await paste("x q kkkk\nxx\n")
        assert room.control.sent == []
        await room.press("equals_sign")
        await paste("12\nq")
        assert room.live.screen_state.prompt.text == "12 q"
        await room.press("enter")
        assert room.control.sent == []
        await room.press("escape", "m")
        await paste("模型 🚀 done")
        await paste("B" * 100_000)
        await room.press("enter")
        (sent,) = room.control.sent
        assert sent.text.startswith("模型 🚀 doneBBB")
        assert len(sent.text) == LIMIT

    on_screen(body)


def test_hold_and_resume_share_a_key():
    async def body(room: Room) -> None:
        await room.press("space")
        await room.pass_s(0.5)
        await room.press("space")
        assert room.control.sent == [Hold(), Resume()]

    on_screen(body)


@pytest.mark.parametrize(("closed_loop", "shown"), [(False, "17.0 rps"), (True, "17 concurrent")])
def test_a_step_right_after_a_resume_counts_from_the_load_before_the_hold_in_both_loops(closed_loop, shown):
    async def body(room: Room) -> None:
        await room.press("space")
        await room.pass_s(1.0)
        await room.press("space", "up")
        assert room.control.sent == [Hold(), Resume(), StepLoad(1)]
        assert shown in room.rows[0]

    on_screen(body, closed_loop=closed_loop)


def test_the_key_that_resumes_says_so_and_the_past_says_that_nothing_is_sent_now():
    async def body(room: Room) -> None:
        assert "spc hold" in room.rows[-1]
        assert "now paused" not in room.rows[0]
        await room.press("space")
        await room.pass_s(5.0)
        assert "spc resume" in room.rows[-1]
        await room.press("left")
        assert "now paused" in room.rows[0]
        assert "spc resume" in room.rows[-1]
        await room.press("space")
        await room.pass_s(5.0)
        assert "now paused" not in room.rows[0]
        assert "spc hold" in room.rows[-1]

    on_screen(body)


def test_stop_is_sent_at_once_and_is_no_hold_but_space_resumes_it_too():
    async def body(room: Room) -> None:
        await room.press("x")
        assert room.control.sent == [Stop()]
        await room.pass_s(3.0)
        assert "LIVE stopped" in room.rows[0]
        await room.press("space")
        assert room.control.sent[1:] == [Resume()]

    on_screen(body)


def test_space_right_after_stop_resumes_though_the_run_has_not_shown_the_stop_yet():
    async def body(room: Room) -> None:
        await room.press("x", "space", "space", "space")
        assert room.control.sent == [Stop(), Resume(), Hold(), Resume()]
        await room.press("x", "up", "space")
        assert room.control.sent[4:] == [Stop(), StepLoad(1), Resume()]
        assert "16.0 rps" in room.rows[0]

    on_screen(body)


def test_while_nothing_is_sent_a_step_starts_nothing_and_says_what_would():
    async def body(room: Room) -> None:
        await room.press("space", "up", "down", "K", "J")
        assert "nothing is being sent: resume it, or set a load" in room.rows[-1]
        assert "0.0 rps" in room.rows[0]
        assert "LIVE holding" in room.rows[0]

    on_screen(body)


def test_a_hold_that_is_refused_holds_nothing():
    async def body(room: Room) -> None:
        room.control.refuse = "the load is not running"
        await room.press("space", "space")
        assert room.control.sent == [Hold(), Hold()]

    on_screen(body)


def test_an_exact_load_right_after_stop_is_one_to_step_from():
    async def body(room: Room) -> None:
        await room.press("x", "equals_sign", "5", "enter", "up")
        assert room.control.sent[1:] == [SetRate(5.0), StepLoad(1)]
        assert "6.0 rps" in room.rows[0]

    on_screen(body)


def test_a_refused_command_is_said_in_the_bottom_row_and_goes_away():
    async def body(room: Room) -> None:
        room.control.refuse = "rate: got 1500, at most 1000"
        await room.press("K")
        assert "rate: got 1500, at most 1000" in room.rows[-1]
        assert "asked" not in room.rows[0]
        await room.pass_s(5.0)
        assert "quit" in room.rows[-1]

    on_screen(body)


def test_a_run_that_cannot_be_reached_is_said_and_not_a_crash():
    async def body(room: Room) -> None:
        async def gone(command: Command) -> Answer:
            raise ConnectionRefusedError(111, "Connection refused")

        room.control.send = gone  # type: ignore[method-assign,assignment]
        await room.press("up")
        assert "cannot be reached" in room.rows[-1]

    on_screen(body)


def test_time_goes_back_and_returns_while_live():
    async def body(room: Room) -> None:
        await room.press("left", "left")
        assert room.live.screen_state.playhead.at_ns == 40 * S
        assert "LIVE -00:10" in room.rows[0]
        await room.pass_s(3.0)
        assert room.live.screen_state.playhead.at_ns == 40 * S
        await room.press("shift+left")
        assert room.live.screen_state.playhead.at_ns == 2 * S
        await room.press("comma", "full_stop", "end")
        assert room.live.screen_state.playhead.following

    on_screen(body)


def test_marks_are_jumped_to_both_ways():
    async def body(room: Room) -> None:
        await room.press("N")
        assert room.live.screen_state.playhead.at_ns == 46 * S
        await room.press("N", "N")
        assert room.live.screen_state.playhead.at_ns == 26 * S
        await room.press("n")
        assert room.live.screen_state.playhead.at_ns == 40 * S

    on_screen(body)


def test_the_window_and_the_scale_are_changed_by_keys():
    async def body(room: Room) -> None:
        await room.press("w")
        assert room.live.screen_state.window_s == 300.0
        await room.press("w")
        assert any(row.startswith("  all└") for row in room.rows)
        await room.press("l")
        assert any("linear" in row for row in room.rows)

    on_screen(body)


def test_the_machines_are_read_in_words_and_the_charts_come_back():
    async def body(room: Room) -> None:
        await room.press("i")
        assert any("H100" in row for row in room.rows)
        assert not any("TTFT ms" in row for row in room.rows)
        await room.press("up", "left")
        assert room.control.sent == [StepLoad(1)]
        assert any("H100" in row for row in room.rows)
        await room.press("i")
        assert any("TTFT ms" in row for row in room.rows)

    on_screen(body)


def test_help_scrolls_through_every_key_of_the_view_and_escape_goes_back():
    async def body(room: Room) -> None:
        await room.press("question_mark")
        seen = "\n".join(room.rows)
        assert "more rows" in room.rows[-1]
        await room.press("down", "down")
        assert len(room.rows) == 24
        seen += "\n".join(room.rows)
        await room.press("pagedown")
        seen += "\n".join(room.rows)
        assert all(row.help in seen for row in keys.HELP_ROWS if not row.views and row.action != "help"), seen
        assert room.control.sent == []
        await room.press("escape")
        assert "LIVE" in room.rows[0]

    on_screen(body)


def test_the_key_of_the_help_goes_on_to_what_the_words_mean_and_then_closes_it():
    async def body(room: Room) -> None:
        await room.press("question_mark")
        assert "? the words" in room.rows[0]
        assert not any("settling" in row for row in room.rows)
        await room.press("question_mark")
        assert any("time to first token" in row for row in room.rows)
        assert any("settling" in row for row in room.rows)
        assert "? the words" not in room.rows[0]
        await room.press("question_mark")
        assert "LIVE" in room.rows[0]
        await room.press("question_mark")
        assert "? the words" in room.rows[0]

    on_screen(body)


def test_in_a_view_of_rows_the_keys_of_its_rows_scroll_the_help():
    async def body(room: Room) -> None:
        await room.press(str(1 + keys.VIEWS.index("events")), "question_mark")
        first = room.rows[1]
        await room.press("tab")
        assert room.rows[1] != first
        await room.press("shift+tab")
        assert room.rows[1] == first

    on_screen(body)


def test_a_key_that_stops_the_load_does_so_while_the_help_is_open():
    async def body(room: Room) -> None:
        await room.press("question_mark", "x")
        assert room.control.sent == [Stop()]
        assert "LIVE" in room.rows[0]

    on_screen(body)


def test_a_digit_opens_a_view_and_escape_goes_back_to_the_overview():
    async def body(room: Room) -> None:
        await room.press(str(1 + keys.VIEWS.index("events")))
        assert any("EVENTS all" in row for row in room.rows)
        assert [len(row) for row in room.rows] == [80] * 24
        await room.press("f")
        assert any("EVENTS load" in row for row in room.rows)
        await room.press("escape")
        assert any("TTFT ms" in row for row in room.rows)

    on_screen(body)


def test_a_request_is_opened_gone_to_and_closed_again():
    async def body(room: Room) -> None:
        one = Request(7, 0, 10 * S, sent_ns=10 * S, end_ns=21 * S + S // 8, error=RequestError("aborted"))
        room.view.add_request(one)
        await room.press(str(1 + keys.VIEWS.index("requests")), "enter")
        assert any("REQUEST 7" in row for row in room.rows)
        await room.press("enter")
        assert room.live.screen_state.playhead.at_ns == 21 * S + S // 4  # the tick that has it
        assert any("REQUEST 7" in row for row in room.rows)
        await room.press("escape")
        assert room.live.screen_state.view == "requests"
        assert not any("REQUEST 7" in row for row in room.rows)
        await room.press("escape")
        assert room.live.screen_state.view == "overview"

    on_screen(body, replay=True)


def test_the_cursor_of_the_events_leads_to_the_instant_of_one():
    async def body(room: Room) -> None:
        await room.press(str(1 + keys.VIEWS.index("events")), "tab", "shift+tab", "shift+tab", "enter")
        third_of_the_newest = [mark.t_ns for mark in room.view.marks][-3]
        assert room.live.screen_state.playhead.at_ns == third_of_the_newest
        assert room.control.sent == []

    on_screen(body)

    on_screen(body)


def test_what_requests_ask_for_is_chosen_seen_and_confirmed_before_it_changes():
    async def body(room: Room) -> None:
        room.view.manifest = make(seconds=1.0).manifest
        await room.press("W")
        assert "next requests (now as asked): short-chat" in room.rows[-1]
        assert room.control.sent == []
        await room.press("W", "tab", "x", "up")
        assert "long-context" in room.rows[-1]
        await room.press("escape")
        assert room.control.sent == []
        await room.press("W", "up", "up", "enter")
        assert room.control.sent == [SetWorkload("long-answer")]

    on_screen(body, size=(120, 40))


async def over(room: Room, key: str) -> None:
    """A run that was told to finish comes to its end; of another the screen is left already."""
    if key == "f":
        room.view.running = False
        await room.pass_s(0.1)


@pytest.mark.parametrize(
    ("keys_then", "how", "sent"),
    [
        (("a",), "aborted", [FinishRun(), AbortRun()]),
        (("ctrl+c",), "aborted", [FinishRun(), AbortRun()]),
        (("q",), "detached", [FinishRun()]),
        ((), None, [FinishRun()]),
    ],
)
def test_the_screen_stays_while_a_run_finishes_and_its_bottom_row_says_how_to_cut_that_short(
    keys_then, how, sent
):
    async def body(room: Room) -> None:
        await room.press("q", "f", "2")
        assert "a cut off what is in flight" in room.rows[-1]
        assert "q leave, it ends by itself" in room.rows[-1]
        assert room.live.screen_state.view == "latency"
        await room.press(*keys_then)
        assert room.control.sent == sent

    assert on_screen(body) == how


@pytest.mark.parametrize(("key", "how"), [("f", "finished"), ("d", "detached"), ("a", "aborted")])
def test_leaving_a_live_run_asks_how(key, how):
    async def body(room: Room) -> None:
        await room.press("q")
        assert "Leave?" in room.rows[-1]
        await room.press(key)
        await room.pilot.pause()
        assert room.control.sent == {"f": [FinishRun()], "d": [], "a": [AbortRun()]}[key]
        await over(room, key)

    assert on_screen(body) == how


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
def test_a_viewer_of_a_run_that_was_started_elsewhere_just_leaves(key):
    async def body(room: Room) -> None:
        await room.press(key)
        assert room.control.sent == []

    assert on_screen(body, attached=True) == "detached"


@pytest.mark.parametrize(("key", "how"), [("f", "finished"), ("a", "aborted")])
@pytest.mark.parametrize("attached", [False, True])
def test_the_end_of_the_run_is_asked_for_by_a_key_of_its_own(attached, key, how):
    async def body(room: Room) -> None:
        await room.press("Q", "d")
        assert "End the run" in room.rows[-1]
        assert "detach" not in room.rows[-1]
        assert room.control.sent == []
        await room.press(key)
        await room.pilot.pause()
        assert room.control.sent == {"f": [FinishRun()], "a": [AbortRun()]}[key]
        await over(room, key)

    assert on_screen(body, attached=attached) == how


def test_the_end_of_a_run_that_is_over_or_replayed_is_not_asked_for():
    async def body(room: Room) -> None:
        await room.press("Q")
        assert "End the run" not in room.rows[-1]
        assert room.live.screen_state.question == ""

    on_screen(body, replay=True)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40)])
@pytest.mark.parametrize("view", ["1", "2", "3", "4", "5", "6", "7"])
def test_in_the_past_of_a_live_run_the_bottom_row_says_how_to_come_back_to_now(size, view):
    async def body(room: Room) -> None:
        await room.press(view)
        assert "end now" not in room.rows[-1]
        await room.press("left")
        assert room.rows[-1].startswith(" end now") or "  end now" in room.rows[-1]
        await room.press("end")
        assert room.live.screen_state.playhead.following
        assert "end now" not in room.rows[-1]

    on_screen(body, size=size)


def test_keys_that_come_after_the_screen_was_left_are_none():
    async def body(room: Room) -> None:
        for key in "qda":  # typed faster than the screen closes
            room.live.on_key(events.Key(key, key))
        for _ in range(10):
            await asyncio.sleep(0)
        assert room.control.sent == []

    assert on_screen(body) == "detached"


def test_the_question_how_to_leave_can_be_taken_back():
    async def body(room: Room) -> None:
        await room.press("q", "escape")
        assert not room.live.screen_state.question
        assert room.control.sent == []

    assert on_screen(body) is None


def test_a_finish_that_is_refused_keeps_the_screen():
    async def body(room: Room) -> None:
        room.control.refuse = "finish: the run is already draining"
        await room.press("q", "f")
        assert "already draining" in room.rows[-1]

    assert on_screen(body) is None


def test_ctrl_c_and_ctrl_q_ask_as_well():
    async def body(room: Room) -> None:
        await room.press("ctrl+c")
        assert room.live.screen_state.question == "leave"
        await room.press("escape", "ctrl+q")
        assert room.live.screen_state.question == "leave"

    assert on_screen(body) is None


def test_a_replay_plays_pauses_and_just_quits():
    async def body(room: Room) -> None:
        assert "REPLAY" in room.rows[0]
        await room.press("space")
        await room.pass_s(10.0)
        assert room.live.screen_state.playhead.at_ns == 12 * S
        await room.press("space")
        await room.pass_s(10.0)
        assert room.live.screen_state.playhead.at_ns == 12 * S
        await room.press("greater_than_sign", "space")
        await room.pass_s(0.1)
        before_ns = room.live.screen_state.playhead.at_ns
        await room.pass_s(5.0)
        assert room.live.screen_state.playhead.at_ns == before_ns + 10 * S
        await room.press("q")

    assert on_screen(body, replay=True) == "quit"


def test_a_replay_opens_on_the_whole_run_from_its_end_and_stands_still():
    async def body(room: Room) -> None:
        await room.pass_s(5.0)
        playhead = room.live.screen_state.playhead
        assert (playhead.at_ns, playhead.playing) == (50 * S, False)
        assert "00:48 / 00:48" in room.rows[0]
        axis = next(row for row in room.rows if row.startswith("  all└"))
        assert "00:00" in axis
        assert "00:30" in axis
        assert any("╷8" in row for row in room.rows[:10])

    on_screen(body, replay=True)


def test_in_a_window_that_spans_the_run_the_axis_stays_while_it_is_played():
    async def body(room: Room) -> None:
        def axis() -> str:
            return next(row for row in room.rows if row.startswith("  all└"))

        at_end = axis()
        await room.press("space")
        await room.pass_s(10.0)
        assert axis() == at_end

    on_screen(body, replay=True)


def test_a_replay_that_is_still_being_read_stays_at_its_end():
    async def body(room: Room) -> None:
        room.view.ended_s = 60.0
        await room.pass_s(0.1)
        assert room.live.screen_state.playhead.at_ns == 60 * S

    on_screen(body, replay=True)


def test_a_screen_that_opens_before_its_supervisor_has_begun_follows_the_run_once_it_has():
    async def body(room: Room) -> None:
        room.view.running, room.view.ended_s = True, None
        await room.pass_s(1.0)
        assert room.live.screen_state.playhead.following
        assert "LIVE" in room.rows[0]
        assert any(re.match(r" *\d[\d.]*s└", row) for row in room.rows)

    on_screen(body, replay=True)


def test_less_than_a_second_behind_now_is_said_in_fractions():
    async def body(room: Room) -> None:
        await room.press("comma")
        assert " LIVE -0.25s+ " in room.rows[0]

    on_screen(body)


def test_a_notice_leaves_with_the_next_key():
    async def body(room: Room) -> None:
        await room.press("x")
        assert "stopped sending" in room.rows[-1]
        await room.press("l")
        assert "quit" in room.rows[-1]

    on_screen(body)


def test_an_answer_is_shown_until_the_run_has_had_time_to_show_the_load_itself():
    async def body(room: Room) -> None:
        room.control.applies = False
        await room.press("up")
        assert "17.0 rps" in room.rows[0]
        await room.pass_s(0.25)
        assert "17.0 rps" in room.rows[0]
        await room.pass_s(0.25)
        assert "16.0 rps" in room.rows[0]

    on_screen(body)


def test_in_a_replay_the_load_keys_say_that_they_do_nothing():
    async def body(room: Room) -> None:
        for key in ("up", "=", "x"):
            await room.press(key)
            assert "the load of a replay cannot be changed" in room.rows[-1]
        assert room.control.sent == []

    on_screen(body, replay=True)


def test_a_mark_in_a_replay_is_set_where_one_looks_and_n_leads_to_it():
    async def body(room: Room) -> None:
        await room.press("home", "m", *"slow", "enter")
        await room.press("end", *["N"] * len(room.view.marks))
        marks = [mark for mark in room.view.marks if mark.label == "slow"]
        assert [mark.t_ns for mark in marks] == [2 * S]
        assert room.live.screen_state.playhead.at_ns == 2 * S
        assert room.control.sent == []
        room.view.refuses_notes = "the mark cannot be kept: disk full"
        await room.press("m", "enter")
        assert "the mark cannot be kept: disk full" in room.rows[-1]

    on_screen(body, replay=True)


def test_a_begins_a_region_ends_it_and_clears_it():
    async def body(room: Room) -> None:
        await room.press("home", "a", "right", "right")
        assert any(row.startswith(" A-now 10 s") for row in room.rows)
        await room.press("a", "right")
        assert any(row.startswith(" A-B 10 s") for row in room.rows)
        await room.press(str(1 + keys.VIEWS.index("events")))
        assert any(row.startswith(" A-B 10 s") for row in room.rows)
        await room.press("a")
        assert room.live.screen_state.region is None
        assert not any(row.startswith(" A-B 10") for row in room.rows)

    on_screen(body, replay=True)


def test_a_ramp_is_typed_and_what_it_means_is_said_meanwhile():
    async def body(room: Room) -> None:
        await room.press("R", *"32 in 60")
        assert "16.0 → 32 rps over 60 s" in room.rows[-1]
        await room.press("s", "enter")
        assert room.control.sent == [SetRamp(32.0, 60.0)]
        await room.press("R", *"32 in", "enter")
        assert "need a rate and a time" in room.rows[-1]
        await room.press("escape")
        assert room.live.screen_state.prompt is None
        assert room.control.sent == [SetRamp(32.0, 60.0)]

    on_screen(body, size=(120, 40))


def test_a_closed_loop_and_a_plan_take_no_ramp():
    async def closed(room: Room) -> None:
        await room.press("R")
        assert "this is a closed loop" in room.rows[-1]

    async def planned(room: Room) -> None:
        frame = room.view.frame
        plan = PlanProgress("p", 1, 3, "16 rps", "running", 60.0, 100.0)
        room.view.frame = lambda *a: replace(frame(*a), plan=plan)  # type: ignore[method-assign]
        await room.pass_s(0.25)
        await room.press("R")
        assert "the plan sets the rate" in room.rows[-1]
        assert room.live.screen_state.prompt is None

    on_screen(closed, closed_loop=True)
    on_screen(planned)


def test_a_live_run_that_ends_is_shown_as_ended_and_then_just_quits():
    async def body(room: Room) -> None:
        room.view.running, room.view.state = False, "ended"
        await room.pass_s(1.0)
        assert "ENDED" in room.rows[0]
        await room.press("q")

    assert on_screen(body) == "quit"


def test_a_run_whose_limits_are_still_searched_for_is_drawn_until_they_are_known():
    async def body(room: Room) -> None:
        frame, known_after = room.view.frame, room.view.frames + 4

        def searched(*asked: int) -> Frame:
            return replace(frame(*asked), limits_pending=room.view.frames < known_after)

        room.view.frame = searched  # type: ignore[method-assign,assignment]
        await room.press("l")
        for _ in range(9):
            room.live.tick(10.0)
        assert room.view.frames == known_after

    on_screen(body, replay=True)


def test_where_the_next_mark_may_not_be_known_yet_the_screen_says_so():
    async def body(room: Room) -> None:
        frame = room.view.frame
        room.view.frame = lambda *a: replace(frame(*a), limits_pending=True, marks=())  # type: ignore[method-assign]
        await room.press("n")
        assert "the run is still searched for its limits" in room.rows[-1]

    on_screen(body, replay=True)


def test_nothing_new_is_nothing_drawn():
    async def body(room: Room) -> None:
        frames = room.view.frames
        for _ in range(5):
            room.live.tick(10.0)
        assert room.view.frames == frames

    on_screen(body)


def test_silence_of_a_live_run_is_said():
    async def body(room: Room) -> None:
        room.view.ended_s = room.clock.now_s
        await room.pass_s(6.0)
        assert "no data for" in room.rows[0]

    on_screen(body)


def test_escape_puts_the_baseline_away_last_of_all():
    async def body(room: Room) -> None:
        other = Path(__file__).parents[2] / "sessions" / "store" / "recorded" / "llamacpp"
        curve = room.view.__dict__["_curve"] = CurveMemory(room.view, other.parent / "this", SessionView)
        curve.open_baseline(str(other))
        await room.press("3", "question_mark", "escape")
        assert curve.baseline is not None
        await room.press("escape")
        assert room.live.screen_state.view == "overview"
        assert curve.baseline is not None, "it is the overview first"
        await room.press("escape")
        assert curve.baseline is None
        assert "the baseline is away" in room.rows[-1]
        await room.press("escape")
        assert room.live.screen_state.prompt is None, "nothing is asked for"

    on_screen(body)


def test_the_page_about_keys_is_the_table():
    page = (Path(__file__).parents[3] / "docs" / "guide" / "keys.md").read_text(encoding="utf-8")
    assert page.endswith(keys.as_markdown())


def test_every_action_has_one_key_at_least_and_no_key_two_actions():
    for here in ("live", "replay"):
        here_too = [row for row in keys.KEYS if row.where in ("both", here)]
        pairs = {(name, row.action) for row in here_too for name in row.keys}
        assert len(pairs) == len({name for name, _ in pairs})
    assert all(re.fullmatch(r"[a-z_]+", row.action) for row in keys.KEYS)


def test_keys_of_the_gpus_turn_sort_and_open_them_and_escape_closes_first_and_leaves_then():
    async def body(room: Room) -> None:
        await room.press(str(1 + keys.VIEWS.index("gpus")))
        assert "UTIL 8 GPUs by index" in room.rows[4]
        await room.press("v", "s")
        assert "MEMORY 8 GPUs by trouble" in room.rows[4]
        assert room.rows[-1].strip() == "GPUs by trouble"
        await room.press("tab", "enter")
        assert "GPU1 2 of 8" in room.rows[4]
        await room.press("i")
        assert any(row.startswith(" SERVER") for row in room.rows)
        await room.press("escape")
        assert "GPU1 2 of 8" in room.rows[4]
        await room.press("escape")
        assert "MEMORY 8 GPUs" in room.rows[4]
        await room.press("escape")
        assert room.live.screen_state.view == "overview"
        assert not room.control.sent

    on_screen(body, gpus=8)


def test_the_view_of_the_server_is_a_digit_away_and_says_what_is_missing():
    async def body(room: Room) -> None:
        await room.press(str(1 + keys.VIEWS.index("server")))
        assert any("the server has said nothing of itself yet" in row for row in room.rows)
        await room.press("escape")
        assert room.live.screen_state.view == "overview"

    on_screen(body)
