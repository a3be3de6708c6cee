"""Whatever the mistake: two lines of a terminal at most, the value that was wrong, and what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_bad_input import WRONG

if TYPE_CHECKING:
    from tests.cli.conftest import Command

LINES = [line for line, _ in WRONG]
TWO_LINES = 2 * 120
WHAT_TO_DO = re.compile(
    r"need |needs |did you mean |give |\bset \w|write |\(see ttftop |choose from |ttftop \w+ (lists|and ttftop)|"
    r"ttftop \w+ (list |show NAME |tag )?(shows|prints|gives)|allowed are |leave .* out|is the .*\?|wait for "
)
HIDDEN = ("sk-CANARY", "secret")
"""What may be a secret is left out or masked."""


@pytest.mark.parametrize("line", LINES)
def test_an_error_is_short_and_says_what_to_do(typed: Command, home: Path, line: str) -> None:
    told = typed(*line.split(" ")).stderr.replace(str(home), "~")
    assert len(told) <= TWO_LINES
    assert WHAT_TO_DO.search(told), told


@pytest.mark.parametrize("line", [line for line in LINES if " " in line and line[0] != "-"])
def test_an_error_names_the_option_or_the_value_that_was_wrong(typed: Command, line: str) -> None:
    told = typed(*line.split(" ")).stderr
    words = [word for part in line.split(" ")[1:] for word in part.split("=") if word not in HIDDEN]
    numbers = [f"{float(word):g}" for word in words if re.fullmatch(r"[\d.]+e\d+", word)]
    assert any(word in told for word in [*words, *numbers]), told
