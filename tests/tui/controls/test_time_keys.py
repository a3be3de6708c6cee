"""Where a key of time leads, live and in a replay."""

from __future__ import annotations

import pytest

from tests.tui.made_up_run import FakeView, S, ramped
from tui.controls import keys, time_keys
from tui.controls.playhead import Playhead


def run_at(seconds: float, *, live: bool = True) -> FakeView:
    """The made-up run of which `seconds` are known."""
    view = ramped(lambda: seconds, running=live)
    view.marks = [mark for mark in view.marks if mark.t_ns <= seconds * S]
    return view


@pytest.mark.parametrize(
    ("action", "at_s", "to_s"),
    [
        ("back", 40, 35),
        ("forward", 40, 45),
        ("back_far", 40, 2),
        ("tick_back", 40, 39.75),
        ("tick_forward", 40, 40.25),
        ("to_start", 40, 2),
        ("next_mark", 41, 46),
        ("previous_mark", 46, 40),
    ],
)
def test_the_past_of_a_run_is_walked_through(action: str, at_s: float, to_s: float) -> None:
    moved = time_keys.moved(action, Playhead(int(at_s * S), following=False), run_at(50.0))
    assert moved == Playhead(int(to_s * S), following=False)


@pytest.mark.parametrize("action", ["to_end", "forward_far"])
def test_the_end_of_a_live_run_is_followed_and_that_of_a_replay_stands(action: str) -> None:
    past = Playhead(40 * S, following=False)
    for live in (True, False):
        assert time_keys.moved(action, past, run_at(50.0, live=live)) == Playhead(50 * S, following=live)


def test_what_cannot_be_done_is_said() -> None:
    view = run_at(50.0)
    now, past = Playhead(50 * S), Playhead(3 * S, following=False)
    assert time_keys.moved("next_mark", now, view) == "no mark after this one"
    assert time_keys.moved("previous_mark", past, view) == "no mark before this one"
    assert time_keys.moved("faster", now, view) == "now is shown at its own pace: go back first (left)"


def test_a_change_of_speed_plays_the_past_of_a_live_run_and_in_a_replay_leaves_it_paused() -> None:
    past = Playhead(40 * S, following=False)
    for live in (True, False):
        moved = time_keys.moved("faster", past, run_at(50.0, live=live))
        assert moved == Playhead(40 * S, following=False, playing=live, speed=2.0)


def test_every_action_is_one_of_the_key_table() -> None:
    assert set(time_keys.ACTIONS) <= {row.action for row in keys.KEYS}
