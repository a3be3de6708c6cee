"""A, then B, then none."""

from __future__ import annotations

from tui.controls.region_keys import Span, after_key

S = 1_000_000_000


def test_a_sets_one_end_then_the_other_then_clears_both() -> None:
    first, _ = after_key(None, 7 * S)
    assert first == Span(7 * S)
    second, _ = after_key(first, 9 * S)
    assert second == Span(7 * S, 9 * S)
    assert after_key(second, 20 * S) == (None, "A-B is cleared")


def test_the_earlier_end_is_a_whichever_was_set_first() -> None:
    assert after_key(Span(9 * S), 7 * S)[0] == Span(7 * S, 9 * S)


def test_both_ends_at_one_tick_are_no_region() -> None:
    span, said = after_key(Span(7 * S), 7 * S + 100)
    assert span == Span(7 * S)
    assert "another instant" in said
