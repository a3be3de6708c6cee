"""A plan from a TOML file: read and checked.

Every mistake is one line: file, line, where in it, what was got, what is allowed.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import tomli

from loadgen.small_file import FileError, read_small
from sessions.plan.config import ConfigError
from sessions.plan.mix import PRESETS, MixError, MixPart, check_part
from sessions.plan.plan_table import PlanTable, Provider, Published, Report, Slo, StageTable
from sessions.plan.slo import parse_target
from sessions.plan.spread import Path as TablePath
from sessions.plan.spread import spread
from sessions.plan.stages import Stage
from sessions.plan.toml_lines import line_of

CAP_BYTES = 1 << 20
STAGES_CAP = 1000


class PlanFile:
    """A plan that was read: its table, and how to say where in its file something is wrong."""

    def __init__(self, shown: str, text: str, settings: Sequence[str] = (), directory: Path = Path()) -> None:
        """`settings`: as `stages.0.rate=4`, in place of what the text says; `directory`: where the files are
        that it names.

        Raises:
            ConfigError: it is no plan, or one of `settings` is none.
        """
        self.shown, self._text = shown, text
        self._set: set[TablePath] = set()
        try:
            fields = tomli.loads(text)
        except (tomli.TOMLDecodeError, RecursionError, ValueError) as error:
            raise ConfigError(f"plan {shown}: {one_line(str(error))}") from None
        _find_prompts(fields, directory)
        for setting in settings:
            self._apply(fields, setting)
        _find_prompts(fields, Path())
        try:
            self.table = msgspec.convert(fields, PlanTable)
        except msgspec.ValidationError as error:
            raise self._invalid(str(error)) from None
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", self.table.name):
            raise self.error(("name",), f"got {self.table.name[:60]!r}, need letters, digits and . _ -")

    def stages(self) -> list[Stage]:
        """Lists spread out, in order: lengths outermost, then repetitions, then loads.

        Raises:
            ConfigError: a stage cannot be.
        """
        if not self.table.stages:
            raise self.error(("stages",), "a plan needs at least one [[stages]]")
        parts = self.parts()
        found: list[Stage] = []
        for number, table in enumerate(self.table.stages):
            found += spread(("stages", number), table, found, self.error, parts)
            if len(found) > STAGES_CAP:
                raise self.error(("stages", number), f"more than {STAGES_CAP} stages")
        return found

    def parts(self) -> list[MixPart]:
        """What its mixes may name: its own parts, and those of every run.

        Raises:
            ConfigError: one cannot be.
        """
        own: dict[str, MixPart] = {}
        for key in ("mix", "presets"):
            for number, part in enumerate(getattr(self.table, key)):
                try:
                    check_part(part)
                except MixError as refused:
                    raise self.error((key, number, refused.key), str(refused)) from None
                if part.name in own:
                    raise self.error((key, number, "name"), f"{part.name} stands twice")
                own[part.name] = part
        return [*own.values(), *(part for part in PRESETS if part.name not in own)]

    def targets(self) -> list[str]:
        """`[slo] targets`, each of them one.

        Raises:
            ConfigError: one is none.
        """
        for number, text in enumerate(self.table.slo.targets):
            try:
                parse_target(text)
            except ConfigError as error:
                raise self.error(("slo", "targets", number), str(error)) from None
        return self.table.slo.targets

    def error(self, path: TablePath, message: str) -> ConfigError:
        """One line that names file, line and place."""
        line = None if path in self._set else line_of(self._text, path)
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        return ConfigError(f"plan {self.shown}{'' if line is None else f', line {line}'}: {place}: {message}")

    def _invalid(self, message: str) -> ConfigError:
        """What msgspec says, with the line it is about."""
        said, _, where = message.partition(" - at `$")
        path: list[str | int] = []
        for name, number in re.findall(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]", where):
            path.append(name or int(number))
        if unknown := re.search(r"unknown field `(.+)`", said):
            owner: type[msgspec.Struct] = _TABLES.get(path[0] if path else "", PlanTable)
            known = owner.__struct_fields__
            near = difflib.get_close_matches(unknown[1], known, 1, 0.6)
            hint = f", did you mean {near[0]}?" if near else f"; it may hold {', '.join(known)}"
            return self.error((*path, unknown[1]), f"there is no such key{hint}")
        if missing := re.search(r"missing required field `(.+)`", said):
            return self.error(tuple(path), f"{missing[1]} is missing")
        words = said.replace("`", "").replace("Expected", "need").replace("null", "nothing")
        return self.error(tuple(path), words)

    def _apply(self, fields: dict[str, Any], setting: str) -> None:
        """Puts one setting into what was read.

        Raises:
            ConfigError: it is none, or the plan has no such place.
        """
        name, equals, typed = setting.partition("=")
        parts = name.strip().split(".")
        path: TablePath = tuple(int(part) if part.isascii() and part.isdigit() else part for part in parts)
        if not equals or not all(parts):
            raise ConfigError(
                f"--set: got {setting[:60]!r}, need a place in the plan and a value: run.rate=4"
            )
        at: Any = fields
        for step, below in pairwise(path):
            if isinstance(at, dict) and isinstance(step, str):
                at = at.setdefault(step, [] if isinstance(below, int) else {})
            else:
                at = at[step] if isinstance(at, list) and isinstance(step, int) and step < len(at) else None
        last: Any = path[-1]
        if isinstance(at, dict if isinstance(last, str) else list) and (
            isinstance(last, str) or last < len(at)
        ):
            at[last] = _value(typed)
        else:
            raise ConfigError(f"--set: the plan {self.shown} has no place {name.strip()[:60]!r}")
        self._set.add(path)


_TABLES: dict[str | int, type[msgspec.Struct]] = {
    "stages": StageTable,
    "slo": Slo,
    "report": Report,
    "published": Published,
    "providers": Provider,
    "mix": MixPart,
    "presets": MixPart,
}


def read_plan(path: Path, settings: Sequence[str] = (), *, shown: str | None = None) -> PlanFile:
    """The plan in a file, with `settings` in place of what stands there; `shown`: what errors call it.

    Raises:
        ConfigError: it cannot be read, is too large, or is no plan.
    """
    shown = shown or str(path)[:200]
    try:
        data = read_small(path, CAP_BYTES).data
    except FileError as error:
        raise ConfigError(f"plan {shown}: {error}") from None
    try:
        return PlanFile(shown, data.decode("utf-8-sig"), settings, path.parent)
    except UnicodeDecodeError:
        raise ConfigError(f"plan {shown}: not UTF-8") from None


def _find_prompts(fields: dict[str, Any], directory: Path) -> None:
    """Makes the paths of prompts absolute, in whatever table they stand."""
    tables = [fields.get("run")]
    for key in ("stages", "mix", "presets"):
        several = fields.get(key)
        tables += several if isinstance(several, list) else []
    for table in tables:
        if isinstance(table, dict) and isinstance(path := table.get("prompts"), str) and path:
            table["prompts"] = os.path.abspath(directory / path)  # noqa: PTH100  (`resolve` follows links)


def _value(typed: str) -> Any:
    """What stands after `=`: as TOML reads it, else as a text."""
    try:
        return tomli.loads(f"value = {typed}")["value"]
    except (tomli.TOMLDecodeError, RecursionError, ValueError):
        return typed.strip()


def one_line(text: str) -> str:
    """A parser's words, at most 200 of their characters."""
    return " ".join(text.split())[:200]
