"""Everything ttftop needs to run is under a licence that somebody has read, and stands on the page of licences."""

from __future__ import annotations

import re
import runpy
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
_SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "scripts" / "licences.py"))


def test_the_page_names_every_package_that_a_run_needs_here_with_the_licence_it_states() -> None:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    said = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|$", text, re.MULTILINE))
    needed: dict[str, Any] = _SCRIPT["needed"]()
    assert {
        "textual",
        "httpx",
        "nvidia-ml-py",
        "numpy",
        "plotext",
        "tomli",
        "anyio",
        "mdurl",
    } <= needed.keys()
    assert needed.keys() <= said.keys()
    for one in needed.values():  # an older version may state it in fewer words than the page
        assert _SCRIPT["licence"](one) in _SCRIPT["ALLOWED"]


def test_a_licence_that_nobody_has_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: stranger\nLicense-Expression: GPL-3.0-only\n"
    )
    with pytest.raises(ValueError, match=r"stranger: licence \['GPL-3.0-only'\], allowed are"):
        _SCRIPT["licence"](Distribution.at(tmp_path))


def test_what_is_needed_only_to_work_on_ttftop_is_not_asked_for() -> None:
    assert "pytest" not in _SCRIPT["needed"]()
