"""The plans that come with ttftop: one TOML file each, named as the plan."""

from __future__ import annotations

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
    path = Path(wanted).expanduser()
    if not path.exists() and path.suffix != ".toml" and "/" not in wanted:
        import difflib

        near = difflib.get_close_matches(wanted, names(), 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "`ttftop plan list` shows those there are"
        raise ConfigError(f"--plan: no plan {wanted[:60]!r}, and no file of that name; {hint}")
    return read_plan(path, settings)
