"""The page of the session format names what a session may hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from sessions.store.manifest import END_REASONS
from sessions.store.records import AnyRecord

PAGE = (Path(__file__).parents[3] / "docs" / "format" / "session.md").read_text(encoding="utf-8")


def test_the_table_of_lines_has_every_kind_and_no_other() -> None:
    table = PAGE.partition("| `kind` | in |")[2].partition("\n\n")[0]
    named = {kind for row in table.splitlines()[2:] for kind in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == {record.__struct_config__.tag for record in get_args(AnyRecord)}


def test_every_reason_of_an_end_is_named_and_no_other() -> None:
    paragraph = PAGE.partition("Reasons of an end:")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", paragraph)) == set(END_REASONS)
