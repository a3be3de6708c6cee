"""`summary --json` is a contract: what it once said of a recorded session it says for ever, byte for byte.

The golden file was printed by the code of commit b4996cf, when the summary was still a dictionary. Keys may be
added; none may go, change its place or its value.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sessions.summary.read import read_summary
from tests.cli.conftest import Command
from tui.report.brief import brief
from tui.report.text import render

GOLDEN = Path(__file__).parent / "golden" / "summary-llamacpp.json"
RECORDED = Path(__file__).parents[1] / "sessions" / "store" / "recorded" / "llamacpp"


def without_added_keys(said: Any, golden: Any) -> Any:
    """`said` as far as `golden` knows it, in its own order."""
    if isinstance(said, dict) and isinstance(golden, dict):
        return {key: without_added_keys(said[key], golden[key]) for key in said if key in golden}
    if isinstance(said, list) and isinstance(golden, list) and len(said) == len(golden):
        return [without_added_keys(a, b) for a, b in zip(said, golden, strict=True)]
    return said


def test_the_summary_of_a_recorded_session_is_byte_for_byte_what_it_was(ttftop: Command) -> None:
    golden = GOLDEN.read_text()
    told = ttftop("summary", str(RECORDED), "--json").stdout
    kept = without_added_keys(json.loads(told), json.loads(golden))
    assert json.dumps(kept, indent=2) + "\n" == golden


def test_summary_prints_one_screen_and_with_all_everything(typed: Command) -> None:
    short, whole = (typed("summary", str(RECORDED), *more).stdout for more in ((), ("--all",)))
    said = read_summary(RECORDED)
    assert (short, whole) == (brief(said), render(said))
