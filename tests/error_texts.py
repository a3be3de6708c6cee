"""What is asked of each text that tells a person of a fault, and where in the source such texts are made."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from loadgen.errors import printable

ROOT = Path(__file__).parents[1]
TWO_LINES = 2 * 120
WHAT_TO_DO = re.compile(
    r"need |needs |did you mean |give |\bset \w|write |\(see ttftop |choose from |ttftop \w+ (lists|and ttftop)|"
    r"ttftop \w+ (list |show NAME |tag )?(shows|prints|gives)|allowed are |leave .* out|is (the|its) .*\?|"
    r"wait for |\bsee [/~\w]"
)
_LEAST_TELLING = 10
"""So many letters at least a text must have of its own, to be known again."""


def assert_whole(told: str, *values: str) -> None:
    """`told`, as it stands on a terminal: two lines at most, each of `values`, and what to do about it."""
    assert printable(told, len(told)) == told, told
    assert len(told) <= TWO_LINES, f"{len(told)}: {told}"
    assert WHAT_TO_DO.search(told), told
    for value in values:
        assert value in told, (value, told)


def untold(makers: Mapping[str, tuple[str, ...]], told: Collection[str]) -> list[str]:
    """The places of these files, each by its makers (see `made_in`), whose text is none of `told`."""
    return [
        f"{file}:{line}: {pattern.pattern}"
        for file, of_file in makers.items()
        for line, pattern in made_in(file, of_file)
        if not any(map(pattern.search, told))
    ]


def whole_folder(folder: str, makers: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The same makers for each file of `folder`."""
    return {f"{folder}/{path.name}": makers for path in sorted((ROOT / folder).glob("*.py"))}


def made_in(file: str, makers: tuple[str, ...]) -> Iterator[tuple[int, re.Pattern[str]]]:
    """The lines of `file` where a text is made, each with what the text looks like.

    A maker is a class that is called with a text (`Name`, or `Name:1` of the second argument), or, written
    `name()`, a function that returns one. Of what is
    put into a text only names are known: of a local one, all that is assigned to it as a text. A text without
    words of its own, which only hands on another's, is left out.
    """
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    called = {name: int(at or 0) for name, _, at in (maker.partition(":") for maker in makers)}
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        known = _assigned(function)
        for node in ast.walk(function):
            made: ast.expr | None = None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in called:
                made = next(iter(node.args[called[node.func.id] :]), None)
            elif isinstance(node, ast.Return) and f"{function.name}()" in makers:
                made = node.value
            if made is None:
                continue
            for pattern in _patterns(made, known, module):
                if len(re.sub(r"\(\.\*\)|\W", "", pattern)) >= _LEAST_TELLING:
                    yield made.lineno, re.compile(pattern)


def _assigned(function: ast.AST) -> dict[str, list[ast.expr]]:
    known: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    known.setdefault(target.id, []).append(node.value)
    return known


def _patterns(made: ast.expr, known: dict[str, list[ast.expr]], module: object, deep: int = 0) -> list[str]:
    if isinstance(made, ast.Constant):
        return [re.escape(str(made.value))]
    if isinstance(made, ast.IfExp):
        return [*_patterns(made.body, known, module, deep), *_patterns(made.orelse, known, module, deep)]
    if isinstance(made, ast.BoolOp):
        return [one for value in made.values for one in _patterns(value, known, module, deep)]
    if isinstance(made, ast.Name):
        if isinstance(value := getattr(module, made.id, None), str):
            return [re.escape(value)]
        if made.id in known and deep < 3:
            return [one for value in known[made.id] for one in _patterns(value, known, module, deep + 1)]
    if isinstance(made, ast.JoinedStr):
        whole = [""]
        for part in made.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            said = _patterns(inner, known, module, deep)
            whole = [begin + end for begin in whole for end in said]
        return whole
    return ["(.*)"]
