"""Where a user's own files belong, and that there may be no such place."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from sessions.user_directory import user_directory


def test_a_home_that_nobody_knows_is_none_also_where_a_tilde_is_left_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As `os.path.expanduser` leaves it."""
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda name, appauthor: "~/.local/share/" + name)
    assert user_directory("data") is None


def test_the_place_is_ttftops_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert user_directory("state") == tmp_path / "ttftop"
