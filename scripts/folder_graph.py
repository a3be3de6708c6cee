#!/usr/bin/env python3
"""Writes into docs/design/architecture.md which folder imports which, as the code says.

    scripts/folder_graph.py            rewrites the lines between the two markers
    scripts/folder_graph.py --check    writes nothing; exits with 1 where the page says something else

A folder is one node of the graph, and so is a file at the root of its room (`loadgen/clock.py`). Every import
counts, also one inside a function or under TYPE_CHECKING.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("loadgen", "telemetry", "sessions", "tui")
PAGE = ROOT / "docs" / "design" / "architecture.md"
BEGIN, END = "<!-- scripts/folder_graph.py writes the lines from here -->\n", "<!-- to here -->\n"

Graph = dict[str, dict[str, list[str]]]
"""Node to each node that it imports, and the imports that do so as `file imports module`."""


@cache
def trees() -> dict[str, ast.Module]:
    """Each Python file of the packages, by its path from the root."""
    paths = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def file_of(module: str) -> str | None:
    """The path of a module of the packages; None for every other name."""
    path = module.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__init__.py") if file in trees()), None)


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported; `from a import b` is `a.b` where that is a module of the packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names = (f"{module}.{alias.name}" for alias in node.names)
            yield from sorted({name if file_of(name) else module for name in names})


def node_of(file: str) -> str:
    """`loadgen/arrivals/`, or `loadgen/clock.py` for a file at the root of its room."""
    return file if file.count("/") == 1 else file.rpartition("/")[0] + "/"


def graph() -> Graph:
    found: Graph = {}
    for file, tree in trees().items():
        edges = found.setdefault(node_of(file), {})
        for module in imports(tree):
            imported = file_of(module)
            if imported is not None and node_of(imported) != node_of(file):
                edges.setdefault(node_of(imported), []).append(f"{file} imports {module}")
    return found


def lines(found: Graph) -> list[str]:
    """One a node, from the bottom up.

    Raises:
        CycleError: nodes import one another in a circle; its second argument is the way round it.
    """
    sorter = TopologicalSorter(found)
    sorter.prepare()
    order: list[str] = []
    while ready := sorted(sorter.get_ready()):
        order += ready
        sorter.done(*ready)
    order.sort(key=lambda node: ROOMS.index(node.split("/")[0]))
    return [_line(node, sorted(found[node], key=order.index)) for node in order if "__init__" not in node]


def _line(node: str, imported: list[str]) -> str:
    rooms: dict[str, list[str]] = {}
    for other in imported:
        room, _, rest = other.partition("/")
        rooms.setdefault(room, []).append(rest.removesuffix("/").removesuffix(".py"))
    told = "; ".join(f"{room}: {', '.join(names)}" for room, names in rooms.items())
    return f"- `{node}` ← {told or 'nothing'}\n"


def circle(found: Graph) -> list[str]:
    """The imports that make one circle of nodes; empty where there is none."""
    try:
        lines(found)
    except CycleError as error:
        return [why for imported, importer in pairwise(error.args[1]) for why in found[importer][imported]]
    return []


def page() -> str:
    """docs/design/architecture.md as it should be."""
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"folder_graph: {PAGE}: need the lines {BEGIN.strip()} and {END.strip()}")
    return before + begin + "\n" + "".join(lines(graph())) + "\n" + end + after


def main() -> int:
    if strays := circle(graph()):
        print("folder_graph: folders import one another in a circle:", *strays, sep="\n  ", file=sys.stderr)
        return 1
    if page() == PAGE.read_text(encoding="utf-8"):
        return 0
    if "--check" in sys.argv[1:]:
        print("folder_graph: the page is out of date; run scripts/folder_graph.py", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
