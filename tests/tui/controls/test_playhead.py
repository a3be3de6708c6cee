import pytest

from tui.controls.playhead import Playhead, next_mark_ns, previous_mark_ns

S = 1_000_000_000


def test_live_it_follows_the_newest_instant():
    head = Playhead().advanced(0.0, 0, 7 * S, live=True)
    assert head.at_ns == 7 * S
    assert head.advanced(1.0, 0, 9 * S, live=True).at_ns == 9 * S


def test_live_the_past_stands_still_and_the_end_follows_again():
    head = Playhead(at_ns=60 * S).sought(55 * S, 0, 60 * S, live=True)
    assert not head.following
    assert head.advanced(5.0, 0, 90 * S, live=True).at_ns == 55 * S
    assert head.sought(90 * S, 0, 90 * S, live=True).following


def test_played_at_double_speed_ten_seconds_are_twenty():
    head = Playhead(following=False, playing=True, speed=2.0).advanced(100.0, 0, 60 * S, live=False)
    assert head.advanced(110.0, 0, 60 * S, live=False).at_ns == 20 * S


def test_pausing_stops_it_and_playing_resumes_without_a_jump():
    head = Playhead(following=False, playing=True).advanced(0.0, 0, 60 * S, live=False)
    paused = head.advanced(10.0, 0, 60 * S, live=False).toggled(0, 60 * S)
    assert paused.advanced(25.0, 0, 60 * S, live=False).at_ns == 10 * S
    resumed = paused.toggled(0, 60 * S).advanced(25.0, 0, 60 * S, live=False)
    assert resumed.advanced(26.0, 0, 60 * S, live=False).at_ns == 11 * S


def test_a_replay_stops_at_its_end_and_play_begins_again():
    head = Playhead(following=False, playing=True, moved_s=0.0).advanced(99.0, 0, 60 * S, live=False)
    assert head.at_ns == 60 * S
    assert not head.playing
    assert not head.following
    again = head.toggled(2 * S, 60 * S)
    assert again.at_ns == 2 * S
    assert again.playing


def test_playing_the_past_of_a_live_run_catches_up_and_follows():
    head = Playhead(at_ns=50 * S, following=False, playing=True, speed=64.0, moved_s=0.0)
    assert head.advanced(1.0, 0, 60 * S, live=True).following


@pytest.mark.parametrize(("to_s", "expected_s"), [(-5, 0), (30, 30)])
def test_a_seek_stays_inside_the_session(to_s, expected_s):
    assert Playhead(at_ns=S, following=False).sought(to_s * S, 0, 60 * S, live=False).at_ns == expected_s * S


def test_a_replay_goes_on_playing_after_a_seek():
    assert Playhead(following=False, playing=True).sought(5 * S, 0, 60 * S, live=False).playing


def test_speed_moves_by_powers_of_two_between_a_quarter_and_sixty_four():
    head = Playhead()
    assert head.paced(1).speed == 2.0
    assert head.paced(99).speed == 64.0
    assert head.paced(-99).speed == 0.25


def test_a_clock_that_ran_backwards_does_not_move_it_back():
    head = Playhead(at_ns=5 * S, following=False, playing=True, moved_s=10.0)
    assert head.advanced(9.0, 0, 60 * S, live=False).at_ns == 5 * S


def test_marks_are_found_on_both_sides():
    marks = [10, 20, 30]
    assert next_mark_ns(marks, 20) == 30
    assert next_mark_ns(marks, 30) is None
    assert previous_mark_ns(marks, 20) == 10
    assert previous_mark_ns(marks, 10) is None
