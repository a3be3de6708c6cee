from __future__ import annotations

from telemetry.note_limit import SELDOM, TOLD_AT_ONCE, NoteLimit
from telemetry.records import HostSample, SourceNote

S = 1_000_000_000


def flaps(limit, seconds, step=4, source="n:9400/metrics"):
    """A source that is lost and found every `step` seconds; returns what is told."""
    told = []
    for second in range(0, seconds, step):
        lost, back = f"{source}: cannot connect (Connection refused)", f"{source}: answers again"
        told += limit.through([SourceNote(second * S, source, False, lost)], second * S)
        told += limit.through([SourceNote((second + 2) * S, source, True, back)], (second + 2) * S)
    return told


def test_what_comes_and_goes_is_told_some_times_then_once_a_minute():
    told = flaps(NoteLimit(), 240)
    lost = [note for note in told if not note.ok]
    assert len(told) <= 2 * (TOLD_AT_ONCE + 240 // 60)
    assert lost[TOLD_AT_ONCE - 1].message.endswith(SELDOM)
    assert not lost[TOLD_AT_ONCE - 2].message.endswith(SELDOM)
    gaps_s = [
        (b.t_ns - a.t_ns) / S for a, b in zip(lost[TOLD_AT_ONCE:], lost[TOLD_AT_ONCE + 1 :], strict=False)
    ]
    assert gaps_s
    assert min(gaps_s) >= 56


def test_the_last_word_is_told_at_the_end():
    limit = NoteLimit()
    told = flaps(limit, 40)
    (rest,) = limit.rest()
    assert (rest.ok, rest.t_ns) == (True, 38 * S)
    assert rest not in told
    assert limit.rest() == []


def test_what_differs_is_never_held_back():
    limit = NoteLimit()
    notes = [SourceNote(0, "nvml", False, f"GPU {i} (H100) gives no values: GPU is lost") for i in range(64)]
    assert limit.through(list(notes), 0) == notes
    assert limit.rest() == []


def test_a_time_in_a_sentence_does_not_make_it_another():
    limit = NoteLimit()
    notes = [SourceNote(i * S, "nvml", True, f"GPU 3 answers again, after {i}.5 s") for i in range(20)]
    assert len(limit.through(notes, 20 * S)) == TOLD_AT_ONCE


def test_a_source_that_was_quiet_is_told_anew():
    limit = NoteLimit()
    flaps(limit, 40)
    later = SourceNote(
        2000 * S, "n:9400/metrics", False, "n:9400/metrics: cannot connect (Connection refused)"
    )
    # Behind the last word that was held back.
    assert limit.through([later], 2000 * S)[-1] is later


def test_what_is_no_note_passes():
    limit = NoteLimit()
    flaps(limit, 40)
    sample = HostSample(1, 1, "n")
    assert limit.through([sample], 41 * S) == [sample]


def test_a_source_that_stays_away_after_coming_and_going_is_told_within_a_minute():
    limit = NoteLimit()
    flaps(limit, 40)
    lost = SourceNote(40 * S, "n:9400/metrics", False, "n:9400/metrics: cannot connect (Connection refused)")
    assert limit.through([lost], 40 * S) == []
    assert limit.through([], 99 * S) == []
    assert limit.through([], 100 * S) == [lost]
    assert limit.through([], 200 * S) == []
