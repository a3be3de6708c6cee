"""What a person may type for a value, and what is refused."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from sessions.plan.config import Ramp
from tui.options import value_types


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("60s", 60.0),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("1.5m", 90.0),
        ("250ms", 0.25),
        (".5", 0.5),
    ],
)
def test_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert value_types.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "ramp"),
    [
        ("1..64/120s", Ramp(1.0, 64.0, 120.0, "linear")),
        ("1..64/120s:exp", Ramp(1.0, 64.0, 120.0, "exp")),
        ("1..64/2m:linear", Ramp(1.0, 64.0, 120.0, "linear")),
        ("0.5..2.5/10", Ramp(0.5, 2.5, 10.0, "linear")),
        ("20..2/1h", Ramp(20.0, 2.0, 3600.0, "linear")),
    ],
)
def test_ramp_is_read_as_from_to_and_seconds(text: str, ramp: Ramp) -> None:
    assert value_types.ramp(text) == ramp


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *(
            (value_types.duration, text)
            for text in ("0", "0s", "-5", "5 minutes", "1d", "", "nan", "inf", "1e3", "s")
        ),
        *((value_types.rate, text) for text in ("0", "-1", "nan", "inf", "-inf", "64,5", "", "ten", "1/s")),
        *(
            (value_types.ramp, text)
            for text in (
                "1..64",
                "1-64/120s",
                "..64/120s",
                "1../120s",
                "0..64/120s",
                "1..64/0s",
                "1..64/120s:cubic",
            )
        ),
        *((value_types.ramp, text) for text in ("a..b/c", "1..-4/9s", "1..nan/9s", "", "/", "1.../9")),
        *((value_types.count, text) for text in ("0", "-1", "1.5", "1e3", "", "many", "9" * 40)),
        *((value_types.seed, text) for text in ("-1", "x", "", str(2**63))),
        *((value_types.port, text) for text in ("-1", "65536", "abc", "", "8000.0")),
        *(
            (value_types.source, text)
            for text in ("nvidia", "localhost:9400", "http://", "ftp://node/metrics", "")
        ),
    ],
)
def test_a_refused_value_is_repeated_beside_what_is_allowed(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"got .*, need ") as refused:
        read(text)
    assert repr(text) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("read", [value_types.lengths, value_types.turns])
def test_a_number_with_an_invisible_separator_behind_it_is_that_number(read: Callable[[str], object]) -> None:
    assert read("9\x1c") == 9
