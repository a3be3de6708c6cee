"""The plans that come with ttftop: one TOML file each, named as the plan."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sessions.plan.config import ConfigError
from sessions.plan.plan_file import PlanFile, read_plan

_DIRECTORY = Path(__file__).parent / "builtin"


def names() -> list[str]:
    """All of them, in order."""
    return sorted(path.stem for path in _DIRECTORY.glob("*.toml"))


def find_plan(wanted: str, settings: Sequence[str] = ()) -> PlanFile:
    """The plan of that name, else the one in the file of that path.

    Raises:
        ConfigError: there is neither, or it is no plan.
    """
    if wanted in names():
        return read_plan(_DIRECTORY / f"{wanted}.toml", settings, shown=wanted)
    try:
        path = Path(wanted).expanduser()
    except RuntimeError:  # `~nobody/`
        raise ConfigError(f"--plan: got {wanted[:60]!r}, whose home directory is not known") from None
    if "/" not in wanted and path.suffix != ".toml" and not os.path.lexists(path):
        import difflib

        near = difflib.get_close_matches(wanted, names(), 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "ttftop plan list shows those there are"
        raise ConfigError(f"--plan: no plan {wanted[:60]!r}, and no file of that name; {hint}")
    return read_plan(path, settings)
