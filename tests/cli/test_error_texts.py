"""Whatever the mistake: two lines of a terminal at most, the value that was wrong, and what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_bad_input import URL, WRONG
from tests.error_texts import assert_whole

if TYPE_CHECKING:
    from tests.cli.conftest import Command

VALUES = {
    # Nothing was typed but what is right: something is missing.
    **dict.fromkeys(("run", "--rate 3", "summary", "attach"), ""),
    f"{URL} --rate": "--rate",
    # What may be a secret is left out or masked.
    "http://user:secret@node7": "http://***@node7",
    f"{URL} --api-key sk-CANARY": "--api-key",
    f"{URL} --api-key=sk-CANARY": "--api-key",
    f"{URL} --secret sk-CANARY": "--secret",
    f"{URL} --token=sk-CANARY": "--token",
    # It is the option that nobody knows.
    f"{URL} --ratee 5": "--ratee",
    f"{URL} --rat 5": "--rat",
    # Of several values it is this one.
    f"{URL} --ramp 1..4000/120s": "4000",
    f"{URL} --ramp 1..8/9s --concurrency 3": "--concurrency 3",
    f"{URL} --rate 20 --max-rate 10": "20",
    f"{URL} --concurrency 9 --max-in-flight 8": "9",
    f"{URL} --rate 3 --concurrency 3": "--rate: got '3'",
    "simulate --host 203.0.113.1 --port 0": "203.0.113.1",
    # As numbers are written.
    f"{URL} --rate 1e9": "1e+09",
}
"""By the line, where it is not its last word."""


@pytest.mark.parametrize("line", [line for line, _ in WRONG])
def test_an_error_is_short_names_the_value_and_says_what_to_do(typed: Command, home: Path, line: str) -> None:
    told = typed(*line.split(" ")).stderr.replace(str(home), "~")
    value = VALUES.get(line, re.split("[ =]", line)[-1])
    assert_whole(told.removesuffix("\n"), value)
