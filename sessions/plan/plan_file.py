"""A plan from a TOML file: read and checked.

Every mistake is one line: file, line, where in it, what was got, what is allowed.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import tomli

from loadgen.decoding import ready
from loadgen.small_file import FileError, read_small
from sessions.plan.config import ConfigError
from sessions.plan.file_paths import find_files
from sessions.plan.mix import PRESETS, MixError, MixPart, check_part
from sessions.plan.plan_table import PlanTable, Provider, Published, Report, Slo, StageTable, TargetTable
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
            raise ConfigError(f"plan {shown}{_of_a_parser(str(error))}; need TOML") from None
        find_files(fields, directory)
        for setting in settings:
            self._apply(fields, setting)
        find_files(fields, Path())
        if (endless := _not_finite(fields)) is not None:
            raise self.error(endless, "got a number that is none, or has no end; need one that has")
        try:
            self.table = msgspec.convert(fields, ready(PlanTable))
        except msgspec.ValidationError as error:
            raise self._invalid(str(error)) from None
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", self.table.name):
            raise self.error(("name",), f"got {self.table.name[:60]!r}, need letters, digits and . _ -")
        for number, table in enumerate(self.table.published):
            for place, row in enumerate(table.rows):
                if len(row) != len(table.columns):
                    wrong = f"a row of {len(row)} beside {len(table.columns)} columns"
                    raise self.error(("published", number, "rows", place), wrong)

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
        where = [self.shown if line is None else f"{self.shown}, line {line}", *([place] if place else [])]
        return ConfigError(f"plan {': '.join([*where, message])}")

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
        return self.error(tuple(path), _words(said, path))

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
            got = f"has no place {name.strip()[:60]!r}; ttftop plan show NAME shows them"
            raise ConfigError(f"--set: the plan {self.shown} {got}")
        self._set.add(path)


_TABLES: dict[str | int, type[msgspec.Struct]] = {
    "stages": StageTable,
    "targets": TargetTable,
    "slo": Slo,
    "report": Report,
    "published": Published,
    "providers": Provider,
    "mix": MixPart,
    "presets": MixPart,
}


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "array": "a list",
    "object": "a table",
    "bool": "true or false",
    "null": "",
}


def _words(said: str, path: Sequence[str | int]) -> str:
    """What msgspec says of a type, for somebody who knows TOML."""
    if kinds := re.fullmatch(r"Expected `(.+)`, got `(.+)`", said):
        need = [kind for name in kinds[1].split(" | ") if (kind := _KINDS.get(name, name))]
        words = f"need {' or '.join(need)}, got {_KINDS.get(kinds[2], f'a {kinds[2]}')}"
        single = len(path) == 1 and kinds[1] == "array" and kinds[2] == "object"
        return f"{words}: write [[{path[0]}]]" if single else words
    if value := re.fullmatch(r"Invalid enum value '(.*)'", said):
        owner = _TABLES.get(path[0] if path else "", PlanTable)
        allowed = _literals(get_type_hints(owner).get(str(path[-1]) if path else ""))
        return f"got {value[1][:60]!r}, need {' or '.join(allowed)}"
    return said.replace("`", "")


def _literals(of_type: Any) -> list[str]:
    """What a type of literals allows."""
    if get_origin(of_type) is Literal:
        return [str(value) for value in get_args(of_type)]
    return [text for part in get_args(of_type) for text in _literals(part)]


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
        raise ConfigError(f"plan {shown}: not UTF-8; need TOML") from None


def _not_finite(value: Any, path: TablePath = ()) -> TablePath | None:
    """Where TOML's `inf` or `nan` stands, which no session can hold; None where it does nowhere."""
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    below: Any = ()
    if isinstance(value, dict):
        below = value.items()
    elif isinstance(value, list):
        below = enumerate(value)
    found = (_not_finite(one, (*path, name)) for name, one in below)
    return next((where for where in found if where is not None), None)


def _value(typed: str) -> Any:
    """What stands after `=`: as TOML reads it, else as a text."""
    try:
        return tomli.loads(f"value = {typed}")["value"]
    except (tomli.TOMLDecodeError, RecursionError, ValueError):
        return typed.strip()


def _of_a_parser(said: str) -> str:
    """A TOML parser's words, at most 200 of their characters, with their line where those of others stand."""
    words = " ".join(said.split())[:200]
    if at := re.fullmatch(r"(.*) \(at line (\d+), (column \d+)\)", words):
        return f", line {at[2]}: {at[1]} ({at[3]})"
    return f": {words}"
