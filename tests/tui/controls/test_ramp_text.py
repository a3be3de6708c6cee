"""A ramp as a person types it."""

from __future__ import annotations

import pytest

from sessions.run.commands import SetRamp
from tui.controls.ramp_text import parsed_ramp, ramp_words


@pytest.mark.parametrize(
    ("text", "ramp"),
    [
        ("32 in 60s", SetRamp(32.0, 60.0)),
        ("to 32 in 60 s", SetRamp(32.0, 60.0)),
        ("32/60", SetRamp(32.0, 60.0)),
        (" 0.5 over 2m ", SetRamp(0.5, 120.0)),
        ("..32/1h", SetRamp(32.0, 3600.0)),
        ("4..32/60s", SetRamp(32.0, 60.0, 4.0)),
        ("4 .. 32 over 60s", SetRamp(32.0, 60.0, 4.0)),
        ("4 to 32 in 60s", SetRamp(32.0, 60.0, 4.0)),
        ("1..64/120s:exp", SetRamp(64.0, 120.0, 1.0, "exp")),
        ("64 in 120s:exp", SetRamp(64.0, 120.0, None, "exp")),
    ],
)
def test_the_grammar_of_the_command_line_and_words_in_it(text: str, ramp: SetRamp) -> None:
    assert parsed_ramp(text) == ramp


@pytest.mark.parametrize(
    "text",
    [
        "",
        "32",
        "32 in",
        "in 60s",
        "x in 60s",
        "4..x/60s",
        "0 in 60s",
        "-1/5s",
        "8/0s",
        "8/60s:sine",
        "nan/5s",
        "8/inf",
    ],
)
def test_what_is_no_ramp_is_said_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"^got .*: need .*like 32 in 60s, 4..32/60s or 4..32/60s:exp$"):
        parsed_ramp(text)


def test_what_it_means_is_said_while_it_is_typed() -> None:
    assert ramp_words("32 in 6", 14.0) == "14.0 -> 32 rps over 6 s"
    assert ramp_words("4..32/1m", 14.0) == "4.0 -> 32 rps over 60 s"
    assert ramp_words("64 in 2m:exp", None) == "- -> 64 rps over 120 s, each second by the same factor"
    assert ramp_words("32 i", 14.0) == ""
