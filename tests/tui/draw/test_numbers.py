import pytest

from tui.draw import numbers


@pytest.mark.parametrize(
    ("value", "long", "short"),
    [
        (None, "-", "-"),
        (float("nan"), "-", "-"),
        (0.423, "0.42", "0.42"),
        (9.996, "10.0", "10.0"),
        (98.7, "98.7", "98.7"),
        (987.4, "987", "987"),
        (999.6, "1.00s", "1.0s"),
        (1234.0, "1.23s", "1.2s"),
        (77_700.0, "77.7s", "78s"),
        (250_000.0, "250s", "250s"),
    ],
)
def test_a_latency_has_three_digits_and_says_when_it_is_in_seconds(value, long, short):
    assert numbers.ms(value) == long
    assert numbers.ms(value, short=True) == short


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (2214, "2214"), (9999, "9999"), (18_400, "18.4k"), (1.25e6, "1.25M"), (None, "-")],
)
def test_counts_are_shortened_from_ten_thousand_on(value, text):
    assert numbers.count(value) == text


@pytest.mark.parametrize(
    ("ns", "hours", "text"),
    [
        (0, True, "00:00:00"),
        (192 * 10**9, True, "00:03:12"),
        (192 * 10**9, False, "03:12"),
        (3_661 * 10**9, False, "01:01:01"),
        (-30 * 10**9, False, "-00:30"),
        (-4 * 10**8, False, "00:00"),
    ],
)
def test_session_time_is_a_clock(ns, hours, text):
    assert numbers.clock(ns, hours=hours) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.05, "50us"), (0.5, ".5ms"), (1, "1ms"), (500, "500ms"), (2000, "2s")]
)
def test_a_latency_axis_is_labelled_in_five_cells_at_most(value, text):
    assert numbers.ms_label(value) == text


def test_bytes_are_shown_in_gib():
    assert numbers.gib(80 * 2**30) == "80.0"
    assert numbers.gib(None) == "-"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0/s"), (0.05, "0.05/s"), (0.09, "0.09/s"), (0.5, "0.5/s"), (12.0, "12.0/s"), (640.0, "640/s")],
)
def test_a_rate_is_never_rounded_to_twice_what_it_is_and_what_is_not_known_has_no_unit(value, text):
    assert numbers.rate(value, "/s") == text
    assert numbers.rate(None, "/s") == numbers.whole(None, "%") == numbers.length(None) == "-"
    assert (numbers.whole(98.4, "%"), numbers.length(98.7), numbers.length(1234.0)) == (
        "98%",
        "98.7 ms",
        "1.23s",
    )
